//! Evidence over HTTP: sound, damaged in each way, expired, foreign; gates and commands of a run.

use axum::http::Method;
use model::{
    digest::Digest,
    proof::{evidence::Evidence, verdict::Reason},
};
use serde_json::{Value, json};
use testkit::proven::{self, Said};

use crate::plane::TestPlane;

fn path(plane: &TestPlane, evidence: &Evidence) -> String {
    format!("/api/v1/projects/{}/proof/evidence/{}", plane.project.key, evidence.id)
}

fn file(plane: &TestPlane, blob: &Digest) -> std::path::PathBuf {
    let name = blob.to_string();
    plane.engine.data().root().join("blobs").join(&name[..2]).join(&name[2..])
}

async fn sound(plane: &TestPlane) -> Evidence {
    let requirement = proven::requirement(&plane.engine, plane.project.id, &["unit"], &[]).await;
    proven::record(&plane.engine, plane.project.id, Said::passed(requirement), |_| ()).await
}

/// How often the board tells that this evidence is damaged. The plane's own look at what it keeps may tell it, too.
async fn told_of(plane: &TestPlane, evidence: &Evidence) -> usize {
    let board = plane.get(&format!("/api/v1/projects/{}/entries", plane.project.key)).send().await.expect(200).json();
    let is_of =
        |entry: &&Value| entry["kind"] == "evidence.tampered" && entry["data"]["evidence"] == json!(evidence.id);
    board["items"].as_array().unwrap().iter().filter(is_of).count()
}

// P22, P34, P51: what was recorded is shown, checked on its bytes.
#[tokio::test]
async fn sound_evidence_is_shown_with_its_commands_and_output() {
    let plane = TestPlane::start().await;
    let evidence = sound(&plane).await;
    proven::observe(&plane.engine, plane.project.id, "here").await;
    let shown = plane.get(&path(&plane, &evidence)).send().await.expect(200).json();
    assert_eq!((&shown["verdict"], &shown["reason"], &shown["intact"]), (&json!("passed"), &Value::Null, &json!(true)));
    assert_eq!((&shown["stale"], &shown["moved"], &shown["expired"]), (&json!(false), &json!(false), &json!(false)));
    assert_eq!(shown["commands"][0]["argv"], json!(["make", "test"]));
    assert_eq!(shown["commands"][0]["exit_code"], 0);
    assert_eq!(shown["cases"][0]["name"], "it_works");
    assert_eq!(shown["seal"], json!(evidence.seal));

    let output = plane.get(&format!("{}/output?lines=1", path(&plane, &evidence))).send().await.expect(200).json();
    let part = &output["commands"][0];
    assert_eq!(
        (&part["lines"], &part["to_line"], &part["total_lines"]),
        (&json!(["REQ-0001 ran"]), &json!(1), &json!(2))
    );
    let rest = plane.get(&format!("{}/output?from_line=2", path(&plane, &evidence))).send().await.expect(200).json();
    assert_eq!(rest["commands"][0]["lines"], json!(["and ended"]));
    for wrong in ["lines=0", "lines=5001", "from_line=0", "lines=x", "nope=1"] {
        let wrong = format!("{}/output?{wrong}", path(&plane, &evidence));
        plane.get(&wrong).send().await.refused(422, "PH-1002");
    }
    let blob = evidence.blobs().next().unwrap();
    let bytes = plane.get(&format!("{}/artifacts/{blob}", path(&plane, &evidence))).send().await.expect(200);
    assert_eq!(&bytes.bytes[..], b"REQ-0001 ran\nand ended\n");
    // P51: the bytes of another piece of evidence do not fit.
    let other = sound(&plane).await;
    let foreign = other.blobs().next().unwrap();
    plane.get(&format!("{}/artifacts/{foreign}", path(&plane, &evidence))).send().await.refused(404, "PH-1003");

    proven::observe(&plane.engine, plane.project.id, "elsewhere").await;
    assert_eq!(plane.get(&path(&plane, &evidence)).send().await.json()["stale"], true, "P58");
}

