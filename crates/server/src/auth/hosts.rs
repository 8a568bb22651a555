//! Which hosts and origins a request may name. A page of another site can make a browser call
//! loopback under a name of its own (DNS rebinding) or with the reader's cookie; neither gets in.

use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, HeaderName, Method, Uri, header};
use model::{code::Code, problem::Problem};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The names under which this server may be called.
#[derive(Debug, Clone, Default)]
pub struct Hosts {
    names: Vec<String>,
    bound: Option<IpAddr>,
}

impl Hosts {
    /// Loopback, the bound address and the configured names.
    pub fn new(bound: Option<SocketAddr>, names: &[String]) -> Self {
        let names = names.iter().filter_map(|name| Some(split(name)?.0.to_ascii_lowercase())).collect();
        Self { names, bound: bound.map(|address| address.ip()) }
    }

    fn serves(&self, host: &str) -> bool {
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        if let Ok(address) = bare.parse::<IpAddr>() {
            // A name can be made to point here; an address cannot.
            let bound_to_all = self.bound.is_some_and(|bound| bound.is_unspecified());
            return address.is_loopback() || bound_to_all || self.bound == Some(address) || self.is_listed(host);
        }
        host.eq_ignore_ascii_case("localhost") || self.is_listed(host)
    }

    fn is_listed(&self, host: &str) -> bool {
        self.names.iter().any(|name| name.eq_ignore_ascii_case(host))
    }

    /// Refuses a request that names no host, several, or a foreign one. `remote` is false for calls
    /// within the process, which need not name any.
    pub fn check(&self, uri: &Uri, headers: &HeaderMap, remote: bool) -> Result<(), Problem> {
        let refused = || Problem::new(Code::HostRefused, "the request does not name a host of this server");
        let mut named = headers.get_all(header::HOST).iter();
        let (host, more) = (named.next(), named.next());
        if more.is_some() || (host.is_none() && remote) {
            return Err(refused());
        }
        if let Some(host) = host {
            let host = host.to_str().ok().and_then(split).ok_or_else(refused)?.0;
            if !self.serves(host) {
                return Err(refused());
            }
        }
        match uri.authority() {
            Some(authority) if remote && !self.serves(authority.host()) => Err(refused()),
            _ => Ok(()),
        }
    }

    /// Refuses a change that is made with a cookie from a page of another site.
    pub fn check_origin(&self, method: &Method, headers: &HeaderMap) -> Result<(), Problem> {
        if method.is_safe() {
            return Ok(());
        }
        let refused = || Err(Problem::new(Code::OriginRefused, "the request does not come from a page of this server"));
        match headers.get(header::ORIGIN) {
            Some(origin) => {
                // The same host and port that the browser called, not merely a host we know.
                let origin = origin.to_str().unwrap_or_default();
                let place = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
                let called = headers.get(header::HOST).and_then(|host| host.to_str().ok());
                match (place, called) {
                    (Some(place), Some(called)) if place.eq_ignore_ascii_case(called) => Ok(()),
                    _ => refused(),
                }
            }
            None if headers.get(SEC_FETCH_SITE).is_some_and(|site| site == "same-origin") => Ok(()),
            None => refused(),
        }
    }
}

/// Host and port of `host[:port]`; IPv6 addresses stand in brackets.
fn split(text: &str) -> Option<(&str, Option<u16>)> {
    let end = if text.starts_with('[') { text.find(']')? + 1 } else { text.find(':').unwrap_or(text.len()) };
    let (host, rest) = text.split_at(end);
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._[]:".contains(&byte);
    if host.is_empty() || !host.bytes().all(allowed) {
        return None;
    }
    match rest.strip_prefix(':') {
        Some(port) => Some((host, Some(port.parse().ok()?))),
        None => rest.is_empty().then_some((host, None)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(list: &[(HeaderName, &str)]) -> HeaderMap {
        list.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect()
    }

    #[test]
    fn only_names_of_this_server_are_served() {
        let hosts =
            Hosts::new(Some("192.168.1.5:4180".parse().unwrap()), &["plane.example".into(), "b.example:80".into()]);
        for good in
            ["localhost", "localhost:4180", "127.0.0.1:1", "[::1]:4180", "192.168.1.5", "PLANE.example:9", "b.example"]
        {
            assert!(hosts.check(&Uri::from_static("/"), &headers(&[(header::HOST, good)]), true).is_ok(), "{good}");
        }
        for bad in [
            "evil.example",
            "localhost.evil.example",
            "192.168.1.6",
            "",
            "localhost:99999",
            "[::1",
            "a b",
            "localhost:80:80",
            "0.0.0.0",
        ] {
            assert!(hosts.check(&Uri::from_static("/"), &headers(&[(header::HOST, bad)]), true).is_err(), "{bad}");
        }
        let two = headers(&[(header::HOST, "localhost"), (header::HOST, "localhost")]);
        assert!(Hosts::default().check(&Uri::from_static("/"), &HeaderMap::new(), true).is_err());
        assert!(Hosts::default().check(&Uri::from_static("/"), &HeaderMap::new(), false).is_ok());
        assert!(
            hosts
                .check(&Uri::from_static("http://evil.example/"), &headers(&[(header::HOST, "localhost")]), true)
                .is_err()
        );
        assert!(hosts.check(&Uri::from_static("/"), &two, true).is_err(), "two hosts are none");
    }

    #[test]
    fn a_change_with_a_cookie_comes_from_our_own_page() {
        let hosts = Hosts::default();
        let check = |list: &[(HeaderName, &str)]| hosts.check_origin(&Method::POST, &headers(list));
        assert!(check(&[(header::HOST, "localhost:4180"), (header::ORIGIN, "http://localhost:4180")]).is_ok());
        assert!(check(&[(header::HOST, "localhost:4180"), (header::ORIGIN, "http://localhost:9999")]).is_err());
        assert!(check(&[(header::HOST, "localhost:4180"), (header::ORIGIN, "null")]).is_err());
        assert!(check(&[(header::HOST, "localhost:4180")]).is_err());
        assert!(check(&[(SEC_FETCH_SITE, "same-origin")]).is_ok());
        assert!(hosts.check_origin(&Method::GET, &HeaderMap::new()).is_ok());
    }
}
