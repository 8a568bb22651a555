//! Every figure the server shows under `/metrics`, declared here once with its meaning, in the
//! Prometheus text format. Labels are route templates and status classes, never ids.

pub mod upkeep;

use std::{
    collections::HashMap,
    fmt::Write as _,
    sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed},
    time::Duration,
};

macro_rules! figures {
    ($($kind:ident $field:ident = $name:literal, $help:literal;)*) => {
        /// Figures without labels.
        #[derive(Debug, Default)]
        pub struct Figures {
            $(#[doc = $help] pub $field: figures!(@type $kind),)*
        }

        impl Figures {
            fn render(&self, out: &mut String) {
                $(family(out, $name, stringify!($kind), $help);
                let _ = writeln!(out, concat!($name, " {}"), self.$field.load(Relaxed));)*
            }
        }

        /// The name, kind and meaning of each figure.
        pub const DECLARED: &[(&str, &str, &str)] = &[
            $(($name, stringify!($kind), $help),)*
            (REQUESTS, "counter", REQUESTS_HELP),
            (LATENCY, "histogram", LATENCY_HELP),
            (MEMORY, "gauge", MEMORY_HELP),
            (UPTIME, "gauge", UPTIME_HELP),
            (upkeep::RUNS, "counter", upkeep::RUNS_HELP),
            (upkeep::FAILURES, "counter", upkeep::FAILURES_HELP),
            (upkeep::DONE, "counter", upkeep::DONE_HELP),
            (upkeep::LEADER, "gauge", upkeep::LEADER_HELP),
        ];
    };
    (@type counter) => { AtomicU64 };
    (@type gauge) => { AtomicI64 };
}

figures! {
    gauge connections_open = "proofhouse_http_connections_open", "connections that are open now";
    gauge streams_open = "proofhouse_streams_open", "live streams that are open now";
    counter stream_entries = "proofhouse_stream_entries_total", "entries delivered to readers of live streams";
    counter stream_resyncs = "proofhouse_stream_resyncs_total", "readers sent a snapshot because retention had cut what they asked for";
    counter streams_refused = "proofhouse_streams_refused_total", "live streams refused because the caller had too many";
    counter entries_appended = "proofhouse_entries_appended_total", "journal entries taken over HTTP";
    counter tasks_claimed = "proofhouse_tasks_claimed_total", "tasks handed out over HTTP";
    counter tasks_finished = "proofhouse_tasks_finished_total", "task outcomes taken over HTTP";
    counter leases_lost = "proofhouse_leases_lost_total", "worker writes over HTTP refused behind an old fence";
    counter runs_submitted = "proofhouse_runs_submitted_total", "runs started over HTTP";
    counter sign_in_failures = "proofhouse_sign_in_failures_total", "sign-ins refused for a wrong or used code or token";
    counter panics = "proofhouse_panics_total", "requests that ended in a panic: each is a bug";
    counter time_outs = "proofhouse_http_time_outs_total", "requests cut off at the time limit";
}

const REQUESTS: &str = "proofhouse_http_requests_total";
const REQUESTS_HELP: &str = "requests by route template and status class";
const LATENCY: &str = "proofhouse_http_request_seconds";
const LATENCY_HELP: &str =
    "time from the end of the request's headers to the start of the answer, long polls and streams included";
const MEMORY: &str = "proofhouse_process_resident_bytes";
const MEMORY_HELP: &str = "memory of the process that is in use";
const UPTIME: &str = "proofhouse_process_uptime_seconds";
const UPTIME_HELP: &str = "time since the server was built";

/// Upper bounds of the latency buckets, in microseconds.
const BUCKETS: [u64; 12] =
    [250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 500_000, 2_500_000, 30_000_000];
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

#[derive(Debug, Default)]
struct RouteFigures {
    classes: [AtomicU64; 5],
    buckets: [AtomicU64; BUCKETS.len() + 1],
    micros: AtomicU64,
}

/// All figures of one server.
#[derive(Debug)]
pub struct Metrics {
    /// Those without labels.
    pub figures: Figures,
    routes: HashMap<String, RouteFigures>,
    unmatched: RouteFigures,
    since: std::time::Instant,
}

impl Metrics {
    /// Makes a place for each route template, so that the hot path only adds.
    pub fn of(routes: impl IntoIterator<Item = String>) -> Self {
        Self {
            figures: Figures::default(),
            routes: routes.into_iter().map(|route| (route, RouteFigures::default())).collect(),
            unmatched: RouteFigures::default(),
            since: std::time::Instant::now(),
        }
    }

    /// Counts one answered request.
    pub fn request(&self, route: Option<&str>, status: u16, took: Duration) {
        let figures = route.and_then(|route| self.routes.get(route)).unwrap_or(&self.unmatched);
        let class = usize::from(status / 100).clamp(1, 5) - 1;
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = BUCKETS.iter().position(|bound| micros <= *bound).unwrap_or(BUCKETS.len());
        figures.classes[class].fetch_add(1, Relaxed);
        figures.buckets[bucket].fetch_add(1, Relaxed);
        figures.micros.fetch_add(micros, Relaxed);
    }

    /// The whole page.
    pub fn render(&self) -> String {
        let mut out = String::with_capacity(16 << 10);
        self.figures.render(&mut out);
        let mut routes: Vec<_> = self.routes.iter().map(|(route, figures)| (route.as_str(), figures)).collect();
        routes.push(("unmatched", &self.unmatched));
        routes.sort_unstable_by_key(|route| route.0);
        family(&mut out, REQUESTS, "counter", REQUESTS_HELP);
        for (route, figures) in &routes {
            for (class, count) in CLASSES.iter().zip(&figures.classes) {
                let count = count.load(Relaxed);
                if count > 0 {
                    let _ = writeln!(out, "{REQUESTS}{{route=\"{route}\",class=\"{class}\"}} {count}");
                }
            }
        }
        family(&mut out, LATENCY, "histogram", LATENCY_HELP);
        for (route, figures) in &routes {
            latency(&mut out, route, figures);
        }
        family(&mut out, MEMORY, "gauge", MEMORY_HELP);
        if let Some(bytes) = resident_bytes() {
            let _ = writeln!(out, "{MEMORY} {bytes}");
        }
        family(&mut out, UPTIME, "gauge", UPTIME_HELP);
        let _ = writeln!(out, "{UPTIME} {}", self.since.elapsed().as_secs());
        out
    }
}

fn latency(out: &mut String, route: &str, figures: &RouteFigures) {
    let counts: Vec<u64> = figures.buckets.iter().map(|count| count.load(Relaxed)).collect();
    let total: u64 = counts.iter().sum();
    if total == 0 {
        return;
    }
    let mut below = 0;
    for (bound, count) in BUCKETS.iter().zip(&counts) {
        below += count;
        let seconds = std::time::Duration::from_micros(*bound).as_secs_f64();
        let _ = writeln!(out, "{LATENCY}_bucket{{route=\"{route}\",le=\"{seconds}\"}} {below}");
    }
    let _ = writeln!(out, "{LATENCY}_bucket{{route=\"{route}\",le=\"+Inf\"}} {total}");
    let seconds = std::time::Duration::from_micros(figures.micros.load(Relaxed)).as_secs_f64();
    let _ = writeln!(out, "{LATENCY}_sum{{route=\"{route}\"}} {seconds}");
    let _ = writeln!(out, "{LATENCY}_count{{route=\"{route}\"}} {total}");
}

/// Writes the head of a family of figures.
pub fn family(out: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

/// Resident memory of this process, where the system tells.
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_prometheus_text_and_names_only_declared_figures() {
        let metrics = Metrics::of(["/a/{id}".to_owned()]);
        metrics.request(Some("/a/{id}"), 200, Duration::from_micros(300));
        metrics.request(Some("/a/{id}"), 404, Duration::from_secs(60));
        metrics.request(None, 404, Duration::ZERO);
        let page = metrics.render();
        assert!(page.contains("proofhouse_http_requests_total{route=\"/a/{id}\",class=\"2xx\"} 1"));
        assert!(page.contains("proofhouse_http_request_seconds_bucket{route=\"/a/{id}\",le=\"0.0005\"} 1"));
        assert!(page.contains("proofhouse_http_request_seconds_bucket{route=\"/a/{id}\",le=\"+Inf\"} 2"));
        assert!(page.contains("route=\"unmatched\",class=\"4xx\"} 1"));
        for line in page.lines().filter(|line| !line.starts_with('#')) {
            let name = line.split(['{', ' ']).next().unwrap();
            assert!(DECLARED.iter().any(|figure| name.starts_with(figure.0)), "{line}");
        }
    }
}
