//! Where issues came from.

use serde_json::{Value, json};

use crate::{
    issues::{at, filed},
    plane::TestPlane,
};

#[tokio::test]
async fn lineage_is_read_in_both_directions() {
    // D7, D8
    let plane = TestPlane::start().await;
    let origin = filed(&plane, json!({"title": "origin"})).await;
    let heir = filed(&plane, json!({"title": "heir", "origin": origin["id"]})).await;
    let third = filed(&plane, json!({"title": "third", "origin": heir["id"]})).await;
    let of = |issue: Value| {
        let path = format!("{}/lineage", at(&issue));
        let ask = plane.get(&path);
        async move { ask.send().await.expect(200).json() }
    };
    let middle = of(heir.clone()).await;
    assert_eq!(
        (&middle["origins"][0]["issue"]["number"], &middle["origins"][0]["lineage"]["kind"]),
        (&json!(1), &json!("manual"))
    );
    assert_eq!(middle["descendants"][0]["issue"]["id"], third["id"]);
    assert_eq!(of(origin.clone()).await["origins"], json!([]));
    let all = plane.get("/api/v1/projects/one/lineage?limit=1").send().await.expect(200).json();
    let cursor = all["next_cursor"].as_str().unwrap();
    let rest = plane.get(&format!("/api/v1/projects/one/lineage?cursor={cursor}")).send().await.expect(200).json();
    assert_eq!((&all["items"][0]["issue"], &rest["items"][0]["issue"]), (&heir["id"], &third["id"]));
    let origin = origin["id"].as_str().unwrap();
    let of_origin = plane.get(&format!("/api/v1/projects/one/lineage?origin={origin}")).send().await.expect(200).json();
    assert_eq!(of_origin["items"].as_array().map(Vec::len), Some(1));
    plane.get("/api/v1/projects/one/lineage?origin=1").send().await.refused(422, "PH-1002");
}
