//! The spawner: a small process that forks commands in the server's place.
//!
//! A fork copies the page tables of the whole process, and from then on every page that the server writes is copied
//! too, for as long as a warden lives. For a server of some hundred megabytes that is most of what a short command
//! costs. The spawner is forked while the server is still small and has one thread, and stays small.
//!
//! It is told of a command on a socket: the descriptors, among them one with the [`Launch`], and one to answer on.
//! It lives exactly as long as the server, whose end of the socket closes with it. Without a spawner, or when it was
//! killed, the server forks for itself.

use std::{
    fs,
    io::{self, IoSlice, IoSliceMut, Read as _, Seek as _, Write as _},
    mem::MaybeUninit,
    os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd},
    process,
    sync::OnceLock,
};

use rustix::{
    fs::MemfdFlags,
    io::Errno,
    net::{
        AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
        SendFlags, SocketFlags, SocketType,
    },
    process::{Pid, PidfdFlags, Signal},
};
use serde::{Deserialize, Serialize};

use super::{
    launch::{Ends, Launch},
    pipes::poll_on,
};

/// The server's end. Set once, before there is a second thread.
static SPAWNER: OnceLock<OwnedFd> = OnceLock::new();
/// The most descriptors of one command: the launch, the answer, four ends, an input, two sets of file rules.
const DESCRIPTORS: usize = 9;
/// The stack of a thread that waits for one warden.
const STACK: usize = 128 << 10;

/// Forks the spawner. Called at the start of a program that will run many commands, before it makes a thread.
///
/// # Errors
/// When there is no process or socket to be had. Commands then are forked from this process.
pub fn start_spawner() -> io::Result<()> {
    let (ours, theirs) =
        rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
    // A second thread's locks would stay locked in the fork.
    if fs::read_dir("/proc/self/task").is_ok_and(|threads| threads.count() > 1) {
        return Err(io::Error::other("the spawner was asked for after the first thread"));
    }
    // SAFETY: this process has one thread, so its fork may do whatever a program may.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => {
            drop(ours);
            settle();
            serve(&theirs);
            process::exit(0)
        }
        _ => {
            // A second call keeps the first spawner; its own ends with this end of its socket.
            let _ = SPAWNER.set(ours);
            Ok(())
        }
    }
}

/// A warden that was started.
#[derive(Debug)]
pub(super) enum Warden {
    /// By this process.
    Own(process::Child),
    /// By the spawner. None on a kernel without such descriptors (before Linux 5.3).
    Foreign(Option<OwnedFd>),
}

impl Warden {
    /// Waits until it is gone.
    pub(super) fn wait(&mut self) {
        match self {
            Self::Own(child) => {
                let _ = child.wait();
            }
            Self::Foreign(Some(process)) => {
                let mut wait = poll_on(Some(process.as_raw_fd()), libc::POLLIN);
                // SAFETY: one valid element, a descriptor that we own.
                while unsafe { libc::poll(&raw mut wait, 1, -1) } < 0
                    && io::Error::last_os_error().kind() == io::ErrorKind::Interrupted
                {}
            }
            Self::Foreign(None) => {}
        }
    }

    /// Ends one that does not answer.
    pub(super) fn kill(&mut self) {
        match self {
            Self::Own(child) => {
                let _ = child.kill();
            }
            Self::Foreign(process) => {
                if let Some(process) = process {
                    let _ = rustix::process::pidfd_send_signal(process, Signal::KILL);
                }
            }
        }
    }
}

/// Starts a command, by the spawner where there is one.
pub(super) fn start(launch: Launch, ends: Ends) -> io::Result<Warden> {
    if let Some(spawner) = SPAWNER.get() {
        match ask(spawner.as_fd(), &launch, &ends) {
            Ok(answer) => return answer.map(Warden::Foreign),
            Err(error) => tracing::warn!(%error, "the spawner is gone: this command is forked from the server itself"),
        }
    }
    launch.start(ends).map(Warden::Own)
}

/// What goes with the descriptors.
#[derive(Serialize, Deserialize)]
struct Told<L> {
    launch: L,
    stdin: bool,
    files: bool,
    no_tcp: bool,
}

/// The spawner's answer: a tag and a number.
const ANSWER: usize = 5;
const STARTED: u8 = b'P';
const FAILED: u8 = b'E';

