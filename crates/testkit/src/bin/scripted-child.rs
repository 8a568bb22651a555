//! A program that misbehaves on command, for tests of whoever has to run programs.
//!
//! Its arguments are steps, separated by a `,` that stands alone:
//! `scripted-child print hello , double-fork sleep 60 , exit 3`.
//! Each step says what it did on standard output; one that is refused prints `refused: WHY` and
//! goes on, so that a test can read how far it got. `docs` of each step: the match below.

use std::{
    env, fs,
    io::{self, Read as _, Write as _},
    net::{TcpListener, TcpStream, ToSocketAddrs as _, UdpSocket},
    os::unix::process::CommandExt as _,
    process::{Command, exit},
    time::Duration,
};

unsafe extern "C" {
    fn setsid() -> i32;
    fn kill(pid: i32, signal: i32) -> i32;
    fn signal(number: i32, handler: usize) -> usize;
    fn getppid() -> i32;
}

const SIG_IGN: usize = 1;
const SIGSTOP: i32 = 19;

fn main() {
    let words: Vec<String> = env::args().skip(1).collect();
    for step in words.split(|word| word == ",") {
        let Some((verb, rest)) = step.split_first() else { continue };
        if let Err(error) = take(verb, rest) {
            say(&format!("refused: {verb}: {error}"));
        }
    }
}

fn say(line: &str) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{line}");
    let _ = out.flush();
}

/// This program again, with other steps.
fn again(steps: &[String]) -> io::Result<Command> {
    let mut command = Command::new(env::current_exe()?);
    // `/` stands for `,` one level down.
    command.args(steps.iter().map(|word| if word == "/" { "," } else { word }));
    Ok(command)
}

fn number(rest: &[String], at: usize) -> io::Result<u64> {
    rest.get(at)
        .and_then(|word| word.parse().ok())
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "a number is missing"))
}

fn text(rest: &[String], at: usize) -> io::Result<&str> {
    rest.get(at).map(String::as_str).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "a word is missing"))
}

