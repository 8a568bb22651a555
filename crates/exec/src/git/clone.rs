//! Clones for a worker that has none of its own (D48): where a repository comes from, and getting it.
//!
//! This is the one place that goes to the network, with the login of the person who runs the worker. Only addresses
//! of servers are taken: git itself would start any program that an `ext::` address names, and a path would lead to
//! files of that machine.

use std::{fs, path::Path, time::Duration};

use super::{GitError, Repository, command::Git};

/// How long a clone may take.
const CLONE: Duration = Duration::from_secs(1_800);
/// Ways to a server.
const SCHEMES: [&str; 4] = ["https", "http", "ssh", "git"];
/// What a person's login may be found by.
const LOGIN: [&str; 12] = [
    "HOME",
    "XDG_CONFIG_HOME",
    "SSH_AUTH_SOCK",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "ALL_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "all_proxy",
    "SSL_CERT_FILE",
];

/// The address of a server's repository without the login that may stand in it; nothing for what is none: a path, a
/// program, an option.
pub fn public_url(url: &str) -> Option<String> {
    let url = url.trim();
    let plain = (1..=1_024).contains(&url.len()) && url.bytes().all(|byte| byte.is_ascii_graphic());
    if !plain || url.starts_with('-') {
        return None;
    }
    if let Some((scheme, rest)) = url.split_once("://") {
        if !SCHEMES.contains(&scheme) {
            return None;
        }
        let (authority, path) = rest.split_once('/').filter(|(_, path)| !path.is_empty())?;
        let (login, host) = authority.rsplit_once('@').map_or((None, authority), |(login, host)| (Some(login), host));
        if host.is_empty() || host.starts_with('-') {
            return None;
        }
        // Over ssh the name is part of the address (`git@`); everywhere else it is somebody's login.
        let name = login.map(|login| login.split(':').next().unwrap_or_default());
        let name = name.filter(|name| scheme == "ssh" && !name.is_empty() && !name.starts_with('-'));
        return Some(match name {
            Some(name) => format!("{scheme}://{name}@{host}/{path}"),
            None => format!("{scheme}://{host}/{path}"),
        });
    }
    // git@host:path
    let (login, path) = url.split_once(':')?;
    let (name, host) = login.split_once('@')?;
    let is_word = |word: &str| {
        !word.is_empty()
            && !word.starts_with('-')
            && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    (is_word(name) && is_word(host) && !path.is_empty() && !path.starts_with(['-', ':'])).then(|| url.to_owned())
}

/// A call that may go to a server, as the person who runs this process.
fn abroad(folder: &Path) -> Git {
    let mut git = Git::at(folder).without("GIT_CONFIG_GLOBAL").without("HOME").without("GIT_NO_LAZY_FETCH");
    for name in LOGIN {
        if let Ok(value) = std::env::var(name) {
            git = git.env(name, value);
        }
    }
    for scheme in SCHEMES {
        git = git.setting(&format!("protocol.{scheme}.allow"), "always");
    }
    // Nobody is there who could be asked for a password.
    git.env("GIT_SSH_COMMAND", "ssh -oBatchMode=yes").timeout(CLONE)
}

impl Repository {
    /// Clones a repository of a server into a folder, whole or not at all. Nothing is checked out.
    ///
    /// # Errors
    /// An address that is none of a server's; those of git.
    pub async fn clone_from(url: &str, folder: &Path) -> Result<Self, GitError> {
        let failed = |message: String| GitError::Failed { action: "clone".to_owned(), message };
        let url = public_url(url).ok_or_else(|| failed("the project's address is not that of a server".to_owned()))?;
        let beside = folder.with_extension("new");
        let parent = folder.parent().unwrap_or(folder);
        fs::create_dir_all(parent).map_err(|error| failed(format!("{}: {error}", parent.display())))?;
        // From a try that died.
        let _ = fs::remove_dir_all(&beside);
        let to = beside.to_string_lossy().into_owned();
        let words = ["clone", "--quiet", "--no-checkout", "--no-recurse-submodules", "--template=", "--", &url, &to];
        abroad(parent).args(words).tell().await?;
        let moved = fs::remove_dir_all(folder)
            .or_else(|error| if error.kind() == std::io::ErrorKind::NotFound { Ok(()) } else { Err(error) })
            .and_then(|()| fs::rename(&beside, folder));
        moved.map_err(|error| failed(format!("{}: {error}", folder.display())))?;
        Self::open(folder).await
    }

    /// Gets what is new at the server that a clone came from.
    ///
    /// # Errors
    /// Those of git.
    pub async fn fetch(&self) -> Result<(), GitError> {
        let words = ["fetch", "--quiet", "--no-tags", "--no-recurse-submodules", "--no-auto-gc", "origin"];
        abroad(self.root()).args(words).tell().await.map(drop)
    }

    /// The address of the server that the repository came from, without anybody's login.
    pub async fn origin(&self) -> Option<String> {
        let told = self.git().args(["config", "--get", "remote.origin.url"]).tell().await.ok()?;
        public_url(&String::from_utf8_lossy(&told))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // D48, D21: addresses of servers without logins; no programs, no paths, no options.
    #[test]
    fn only_addresses_of_servers_are_public() {
        for (url, public) in [
            ("https://github.com/a/b.git", Some("https://github.com/a/b.git")),
            ("https://ada:secret@github.com/a/b", Some("https://github.com/a/b")),
            ("https://x-token@github.com/a/b", Some("https://github.com/a/b")),
            ("ssh://git:pw@host:22/a", Some("ssh://git@host:22/a")),
            ("git@github.com:a/b.git", Some("git@github.com:a/b.git")),
            ("git://127.0.0.1:9418/a", Some("git://127.0.0.1:9418/a")),
            ("ext::sh -c evil", None),
            ("ext::sh", None),
            ("file:///etc", None),
            ("/srv/a", None),
            ("../a", None),
            ("a:b", None),
            ("-uevil@host:a", None),
            ("git@-oProxyCommand=x:a", None),
            ("ssh://-oProxyCommand=x/a", None),
            ("ssh://-x@host/a", Some("ssh://host/a")),
            ("git@host::ext", None),
            ("https://", None),
            ("https://host", None),
            ("https://host/a b", None),
            ("", None),
        ] {
            assert_eq!(public_url(url).as_deref(), public, "{url}");
        }
    }
}
