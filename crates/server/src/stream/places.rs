//! How many streams a caller holds open (K7). A place is given back when the stream's body is dropped,
//! whichever way the connection ended.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, atomic::Ordering::Relaxed},
};

use model::{code::Code, problem::Problem};

use crate::metrics::Metrics;

/// The open streams of all callers.
#[derive(Debug, Clone)]
pub struct StreamPlaces {
    open: Arc<Mutex<HashMap<String, usize>>>,
    metrics: Arc<Metrics>,
    limit: usize,
}

/// One open stream of a caller.
#[derive(Debug)]
pub struct Place {
    places: StreamPlaces,
    caller: String,
}

impl StreamPlaces {
    /// Nobody reads yet.
    pub fn new(limit: usize, metrics: Arc<Metrics>) -> Self {
        Self { open: Arc::default(), metrics, limit }
    }

    /// Takes a place for the caller, or refuses with 429.
    pub fn take(&self, caller: &str) -> Result<Place, Problem> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(caller.to_owned()).or_default();
        if *count >= self.limit {
            self.metrics.figures.streams_refused.fetch_add(1, Relaxed);
            let limit = self.limit;
            return Err(Problem::new(Code::TooMany, format!("you have {limit} live streams open, which is the limit"))
                .with_hint("close streams that nobody reads, or read several over one with /api/v1/events?streams=...")
                .with("limit", limit)
                .with("retry_after_s", 5));
        }
        *count += 1;
        self.metrics.figures.streams_open.fetch_add(1, Relaxed);
        Ok(Place { places: self.clone(), caller: caller.to_owned() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.metrics.figures.streams_open.fetch_sub(1, Relaxed);
        let mut open = self.places.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.caller) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.caller);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // K7: the limit holds per caller, and a place comes back.
    #[test]
    fn a_caller_has_so_many_places_and_gets_them_back() {
        let places = StreamPlaces::new(2, Arc::new(Metrics::of([])));
        let first = places.take("a").unwrap();
        let _second = places.take("a").unwrap();
        assert_eq!(places.take("a").unwrap_err().code, Code::TooMany);
        let _other = places.take("b").unwrap();
        drop(first);
        let _third = places.take("a").unwrap();
        assert_eq!(places.metrics.figures.streams_open.load(Relaxed), 3);
    }
}
