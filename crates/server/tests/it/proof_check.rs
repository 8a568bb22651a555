//! The merge gate, the status, gates and their acceptance, integrity and exports, over HTTP.

use axum::http::Method;
use engine::proof::export;
use model::{
    actor::Actor,
    project::Project,
    proof::{evidence::Evidence, requirement::RequirementNumber, tree::ObjectId, verdict::Reason},
};
use serde_json::{Value, json};
use store::AcceptedDefinition;
use testkit::{
    Repo,
    proven::{self, Said},
};

use crate::plane::{TestPlane, add_project};

/// A plane and a project whose checkout is a real repository. The definition `unit` is accepted.
struct House {
    plane: TestPlane,
    project: Project,
    repo: Repo,
}

impl House {
    async fn start() -> Self {
        let plane = TestPlane::start().await;
        let repo = Repo::new();
        repo.file("src/a.txt", "one\n").commit();
        let project = add_project(&plane.engine, "house").await;
        let (id, path) = (project.id, repo.path().to_str().unwrap().to_owned());
        let moved = plane.engine.store().write(move |tx| {
            let path = path.clone();
            Box::pin(async move { tx.project_update(id, 1, "house", &path).await })
        });
        let project = Result::<_, store::StoreError>::unwrap(moved.await);
        let house = Self { plane, project, repo };
        house.accept_directly("unit").await;
        house
    }

    async fn accept_directly(&self, word: &'static str) {
        let (id, now) = (self.project.id, self.plane.engine.now());
        let accepted = AcceptedDefinition {
            gate: "unit".parse().unwrap(),
            definition: proven::definition(word),
            by: Actor::System,
            at: now,
            reason: "test".to_owned(),
        };
        let done = self.plane.engine.store().write(move |tx| {
            let accepted = accepted.clone();
            Box::pin(async move { tx.definition_accept(id, &accepted).await })
        });
        assert!(Result::<_, store::StoreError>::unwrap(done.await));
    }

    fn at(&self, path: &str) -> String {
        format!("/api/v1/projects/house/proof{path}")
    }

    async fn get(&self, path: &str) -> Value {
        self.plane.get(&self.at(path)).send().await.expect(200).json()
    }

    async fn requirement(&self, files: &[&str]) -> RequirementNumber {
        proven::requirement(&self.plane.engine, self.project.id, &["unit"], files).await
    }

    async fn record(&self, said: Said) -> Evidence {
        proven::record(&self.plane.engine, self.project.id, said, |_| ()).await
    }

    /// The answer about the tree with this name.
    async fn check(&self, word: &str) -> Value {
        self.get(&format!("/check?tree={}", proven::tree(word))).await
    }

    fn damage(&self, evidence: &Evidence) {
        let name = evidence.blobs().next().unwrap().to_string();
        let file = self.plane.engine.data().root().join("blobs").join(&name[..2]).join(&name[2..]);
        std::fs::write(file, b"something else").unwrap();
    }
}

fn reason(answer: &Value) -> &Value {
    &answer["blocking"][0]["gates"][0]["reason"]
}

