//! The warden: a process of a few system calls that sees to it that nothing a command started
//! outlives the command or the server (F13).
//!
//! It is forked from the server, or from its spawner, together with the program and never executes anything. It is the
//! program's parent and the adoptive parent of whatever the program abandons, so that every
//! process of the tree stays below it whatever sessions, groups and double forks they make. It
//! ends the tree when the program has ended, when time is up, when a limit is passed, when the
//! server says so, and when the server is gone (the pipe between them closes, even on SIGKILL).
//!
//! As it lives in a fork of a program with many threads, it must not allocate, lock, or call
//! anything that may: system calls on the stack only. It takes no part in the program's input and
//! output.

use std::os::fd::RawFd;

use serde::{Deserialize, Serialize};

use super::tree::Tree;

/// A message from the server: end the command in good order.
pub(super) const SAY_TERM: u8 = b'T';
/// A message from the server: end the command at once.
pub(super) const SAY_KILL: u8 = b'K';
/// The record that ends the status pipe begins with this.
pub(super) const TAG_END: u8 = b'E';
/// Length of that record.
pub(super) const RECORD: usize = 32;

/// How often the tree is counted and weighed, in milliseconds.
const TICK_MS: i64 = 50;
/// How long the warden tries to end what does not end, in milliseconds.
const GIVE_UP_MS: i64 = 1_500;

/// What the warden is told before the fork.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Brief {
    pub(super) timeout_ms: i64,
    pub(super) grace_ms: i64,
    /// 0 = no limit.
    pub(super) processes: u32,
    /// In bytes; 0 = no limit.
    pub(super) memory: u64,
}

/// Why the warden ended a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Cause {
    Itself = 0,
    Time = 1,
    Asked = 2,
    ServerGone = 3,
    Processes = 4,
    Memory = 5,
}

/// What the warden reports at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) cause: u8,
    pub(super) left_behind: bool,
    pub(super) wait_status: i32,
    pub(super) leftovers: u32,
    pub(super) peak_memory: u64,
}

impl Record {
    fn to_bytes(self) -> [u8; RECORD] {
        let mut bytes = [0; RECORD];
        bytes[0] = TAG_END;
        bytes[1] = self.cause;
        bytes[2] = u8::from(self.left_behind);
        bytes[4..8].copy_from_slice(&self.wait_status.to_ne_bytes());
        bytes[8..12].copy_from_slice(&self.leftovers.to_ne_bytes());
        bytes[16..24].copy_from_slice(&self.peak_memory.to_ne_bytes());
        bytes
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; RECORD] = bytes.get(..RECORD)?.try_into().ok()?;
        let [_, cause, left, _, a, b, c, d, e, f, g, h, ..] = *bytes;
        let mut peak = [0; 8];
        peak.copy_from_slice(&bytes[16..24]);
        (bytes[0] == TAG_END).then_some(Self {
            cause,
            left_behind: left != 0,
            wait_status: i32::from_ne_bytes([a, b, c, d]),
            leftovers: u32::from_ne_bytes([e, f, g, h]),
            peak_memory: u64::from_ne_bytes(peak),
        })
    }
}

/// Watches `child` until it and all it started are gone, writes the record to `report`, and exits. On `control`
/// the server speaks, or is gone.
///
/// # Safety
/// Only in a process forked for this, right after the fork that made `child`.
pub(super) unsafe fn watch(child: i32, control: RawFd, report: RawFd, brief: &Brief) -> ! {
    // SAFETY: system calls on descriptors and memory of this process, which belongs to us alone.
    unsafe {
        let started = now_ms();
        keep_only(control, report);
        ignore_signals();
        libc::prctl(libc::PR_SET_NAME, c"ph-warden".as_ptr(), 0, 0, 0);
        // It carries a copy of the server's memory: nobody may look inside.
        libc::prctl(libc::PR_SET_DUMPABLE, 0, 0, 0, 0);
        // A tree that is out of hand must not keep its warden from the processor.
        libc::setpriority(libc::PRIO_PROCESS, 0, -5);
        // 434 is pidfd_open. Without it (before Linux 5.3) the tick notices the end.
        let pidfd = libc::syscall(434, child, 0) as i32;

        let mut tree = Tree::new();
        let mut record =
            Record { cause: Cause::Itself as u8, left_behind: false, wait_status: 0, leftovers: 0, peak_memory: 0 };
        let mut kill_at: Option<i64> = None;
        let mut next_look = started + 10;
        let watches_limits = brief.processes > 0 || brief.memory > 0;

        'running: loop {
            let mut status = 0;
            loop {
                let gone = libc::waitpid(-1, &raw mut status, libc::WNOHANG);
                if gone == child {
                    record.wait_status = status;
                    break 'running;
                }
                if gone <= 0 {
                    break;
                }
            }

            let now = now_ms();
            let deadline = kill_at.unwrap_or(started + brief.timeout_ms);
            if now >= deadline {
                if kill_at.is_some() || brief.grace_ms == 0 {
                    if kill_at.is_none() {
                        record.cause = Cause::Time as u8;
                    }
                    break 'running;
                }
                record.cause = Cause::Time as u8;
                tree.signal(child, libc::SIGTERM);
                kill_at = Some(now + brief.grace_ms);
                continue;
            }
            if now >= next_look {
                next_look = now + TICK_MS;
                if watches_limits && kill_at.is_none() {
                    tree.look();
                    let memory = tree.memory();
                    record.peak_memory = record.peak_memory.max(memory);
                    if brief.processes > 0 && tree.pids().len() > brief.processes as usize {
                        record.cause = Cause::Processes as u8;
                        break 'running;
                    }
                    if brief.memory > 0 && memory > brief.memory {
                        record.cause = Cause::Memory as u8;
                        break 'running;
                    }
                }
            }

            let mut waits = [
                libc::pollfd { fd: control, events: libc::POLLIN, revents: 0 },
                libc::pollfd { fd: pidfd, events: libc::POLLIN, revents: 0 },
            ];
            let wait = (deadline - now).min(next_look - now).clamp(1, TICK_MS) as i32;
            if libc::poll(waits.as_mut_ptr(), 2, wait) > 0 && waits[0].revents != 0 {
                let mut word = 0u8;
                match libc::read(control, (&raw mut word).cast(), 1) {
                    1 if word == SAY_TERM => {
                        if kill_at.is_none() {
                            record.cause = Cause::Asked as u8;
                            tree.signal(child, libc::SIGTERM);
                            kill_at = Some(now_ms() + brief.grace_ms);
                        }
                    }
                    1 if word == SAY_KILL => {
                        if kill_at.is_none() {
                            record.cause = Cause::Asked as u8;
                        }
                        break 'running;
                    }
                    1 => {}
                    -1 if *libc::__errno_location() == libc::EINTR => {}
                    _ => {
                        record.cause = Cause::ServerGone as u8;
                        break 'running;
                    }
                }
            }
        }

        end(&mut tree, child, &mut record);
        let bytes = record.to_bytes();
        libc::write(report, bytes.as_ptr().cast(), bytes.len());
        libc::_exit(0)
    }
}