fn take(verb: &str, rest: &[String]) -> io::Result<()> {
    match verb {
        "print" => say(&rest.join(" ")),
        "eprint" => eprintln!("{}", rest.join(" ")),
        "raw" => io::stdout().write_all(unescape(text(rest, 0)?).as_slice())?,
        "stdin" => {
            let mut bytes = Vec::new();
            io::stdin().read_to_end(&mut bytes)?;
            say(&format!("read {} bytes", bytes.len()));
        }
        "sleep" => std::thread::sleep(Duration::from_secs_f64(text(rest, 0)?.parse().unwrap_or(1.0))),
        "exit" => exit(i32::try_from(number(rest, 0)?).unwrap_or(1)),
        // SAFETY: plain system calls on this process.
        "kill-self" => unsafe {
            kill(std::process::id() as i32, number(rest, 0)? as i32);
        },
        // SAFETY: a signal to the parent: is it allowed to?
        "kill-parent" => unsafe {
            if kill(getppid(), 9) != 0 {
                return Err(io::Error::last_os_error());
            }
        },
        "kill" => {
            // SAFETY: a signal to the process that is named: is it allowed to?
            if unsafe { kill(number(rest, 0)? as i32, number(rest, 1)? as i32) } != 0 {
                return Err(io::Error::last_os_error());
            }
            say("killed");
        }
        // SAFETY: takes signals differently from here on.
        "ignore-term" => unsafe {
            for number in [1, 2, 15] {
                signal(number, SIG_IGN);
            }
        },
        // SAFETY: stops this process until somebody continues it.
        "stop-self" => unsafe {
            kill(std::process::id() as i32, SIGSTOP);
        },
        // A child that takes the rest as its own steps; this process goes on.
        "fork" => drop(again(rest)?.spawn()?),
        // The same, in a session of its own.
        "setsid-fork" => {
            let mut child = again(rest)?;
            // SAFETY: a plain system call between fork and exec.
            unsafe {
                child.pre_exec(|| {
                    setsid();
                    Ok(())
                });
            }
            child.spawn()?;
        }
        // A grandchild whose parent ends at once, in a session of its own.
        "double-fork" => {
            let mut middle = Command::new(env::current_exe()?);
            middle.arg("setsid-fork").args(rest);
            middle.status()?;
        }
        // Somebody keeps the output open after this process is gone.
        "hold-output" => {
            let seconds = text(rest, 0)?.to_owned();
            take("double-fork", &["ignore-term".into(), "/".into(), "sleep".into(), seconds])?;
        }
        "flood" => flood(number(rest, 0)?, rest.get(1).map(String::as_str))?,
        "alloc" => {
            let mut hoard = Vec::new();
            for _ in 0..number(rest, 0)? >> 20 {
                hoard.push(vec![1u8; 1 << 20]);
            }
            say(&format!("allocated {} MiB", hoard.len()));
            if let Some(seconds) = rest.get(1) {
                std::thread::sleep(Duration::from_secs_f64(seconds.parse().unwrap_or(1.0)));
            }
        }
        "spin" => {
            let mut sum = 0u64;
            loop {
                sum = std::hint::black_box(sum.wrapping_add(1));
            }
        }
        // As many children as it is let, each of which does the same.
        "forkbomb" => loop {
            if again(&["forkbomb".to_owned()])?.spawn().is_err() {
                std::thread::sleep(Duration::from_millis(10));
            }
        },
        "write" => {
            fs::write(text(rest, 0)?, text(rest, 1).unwrap_or("written"))?;
            say(&format!("wrote {}", text(rest, 0)?));
        }
        "fill" => {
            let chunk = vec![0u8; 1 << 20];
            let mut file = fs::File::create(text(rest, 0)?)?;
            for _ in 0..number(rest, 1)? >> 20 {
                file.write_all(&chunk)?;
            }
            say("filled");
        }
        "mkdir" => fs::create_dir_all(text(rest, 0)?)?,
        "remove" => {
            fs::remove_file(text(rest, 0)?)?;
            say("removed");
        }
        "rename" => {
            fs::rename(text(rest, 0)?, text(rest, 1)?)?;
            say("renamed");
        }
        "link" => {
            fs::hard_link(text(rest, 0)?, text(rest, 1)?)?;
            say("linked");
        }
        "symlink" => std::os::unix::fs::symlink(text(rest, 0)?, text(rest, 1)?)?,
        "list" => {
            for entry in fs::read_dir(text(rest, 0)?)? {
                say(&entry?.file_name().to_string_lossy());
            }
        }
        "print-file" => {
            let bytes = fs::read(text(rest, 0)?)?;
            io::stdout().write_all(&bytes)?;
        }
        "env" => match env::var(text(rest, 0)?) {
            Ok(value) => say(&format!("{}={value}", text(rest, 0)?)),
            Err(_) => say(&format!("{} is not set", text(rest, 0)?)),
        },
        "environment" => {
            for (name, value) in env::vars_os() {
                say(&format!("{}={}", name.to_string_lossy(), value.to_string_lossy()));
            }
        }
        "connect" => {
            let address = text(rest, 0)?.to_socket_addrs()?.next().ok_or(io::ErrorKind::NotFound)?;
            TcpStream::connect_timeout(&address, Duration::from_secs(2))?;
            say("connected");
        }
        "send-udp" => {
            UdpSocket::bind("0.0.0.0:0")?.send_to(b"hello", text(rest, 0)?)?;
            say("sent");
        }
        // A server and its client on this machine's own loopback, as tests have them.
        "loopback" => {
            let server = TcpListener::bind("127.0.0.1:0")?;
            TcpStream::connect_timeout(&server.local_addr()?, Duration::from_secs(2))?;
            say("loopback works");
        }
        "pid" => say(&format!("pid {}", std::process::id())),
        "cwd" => say(&env::current_dir()?.display().to_string()),
        "junit" => say(JUNIT),
        "tap" => say("TAP version 13\n1..2\nok 1 - adds\nnot ok 2 - subtracts"),
        "sarif" => say(SARIF),
        // Nothing: a word to find this process by.
        word if word.starts_with("tag") => {}
        other => return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("there is no step {other}"))),
    }
    Ok(())
}

/// A lot of output, quickly: plain lines, or by kind something nastier.
fn flood(bytes: u64, kind: Option<&str>) -> io::Result<()> {
    let pattern: Vec<u8> = match kind {
        Some("escapes") => b"\x1b[31m\x1b]0;title\x07".to_vec(),
        Some("zeros") => vec![0],
        Some("binary") => (0..=255).collect(),
        Some("unclosed") => b"\x1b]".to_vec(),
        _ => b"all work and no play makes a dull log\n".to_vec(),
    };
    let block: Vec<u8> = pattern.iter().copied().cycle().take(1 << 20).collect();
    let (mut out, mut left) = (io::stdout().lock(), bytes);
    while left > 0 {
        let piece = left.min(block.len() as u64);
        out.write_all(&block[..piece as usize])?;
        left -= piece;
    }
    out.flush()
}

fn unescape(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&byte, more)) = rest.split_first() {
        match (byte, more) {
            (b'\\', [b'x', high, low, after @ ..]) => {
                let digit = |byte: u8| (byte as char).to_digit(16).unwrap_or(0) as u8;
                out.push(digit(*high) << 4 | digit(*low));
                rest = after;
            }
            _ => {
                out.push(byte);
                rest = more;
            }
        }
    }
    out
}

const JUNIT: &str = r#"<?xml version="1.0"?>
<testsuites><testsuite name="sums"><testcase classname="sums" name="adds" time="0.01"/><testcase classname="sums" name="subtracts"><failure message="1 != 2">no</failure></testcase></testsuite></testsuites>"#;

const SARIF: &str = r#"{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"scripted"}},"results":[{"ruleId":"R1","level":"error","message":{"text":"found"}}]}]}"#;
