//! The session's cookie.

use axum::http::{HeaderMap, HeaderValue, header};

use super::{Secret, SecretKind};

const NAME: &str = "proofhouse_session";

/// The session key that the request carries.
pub fn session_secret(headers: &HeaderMap) -> Option<Secret> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|text| text.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let (_, value) = pairs.find(|(name, _)| *name == NAME)?;
    Secret::sent(SecretKind::Session, value)
}

/// `Set-Cookie` that begins a session.
pub fn session_cookie(secret: &Secret, max_age_s: u64, secure: bool) -> HeaderValue {
    cookie(secret.reveal(), max_age_s, secure)
}

/// `Set-Cookie` that ends it.
pub fn cleared_cookie(secure: bool) -> HeaderValue {
    cookie("", 0, secure)
}

fn cookie(value: &str, max_age_s: u64, secure: bool) -> HeaderValue {
    let secure = if secure { "; Secure" } else { "" };
    let text = format!("{NAME}={value}; HttpOnly; SameSite=Strict; Path=/; Max-Age={max_age_s}{secure}");
    // A secret is hex digits, so the text is always a header value.
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cookie_is_found_among_others_and_cannot_be_read_by_scripts() {
        let secret = Secret::draw(SecretKind::Session);
        let set = session_cookie(&secret, 60, false);
        let text = set.to_str().unwrap();
        assert!(text.contains("; HttpOnly; SameSite=Strict; Path=/; Max-Age=60"));
        let sent = format!("a=b; {}; c=d", text.split(';').next().unwrap());
        let headers: HeaderMap = [(header::COOKIE, sent.parse().unwrap())].into_iter().collect();
        assert_eq!(session_secret(&headers), Some(secret));
        assert!(cleared_cookie(true).to_str().unwrap().ends_with("Max-Age=0; Secure"));
    }
}
