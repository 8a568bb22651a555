//! Which arguments are programs themselves: code handed to an interpreter, or a command handed to
//! something that starts commands (L68). Where it cannot be told, it is taken for one.

/// Options that take the next word, so that the word is not mistaken for the script.
const NODE_WITH_VALUE: &[&str] =
    &["-r", "--require", "--import", "-C", "--conditions", "--loader", "--experimental-loader"];
/// Options after which the next word is the script.
const NODE_FLAGS: &[&str] = &["--test", "--watch", "--enable-source-maps", "--inspect", "--strip-types"];

/// Programs that start whatever their arguments name.
const LAUNCHERS: &[&str] = &[
    "bwrap",
    "busybox",
    "chroot",
    "chrt",
    "command",
    "doas",
    "docker",
    "exec",
    "expect",
    "firejail",
    "flock",
    "gdb",
    "ionice",
    "kubectl",
    "ltrace",
    "nice",
    "nohup",
    "nsenter",
    "parallel",
    "podman",
    "runuser",
    "script",
    "setpriv",
    "setsid",
    "ssh",
    "start-stop-daemon",
    "stdbuf",
    "strace",
    "su",
    "sudo",
    "systemd-run",
    "taskset",
    "time",
    "timeout",
    "toybox",
    "unshare",
    "watch",
    "xargs",
];

/// Whether a program is given a program. `program` is a base name.
pub(super) fn is_inline(program: &str, args: &[String]) -> bool {
    let before_end = args.iter().take_while(|arg| *arg != "--");
    if before_end.clone().any(|arg| arg == "--eval" || arg.starts_with("--eval=")) {
        return true;
    }
    match family(program) {
        Family::Shell => shell(args),
        Family::PowerShell => {
            let lower = args.iter().map(|arg| arg.to_ascii_lowercase());
            lower.into_iter().any(|arg| arg.starts_with("-c") || arg.starts_with("-e"))
        }
        Family::Python => python(args),
        Family::Node => node(args),
        Family::Letters(letters, with_value) => letter(args, letters, with_value),
        Family::Filter => {
            !args.iter().any(|arg| arg.starts_with("-f") || arg == "--file" || arg.starts_with("--file="))
        }
        Family::Find => before_end.clone().any(|arg| ["-exec", "-execdir", "-ok", "-okdir"].contains(&arg.as_str())),
        Family::Launcher => !args.is_empty(),
        Family::Other => false,
    }
}

enum Family {
    Shell,
    PowerShell,
    Python,
    Node,
    /// Takes code with one of these letters; the second ones take the rest of their word, or the
    /// next one, as a value.
    Letters(&'static str, &'static str),
    /// Takes code as its first argument unless it is told a file.
    Filter,
    Find,
    Launcher,
    Other,
}

fn family(program: &str) -> Family {
    let versioned = |name: &str| {
        program.strip_prefix(name).is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.'))
    };
    match program {
        "sh" | "bash" | "dash" | "ash" | "zsh" | "ksh" | "mksh" | "fish" | "csh" | "tcsh" | "rbash" => Family::Shell,
        "pwsh" | "powershell" => Family::PowerShell,
        "node" | "nodejs" | "bun" | "deno" | "tsx" | "ts-node" => Family::Node,
        "awk" | "gawk" | "mawk" | "nawk" | "sed" | "gsed" => Family::Filter,
        "find" => Family::Find,
        "Rscript" | "R" | "elixir" | "iex" | "julia" | "groovy" | "scala" | "kotlin" | "racket" | "guile" | "ghc" => {
            Family::Letters("eE", "")
        }
        _ if LAUNCHERS.contains(&program) => Family::Launcher,
        _ if versioned("python") || versioned("pypy") || program == "ipython" => Family::Python,
        _ if versioned("perl") => Family::Letters("eE", "IMmiCDFxV"),
        _ if versioned("ruby") => Family::Letters("e", "IrKFCxEi0"),
        _ if versioned("php") => Family::Letters("rBRE", "cdfFtz"),
        _ if versioned("lua") || program == "luajit" => Family::Letters("e", "l"),
        _ => Family::Other,
    }
}

/// Whether a word is a cluster of one-letter options.
fn cluster(word: &str) -> Option<&str> {
    word.strip_prefix('-').filter(|letters| !letters.is_empty() && !letters.starts_with('-'))
}

fn shell(args: &[String]) -> bool {
    let mut words = args.iter();
    while let Some(word) = words.next() {
        if word == "--" || !word.starts_with(['-', '+']) {
            return false;
        }
        if word.starts_with("--command") || cluster(word).is_some_and(|letters| letters.contains('c')) {
            return true;
        }
        let takes_next = matches!(word.as_str(), "--rcfile" | "--init-file" | "--init-command" | "-C")
            || cluster(&word.replacen('+', "-", 1)).is_some_and(|letters| letters.ends_with(['o', 'O']));
        if word == "--init-command" || word.starts_with("--init-command=") {
            return true;
        }
        if takes_next {
            words.next();
        }
    }
    false
}

fn python(args: &[String]) -> bool {
    let mut words = args.iter();
    while let Some(word) = words.next() {
        let Some(letters) = cluster(word) else {
            match word.as_str() {
                "--check-hash-based-pycs" => {
                    words.next();
                    continue;
                }
                long if long.starts_with("--") && long != "--" => continue,
                // A script, or standard input, which is empty.
                _ => return false,
            }
        };
        for (at, letter) in letters.char_indices() {
            match letter {
                'c' => return true,
                'm' => {
                    let rest = &letters[at + 1..];
                    let module = if rest.is_empty() { words.next().map(String::as_str) } else { Some(rest) };
                    return matches!(module, Some("timeit" | "IPython" | "pdb" | "cProfile" | "profile" | "trace"))
                        && words.any(|word| word == "-c" || module == Some("timeit"));
                }
                'W' | 'X' => {
                    if at + 1 == letters.len() {
                        words.next();
                    }
                    break;
                }
                _ => {}
            }
        }
    }
    false
}

fn node(args: &[String]) -> bool {
    // `deno eval`, `bun -e`.
    if args.first().is_some_and(|verb| verb == "eval") {
        return true;
    }
    let mut words = args.iter();
    // After an option that is not known, the next word may be its value and not yet the script.
    let mut may_be_value = false;
    while let Some(word) = words.next() {
        if word == "--" {
            return false;
        }
        if !word.starts_with('-') {
            if may_be_value {
                may_be_value = false;
                continue;
            }
            return false;
        }
        let short = cluster(word).is_some_and(|letters| letters.contains(['e', 'p']) && letters.len() <= 3);
        if short || word == "--print" || word.starts_with("--print=") {
            return true;
        }
        if NODE_WITH_VALUE.contains(&word.as_str()) {
            words.next();
            may_be_value = false;
        } else {
            may_be_value = !word.contains('=') && !NODE_FLAGS.contains(&word.as_str()) && !word.starts_with("--no-");
        }
    }
    false
}

fn letter(args: &[String], code: &str, with_value: &str) -> bool {
    let mut words = args.iter();
    while let Some(word) = words.next() {
        if word == "--" || !word.starts_with('-') {
            return false;
        }
        let Some(letters) = cluster(word) else { continue };
        for (at, letter) in letters.char_indices() {
            if code.contains(letter) {
                return true;
            }
            if with_value.contains(letter) {
                // Optional values make the next word doubtful; attached is how they are written.
                if at + letter.len_utf8() == letters.len() && "Ircd".contains(letter) {
                    words.next();
                }
                break;
            }
        }
    }
    false
}
