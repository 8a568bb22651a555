//! Reads the numbers of server-sent events out of a chunked body as it comes, however it is cut.

/// Takes bytes, tells numbers. Understands just enough: chunk sizes, and lines `id: ...`.
#[derive(Debug)]
pub struct Scanner {
    left: usize,
    framing: Framing,
    size: usize,
    line: [u8; 96],
    filled: usize,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Framing {
    #[default]
    Size,
    Extension,
    Data,
    End,
}

impl Default for Scanner {
    fn default() -> Self {
        Self { left: 0, framing: Framing::Size, size: 0, line: [0; 96], filled: 0 }
    }
}

impl Scanner {
    /// Calls `seen` with the number of each `id:` line that ends in these bytes. For named ids
    /// (`run:ID@7`) the number is what is behind the `@`.
    pub fn feed(&mut self, mut bytes: &[u8], mut seen: impl FnMut(u64)) {
        while let Some(&byte) = bytes.first() {
            match self.framing {
                Framing::Size => {
                    bytes = &bytes[1..];
                    match byte {
                        b'\n' => self.begin(),
                        b'\r' => {}
                        b';' => self.framing = Framing::Extension,
                        digit => self.size = self.size * 16 + (digit as char).to_digit(16).unwrap_or(0) as usize,
                    }
                }
                Framing::Extension => {
                    bytes = &bytes[1..];
                    if byte == b'\n' {
                        self.begin();
                    }
                }
                Framing::Data => {
                    let take = self.left.min(bytes.len());
                    self.lines(&bytes[..take], &mut seen);
                    bytes = &bytes[take..];
                    self.left -= take;
                    if self.left == 0 {
                        self.framing = Framing::End;
                    }
                }
                Framing::End => {
                    bytes = &bytes[1..];
                    if byte == b'\n' {
                        self.framing = Framing::Size;
                        self.size = 0;
                    }
                }
            }
        }
    }

    fn begin(&mut self) {
        self.left = self.size;
        // The last chunk has no data; what follows it is nobody's.
        self.framing = if self.size == 0 { Framing::End } else { Framing::Data };
    }

    fn lines(&mut self, data: &[u8], seen: &mut impl FnMut(u64)) {
        let mut rest = data;
        while !rest.is_empty() {
            let end = rest.iter().position(|byte| *byte == b'\n');
            let part = &rest[..end.unwrap_or(rest.len())];
            let room = part.len().min(self.line.len() - self.filled);
            self.line[self.filled..self.filled + room].copy_from_slice(&part[..room]);
            self.filled += room;
            let Some(end) = end else { return };
            if let Some(id) = self.line[..self.filled].strip_prefix(b"id: ") {
                seen(number(id));
            }
            self.filled = 0;
            rest = &rest[end + 1..];
        }
    }
}

fn number(id: &[u8]) -> u64 {
    let digits = id.iter().rposition(|byte| *byte == b'@').map_or(id, |at| &id[at + 1..]);
    digits.iter().filter(|byte| byte.is_ascii_digit()).fold(0, |number, digit| number * 10 + u64::from(digit - b'0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_however_the_bytes_are_cut() {
        let long = "x".repeat(300);
        let events = [
            "retry: 1000\n\n".to_owned(),
            format!("id: 7\nevent: entry\ndata: {{\"id: 9\":\"{long}\"}}\n\nid: 8\nevent: entry\ndata: {{}}\n\n"),
            ":\n\n".to_owned(),
            "id: run:0-1@912\nevent: entry\ndata: {}\n\n".to_owned(),
        ];
        let body: String = events.iter().map(|event| format!("{:x}\r\n{event}\r\n", event.len())).collect();
        for cut in 1..40 {
            let (mut scanner, mut numbers) = (Scanner::default(), Vec::new());
            for piece in body.as_bytes().chunks(cut) {
                scanner.feed(piece, |number| numbers.push(number));
            }
            assert_eq!(numbers, [7, 8, 912], "cut every {cut} bytes");
        }
    }
}
