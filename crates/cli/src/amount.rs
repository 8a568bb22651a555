//! Amounts of money as people write them (X28).

use model::money::NanoUsd;

/// `2.50usd`, in micro-USD. What the unit cannot hold is refused, never cut off.
pub fn usd(text: &str) -> Result<u64, String> {
    let amount = text.strip_suffix("usd").and_then(NanoUsd::from_decimal);
    let micros = amount.filter(|amount| amount.nanos() % 1_000 == 0).map(|amount| amount.nanos() / 1_000);
    micros
        .and_then(|micros| u64::try_from(micros).ok())
        .ok_or_else(|| "write dollars and \"usd\", such as 2.50usd".to_owned())
}

/// The same, or a bare number of micro-USD.
pub fn usd_or_micros(text: &str) -> Result<u64, String> {
    text.parse().or_else(|_| usd(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    // X28
    #[test]
    fn an_amount_is_exact_or_none() {
        for (text, micros) in [("2.50usd", Some(2_500_000)), ("0usd", Some(0)), ("0.000001usd", Some(1))] {
            assert_eq!(usd(text).ok(), micros, "{text}");
        }
        for wrong in ["2.50", "7", "usd", "-1usd", "30m", "20turns", "0.0000001usd", "1e3usd", "none"] {
            assert!(usd(wrong).is_err(), "{wrong}");
        }
        assert_eq!(usd_or_micros("7").ok(), Some(7));
        assert_eq!(usd_or_micros("7usd").ok(), Some(7_000_000));
    }
}