// P69, P58, P60, P52: each way in which a requirement stands in the way, and the way through.
#[tokio::test]
async fn the_gate_says_what_is_in_the_way() {
    let house = House::start().await;
    let empty = house.check("here").await;
    assert_eq!((&empty["clear"], &empty["counts"]["in_scope"]), (&json!(false), &json!(0)), "nothing is not clear");
    let allowed = house.get(&format!("/check?allow_empty=true&tree={}", proven::tree("here"))).await;
    assert_eq!(allowed["clear"], true);

    let requirement = house.requirement(&[]).await;
    assert_eq!(reason(&house.check("here").await), "never_ran");
    house.record(Said { outcome: Reason::TestFailed.into(), ..Said::passed(requirement) }).await;
    assert_eq!(reason(&house.check("here").await), "test_failed");
    assert_eq!(house.check("here").await["blocking"][0]["gates"][0]["verdict"], "failed");
    // A changed definition proves nothing until an admin takes it.
    house.record(Said { definition: "weaker", ..Said::passed(requirement) }).await;
    assert_eq!(reason(&house.check("here").await), "definition_changed");
    let passed = house.record(Said::passed(requirement)).await;
    let clear = house.check("here").await;
    assert_eq!(
        (&clear["clear"], &clear["overridden"], &clear["counts"]["clear"]),
        (&json!(true), &json!(false), &json!(1))
    );
    assert!(!clear["message"].as_str().unwrap().is_empty());
    // Another tree: the proof is stale.
    assert_eq!(reason(&house.check("elsewhere").await), "stale");
    // Bytes are looked at by every answer (P51), without anybody having read the evidence before.
    house.damage(&passed);
    let tampered = house.check("here").await;
    assert_eq!((reason(&tampered), &tampered["clear"]), (&json!("tampered"), &json!(false)));
    assert_eq!(tampered["blocking"][0]["gates"][0]["verdict"], "unproven");
    // Newer proof rests on other bytes; the damage blocks nothing any more (P52).
    house.record(Said { output: "again".to_owned(), ..Said::passed(requirement) }).await;
    assert_eq!(house.check("here").await["clear"], true);
}

// P70, section 9: what cannot be answered is refused, never clear.
#[tokio::test]
async fn a_question_that_cannot_be_answered_is_refused() {
    let house = House::start().await;
    let tree = proven::tree("here");
    for (query, status, code) in [
        ("ref=-x", 422, "PH-1114"),
        ("ref=nowhere", 422, "PH-1114"),
        ("tree=HEAD", 422, "PH-1002"),
        ("tree=", 422, "PH-1002"),
        ("ref=main&tree=abc", 422, "PH-1002"),
        ("pr=7", 422, "PH-1002"),
        ("pr=7&ref=main", 422, "PH-1002"),
        ("scope=some", 422, "PH-1002"),
        ("base=a..b", 422, "PH-1114"),
        ("surprise=1", 422, "PH-1002"),
        ("allow_empty=perhaps", 422, "PH-1002"),
    ] {
        let refused = house.plane.get(&house.at(&format!("/check?{query}"))).send().await.refused(status, code);
        assert!(refused.json().get("clear").is_none(), "{query}");
    }
    let with_base = format!("/check?tree={tree}&scope=changed&base=nowhere");
    house.plane.get(&house.at(&with_base)).send().await.refused(422, "PH-1114");
    std::fs::remove_dir_all(house.repo.path()).unwrap();
    let gone = house.plane.get(&house.at("/check?ref=main")).send().await.refused(409, "PH-1115");
    assert!(!gone.text().contains(house.repo.path().to_str().unwrap()), "P74");
    assert!(!house.plane.get(&house.at("/check")).send().await.status.is_success(), "no checkout to look at");
}

// P71, P14: only what the changes meet is asked about; what nobody can find out is in scope.
#[tokio::test]
async fn a_changed_scope_asks_about_what_changed() {
    let house = House::start().await;
    let inside = house.requirement(&["src"]).await;
    let _outside = house.requirement(&["docs"]).await;
    house.repo.git(&["branch", "-M", "main"]);
    house.repo.git(&["checkout", "-q", "-b", "work"]);
    house.repo.file("src/a.txt", "two\n").commit();
    let tree: ObjectId = house.repo.git(&["rev-parse", "HEAD^{tree}"]).trim().parse().unwrap();
    for asked in [format!("tree={tree}"), "ref=work".to_owned(), "base=main".to_owned()] {
        let answer = house.get(&format!("/check?scope=changed&{asked}")).await;
        assert_eq!((&answer["tree"], &answer["counts"]["in_scope"]), (&json!(tree), &json!(1)), "{asked}: {answer}");
        assert_eq!(answer["blocking"][0]["requirement"], json!(inside));
    }
    let unknown = house.get(&format!("/check?scope=changed&tree={}", proven::tree("elsewhere"))).await;
    assert_eq!(unknown["counts"]["in_scope"], 2);
    assert!(unknown["warnings"][0].as_str().unwrap().contains("could not be found out"));
}