// F11, P50, P51, P52: each way of damage is found, told once, and its text withheld.
#[tokio::test]
async fn damaged_evidence_is_unproven_and_says_nothing() {
    let plane = TestPlane::start().await;
    let (engine, project) = (plane.engine.clone(), plane.project.id);
    let stranger = sound(&plane).await;
    let foreign = stranger.blobs().next().unwrap();
    let make = async |tamper: fn(&mut Evidence, Digest)| {
        let requirement = proven::requirement(&engine, project, &["unit"], &[]).await;
        proven::record(&engine, project, Said::passed(requirement), move |evidence| tamper(evidence, foreign)).await
    };
    let flipped = make(|_, _| ()).await;
    let target = file(&plane, &flipped.blobs().next().unwrap());
    let mut bytes = std::fs::read(&target).unwrap();
    bytes[3] ^= 1;
    std::fs::write(&target, bytes).unwrap();
    let missing = make(|_, _| ()).await;
    std::fs::remove_file(file(&plane, &missing.blobs().next().unwrap())).unwrap();
    let linked = make(|_, _| ()).await;
    let target = file(&plane, &linked.blobs().next().unwrap());
    std::fs::rename(&target, target.with_extension("moved")).unwrap();
    std::os::unix::fs::symlink(target.with_extension("moved"), &target).unwrap();
    let changed = make(|evidence, _| evidence.message = "all is well".to_owned()).await;
    let exchanged = make(|evidence, foreign| evidence.commands[0].blobs = vec![foreign]).await;
    // Somebody who can compute a seal cannot change the one in the journal.
    let resealed = make(|evidence, _| {
        evidence.cases.clear();
        evidence.seal = evidence.seal_of();
    })
    .await;

    let table = [
        (&flipped, "not what they were"),
        (&missing, "missing"),
        (&linked, "missing"),
        (&changed, "seal"),
        (&exchanged, "seal"),
        (&resealed, "journal"),
    ];
    for (evidence, why) in table {
        for _ in 0..2 {
            let answer = plane.get(&path(&plane, evidence)).send().await.expect(200);
            let shown = answer.json();
            assert_eq!((&shown["verdict"], &shown["reason"]), (&json!("unproven"), &json!("tampered")), "{why}");
            assert_eq!(
                (&shown["intact"], &shown["commands"], &shown["cases"]),
                (&json!(false), &json!([]), &json!([]))
            );
            assert!(shown["message"].as_str().unwrap().contains(why), "{shown}");
            assert!(!answer.text().contains("it_works") && !answer.text().contains("all is well"));
        }
        plane.get(&format!("{}/output", path(&plane, evidence))).send().await.refused(410, "PH-1116");
        let blob = evidence.blobs().next().unwrap();
        plane.get(&format!("{}/artifacts/{blob}", path(&plane, evidence))).send().await.refused(410, "PH-1116");
        assert_eq!(told_of(&plane, evidence).await, 1, "told once");
        // The list it is in still answers, and says so.
        let list = plane.get(&format!("/api/v1/runs/{}/evidence", evidence.run)).send().await.expect(200).json();
        assert_eq!((&list["items"][0]["reason"], &list["items"][0]["intact"]), (&json!("tampered"), &json!(false)));
    }
    // No other evidence is broken by it.
    assert_eq!(plane.get(&path(&plane, &stranger)).send().await.json()["intact"], true);
}

// P50: the data folder may move; no path is sealed. Here the blobs' folder is renamed and comes back.
#[tokio::test]
async fn evidence_that_is_whole_again_is_believed_again() {
    let plane = TestPlane::start().await;
    let evidence = sound(&plane).await;
    let target = file(&plane, &evidence.blobs().next().unwrap());
    std::fs::rename(&target, target.with_extension("away")).unwrap();
    assert_eq!(plane.get(&path(&plane, &evidence)).send().await.json()["intact"], false);
    std::fs::rename(target.with_extension("away"), &target).unwrap();
    assert_eq!(plane.get(&path(&plane, &evidence)).send().await.json()["verdict"], "passed");
    assert_eq!(told_of(&plane, &evidence).await, 1);
}

