//! The programs behind the first: what `env`, `uv run`, `npx` and `coverage run` start (L68). Their
//! options are known by name; one that is not known could take the next word with it, so that the
//! program could not be told from a value, and the command is refused.

use std::path::Path;

use super::command::{Refusal, Started, base, resolved, shown};

/// How deep wrappers may be nested.
const DEPTH: usize = 8;

/// L46, with the short names.
const UV_WITH_VALUE: &str = "--extra --no-extra --group --no-group --only-group --env-file --with -w --with-editable \
     --with-requirements --no-editable-package --package --python-platform --index --default-index --index-url -i \
     --extra-index-url --find-links -f --index-strategy --keyring-provider --upgrade-package -P --upgrade-group \
     --resolution --prerelease --prerelease-package --fork-strategy --exclude-newer --exclude-newer-package \
     --no-sources-package --reinstall-package --link-mode --config-setting -C --config-settings-package \
     --no-build-isolation-package --no-build-package --no-binary-package --cache-dir --refresh-package --python -p \
     --color --allow-insecure-host --directory --project --config-file";
/// L47.
const UV_FLAGS: &str = "--all-extras --all-groups --no-dev --only-dev --dev --no-default-groups --module -m --script -s \
     --gui-script --no-editable --exact --no-env-file --isolated --active --no-sync --locked --frozen --all-packages \
     --no-project --no-index --upgrade -U --no-sources --reinstall --compile-bytecode --no-build --no-build-isolation \
     --no-binary --no-cache -n --refresh --managed-python --no-managed-python --no-python-downloads --quiet -q \
     --verbose -v --system-certs --native-tls --offline --no-progress --no-config --require-build-hashes \
     --no-require-build-hashes";
const NPX_WITH_VALUE: &str = "--package -p --workspace -w --prefix --cache --loglevel";
const NPX_FLAGS: &str = "--no --no-install --yes -y --quiet -q --offline --prefer-offline --workspaces --silent";
const COVERAGE_WITH_VALUE: &str =
    "--concurrency --context --data-file --include --omit --source --rcfile --debug --save-signal";
const COVERAGE_FLAGS: &str = "--append -a --branch --parallel-mode -p --pylib -L --timid --module -m --quiet -q";

/// All programs that a command starts, outermost first.
pub(super) fn chain<'w>(argv: &'w [String], worktree: &Path, cwd: &str) -> Result<Vec<Started<'w>>, Refusal> {
    let mut chain = Vec::new();
    let mut rest = argv;
    loop {
        let Some((program, args)) = rest.split_first() else {
            return Err(Refusal::new("command_empty", "the command names no program"));
        };
        let name = resolved(program, worktree, cwd)?;
        let payload = behind(base(&name), args)?;
        chain.push(Started::named(&name, args));
        match payload {
            Payload::None => return Ok(chain),
            Payload::Python(args) => {
                chain.push(Started::python(args));
                return Ok(chain);
            }
            Payload::Module(name, args) => {
                let name = name.split('.').next().unwrap_or(name);
                chain.push(Started::named(&resolved(name, worktree, cwd)?, args));
                return Ok(chain);
            }
            Payload::Package(name, args) => {
                chain.push(Started::named(name, args));
                return Ok(chain);
            }
            Payload::Command(command) if chain.len() < DEPTH => rest = command,
            Payload::Command(_) => return Err(unreadable(base(&name), "it is nested too deeply")),
        }
    }
}

/// What a wrapper starts.
enum Payload<'w> {
    /// It is none.
    None,
    /// An argv.
    Command(&'w [String]),
    /// A script or module, by a Python of its own.
    Python(&'w [String]),
    /// A module that stands for the program of its name.
    Module(&'w str, &'w [String]),
    /// A program of a package.
    Package(&'w str, &'w [String]),
}

fn behind<'w>(program: &str, args: &'w [String]) -> Result<Payload<'w>, Refusal> {
    let verb = args.first().map(String::as_str);
    match program {
        "env" => env(args),
        "uv" => uv(args),
        "npx" => npx(args),
        "coverage" => coverage(args),
        // The same under its other name.
        _ if program.starts_with("python")
            && verb == Some("-m")
            && args.get(1).is_some_and(|module| module == "coverage") =>
        {
            coverage(&args[2..])
        }
        "uvx" | "bunx" | "pnpx" | "pipx" => Err(unreadable(program, "it fetches what it starts")),
        "npm" | "pnpm" | "yarn" | "bun" if matches!(verb, Some("exec" | "x" | "dlx" | "create" | "init")) => {
            Err(unreadable(program, "it starts programs of packages; name them behind npx"))
        }
        _ => Ok(Payload::None),
    }
}

fn env(args: &[String]) -> Result<Payload<'_>, Refusal> {
    let mut at = 0;
    while let Some(word) = args.get(at) {
        match word.as_str() {
            "-i" | "-" | "--ignore-environment" => at += 1,
            "-u" | "--unset" => at += 2,
            unset if unset.starts_with("--unset=") => at += 1,
            "--" => {
                at += 1;
                break;
            }
            option if option.starts_with('-') => return Err(unknown("env", option)),
            _ => break,
        }
    }
    // No option counts behind the first assignment.
    while args.get(at).is_some_and(|word| word.contains('=')) {
        at += 1;
    }
    for word in args.iter().take(at) {
        let name = word.split('=').next().unwrap_or_default();
        if word.contains('=') && (name == "PATH" || name.starts_with("LD_") || name.starts_with("DYLD_")) {
            return Err(unreadable("env", &format!("{} decides which program is started", shown(name))));
        }
    }
    let rest = args.get(at..).unwrap_or_default();
    Ok(if rest.is_empty() { Payload::None } else { Payload::Command(rest) })
}

