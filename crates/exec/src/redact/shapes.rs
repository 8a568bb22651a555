//! Secrets that are known by their look alone (D21): keys of providers, values behind `Bearer`, passwords in URLs,
//! and values behind a name that says what they are.

use std::ops::Range;

/// The longest secret of a known shape, with what stands before it.
pub(super) const SHAPE_MAX: usize = 512;

/// What a shape begins with, and how it goes on.
pub(super) struct Shape {
    /// It begins with this, which stands at the start of a word.
    pub(super) start: &'static str,
    how: How,
    label: &'static str,
}

enum How {
    /// Letters, digits, `_` and `-`, at least so many; all of it is the secret.
    Key(usize),
    /// A word of 16 characters or more with a digit in it; it alone is the secret.
    Value,
    /// `user:password@`, of which the password is the secret, or a token alone.
    Login,
    /// More of a name, then `=` or `:`, then a value as above, in quotes or right behind a `=`.
    Labelled,
}

/// What stands behind the start of a shape.
pub(super) enum Found {
    /// This is secret; counted from the shape's start.
    Secret(Range<usize>),
    /// Nothing is.
    Nothing,
    /// More of the text would tell.
    Open,
}

const fn key(start: &'static str, least: usize, label: &'static str) -> Shape {
    Shape { start, how: How::Key(least), label }
}

const fn value(start: &'static str) -> Shape {
    Shape { start, how: How::Value, label: "bearer value" }
}

const fn labelled(start: &'static str) -> Shape {
    Shape { start, how: How::Labelled, label: "labelled secret" }
}

/// All of them.
pub(super) const SHAPES: &[Shape] = &[
    key("ghp_", 30, "github token"),
    key("gho_", 30, "github token"),
    key("ghu_", 30, "github token"),
    key("ghs_", 30, "github token"),
    key("ghr_", 30, "github token"),
    key("github_pat_", 30, "github token"),
    key("glpat-", 20, "gitlab token"),
    key("sk-ant-", 20, "api key"),
    key("sk-proj-", 20, "api key"),
    key("sk-or-", 20, "api key"),
    key("sk-svcacct-", 20, "api key"),
    key("sk-admin-", 20, "api key"),
    key("sk-", 32, "api key"),
    key("gsk_", 30, "api key"),
    key("xai-", 30, "api key"),
    key("hf_", 30, "api key"),
    key("r8_", 30, "api key"),
    key("pplx-", 30, "api key"),
    key("AIza", 35, "api key"),
    key("sk_live_", 20, "api key"),
    key("rk_live_", 20, "api key"),
    key("xoxb-", 20, "slack token"),
    key("xoxp-", 20, "slack token"),
    key("xoxa-", 20, "slack token"),
    key("AKIA", 16, "cloud key id"),
    key("ASIA", 16, "cloud key id"),
    key("ya29.", 20, "cloud token"),
    key("dop_v1_", 40, "cloud token"),
    key("npm_", 30, "registry token"),
    key("pypi-", 40, "registry token"),
    value("Bearer "),
    value("bearer "),
    value("BEARER "),
    value("Basic "),
    Shape { start: "://", how: How::Login, label: "password" },
    labelled("api_key"),
    labelled("apikey"),
    labelled("api-key"),
    labelled("apiKey"),
    labelled("API_KEY"),
    labelled("secret"),
    labelled("Secret"),
    labelled("SECRET"),
    labelled("password"),
    labelled("Password"),
    labelled("PASSWORD"),
    labelled("passwd"),
    labelled("access_token"),
    labelled("accessToken"),
    labelled("ACCESS_TOKEN"),
    labelled("auth_token"),
    labelled("authToken"),
    labelled("AUTH_TOKEN"),
];

/// The least length of a value that only what stands before it makes a secret.
const VALUE: usize = 16;
/// How much of a name may stand behind the word that labels it.
const NAME: usize = 40;

impl Shape {
    /// What it is called once replaced.
    pub(super) const fn label(&self) -> &'static str {
        self.label
    }

    /// Whether it counts only at the start of a word.
    pub(super) const fn needs_start(&self) -> bool {
        matches!(self.how, How::Key(_) | How::Value)
    }

    /// What stands behind its start in `text`, which begins with it. `ended` says that nothing follows.
    pub(super) fn look(&self, text: &[u8], ended: bool) -> Found {
        let text = &text[..text.len().min(SHAPE_MAX)];
        let ended = ended || text.len() == SHAPE_MAX;
        let from = self.start.len();
        match self.how {
            How::Key(least) => {
                let end = from + run(&text[from..], |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
                if end == text.len() && !ended {
                    Found::Open
                } else if end - from >= least {
                    Found::Secret(0..end)
                } else {
                    Found::Nothing
                }
            }
            How::Value => secret_value(text, from, ended),
            How::Login => login(text, from, ended),
            How::Labelled => behind_label(text, from, ended),
        }
    }
}

fn run(bytes: &[u8], fits: impl Fn(u8) -> bool) -> usize {
    bytes.iter().take_while(|byte| fits(**byte)).count()
}

const fn is_value(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'_' | b'.' | b'-' | b'~')
}

fn secret_value(text: &[u8], from: usize, ended: bool) -> Found {
    let end = from + run(&text[from..], is_value);
    if end == text.len() && !ended {
        return Found::Open;
    }
    let word = &text[from..end];
    // A word of a language has no digits; a token without any is as good as never seen.
    let is_secret =
        word.len() >= VALUE && word.iter().any(u8::is_ascii_digit) && word.iter().any(u8::is_ascii_alphabetic);
    if is_secret { Found::Secret(from..end) } else { Found::Nothing }
}

fn login(text: &[u8], from: usize, ended: bool) -> Found {
    let plain = |byte: u8| !byte.is_ascii_whitespace() && !byte.is_ascii_control() && !b"/?#\"'`<>\\@".contains(&byte);
    let end = from + run(&text[from..], plain);
    match text.get(end) {
        None if !ended => Found::Open,
        Some(b'@') => {
            let user = run(&text[from..end], |byte| byte != b':');
            let password = from + user + 1..end;
            match text.get(password.clone()).filter(|password| !password.is_empty()) {
                // `${PASSWORD}` and its like are no secret.
                Some(password) if matches!(password[0], b'$' | b'{' | b'%' | b'*') => Found::Nothing,
                Some(_) => Found::Secret(password),
                None if user >= 20 => Found::Secret(from..from + user),
                None => Found::Nothing,
            }
        }
        Some(_) | None => Found::Nothing,
    }
}

fn behind_label(text: &[u8], from: usize, ended: bool) -> Found {
    let mut at = from + run(&text[from..], |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    if at - from > NAME {
        return Found::Nothing;
    }
    let skip = |at: &mut usize, of: &[u8]| {
        let from = *at;
        while text.get(*at).is_some_and(|byte| of.contains(byte)) && *at - from < 4 {
            *at += 1;
        }
        *at > from
    };
    // `"name": "value"`, also escaped, and `name=value`.
    skip(&mut at, b"\\\"'");
    let is_apart = skip(&mut at, b" \t");
    let sign = text.get(at).copied();
    if !matches!(sign, Some(b'=' | b':')) {
        return if sign.is_none() && !ended { Found::Open } else { Found::Nothing };
    }
    at += 1;
    let is_apart = skip(&mut at, b" \t") || is_apart;
    let is_quoted = skip(&mut at, b"\\\"'");
    if at == text.len() && !ended {
        return Found::Open;
    }
    if !is_quoted && (is_apart || sign == Some(b':')) {
        return Found::Nothing;
    }
    secret_value(text, at, ended)
}