// P27: what is foreign looks like what does not exist, byte for byte.
#[tokio::test]
async fn foreign_evidence_looks_like_none() {
    let plane = TestPlane::start().await;
    let evidence = sound(&plane).await;
    let foreigner = plane.foreigner().await;
    let ask = |path: String| plane.ask(Method::GET, &path).token(&foreigner).send();
    let nowhere =
        ask("/api/v1/runs/00000000-0000-7000-8000-000000000000/gates".to_owned()).await.refused(404, "PH-1003");
    let blob = evidence.blobs().next().unwrap();
    for path in [
        path(&plane, &evidence),
        format!("{}/output", path(&plane, &evidence)),
        format!("{}/artifacts/{blob}", path(&plane, &evidence)),
        // Its own project does not know it either.
        format!("/api/v1/projects/other/proof/evidence/{}", evidence.id),
        "/api/v1/projects/other/proof/requirements/REQ-0001/evidence".to_owned(),
        format!("/api/v1/runs/{}/gates", evidence.run),
        format!("/api/v1/runs/{}/commands", evidence.run),
        format!("/api/v1/runs/{}/evidence", evidence.run),
    ] {
        assert_eq!(ask(path.clone()).await.refused(404, "PH-1003").bytes, nowhere.bytes, "{path}");
    }
}

// P22: the history of a requirement, newest first, in pages and by filters.
#[tokio::test]
async fn a_requirements_evidence_is_listed_newest_first() {
    let plane = TestPlane::start().await;
    let (engine, project) = (&plane.engine, plane.project.id);
    let requirement = proven::requirement(engine, project, &["unit", "e2e"], &[]).await;
    let mut ids = Vec::new();
    for (gate, outcome, tree) in [
        ("unit", Reason::TestFailed.into(), "a"),
        ("unit", model::proof::verdict::Outcome::PASSED, "b"),
        ("e2e", Reason::Timeout.into(), "b"),
    ] {
        let said = Said { gate, outcome, tree, ..Said::passed(requirement) };
        ids.push(json!(proven::record(engine, project, said, |_| ()).await.id));
    }
    let list = async |query: &str| {
        let path = format!("/api/v1/projects/{}/proof/requirements/{requirement}/evidence{query}", plane.project.key);
        plane.get(&path).send().await.expect(200).json()
    };
    let seen = |list: &Value| list["items"].as_array().unwrap().iter().map(|one| one["id"].clone()).collect::<Vec<_>>();
    assert_eq!(seen(&list("").await), [ids[2].clone(), ids[1].clone(), ids[0].clone()]);
    let first = list("?limit=2").await;
    assert_eq!(
        seen(&list(&format!("?limit=2&cursor={}", first["next_cursor"].as_str().unwrap())).await),
        [ids[0].clone()]
    );
    assert_eq!(seen(&list("?gate=unit&verdict=passed").await), [ids[1].clone()]);
    assert_eq!(seen(&list("?verdict=failed,unproven").await).len(), 2);
    assert_eq!(seen(&list(&format!("?tree={}", proven::tree("a"))).await), [ids[0].clone()]);
}

