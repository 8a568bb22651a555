//! The few bytes of a tar archive: a head of 512 bytes before each file, zeros to the next block, two
//! blocks of zeros at the end (POSIX ustar).

use std::io::{self, Read};

const BLOCK: usize = 512;

/// The head of a file. Names are ours, short and ASCII.
pub fn head(name: &str, bytes: u64) -> Vec<u8> {
    let mut block = vec![0u8; BLOCK];
    let mut put = |at: usize, text: &[u8]| {
        if let Some(place) = block.get_mut(at..at + text.len()) {
            place.copy_from_slice(text);
        }
    };
    put(0, name.as_bytes());
    put(100, b"0000644\0");
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    put(124, format!("{bytes:011o}\0").as_bytes());
    put(136, b"00000000000\0");
    put(148, b"        ");
    put(156, b"0");
    put(257, b"ustar\x0000");
    let sum = checksum(&block);
    if let Some(place) = block.get_mut(148..156) {
        place.copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    }
    block
}

/// Zeros from the end of a file to the next block.
pub fn padding(bytes: u64) -> Vec<u8> {
    vec![0; rest(bytes)]
}

/// The end of an archive.
pub fn end() -> Vec<u8> {
    vec![0; 2 * BLOCK]
}

fn rest(bytes: u64) -> usize {
    // Less than a block, so it fits.
    ((BLOCK as u64 - bytes % BLOCK as u64) % BLOCK as u64) as usize
}

fn checksum(block: &[u8]) -> u64 {
    block.iter().map(|byte| u64::from(*byte)).sum()
}

/// A file in an archive.
pub struct Member {
    /// Its name.
    pub name: String,
    /// Its size.
    pub bytes: u64,
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// Reads the next head; none at the end of the archive.
pub fn next(from: &mut impl Read) -> io::Result<Option<Member>> {
    let mut block = [0u8; BLOCK];
    from.read_exact(&mut block)?;
    if block.iter().all(|byte| *byte == 0) {
        return Ok(None);
    }
    let text = |from: usize, to: usize| {
        let field = block[from..to].split(|byte| *byte == 0).next().unwrap_or_default();
        std::str::from_utf8(field).map(str::trim).map_err(|_| invalid("a head is not text"))
    };
    let octal =
        |from: usize, to: usize| u64::from_str_radix(text(from, to)?, 8).map_err(|_| invalid("a head holds no number"));
    let mut blank = block;
    blank[148..156].fill(b' ');
    if octal(148, 156)? != checksum(&blank) {
        return Err(invalid("the sum of a head is wrong"));
    }
    Ok(Some(Member { name: text(0, 100)?.to_owned(), bytes: octal(124, 136)? }))
}

/// Passes over what follows a file to the next block.
pub fn skip_padding(from: &mut impl Read, bytes: u64) -> io::Result<()> {
    let mut block = [0u8; BLOCK];
    from.read_exact(&mut block[..rest(bytes)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_reads_back_and_a_changed_one_does_not() {
        for bytes in [0, 1, 511, 512, 513, 7_000_000_000] {
            let head = head("blobs/ab", bytes);
            let member = next(&mut head.as_slice()).unwrap().unwrap();
            assert_eq!((member.name.as_str(), member.bytes), ("blobs/ab", bytes));
            assert_eq!((bytes + padding(bytes).len() as u64) % 512, 0);
        }
        let mut wrong = head("a", 1);
        wrong[0] ^= 1;
        assert!(next(&mut wrong.as_slice()).is_err());
        assert!(next(&mut end().as_slice()).unwrap().is_none());
        assert!(next(&mut &[0u8; 100][..]).is_err(), "cut");
    }
}
