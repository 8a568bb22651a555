//! Journals in pages, filtered, and as a file.

use axum::http::Method;
use serde_json::{Value, json};

use crate::{plane::TestPlane, streams::Live};

fn numbers(page: &Value) -> Vec<u64> {
    page["items"].as_array().unwrap().iter().map(|entry| entry["seq"].as_u64().unwrap()).collect()
}

async fn page(plane: &TestPlane, run: &str, query: &str) -> Value {
    plane.get(&format!("/api/v1/runs/{run}/entries{query}")).send().await.expect(200).json()
}

/// W23: a filter of kind and level gives what a reader of all would have picked, page by page.
#[tokio::test]
async fn a_filter_picks_what_a_reader_of_all_would() {
    let plane = TestPlane::start().await;
    let live = Live::start(&plane).await;
    let path = format!("/api/v1/worker/tasks/{}/entries", live.task);
    let level = |n: usize| ["debug", "info", "warning", "error"][n % 4];
    let mixed: Vec<_> = (0..40)
        .map(|n| json!({"kind": if n % 5 == 0 { "note" } else { "probe.entry" }, "level": level(n), "data": {"n": n}}))
        .collect();
    let ask = plane.ask(Method::POST, &path).token(&live.worker).header("lease-generation", "1");
    ask.json(&json!({"entries": mixed})).send().await.expect(200);
    let all = page(&plane, &live.run, "?limit=1000").await;
    let levels = ["debug", "info", "warning", "error"];
    let picked = |kinds: &[&str], least: usize| -> Vec<u64> {
        let fits = |entry: &&Value| {
            let level = levels.iter().position(|level| entry["level"] == *level).unwrap();
            (kinds.is_empty() || kinds.iter().any(|kind| entry["kind"] == *kind)) && level >= least
        };
        all["items"].as_array().unwrap().iter().filter(fits).map(|entry| entry["seq"].as_u64().unwrap()).collect()
    };
    for (query, expected) in [
        ("kind=note", picked(&["note"], 0)),
        ("level=warning", picked(&[], 2)),
        ("kind=note,run.status&level=info", picked(&["note", "run.status"], 1)),
        ("kind=never", Vec::new()),
    ] {
        let mut seen = Vec::new();
        let mut since = "0".to_owned();
        loop {
            let found = page(&plane, &live.run, &format!("?{query}&limit=3&since={since}")).await;
            seen.extend(numbers(&found));
            assert_eq!(found["head"], all["head"]);
            match found["next_cursor"].as_str() {
                Some(next) => next.clone_into(&mut since),
                None => break,
            }
        }
        assert_eq!(seen, expected, "{query}");
    }
    for wrong in ["level=loud", "limit=0", "since=x"] {
        plane.get(&format!("/api/v1/runs/{}/entries?{wrong}", live.run)).send().await.refused(422, "PH-1002");
    }
}

/// W23: the file has every entry once, byte for byte, one a line; a filter holds there, too.
#[tokio::test]
async fn the_journal_is_a_file_of_lines() {
    let plane = TestPlane::start().await;
    let live = Live::start(&plane).await;
    for _ in 0..3 {
        live.append(&plane, 900).await;
    }
    let path = format!("/api/v1/runs/{}/journal.jsonl", live.run);
    let file = plane.get(&path).send().await.expect(200);
    assert_eq!(file.headers["content-type"], "application/x-ndjson");
    assert!(file.headers["content-disposition"].to_str().unwrap().ends_with(".jsonl\""));
    let text = file.text();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let numbers: Vec<u64> = lines.iter().map(|entry| entry["seq"].as_u64().unwrap()).collect();
    assert!(numbers.len() > 2_700);
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
    let shown = plane.get(&format!("/api/v1/runs/{}/entries?limit=5", live.run)).send().await.expect(200);
    assert!(text.lines().take(5).all(|line| shown.text().contains(line)), "byte for byte");
    let only = plane.get(&format!("{path}?kind=run.status,run.created")).send().await.expect(200).text();
    assert!(!only.contains("probe.entry") && only.contains("run.created"), "{only}");
    plane.get(&format!("{path}?level=loud")).send().await.refused(422, "PH-1002");
}

/// W29, P66: who did what is for those who decide.
#[tokio::test]
async fn the_audit_journal_is_for_those_who_decide() {
    let plane = TestPlane::start().await;
    let path = format!("/api/v1/projects/{}/audit/entries", plane.project.key);
    let body = json!({"name": "renamed"});
    let change = plane.ask(Method::PATCH, &format!("/api/v1/projects/{}", plane.project.key)).token(&plane.admin);
    change.header("if-match", "1").json(&body).send().await.expect(200);
    let told = plane.get(&path).send().await.expect(200).json();
    assert_eq!(told["items"][0]["kind"], "project.changed", "{told}");
    // X47: the same as a file, byte for byte, whole or by kind.
    let file = path.replace("entries", "journal.jsonl");
    let answer = plane.get(&file).send().await.expect(200);
    assert_eq!(answer.headers["content-disposition"], "attachment; filename=\"audit-one.jsonl\"");
    let lines: Vec<Value> = answer.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(json!(lines), told["items"]);
    assert_eq!(plane.get(&format!("{file}?kind=token.made")).send().await.expect(200).text(), "");
    let member = plane.token(json!({"kind": "program", "role": "member"})).await;
    let foreigner = plane.foreigner().await;
    for path in [path, file] {
        plane.ask(Method::GET, &path).token(&member).send().await.refused(403, "PH-1111");
        plane.ask(Method::GET, &path).token(&foreigner).send().await.refused(404, "PH-1003");
    }
}
