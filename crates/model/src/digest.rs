//! SHA-256, the one hash function of the product: blobs, chains, seals, tokens, definitions.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest as _, Sha256};

/// A SHA-256 digest, written as 64 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, utoipa::ToSchema)]
#[schema(value_type = String)]
pub struct Digest([u8; 32]);

impl Digest {
    /// Takes the bytes of a digest that was computed elsewhere.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The digest of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The raw bytes.
    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that is not 64 hex digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a SHA-256 digest in hex")]
pub struct DigestInvalid;

impl FromStr for Digest {
    type Err = DigestInvalid;
    fn from_str(text: &str) -> Result<Self, DigestInvalid> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| DigestInvalid)?;
        Ok(Self(bytes))
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

/// Hashes fields so that no two different lists of fields give the same input: each is preceded by
/// its length as 8 bytes, big endian. Seals, command digests and chains are all made with it.
#[derive(Clone, Default)]
pub struct Fields(Sha256);

impl Fields {
    /// Starts a digest whose first field is a tag that names the format and its version.
    pub fn tagged(tag: &str) -> Self {
        let mut fields = Self::default();
        fields.push(tag.as_bytes());
        fields
    }

    /// Adds one field.
    pub fn push(&mut self, field: &[u8]) -> &mut Self {
        self.0.update((field.len() as u64).to_be_bytes());
        self.0.update(field);
        self
    }

    /// Adds a text field.
    pub fn text(&mut self, field: &str) -> &mut Self {
        self.push(field.as_bytes())
    }

    /// Adds a field that may be absent; absent differs from empty.
    pub fn maybe(&mut self, field: Option<&str>) -> &mut Self {
        match field {
            Some(text) => self.push(b"+").text(text),
            None => self.push(b"-"),
        }
    }

    /// The digest over all fields so far.
    pub fn finish(self) -> Digest {
        Digest(self.0.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moving_bytes_between_fields_changes_the_digest() {
        let of = |fields: &[&str]| {
            let mut digest = Fields::tagged("t");
            for field in fields {
                digest.text(field);
            }
            digest.finish()
        };
        assert_ne!(of(&["ab", "c"]), of(&["a", "bc"]));
        assert_ne!(of(&["a", ""]), of(&["a"]));
        assert_eq!(of(&["a"]).to_string().parse(), Ok(of(&["a"])));
    }
}
