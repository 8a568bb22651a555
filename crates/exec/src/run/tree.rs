//! The processes below the warden: found, weighed, signalled. Like the warden itself, system calls
//! on the stack and nothing else.

/// Processes of a tree that one pass looks at. A larger tree takes several passes.
const TREE_MAX: usize = 4_096;

/// The processes below the warden, found anew in each pass.
pub(super) struct Tree {
    pids: [i32; TREE_MAX],
    count: usize,
    page: i64,
}

impl Tree {
    pub(super) fn new() -> Self {
        // SAFETY: asks for a constant of the machine.
        let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
        Self { pids: [0; TREE_MAX], count: 0, page }
    }

    pub(super) fn pids(&self) -> &[i32] {
        &self.pids[..self.count]
    }

    /// Sends a signal to the program's group and to everything below the warden, and wakes what
    /// is stopped so that it can act on it.
    pub(super) unsafe fn signal(&mut self, child: i32, signal: i32) {
        // SAFETY: as for `end`.
        unsafe {
            libc::kill(-child, signal);
            self.look();
            for &pid in &self.pids[..self.count] {
                if libc::getpgid(pid) != child {
                    libc::kill(pid, signal);
                }
            }
            for &pid in &self.pids[..self.count] {
                libc::kill(pid, libc::SIGCONT);
            }
        }
    }

    /// Finds all processes below this one, level by level.
    pub(super) unsafe fn look(&mut self) {
        self.count = 0;
        // SAFETY: system calls on the stack.
        unsafe {
            let me = libc::getpid();
            self.children_of(me, me);
            let mut at = 0;
            while at < self.count {
                self.children_of_all_threads(self.pids[at]);
                at += 1;
            }
        }
    }

    unsafe fn children_of_all_threads(&mut self, pid: i32) {
        let mut path = Line::new();
        path.text(b"/proc/").number(pid).text(b"/task");
        // SAFETY: the path is NUL-terminated, the buffer is as long as told.
        unsafe {
            let folder = libc::open(path.c_str(), libc::O_RDONLY | libc::O_DIRECTORY | libc::O_CLOEXEC);
            if folder < 0 {
                return;
            }
            let mut buffer = [0u64; 256];
            loop {
                let size = std::mem::size_of_val(&buffer);
                let length = libc::syscall(libc::SYS_getdents64, folder, buffer.as_mut_ptr(), size);
                if length <= 0 {
                    break;
                }
                let bytes = std::slice::from_raw_parts(buffer.as_ptr().cast::<u8>(), length as usize);
                let mut at = 0;
                // A record is: inode 8, offset 8, length 2, type 1, name with NUL.
                while at + 19 < bytes.len() {
                    let record = usize::from(u16::from_ne_bytes([bytes[at + 16], bytes[at + 17]]));
                    if record == 0 {
                        break;
                    }
                    if let Some(thread) = parse_number(&bytes[at + 19..(at + record).min(bytes.len())]) {
                        self.children_of(pid, thread);
                    }
                    at += record;
                }
            }
            libc::close(folder);
        }
    }

    unsafe fn children_of(&mut self, pid: i32, thread: i32) {
        let mut path = Line::new();
        path.text(b"/proc/").number(pid).text(b"/task/").number(thread).text(b"/children");
        // SAFETY: the path is NUL-terminated, the buffer is as long as told.
        unsafe {
            let file = libc::open(path.c_str(), libc::O_RDONLY | libc::O_CLOEXEC);
            if file < 0 {
                return;
            }
            let mut buffer = [0u8; 4096];
            let mut number: i32 = 0;
            let mut in_number = false;
            loop {
                let length = libc::read(file, buffer.as_mut_ptr().cast(), buffer.len());
                if length <= 0 {
                    break;
                }
                for &byte in &buffer[..length as usize] {
                    if byte.is_ascii_digit() {
                        number = number.wrapping_mul(10).wrapping_add(i32::from(byte - b'0'));
                        in_number = true;
                    } else if in_number {
                        self.add(number);
                        (number, in_number) = (0, false);
                    }
                }
            }
            if in_number {
                self.add(number);
            }
            libc::close(file);
        }
    }

    fn add(&mut self, pid: i32) {
        if self.count < TREE_MAX && pid > 1 {
            self.pids[self.count] = pid;
            self.count += 1;
        }
    }

    /// Resident memory of all that was found, shared pages left out.
    pub(super) unsafe fn memory(&self) -> u64 {
        let mut total = 0u64;
        for &pid in &self.pids[..self.count] {
            let mut path = Line::new();
            path.text(b"/proc/").number(pid).text(b"/statm");
            // SAFETY: the path is NUL-terminated, the buffer is as long as told.
            unsafe {
                let file = libc::open(path.c_str(), libc::O_RDONLY | libc::O_CLOEXEC);
                if file < 0 {
                    continue;
                }
                let mut buffer = [0u8; 128];
                let length = libc::read(file, buffer.as_mut_ptr().cast(), buffer.len());
                libc::close(file);
                let text = &buffer[..length.max(0) as usize];
                let mut fields = text.split(|byte| *byte == b' ').map(parse_pages);
                let (resident, shared) = (fields.nth(1).unwrap_or(0), fields.next().unwrap_or(0));
                total += resident.saturating_sub(shared) * self.page.max(0) as u64;
            }
        }
        total
    }
}

/// A short path, made on the stack.
struct Line {
    bytes: [u8; 64],
    length: usize,
}

impl Line {
    fn new() -> Self {
        Self { bytes: [0; 64], length: 0 }
    }

    fn text(&mut self, text: &[u8]) -> &mut Self {
        for &byte in text {
            // The last byte stays 0: the longest path here is far shorter.
            if self.length < self.bytes.len() - 1 {
                self.bytes[self.length] = byte;
                self.length += 1;
            }
        }
        self
    }

    fn number(&mut self, number: i32) -> &mut Self {
        let mut digits = [0u8; 10];
        let (mut at, mut rest) = (digits.len(), number.unsigned_abs());
        loop {
            at -= 1;
            digits[at] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        self.text(&digits[at..])
    }

    fn c_str(&self) -> *const libc::c_char {
        self.bytes.as_ptr().cast()
    }
}

/// A NUL-terminated number; none for `.` and `..`.
fn parse_number(bytes: &[u8]) -> Option<i32> {
    let mut number: i32 = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        match byte {
            b'0'..=b'9' => number = number.wrapping_mul(10).wrapping_add(i32::from(byte - b'0')),
            0 if at > 0 => return Some(number),
            _ => return None,
        }
    }
    None
}

fn parse_pages(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .fold(0, |sum: u64, byte| sum.wrapping_mul(10).wrapping_add(u64::from(byte - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_spelled_on_the_stack() {
        let mut line = Line::new();
        line.text(b"/proc/").number(4_194_304).text(b"/task/").number(0);
        assert_eq!(&line.bytes[..line.length], b"/proc/4194304/task/0");
        assert_eq!(parse_number(b"123\0junk"), Some(123));
        assert_eq!(parse_number(b"..\0"), None);
        assert_eq!(parse_pages(b"77\n"), 77);
    }
}
