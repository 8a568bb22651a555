//! Reads a git index, as far as the plane has to look into its own copies of one: which paths it
//! lists, which of them are other repositories, and which files it is told to believe unchanged.

/// What an index lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) path: Vec<u8>,
    /// Another repository, by its commit.
    pub(super) is_link: bool,
    /// Where its flags stand in the file.
    flags_at: usize,
    /// It says "leave it alone, whether it is there or not".
    is_skipped: bool,
}

/// A file that is no index, or one of a kind that is not read here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NotRead;

/// "Believe it unchanged": a person may set it to hide a file from git; gates see the file.
const ASSUME_UNCHANGED: u8 = 0x80;
/// "Skip it": said of files that a sparse checkout leaves out; in the flags' second pair of bytes.
const SKIP: u8 = 0x40;

/// Lists an index. An index that is split over two files is not read.
pub(super) fn entries(bytes: &[u8], is_sha256: bool) -> Result<Vec<Entry>, NotRead> {
    let id = if is_sha256 { 32 } else { 20 };
    let word = |at: usize| -> Result<u32, NotRead> {
        let four = bytes.get(at..at + 4).ok_or(NotRead)?;
        Ok(u32::from_be_bytes([four[0], four[1], four[2], four[3]]))
    };
    if bytes.get(..4) != Some(b"DIRC") {
        return Err(NotRead);
    }
    let (version, count) = (word(4)?, word(8)?);
    if !(2..=4).contains(&version) {
        return Err(NotRead);
    }
    let mut entries: Vec<Entry> = Vec::with_capacity(usize::try_from(count).unwrap_or(0).min(1 << 20));
    let mut at = 12;
    for _ in 0..count {
        let mode = word(at + 24)?;
        let flags_at = at + 40 + id;
        let flags = [*bytes.get(flags_at).ok_or(NotRead)?, *bytes.get(flags_at + 1).ok_or(NotRead)?];
        let is_extended = version >= 3 && flags[0] & 0x40 != 0;
        let mut name_at = flags_at + 2 + if is_extended { 2 } else { 0 };
        let is_skipped = is_extended && bytes.get(flags_at + 2).ok_or(NotRead)? & SKIP != 0;
        let path = if version == 4 {
            // The path before, less some of its end, plus what follows.
            let (drop, length) = varint(bytes.get(name_at..).ok_or(NotRead)?)?;
            name_at += length;
            let rest = until_nul(bytes.get(name_at..).ok_or(NotRead)?)?;
            let before = entries.last().map_or(&[][..], |entry| &entry.path);
            let keep = before.len().checked_sub(drop).ok_or(NotRead)?;
            at = name_at + rest.len() + 1;
            [&before[..keep], rest].concat()
        } else {
            let path = until_nul(bytes.get(name_at..).ok_or(NotRead)?)?;
            // Padded with NULs, at least one, to a multiple of eight.
            at += (name_at - at + path.len() + 8) & !7;
            path.to_vec()
        };
        entries.push(Entry { path, is_link: mode & 0o170_000 == 0o160_000, flags_at, is_skipped });
    }
    // Extensions follow; only `link` says that there is more elsewhere.
    let end = bytes.len().saturating_sub(id);
    while at + 8 <= end {
        if bytes.get(at..at + 4) == Some(b"link") {
            return Err(NotRead);
        }
        at = at + 8 + word(at + 4)? as usize;
    }
    Ok(entries)
}

/// Takes back the orders not to look at files: those that a sparse checkout left out stay out, as
/// long as they are not there.
pub(super) fn look_at_all(bytes: &mut [u8], entries: &[Entry], is_there: impl Fn(&[u8]) -> bool) {
    for entry in entries {
        if let Some(flags) = bytes.get_mut(entry.flags_at) {
            *flags &= !ASSUME_UNCHANGED;
        }
        if entry.is_skipped
            && is_there(&entry.path)
            && let Some(flags) = bytes.get_mut(entry.flags_at + 2)
        {
            *flags &= !SKIP;
        }
    }
}

fn until_nul(bytes: &[u8]) -> Result<&[u8], NotRead> {
    let end = bytes.iter().position(|byte| *byte == 0).ok_or(NotRead)?;
    Ok(&bytes[..end])
}

/// A number as pack offsets have it: seven bits a byte, each further byte adding one.
fn varint(bytes: &[u8]) -> Result<(usize, usize), NotRead> {
    let mut value = 0usize;
    for (at, byte) in bytes.iter().take(8).enumerate() {
        value = value << 7 | usize::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Ok((value, at + 1));
        }
        value += 1;
    }
    Err(NotRead)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// F24: no index, however damaged, is more than refused.
        #[test]
        fn any_bytes_are_read_or_refused(version in 0u8..6, count in 0u8..4, rest in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut bytes = b"DIRC\0\0\0".to_vec();
            bytes.extend([version, 0, 0, 0, count]);
            bytes.extend(rest);
            if let Ok(found) = entries(&bytes, false) {
                prop_assert_eq!(found.len(), usize::from(count));
                look_at_all(&mut bytes, &found, |_| true);
            }
        }
    }
}
