//! Reads a write-ahead log that a process left behind, before SQLite does (F11).
//!
//! SQLite takes the log up to the first frame whose checksum does not fit, and silently drops what
//! follows: one flipped byte would hide entries that were acknowledged. A torn end is normal after a
//! power cut, so what counts as damage is what no crash leaves: a frame that does not fit although
//! whole transactions stand behind it, since a transaction is begun only after the one before was synced.

use std::{
    fs::File,
    io::{self, BufReader, Read as _},
    path::{Path, PathBuf},
};

/// Bytes of the log's own header.
const HEADER: usize = 32;
/// Bytes of a frame's header.
const FRAME: usize = 24;

/// Where a log stops being what was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WalDamage {
    file: PathBuf,
    frame: u64,
    sound: u64,
}

impl std::fmt::Display for WalDamage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { file, frame, sound } = self;
        write!(
            f,
            "frame {frame} of {} was changed after it was written, and committed transactions stand behind it; the \
             first {sound} bytes are sound",
            file.file_name().unwrap_or_default().display()
        )
    }
}

/// The log of a database file.
pub(crate) fn of(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push("-wal");
    name.into()
}

/// Looks through the log of this database. `None`: there is none, or nothing in it was changed.
pub(crate) fn check(database: &Path) -> io::Result<Option<WalDamage>> {
    let path = of(database);
    loop {
        let (before, found) = scan(&path)?;
        // A log that was begun anew meanwhile is another log.
        if found.is_none() || header(&path)? == before {
            return Ok(found.map(|(frame, sound)| WalDamage { file: path, frame, sound }));
        }
    }
}

fn header(path: &Path) -> io::Result<[u8; HEADER]> {
    let mut bytes = [0; HEADER];
    File::open(path)?.read_exact(&mut bytes)?;
    Ok(bytes)
}

type Sum = (u32, u32);

/// SQLite's checksum: over words of the byte order that the log names.
fn sum(mut seed: Sum, bytes: &[u8], big: bool) -> Sum {
    for pair in bytes.chunks_exact(8) {
        let word = |at: usize| {
            let four = [pair[at], pair[at + 1], pair[at + 2], pair[at + 3]];
            if big { u32::from_be_bytes(four) } else { u32::from_le_bytes(four) }
        };
        seed.0 = seed.0.wrapping_add(word(0)).wrapping_add(seed.1);
        seed.1 = seed.1.wrapping_add(word(4)).wrapping_add(seed.0);
    }
    seed
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// The first damaged frame, and the length of the sound part before it.
type Found = Option<(u64, u64)>;

/// What is damaged, with the header that was read.
fn scan(path: &Path) -> io::Result<([u8; HEADER], Found)> {
    let mut head = [0; HEADER];
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((head, None)),
        Err(error) => return Err(error),
    };
    let mut file = BufReader::with_capacity(256 << 10, file);
    if let Err(error) = file.read_exact(&mut head) {
        // Shorter than a header is a log that was never begun.
        return if error.kind() == io::ErrorKind::UnexpectedEof { Ok((head, None)) } else { Err(error) };
    }
    let big = word(&head, 0) & 1 == 1;
    let told = (word(&head, 24), word(&head, 28));
    let is_log = word(&head, 0) & !1 == 0x377f_0682 && sum((0, 0), &head[..24], big) == told;
    if !is_log {
        // SQLite would take nothing from it. A header is synced before the first frame behind it.
        let page = [word(&head, 8) as usize, 4096];
        let page = page.into_iter().find(|size| size.is_power_of_two() && (512..=65_536).contains(size));
        let orphans = Frames { file, page: page.unwrap_or(4096), big: false, salts: None };
        return Ok((head, orphans.hold_together()?.then_some((0, 0))));
    }
    let page = word(&head, 8) as usize;
    let salts = [word(&head, 16), word(&head, 20)];
    let mut frames = Frames { file, page, big, salts: Some(salts) };
    let (mut link, mut at) = (told, 0_u64);
    let mut frame = vec![0; FRAME + page];
    while frames.next(&mut frame)? {
        at += 1;
        match frames.fits(&frame, link) {
            true => link = stored(&frame),
            false => {
                let bytes = HEADER as u64 + (at - 1) * (FRAME + page) as u64;
                return Ok((head, frames.commits_follow(&frame)?.then_some((at, bytes))));
            }
        }
    }
    Ok((head, None))
}

fn stored(frame: &[u8]) -> Sum {
    (word(frame, 16), word(frame, 20))
}

fn commits(frame: &[u8]) -> bool {
    word(frame, 4) != 0
}

struct Frames {
    file: BufReader<File>,
    page: usize,
    big: bool,
    salts: Option<[u32; 2]>,
}

