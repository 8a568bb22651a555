//! Reading answers of the plane without trusting their shape: a field that is missing or of another
//! type reads as empty, so that an older CLI shows what it can of a newer server's answer.

use serde_json::Value;

/// Short ways into a JSON value.
pub trait Look {
    /// The text at a JSON pointer, or nothing.
    fn text(&self, pointer: &str) -> &str;
    /// The text at a JSON pointer, if there is any.
    fn maybe(&self, pointer: &str) -> Option<&str>;
    /// The number at a JSON pointer, or 0.
    fn number(&self, pointer: &str) -> u64;
    /// Whether the value at a JSON pointer is `true`.
    fn flag(&self, pointer: &str) -> bool;
    /// The list at a JSON pointer, or an empty one.
    fn list(&self, pointer: &str) -> &[Value];
    /// The texts of the list at a JSON pointer.
    fn texts(&self, pointer: &str) -> Vec<&str>;
}

impl Look for Value {
    fn text(&self, pointer: &str) -> &str {
        self.maybe(pointer).unwrap_or_default()
    }

    fn maybe(&self, pointer: &str) -> Option<&str> {
        self.pointer(pointer).and_then(Self::as_str).filter(|text| !text.is_empty())
    }

    fn number(&self, pointer: &str) -> u64 {
        self.pointer(pointer).and_then(Self::as_u64).unwrap_or_default()
    }

    fn flag(&self, pointer: &str) -> bool {
        self.pointer(pointer).and_then(Self::as_bool).unwrap_or_default()
    }

    fn list(&self, pointer: &str) -> &[Value] {
        self.pointer(pointer).and_then(Self::as_array).map(Vec::as_slice).unwrap_or_default()
    }

    fn texts(&self, pointer: &str) -> Vec<&str> {
        self.list(pointer).iter().filter_map(Self::as_str).collect()
    }
}

/// The last 8 hex digits of an id, which are random and so tell ids apart; other text unchanged.
pub fn short(id: &str) -> &str {
    let is_uuid = id.len() == 36 && id.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    if is_uuid { &id[28..] } else { id }
}

/// The first digits of a digest or commit.
pub fn abbreviated(digest: &str) -> &str {
    let bare = digest.strip_prefix("sha256:").unwrap_or(digest);
    bare.get(..10).unwrap_or(bare)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn whatever_is_missing_reads_as_empty() {
        let value = json!({"a": {"b": "c", "n": 3, "l": ["x", 1, "y"]}, "null": null});
        assert_eq!((value.text("/a/b"), value.text("/a/x"), value.text("/null")), ("c", "", ""));
        assert_eq!((value.number("/a/n"), value.number("/a/b")), (3, 0));
        assert_eq!((value.texts("/a/l"), value.list("/a")), (vec!["x", "y"], &[][..]));
    }

    #[test]
    fn ids_and_digests_are_shortened_only_where_they_are_such() {
        assert_eq!(short("019aa3c1-0000-7000-8000-0123456789ab"), "456789ab");
        assert_eq!(short("REQ-0001"), "REQ-0001");
        assert_eq!(short("ééééééééééééééééééééé"), "ééééééééééééééééééééé");
        assert_eq!(abbreviated("0123456789abcdef"), "0123456789");
        assert_eq!(abbreviated("é"), "é");
    }
}
