//! Descriptors: pipes, the event that wakes the supervising thread, reading without waiting.

use std::{
    io,
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd, RawFd},
};

use super::capture::Capture;

/// The size of the output pipe: fewer wake-ups for a process that prints a lot.
const PIPE: libc::c_int = 1 << 20;

/// Wakes the supervising thread from outside: the command is to be ended.
pub(super) struct Wake(pub(super) OwnedFd);

impl Wake {
    pub(super) fn new() -> io::Result<Self> {
        // SAFETY: makes a descriptor, which is owned from here on.
        unsafe {
            let descriptor = libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK);
            if descriptor < 0 { Err(io::Error::last_os_error()) } else { Ok(Self(OwnedFd::from_raw_fd(descriptor))) }
        }
    }

    pub(super) fn ring(&self) {
        let one = 1u64;
        // SAFETY: eight bytes of a local, to a descriptor that we own.
        unsafe { libc::write(self.0.as_raw_fd(), (&raw const one).cast(), 8) };
    }
}

/// Both ends of a pipe: to read, to write.
pub(super) fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut ends = [0; 2];
    // SAFETY: the array has room for both; both are owned from here on.
    unsafe {
        if libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok((OwnedFd::from_raw_fd(ends[0]), OwnedFd::from_raw_fd(ends[1])))
    }
}

pub(super) fn do_not_block(descriptor: &OwnedFd) -> io::Result<()> {
    // SAFETY: changes a flag of a descriptor that we own.
    unsafe {
        let flags = libc::fcntl(descriptor.as_raw_fd(), libc::F_GETFL);
        if flags < 0 || libc::fcntl(descriptor.as_raw_fd(), libc::F_SETFL, flags | libc::O_NONBLOCK) < 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

pub(super) fn output_pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let (read, write) = pipe()?;
    do_not_block(&read)?;
    // SAFETY: changes the size of a pipe that we own; a refusal leaves the default.
    unsafe { libc::fcntl(read.as_raw_fd(), libc::F_SETPIPE_SZ, PIPE) };
    Ok((read, write))
}

pub(super) fn poll_on(descriptor: Option<RawFd>, events: libc::c_short) -> libc::pollfd {
    libc::pollfd { fd: descriptor.unwrap_or(-1), events, revents: 0 }
}

/// Reads what is there, in at most so many pieces. False when the process printed too much.
pub(super) fn drain(pipe: &mut Option<OwnedFd>, sink: &mut Capture, buffer: &mut [u8], pieces: usize) -> bool {
    for _ in 0..pieces {
        let Some(descriptor) = pipe else { return true };
        // SAFETY: the buffer is valid for its length, the descriptor is ours and does not block.
        let length = unsafe { libc::read(descriptor.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len()) };
        match usize::try_from(length) {
            Ok(0) => *pipe = None,
            Ok(length) => {
                if !sink.take(&buffer[..length]) {
                    return false;
                }
            }
            Err(_) => match io::Error::last_os_error().kind() {
                io::ErrorKind::Interrupted => {}
                io::ErrorKind::WouldBlock => return true,
                _ => *pipe = None,
            },
        }
    }
    true
}