impl Frames {
    fn next(&mut self, frame: &mut [u8]) -> io::Result<bool> {
        match self.file.read_exact(frame) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Whether a frame is of this log and follows one with that checksum.
    fn fits(&self, frame: &[u8], before: Sum) -> bool {
        self.salts.is_none_or(|salts| salts == [word(frame, 8), word(frame, 12)])
            && sum(sum(before, &frame[..8], self.big), &frame[FRAME..FRAME + self.page], self.big) == stored(frame)
    }

    /// Whether a frame of a later transaction follows the one that does not fit. Frames that a
    /// rolled-back transaction left have no commit among them.
    fn commits_follow(mut self, bad: &[u8]) -> io::Result<bool> {
        let mut link = stored(bad);
        // The commit mark may be what was changed; a frame that is whole behind it tells.
        let mut committed = commits(bad);
        let mut frame = vec![0; FRAME + self.page];
        while self.next(&mut frame)? {
            let fits = self.fits(&frame, link);
            if fits && committed {
                return Ok(true);
            }
            committed |= fits && commits(&frame);
            link = stored(&frame);
        }
        Ok(false)
    }

    /// Whether frames stand here that follow one another, in either byte order.
    fn hold_together(mut self) -> io::Result<bool> {
        let (mut frame, mut link) = (vec![0; FRAME + self.page], None);
        while self.next(&mut frame)? {
            if let Some(link) = link {
                for big in [false, true] {
                    self.big = big;
                    // A file that grew and was never written reads as zeros, which fit one another.
                    if word(&frame, 0) != 0 && self.fits(&frame, link) {
                        return Ok(true);
                    }
                }
            }
            link = Some(stored(&frame));
        }
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A database whose process was killed: its file and its log, with ten transactions of two entries.
    fn left_behind() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let live = folder.path().join("live.db");
        let mut tx = super::super::connect(&live, true).unwrap();
        tx.connection().execute_batch("CREATE TABLE t (x)").unwrap();
        for n in 0..10 {
            tx.connection()
                .execute_batch(&format!(
                    "BEGIN; INSERT INTO t VALUES ({n}); INSERT INTO t VALUES (randomblob(6000)); COMMIT"
                ))
                .unwrap();
        }
        let copy = folder.path().join("copy.db");
        fs::copy(&live, &copy).unwrap();
        fs::copy(of(&live), of(&copy)).unwrap();
        drop(tx);
        (folder, copy)
    }

    fn rows(database: &Path) -> i64 {
        let mut tx = super::super::connect(database, true).unwrap();
        tx.connection().query_row("SELECT count(*) FROM t", [], |row| row.get(0)).unwrap()
    }

    /// F11: whichever byte of a log is flipped, either SQLite still reads all of it or it is named;
    /// only in the last two transactions a flip cannot be told from a torn write.
    #[test]
    fn a_flipped_byte_that_hides_commits_is_named() {
        let (_folder, copy) = left_behind();
        assert_eq!(check(&copy).unwrap(), None);
        let whole = fs::read(of(&copy)).unwrap();
        let base = fs::read(&copy).unwrap();
        let frame = FRAME + 4096;
        let frames = (whole.len() - HEADER) / frame;
        let (mut named, mut seen) = (0, 0);
        let spots = (0..HEADER).chain((0..frames).flat_map(|at| {
            [0, 5, 7, 9, 13, 17, 22, FRAME, FRAME + 77, frame - 1].map(|byte| HEADER + at * frame + byte)
        }));
        for at in spots {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x10;
            fs::write(&copy, &base).unwrap();
            let _ = fs::remove_file(copy.with_extension("db-shm"));
            fs::write(of(&copy), &bytes).unwrap();
            let damage = check(&copy).unwrap();
            named += u32::from(damage.is_some());
            seen += 1;
            if damage.is_none() {
                // Opened by SQLite it lacks at most what the last transactions wrote.
                let left = std::panic::catch_unwind(|| rows(&copy)).unwrap_or(0);
                assert!(left >= 16, "the flip at {at} hid all but {left} of 20 rows and was not named");
            }
        }
        assert!(named * 10 > seen * 6, "{named} of {seen}");
    }

    /// A torn end, an empty log and the rest of an earlier log are no damage.
    #[test]
    fn what_a_crash_leaves_is_no_damage() {
        let (_folder, copy) = left_behind();
        let whole = fs::read(of(&copy)).unwrap();
        let frame = FRAME + 4096;
        for cut in [0, 5, HEADER, HEADER + 10, HEADER + frame, HEADER + 3 * frame + 100, whole.len() - 1] {
            fs::write(of(&copy), &whole[..cut]).unwrap();
            assert_eq!(check(&copy).unwrap(), None, "cut to {cut}");
        }
        // Begun anew: SQLite writes over the front, the old frames behind it carry other salts.
        fs::write(of(&copy), &whole).unwrap();
        let mut tx = super::super::connect(&copy, true).unwrap();
        tx.connection().query_row("PRAGMA wal_checkpoint(RESTART)", [], |_| Ok(())).unwrap();
        tx.connection().execute_batch("INSERT INTO t VALUES (99)").unwrap();
        assert!(fs::metadata(of(&copy)).unwrap().len() >= whole.len() as u64);
        assert_eq!(check(&copy).unwrap(), None);
        // The last transaction half written by a power cut: its end is there, its middle is not.
        let mut torn = whole.clone();
        let at = HEADER + (torn.len() - HEADER) / frame * frame - 2 * frame + FRAME;
        torn[at..at + 512].fill(0);
        fs::write(of(&copy), &torn).unwrap();
        assert_eq!(check(&copy).unwrap(), None);
        // Grown, and nothing of it written before the power went.
        fs::write(of(&copy), vec![0; whole.len()]).unwrap();
        assert_eq!(check(&copy).unwrap(), None);
        fs::remove_file(of(&copy)).unwrap();
        assert_eq!(check(&copy).unwrap(), None);
    }
}
