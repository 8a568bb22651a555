//! Bytes of artifacts: whole, in ranges, damaged, dropped, foreign.

use axum::http::Method;
use model::id::{ArtifactId, RunId};
use serde_json::json;
use store::{Artifact, Blobs};

use crate::plane::TestPlane;

/// Keeps an artifact of a run, as a handler does.
pub async fn keep(plane: &TestPlane, run: &str, name: &str, media_type: &str, bytes: &[u8]) -> Artifact {
    let blob = Blobs::open(plane.engine.data().root()).unwrap().put_bytes(bytes.to_vec()).await.unwrap();
    let artifact = Artifact {
        id: ArtifactId::from_uuid(plane.engine.clock().id()),
        run: run.parse::<RunId>().unwrap(),
        task: None,
        name: name.to_owned(),
        digest: blob.digest,
        bytes: blob.bytes,
        media_type: media_type.to_owned(),
        created_at: plane.engine.now(),
        expired: false,
    };
    let stored = artifact.clone();
    plane
        .engine
        .store()
        .write(move |tx| {
            let artifact = stored.clone();
            Box::pin(async move { tx.artifact_insert(&artifact).await })
        })
        .await
        .map_err(|error: store::StoreError| error)
        .unwrap();
    artifact
}

#[tokio::test]
async fn bytes_are_read_whole_and_in_ranges() {
    let plane = TestPlane::start().await;
    let run = plane.probe(1).await;
    let artifact = keep(&plane, &run, "out/report.html", "text/html", b"<b>0123456789</b>").await;
    let path = format!("/api/v1/artifacts/{}", artifact.id);
    let whole = plane.get(&path).send().await.expect(200);
    assert_eq!(&whole.bytes[..], b"<b>0123456789</b>");
    assert_eq!(whole.headers["content-disposition"], "attachment; filename*=UTF-8''report.html");
    assert!(whole.headers["content-security-policy"].to_str().unwrap().starts_with("sandbox;"));
    assert_eq!(whole.headers["x-content-type-options"], "nosniff");
    let part = plane.get(&path).header("range", "bytes=3-5").send().await.expect(206);
    assert_eq!((&part.bytes[..], part.headers["content-range"].to_str().unwrap()), (&b"012"[..], "bytes 3-5/17"));
    let tail = plane.get(&path).header("range", "bytes=-4").send().await.expect(206);
    assert_eq!(&tail.bytes[..], b"</b>");
    let beyond = plane.get(&path).header("range", "bytes=17-").send().await.expect(416);
    assert_eq!(beyond.headers["content-range"], "bytes */17");
    plane.get(&path).header("if-none-match", &format!("\"{}\"", artifact.digest)).send().await.expect(304);

    let list = plane.get(&format!("/api/v1/runs/{run}/artifacts")).send().await.expect(200).json();
    assert_eq!((&list["total"], &list["items"][0]["name"]), (&json!(1), &json!("out/report.html")));
}

/// F11: a flipped byte is never served as good.
#[tokio::test]
async fn damaged_bytes_are_not_served() {
    let plane = TestPlane::start().await;
    let run = plane.probe(1).await;
    let artifact = keep(&plane, &run, "a.txt", "text/plain", b"honest").await;
    let name = artifact.digest.to_string();
    let file = plane.engine.data().root().join("blobs").join(&name[..2]).join(&name[2..]);
    let path = format!("/api/v1/artifacts/{}", artifact.id);
    std::fs::write(&file, b"h0nest").unwrap();
    let refused = plane.get(&path).header("range", "bytes=0-0").send().await.refused(410, "PH-1116");
    assert!(!refused.text().contains("blobs"), "no path of the machine: {}", refused.text());
    std::fs::remove_file(&file).unwrap();
    plane.get(&path).send().await.refused(410, "PH-1116");
}

/// P27, S91
#[tokio::test]
async fn a_foreign_artifact_looks_like_a_missing_one() {
    let plane = TestPlane::start().await;
    let run = plane.probe(1).await;
    let artifact = keep(&plane, &run, "a.txt", "text/plain", b"secret").await;
    let foreigner = plane.foreigner().await;
    let ask = |id: &str| plane.ask(Method::GET, &format!("/api/v1/artifacts/{id}")).token(&foreigner).send();
    let foreign = ask(&artifact.id.to_string()).await.refused(404, "PH-1003");
    assert_eq!(foreign.bytes, ask("00000000-0000-7000-8000-000000000000").await.refused(404, "PH-1003").bytes);
}
