//! A part of a file, by RFC 9110: one range of bytes, or the whole.

use axum::http::{HeaderMap, header};

/// What of a file is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// All of it: 200.
    Whole,
    /// These bytes, both ends included: 206.
    Bytes {
        /// The first.
        first: u64,
        /// The last.
        last: u64,
    },
    /// None of it: 416.
    Unsatisfiable,
}

/// Reads `Range` against a file of this size and tag. What is not understood (another unit, several
/// ranges, a `If-Range` of another version) asks for the whole, as the RFC wants it.
pub fn part(headers: &HeaderMap, size: u64, etag: &str) -> Part {
    let Some(range) = headers.get(header::RANGE).and_then(|range| range.to_str().ok()) else { return Part::Whole };
    if headers.get(header::IF_RANGE).is_some_and(|tag| tag != etag) {
        return Part::Whole;
    }
    let Some(spec) = range.trim().strip_prefix("bytes=") else { return Part::Whole };
    let Some((first, last)) = spec.trim().split_once('-') else { return Part::Whole };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(first) || !digits(last) {
        return Part::Whole;
    }
    // A number too large for us is beyond every file.
    let number = |text: &str| text.parse::<u64>().unwrap_or(u64::MAX);
    match (first.is_empty(), last.is_empty()) {
        (true, true) => Part::Whole,
        (true, false) => match number(last) {
            0 => Part::Unsatisfiable,
            _ if size == 0 => Part::Unsatisfiable,
            suffix => Part::Bytes { first: size.saturating_sub(suffix), last: size - 1 },
        },
        (false, _) => {
            let first = number(first);
            let last = if last.is_empty() { u64::MAX } else { number(last) };
            if last < first {
                return Part::Whole;
            }
            if first >= size { Part::Unsatisfiable } else { Part::Bytes { first, last: last.min(size - 1) } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_range_is_cut_out_and_what_is_not_understood_is_the_whole() {
        let read = |range: &str, size| {
            let headers = [(header::RANGE, range.parse().unwrap())].into_iter().collect();
            part(&headers, size, "\"tag\"")
        };
        assert_eq!(read("bytes=0-0", 10), Part::Bytes { first: 0, last: 0 });
        assert_eq!(read("bytes=3-", 10), Part::Bytes { first: 3, last: 9 });
        assert_eq!(read("bytes=-4", 10), Part::Bytes { first: 6, last: 9 });
        assert_eq!(read("bytes=-40", 10), Part::Bytes { first: 0, last: 9 });
        assert_eq!(read("bytes=0-99999999999999999999999", 10), Part::Bytes { first: 0, last: 9 });
        for beyond in ["bytes=10-", "bytes=10-20", "bytes=-0", "bytes=99999999999999999999999-"] {
            assert_eq!(read(beyond, 10), Part::Unsatisfiable, "{beyond}");
        }
        assert_eq!(read("bytes=0-", 0), Part::Unsatisfiable);
        for whole in ["bytes=", "bytes=-", "bytes=5-3", "bytes=0-1,3-4", "lines=0-1", "bytes=a-b", "bytes=+1-2"] {
            assert_eq!(read(whole, 10), Part::Whole, "{whole}");
        }
    }

    #[test]
    fn a_range_of_an_older_version_gets_the_whole_new_one() {
        let headers = [(header::RANGE, "bytes=1-2".parse().unwrap()), (header::IF_RANGE, "\"old\"".parse().unwrap())];
        assert_eq!(part(&headers.into_iter().collect(), 10, "\"tag\""), Part::Whole);
    }
}