fn uv(args: &[String]) -> Result<Payload<'_>, Refusal> {
    let options = Options { program: "uv", with_value: UV_WITH_VALUE, flags: UV_FLAGS };
    let (verb_at, _) = options.skip(args, 0)?;
    let Some(verb) = args.get(verb_at) else { return Ok(Payload::None) };
    match verb.as_str() {
        "run" => {}
        "tool" | "x" => return Err(unreadable("uv", "it fetches what it starts")),
        _ => return Ok(Payload::None),
    }
    let (mut at, seen) = options.skip(args, verb_at + 1)?;
    if args.get(at).is_some_and(|word| word == "--") {
        at += 1;
    }
    let payload = args.get(at..).unwrap_or_default();
    let Some(first) = payload.first() else { return Err(unreadable("uv", "it names nothing to run")) };
    if seen.iter().any(|option| ["--module", "-m"].contains(option)) {
        return Ok(Payload::Module(first, &payload[1..]));
    }
    let is_script = seen.iter().any(|option| ["--script", "-s", "--gui-script"].contains(option));
    if first == "-" || first.contains("://") {
        return Err(unreadable("uv", "it runs what is no file of the repository"));
    }
    if is_script || [".py", ".pyw", ".pyz"].iter().any(|end| first.ends_with(end)) {
        return Ok(Payload::Python(payload));
    }
    Ok(Payload::Command(payload))
}

fn npx(args: &[String]) -> Result<Payload<'_>, Refusal> {
    let options = Options { program: "npx", with_value: NPX_WITH_VALUE, flags: NPX_FLAGS };
    let (mut at, _) = options.skip(args, 0)?;
    if args.get(at).is_some_and(|word| word == "--") {
        at += 1;
    }
    let Some(package) = args.get(at) else { return Ok(Payload::None) };
    let rest = &args[at + 1..];
    // Without the version behind it.
    let end = package.char_indices().skip(1).find(|(_, c)| *c == '@').map_or(package.len(), |(end, _)| end);
    let name = &package[..end];
    let is_plain = !name.is_empty() && !name.contains(':') && (name.starts_with('@') || !name.contains('/'));
    if !is_plain {
        return Err(unreadable("npx", "it runs what is no installed package"));
    }
    Ok(Payload::Package(name, rest))
}

fn coverage(args: &[String]) -> Result<Payload<'_>, Refusal> {
    if args.first().is_none_or(|verb| verb != "run") {
        return Ok(Payload::None);
    }
    let options = Options { program: "coverage", with_value: COVERAGE_WITH_VALUE, flags: COVERAGE_FLAGS };
    let (at, seen) = options.skip(args, 1)?;
    let payload = args.get(at..).unwrap_or_default();
    let Some(first) = payload.first() else { return Ok(Payload::None) };
    Ok(match seen.iter().any(|option| ["--module", "-m"].contains(option)) {
        true => Payload::Module(first, &payload[1..]),
        false => Payload::Python(payload),
    })
}

/// The options of a wrapper.
struct Options {
    program: &'static str,
    with_value: &'static str,
    flags: &'static str,
}

impl Options {
    /// The place of the first word that is no option, and the options before it.
    fn skip<'w>(&self, args: &'w [String], from: usize) -> Result<(usize, Vec<&'w str>), Refusal> {
        let has = |list: &str, option: &str| list.split_whitespace().any(|known| known == option);
        let (mut at, mut seen) = (from, Vec::new());
        while let Some(word) = args.get(at) {
            if !word.starts_with('-') || word == "--" || word == "-" {
                break;
            }
            let (name, attached) = match word.split_once('=') {
                Some((name, _)) => (name, true),
                None => (word.as_str(), false),
            };
            if has(self.with_value, name) {
                at += if attached { 1 } else { 2 };
            } else if has(self.flags, word) {
                at += 1;
            } else if let Some(takes_next) = self.cluster(word, &has) {
                // Letters of a cluster that matter to us are looked for one by one.
                seen.extend(["-m", "-s"].into_iter().filter(|letter| word.contains(&letter[1..])));
                at += if takes_next { 2 } else { 1 };
            } else {
                return Err(unknown(self.program, word));
            }
            seen.push(name);
        }
        Ok((at, seen))
    }

    /// Whether a cluster of known letters takes the next word; none when it is no such cluster.
    fn cluster(&self, word: &str, has: &impl Fn(&str, &str) -> bool) -> Option<bool> {
        let letters = word.strip_prefix('-').filter(|letters| !letters.is_empty() && !letters.starts_with('-'))?;
        for (at, letter) in letters.char_indices() {
            let option = format!("-{letter}");
            if has(self.with_value, &option) {
                return Some(at + letter.len_utf8() == letters.len());
            }
            if !has(self.flags, &option) {
                return None;
            }
        }
        Some(false)
    }
}

fn unknown(program: &str, option: &str) -> Refusal {
    unreadable(program, &format!("its option {} is not known here", shown(option)))
}

fn unreadable(program: &str, why: &str) -> Refusal {
    Refusal::new("wrapper_unreadable", format!("what `{}` would start cannot be told: {why}", shown(program)))
}