/// The outer error: nothing was told, so it may be done in another way. The inner one: that was the answer.
fn ask(spawner: BorrowedFd<'_>, launch: &Launch, ends: &Ends) -> io::Result<io::Result<Option<OwnedFd>>> {
    let (files, no_tcp) = launch.sandbox.rules();
    let told = Told { launch, stdin: ends.stdin.is_some(), files: files.is_some(), no_tcp: no_tcp.is_some() };
    // In memory, since a message has a size and an environment may be beyond it.
    let mut text = fs::File::from(rustix::fs::memfd_create("launch", MemfdFlags::CLOEXEC)?);
    text.write_all(&serde_json::to_vec(&told)?)?;
    text.rewind()?;
    let (hear, answer) = rustix::net::socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    let must = [text.as_fd(), answer.as_fd(), ends.stdout.as_fd(), ends.stderr.as_fd(), ends.control.as_fd()];
    let given = must.into_iter().chain([ends.status.as_fd()]).chain(ends.stdin.as_ref().map(|end| end.as_fd()));
    let given: Vec<_> = given.chain(files).chain(no_tcp).collect();

    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !ancillary.push(SendAncillaryMessage::ScmRights(&given)) {
        return Err(io::Error::other("too many descriptors for one message"));
    }
    let flags = SendFlags::NOSIGNAL;
    while let Err(error) = rustix::net::sendmsg(spawner, &[IoSlice::new(b"L")], &mut ancillary, flags) {
        if error != Errno::INTR {
            return Err(error.into());
        }
    }
    drop(answer);
    let mut said = [0; ANSWER];
    let mut hear = fs::File::from(hear);
    if hear.read_exact(&mut said).is_err() {
        // It may have begun. The warden, if there is one, ends with the control pipe; a second start would be a lie.
        return Ok(Err(io::Error::other("the spawner gave up while it started the command")));
    }
    let [tag, a, b, c, d] = said;
    let number = i32::from_ne_bytes([a, b, c, d]);
    Ok(match tag {
        // The spawner does not reap the process before `hear` is closed, so the number is still its own.
        STARTED => Ok(Pid::from_raw(number).and_then(|pid| rustix::process::pidfd_open(pid, PidfdFlags::empty()).ok())),
        _ => Err(io::Error::from_raw_os_error(number)),
    })
}

/// Puts off what the spawner has of the server's place: its terminal, its streams.
fn settle() {
    // SAFETY: system calls on this process only, which is the spawner's own.
    unsafe {
        // What a person types at the server's terminal is for the server.
        libc::setsid();
        libc::prctl(libc::PR_SET_NAME, c"ph-spawner".as_ptr(), 0, 0, 0);
        libc::prctl(libc::PR_SET_DUMPABLE, 0, 0, 0, 0);
        let null = libc::open(c"/dev/null".as_ptr(), libc::O_RDWR);
        if null >= 0 {
            for stream in 0..=2 {
                libc::dup2(null, stream);
            }
            if null > 2 {
                libc::close(null);
            }
        }
    }
}

/// Starts what it is told until the server is gone.
fn serve(socket: &OwnedFd) {
    loop {
        match next(socket) {
            Ok(Some(descriptors)) => {
                // Apart, since a program may lie where it takes long to be found, and its warden is waited for.
                // Without a thread its answer is closed with the rest, and so the server is told.
                let _ = std::thread::Builder::new().stack_size(STACK).spawn(move || perform(descriptors));
            }
            Ok(None) => return,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}

/// The descriptors of the next command; none when the server is gone.
fn next(socket: &OwnedFd) -> io::Result<Option<Vec<OwnedFd>>> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    let received =
        rustix::net::recvmsg(socket, &mut [IoSliceMut::new(&mut byte)], &mut ancillary, RecvFlags::CMSG_CLOEXEC)?;
    let mut descriptors = Vec::with_capacity(DESCRIPTORS);
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            descriptors.extend(rights);
        }
    }
    Ok((received.bytes > 0).then_some(descriptors))
}

/// Starts one command, answers, and takes its warden's end.
fn perform(descriptors: Vec<OwnedFd>) {
    let mut descriptors = descriptors.into_iter();
    let (Some(text), Some(answer)) = (descriptors.next(), descriptors.next()) else { return };
    let mut answer = fs::File::from(answer);
    let (tag, number, child) = match started(text, descriptors) {
        Ok(child) => (STARTED, child.id().cast_signed(), Some(child)),
        Err(error) => (FAILED, error.raw_os_error().unwrap_or(libc::EIO), None),
    };
    let [a, b, c, d] = number.to_ne_bytes();
    let _ = answer.write_all(&[tag, a, b, c, d]);
    // Until the server has taken hold of the process, its number must not be given to another.
    let _ = answer.read(&mut [0]);
    if let Some(mut child) = child {
        let _ = child.wait();
    }
}

fn started(text: OwnedFd, mut descriptors: impl Iterator<Item = OwnedFd>) -> io::Result<process::Child> {
    let mut told = Vec::new();
    fs::File::from(text).read_to_end(&mut told)?;
    let Told { mut launch, stdin, files, no_tcp } = serde_json::from_slice::<Told<Launch>>(&told)?;
    let mut take = || descriptors.next().ok_or_else(|| io::Error::from_raw_os_error(libc::EBADF));
    let (stdout, stderr, control, status) = (take()?, take()?, take()?, take()?);
    let stdin = if stdin { Some(take()?) } else { None };
    let files = if files { Some(take()?) } else { None };
    let no_tcp = if no_tcp { Some(take()?) } else { None };
    launch.sandbox.set_rules(files, no_tcp);
    launch.start(Ends { stdin, stdout, stderr, control, status })
}
