//! Tokens, session keys and sign-in codes: 256 random bits behind a prefix that says what they are,
//! so that a scanner finds a leaked one.
//!
//! A secret is looked up by its SHA-256 and compared with nothing else: how long a lookup takes says
//! something about digests of guesses, never about a stored secret.

use std::fmt;

use model::digest::Digest;

/// What a secret is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretKind {
    /// A bearer token.
    Token,
    /// A session's cookie.
    Session,
    /// A sign-in link's code.
    Code,
}

impl SecretKind {
    const fn prefix(self) -> &'static str {
        match self {
            Self::Token => "pht_",
            Self::Session => "phs_",
            Self::Code => "phc_",
        }
    }
}

/// A secret in the clear, on its one way to its owner. It is never stored and never logged.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Draws a new one.
    pub fn draw(kind: SecretKind) -> Self {
        let bytes: [u8; 32] = rand::random();
        Self(format!("{}{}", kind.prefix(), hex::encode(bytes)))
    }

    /// One that a caller sent; `None` for what cannot be one, however long it is.
    pub fn sent(kind: SecretKind, text: &str) -> Option<Self> {
        let digits = text.strip_prefix(kind.prefix())?;
        let fits = digits.len() == 64 && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        fits.then(|| Self(text.to_owned()))
    }

    /// What is stored of it.
    pub fn digest(&self) -> Digest {
        Digest::of(self.0.as_bytes())
    }

    /// The text, to be shown once.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_read_back_by_its_kind_only_and_never_printed() {
        let secret = Secret::draw(SecretKind::Token);
        assert_eq!(Secret::sent(SecretKind::Token, secret.reveal()), Some(secret.clone()));
        assert_eq!(Secret::sent(SecretKind::Session, secret.reveal()), None);
        for wrong in
            ["", "pht_", &secret.reveal()[1..], &format!("{}0", secret.reveal()), &secret.reveal().to_uppercase()]
        {
            assert_eq!(Secret::sent(SecretKind::Token, wrong), None, "{wrong}");
        }
        assert!(!format!("{secret:?}").contains(&secret.reveal()[8..]));
        assert_ne!(Secret::draw(SecretKind::Code), Secret::draw(SecretKind::Code));
    }
}