/// Kills everything below the warden until nothing is left.
unsafe fn end(tree: &mut Tree, child: i32, record: &mut Record) {
    let give_up = now_ms() + GIVE_UP_MS;
    let mut own = record.cause != Cause::Itself as u8;
    // SAFETY: signals go to processes below this one only: its children cannot be reaped, and
    // so their numbers not given to others, by anybody but this process; those further down
    // may have been reaped by their parents, in the instant between the look and the kill.
    unsafe {
        loop {
            tree.look();
            if !tree.pids().is_empty() {
                // In one step for all that stayed in the program's own group, while it is theirs.
                if tree.pids().iter().any(|&pid| libc::getpgid(pid) == child) {
                    libc::kill(-child, libc::SIGKILL);
                }
                // Stopped first, a tree that forks faster than it can be walked holds still.
                for pass in [libc::SIGSTOP, libc::SIGKILL] {
                    for &pid in tree.pids() {
                        libc::kill(pid, pass);
                    }
                }
            }
            loop {
                let mut status = 0;
                let gone = libc::waitpid(-1, &raw mut status, libc::WNOHANG);
                if gone == child {
                    record.wait_status = status;
                    own = false;
                } else if gone > 0 {
                    record.leftovers += u32::from(libc::WIFSIGNALED(status) && libc::WTERMSIG(status) == libc::SIGKILL);
                } else if gone == -1 && *libc::__errno_location() == libc::ECHILD {
                    return;
                } else {
                    break;
                }
            }
            if now_ms() >= give_up {
                record.left_behind = true;
                if own {
                    record.wait_status = libc::SIGKILL;
                }
                return;
            }
            libc::poll(std::ptr::null_mut(), 0, 1);
        }
    }
}

fn now_ms() -> i64 {
    // SAFETY: an all-zero timespec is valid and outlives the call. The clock goes on while the
    // machine sleeps, as the server's own limits do.
    unsafe {
        let mut time: libc::timespec = std::mem::zeroed();
        libc::clock_gettime(libc::CLOCK_BOOTTIME, &raw mut time);
        time.tv_sec * 1_000 + time.tv_nsec / 1_000_000
    }
}

/// Closes everything but these two: above all the program's output, whose end the server waits
/// for, and the pipe by which the server learns that the program was executed.
unsafe fn keep_only(a: RawFd, b: RawFd) {
    let (low, high) = (a.min(b), a.max(b));
    // SAFETY: closes descriptors of this process.
    unsafe {
        close_from_to(0, low - 1);
        close_from_to(low + 1, high - 1);
        close_from_to(high + 1, i32::MAX);
    }
}

unsafe fn close_from_to(from: i32, to: i32) {
    if from > to {
        return;
    }
    // SAFETY: as above. Before Linux 5.9 there is no such call: one by one then.
    unsafe {
        if libc::syscall(libc::SYS_close_range, from, to, 0) != 0 {
            for descriptor in from..=to.min(65_536) {
                libc::close(descriptor);
            }
        }
    }
}

/// The server's handlers came along with the fork and must never run here.
unsafe fn ignore_signals() {
    // SAFETY: changes how this process takes signals, nothing else.
    unsafe {
        for signal in 1..=64 {
            if signal != libc::SIGCHLD {
                libc::signal(signal, libc::SIG_IGN);
            }
        }
        libc::signal(libc::SIGCHLD, libc::SIG_DFL);
        for signal in [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE] {
            libc::signal(signal, libc::SIG_DFL);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_comes_through_the_pipe_whole() {
        let record = Record { cause: 4, left_behind: true, wait_status: -7, leftovers: 9, peak_memory: u64::MAX - 1 };
        assert_eq!(Record::from_bytes(&record.to_bytes()), Some(record));
        assert_eq!(Record::from_bytes(&[0; RECORD]), None);
        assert_eq!(Record::from_bytes(&[TAG_END]), None);
    }
}
