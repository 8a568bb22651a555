//! A brake on guessing: an address that failed to sign in, or tried to pair a worker, too often waits.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::Instant,
};

use model::{code::Code, problem::Problem};

use crate::limits;

/// Failed sign-ins per address, within a window.
#[derive(Debug, Default)]
pub struct SignInBrake(Mutex<HashMap<Option<IpAddr>, Failures>>);

#[derive(Debug, Clone, Copy)]
struct Failures {
    since: Instant,
    count: u32,
}

impl SignInBrake {
    /// Refuses an address that has to wait.
    pub fn check(&self, address: Option<IpAddr>, now: Instant) -> Result<(), Problem> {
        let failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match failures.get(&address) {
            Some(seen) if seen.count >= limits::SIGN_IN_FAILURES => {
                let left = limits::SIGN_IN_WINDOW.saturating_sub(now.duration_since(seen.since));
                if left.is_zero() {
                    return Ok(());
                }
                Err(Problem::new(Code::TooMany, "too many attempts from this address")
                    .with("retry_after_s", left.as_secs() + 1))
            }
            _ => Ok(()),
        }
    }

    /// Counts a failure.
    pub fn failed(&self, address: Option<IpAddr>, now: Instant) {
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_over = |seen: &Failures| now.duration_since(seen.since) >= limits::SIGN_IN_WINDOW;
        if failures.len() >= limits::SIGN_IN_ADDRESSES && !failures.contains_key(&address) {
            failures.retain(|_, seen| !is_over(seen));
            if failures.len() >= limits::SIGN_IN_ADDRESSES {
                // Under a flood from everywhere, forgetting is better than growing.
                failures.clear();
            }
        }
        let seen = failures.entry(address).or_insert(Failures { since: now, count: 0 });
        if is_over(seen) {
            *seen = Failures { since: now, count: 0 };
        }
        seen.count += 1;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    // K7
    #[test]
    fn an_address_waits_after_too_many_failures_and_nobody_else_does() {
        let brake = SignInBrake::default();
        let (start, one, other) = (Instant::now(), "10.0.0.1".parse().ok(), "10.0.0.2".parse().ok());
        for _ in 0..limits::SIGN_IN_FAILURES {
            assert!(brake.check(one, start).is_ok());
            brake.failed(one, start);
        }
        let problem = brake.check(one, start).unwrap_err();
        assert_eq!((problem.code, problem.facts["retry_after_s"].as_u64()), (Code::TooMany, Some(61)));
        assert!(brake.check(other, start).is_ok());
        assert!(brake.check(one, start + Duration::from_secs(60)).is_ok());
    }

    #[test]
    fn a_flood_of_addresses_does_not_grow_the_table() {
        let brake = SignInBrake::default();
        let now = Instant::now();
        for number in 0..20_000u32 {
            brake.failed(Some(IpAddr::from(number.to_be_bytes())), now);
        }
        assert!(brake.0.lock().unwrap().len() <= limits::SIGN_IN_ADDRESSES);
    }
}