// P18, P22, P73: a run's gates with their states, and its counts live in the run itself.
#[tokio::test]
async fn a_runs_gates_and_counts_agree() {
    let plane = TestPlane::start().await;
    let (engine, project) = (&plane.engine, plane.project.id);
    let detail = json!({
        "bound": {
            "folder": "/home/me/secret", "dirty": false, "settles": true, "own_worktree": true,
            "commit": "0123456789012345678901234567890123456789",
        },
        "counts": {
            "total": 9, "pending": 0, "running": 0, "waiting": 0, "passed": 0, "failed": 0, "unproven": 0, "waived": 2,
        },
        "message": "4 gates", "notes": ["a note"],
    });
    let run = proven::run(engine, project, detail).await;
    for (subject, state) in [
        ("REQ-0001/e2e", "pending"),
        ("REQ-0001/unit", "running"),
        ("REQ-0002/manual", "waiting"),
        ("REQ-0002/unit", "pending"),
    ] {
        proven::task(engine, project, run, "gate", subject, Some(state)).await;
    }
    let list =
        async |query: &str| plane.get(&format!("/api/v1/runs/{run}/gates{query}")).send().await.expect(200).json();
    let all = list("").await;
    assert_eq!(all["items"].as_array().unwrap().len(), 4);
    assert_eq!((&all["items"][1]["state"], &all["items"][1]["verdict"]), (&json!("running"), &Value::Null));
    assert!(all["items"].as_array().unwrap().iter().all(|gate| !gate["message"].as_str().unwrap().is_empty()));
    assert_eq!(list("?state=pending,waiting").await["items"].as_array().unwrap().len(), 3);
    assert_eq!(list("?requirement=REQ-0002").await["items"].as_array().unwrap().len(), 2);
    assert_eq!(list("?gate=unit&requirement=REQ-0001").await["items"][0]["requirement"], "REQ-0001");
    let first = list("?limit=3").await;
    let rest = list(&format!("?limit=3&cursor={}", first["next_cursor"].as_str().unwrap())).await;
    assert_eq!(
        (rest["items"][0]["requirement"].clone(), rest["next_cursor"].clone()),
        (json!("REQ-0002"), Value::Null)
    );
    plane.get(&format!("/api/v1/runs/{run}/gates?state=done")).send().await.refused(422, "PH-1002");

    let view = plane.get(&format!("/api/v1/runs/{run}")).send().await.expect(200);
    let counts = &view.json()["proof"]["counts"];
    let expected = json!({"total": 4, "pending": 2, "running": 1, "waiting": 1, "passed": 0, "failed": 0, "unproven": 0, "waived": 2});
    assert_eq!(counts, &expected);
    assert!(!view.text().contains("secret"), "no folder of the machine (P74)");
    let list = plane.get(&plane.runs()).send().await.expect(200);
    assert!(!list.text().contains("secret"));
    let list = list.json();
    let proof = &list["items"][0]["proof"];
    assert_eq!(
        (&proof["counts"], &proof["own_worktree"]),
        (&expected, &json!(true)),
        "also in a list, while it goes on"
    );
    let status = plane.get(&format!("/api/v1/projects/{}/proof/status", plane.project.key)).send().await.expect(200);
    assert!(!status.text().contains("secret"));
    let active = &status.json()["active_run"]["proof"];
    assert_eq!(
        (&active["counts"], &active["message"], &active["own_worktree"]),
        (&expected, &json!("4 gates"), &json!(true))
    );
}

// W10, F11, P27: what a command wrote is read in ranges, by its run alone.
#[tokio::test]
async fn a_commands_output_is_read_in_ranges() {
    let plane = TestPlane::start().await;
    let evidence = sound(&plane).await;
    let commands = plane.get(&format!("/api/v1/runs/{}/commands", evidence.run)).send().await.expect(200).json();
    let tasks = plane.get(&format!("/api/v1/runs/{}/tasks?kind=command", evidence.run)).send().await.expect(200).json();
    let task = tasks["items"][0]["id"].as_str().unwrap().to_owned();
    assert!(commands["items"].is_array());
    let path = format!("/api/v1/runs/{}/commands/{task}/output", evidence.run);
    let whole = plane.get(&path).send().await.expect(200);
    assert_eq!(&whole.bytes[..], b"REQ-0001 ran\nand ended\n");
    assert_eq!(whole.headers["content-type"], "text/plain; charset=utf-8");
    let part = plane.get(&path).header("range", "bytes=13-15").send().await.expect(206);
    assert_eq!((&part.bytes[..], part.headers["content-range"].to_str().unwrap()), (&b"and"[..], "bytes 13-15/23"));
    let foreigner = plane.foreigner().await;
    plane.ask(Method::GET, &path).token(&foreigner).send().await.refused(404, "PH-1003");
    let elsewhere = plane.probe(1).await;
    plane.get(&format!("/api/v1/runs/{elsewhere}/commands/{task}/output")).send().await.refused(404, "PH-1003");
    let blob = file(&plane, &evidence.blobs().next().unwrap());
    std::fs::write(&blob, b"REQ-0001 RAN\nand ended\n").unwrap();
    plane.get(&path).header("range", "bytes=13-15").send().await.refused(410, "PH-1116");
}