// P62: the status counts what the standing function says on the present files.
#[tokio::test]
async fn the_status_counts_what_stands() {
    let house = House::start().await;
    let nobody = house.get("/status").await;
    assert_eq!((&nobody["total"], &nobody["items"], &nobody["active_run"]), (&json!(0), &json!([]), &Value::Null));
    let here = nobody["tree"]["tree"].as_str().unwrap().to_owned();
    assert_eq!(here, house.repo.git(&["rev-parse", "HEAD^{tree}"]).trim());
    let first = house.requirement(&[]).await;
    let second = house.requirement(&[]).await;
    let passed = house.record(Said::passed(first)).await;
    house.record(Said { outcome: Reason::Timeout.into(), ..Said::passed(second) }).await;
    let status = house.get("/status?limit=1").await;
    assert_eq!(status["by_status"], json!({"open": 1, "satisfied": 1, "waived": 0}));
    assert_eq!(status["by_severity"]["high"], json!({"open": 1, "satisfied": 1, "waived": 0}));
    assert_eq!(status["by_gate"]["unit"], json!({"passed": 1, "failed": 1, "unproven": 0, "waived": 0}));
    assert_eq!((&status["stale"], &status["tampered"], &status["total"]), (&json!(2), &json!(0), &json!(2)));
    assert_eq!(
        (&status["items"][0]["id"], &status["items"][1]),
        (&json!(second), &Value::Null),
        "what is open comes first"
    );
    assert_eq!(status["active_run"]["kind"], "proof");
    house.damage(&passed);
    let integrity = house.get("/integrity").await;
    assert_eq!((&integrity["intact"], &integrity["checked"]), (&json!(false), &json!(2)));
    assert_eq!(integrity["items"][0]["evidence"], json!(passed.id));
    assert!(integrity["items"][0]["damage"].as_str().unwrap().contains("not what they were"));
    assert_eq!(house.get(&format!("/integrity?requirement={second}")).await["intact"], true);
    house.plane.get(&house.at("/integrity?requirement=REQ-0099")).send().await.refused(404, "PH-1003");
    let status = house.get("/status").await;
    assert_eq!((&status["tampered"], &status["by_status"]["open"]), (&json!(1), &json!(2)));
    // Uncommitted work is other files.
    house.repo.file("src/a.txt", "changed\n");
    let status = house.get("/status").await;
    assert!(status["tree"]["dirty"] == true && status["tree"]["tree"] != json!(here), "{}", status["tree"]);
}

// P60, P66, P74: gates are listed with their definitions; accepting one is for an admin who is a person.
#[tokio::test]
async fn a_changed_definition_is_accepted_by_a_person() {
    let house = House::start().await;
    house.repo.file("proofhouse.toml", "[proof.gates.unit]\nrunner = \"command\"\nargv = [\"make\", \"{test}\"]\n");
    let gates = house.get("/gates").await;
    let unit = &gates["items"][0];
    assert_eq!(
        (&unit["name"], &unit["runners"], &unit["enabled"]),
        (&json!("unit"), &json!(["command"]), &json!(true))
    );
    assert_eq!(unit["definition"].as_str().unwrap().len(), 64);

    let requirement = house.requirement(&[]).await;
    house.record(Said { definition: "branch", ..Said::passed(requirement) }).await;
    assert_eq!(reason(&house.check("here").await), "definition_changed");
    let body = json!({"definitions": [proven::definition("branch")], "reason": "reviewed"});
    let accept = |body: &Value| house.plane.post(&house.at("/gates/accept"), body).send();
    for (wrong, code) in [
        (json!({"definitions": [proven::definition("branch")]}), "PH-1110"),
        (json!({"definitions": [proven::definition("branch")], "reason": " \n"}), "PH-1110"),
        (json!({"definitions": [], "reason": "r"}), "PH-1002"),
        (json!({"definitions": [proven::definition("nobody's")], "reason": "r"}), "PH-1002"),
        (json!({"definitions": ["x"], "reason": "r"}), "PH-1002"),
        (json!({"definitions": [], "reason": "r", "by": "me"}), "PH-1002"),
    ] {
        accept(&wrong).await.refused(422, code);
    }
    let program = house.plane.token(json!({"kind": "program", "role": "admin"})).await;
    let refused = house.plane.ask(Method::POST, &house.at("/gates/accept")).token(&program).json(&body).send().await;
    refused.refused(403, "PH-1111");
    let accepted = accept(&body).await.expect(200).json();
    assert_eq!((&accepted["items"][0]["gate"], &accepted["items"][0]["reason"]), (&json!("unit"), &json!("reviewed")));
    accept(&body).await.expect(200);
    let board = house.plane.get("/api/v1/projects/house/entries").send().await.expect(200).json();
    let told = board["items"].as_array().unwrap().iter().filter(|entry| entry["kind"] == "definition.accepted").count();
    assert_eq!(told, 1, "told once");
    assert_eq!(house.check("here").await["clear"], true);
    house.get("/runners").await;
}

