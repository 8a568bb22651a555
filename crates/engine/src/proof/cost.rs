//! What a gate that declares a cost says that it really was (P37).

use std::{fs, path::Path};

use model::{
    agent::usage::{Cost, CostState},
    ledger::Spent,
    money::NanoUsd,
};
use serde_json::Value;

/// Where a gate that declares a cost says what it really was: `{"micro_usd": 120000}` (P37).
const COST: &str = "cost.json";
/// The longest such file.
const COST_MOST: u64 = 4_096;

/// What a command that was started says it cost; unknown where it says nothing that can be counted.
pub fn told_in(folder: &Path) -> Spent {
    let path = &folder.join(COST);
    let is_file = fs::symlink_metadata(path).is_ok_and(|meta| meta.is_file() && meta.len() <= COST_MOST);
    let bytes = if is_file { fs::read(path).ok() } else { None };
    let told = bytes.and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
    let known = told.and_then(|told| told.get("micro_usd")?.as_u64()).and_then(NanoUsd::from_micros);
    known.map_or(Spent::UNKNOWN, |known| Spent::Cost(Cost { state: CostState::Reported, known }))
}

#[cfg(test)]
mod tests {
    use super::*;

    // P37, L88: what is no whole number of at least 0 is unknown, never nothing.
    #[test]
    fn a_cost_is_read_or_unknown() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(COST);
        assert_eq!(told_in(folder.path()), Spent::UNKNOWN);
        for (text, known) in [
            (r#"{"micro_usd": 120000}"#, Some(120_000_000)),
            (r#"{"micro_usd": 0}"#, Some(0)),
            (r#"{"micro_usd": -1}"#, None),
            (r#"{"micro_usd": 1.5}"#, None),
            (r#"{"micro_usd": "1"}"#, None),
            (r#"{"usd": 1}"#, None),
            ("{}", None),
            ("nonsense", None),
        ] {
            fs::write(&path, text).unwrap();
            let expected = known.map_or(Spent::UNKNOWN, |nanos| {
                Spent::Cost(Cost { state: CostState::Reported, known: NanoUsd::from_nanos(nanos) })
            });
            assert_eq!(told_in(folder.path()), expected, "{text}");
        }
        fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("/dev/zero", &path).unwrap();
        assert_eq!(told_in(folder.path()), Spent::UNKNOWN, "no link is followed");
    }
}