// P50: a file that holds rows and blobs, and tells by itself whether they are what was sealed.
#[tokio::test]
async fn an_export_is_verified_without_a_plane() {
    let house = House::start().await;
    let requirement = house.requirement(&[]).await;
    // Larger than one piece of the stream, and of no round size.
    let passed = house.record(Said { output: "0123456789\n".repeat(150_001), ..Said::passed(requirement) }).await;
    house.record(Said { output: String::new(), outcome: Reason::NoTests.into(), ..Said::passed(requirement) }).await;
    for format in ["jsonl", "tar"] {
        let path = house.at(&format!("/export?format={format}"));
        let whole = house.plane.get(&path).send().await.expect(200).bytes;
        let report = export::verify(&whole[..]).unwrap();
        assert!(report.intact && report.complete && report.items.is_empty(), "{format}: {report:?}");
        assert_eq!(report.checked, 2);
        // Cut anywhere, it is no whole export: an error or a report that says so.
        for at in [0, 1, 100, 600, whole.len() / 2, whole.len() - 1_600] {
            assert!(export::verify(&whole[..at]).map_or(true, |report| !report.intact), "{format} cut at {at}");
        }
        // A flipped byte of the output is found and named.
        let mut flipped = whole.to_vec();
        let at = flipped.len() / 2;
        flipped[at] = if flipped[at] == b'A' { b'B' } else { b'A' };
        let report = export::verify(&flipped[..]).unwrap();
        assert!(!report.intact && report.items.len() == 1, "{format}: {report:?}");
        assert_eq!(report.items[0].evidence, passed.id.to_string());
        let one = house.plane.get(&format!("{path}&run={}", passed.run)).send().await.expect(200).bytes;
        assert_eq!(export::verify(&one[..]).unwrap().checked, 1);
    }
    // What is damaged in the plane is damaged in the file.
    house.damage(&passed);
    let whole = house.plane.get(&house.at("/export?format=tar")).send().await.expect(200).bytes;
    let report = export::verify(&whole[..]).unwrap();
    assert!(report.complete && !report.intact && report.items.len() == 1, "{report:?}");
    for wrong in [&b"{}\n"[..], b"", b"hello", b"{\"type\":\"evidence\"}\n", &[0; 2_048]] {
        assert!(export::verify(wrong).is_err());
    }
    let other = proven::run(&house.plane.engine, house.plane.project.id, json!({})).await;
    house.plane.get(&house.at(&format!("/export?run={other}"))).send().await.refused(404, "PH-1003");
    house.plane.get(&house.at("/export?format=zip")).send().await.refused(422, "PH-1002");
}

// P27
#[tokio::test]
async fn nothing_of_a_foreign_project_is_told() {
    let house = House::start().await;
    let foreigner = house.plane.foreigner().await;
    let ask = |path: String| house.plane.ask(Method::GET, &path).token(&foreigner).send();
    let nowhere = ask("/api/v1/projects/nowhere/proof/check".to_owned()).await.refused(404, "PH-1003");
    for route in ["check", "status", "gates", "runners", "integrity", "export"] {
        assert_eq!(ask(house.at(&format!("/{route}"))).await.refused(404, "PH-1003").bytes, nowhere.bytes, "{route}");
    }
}
