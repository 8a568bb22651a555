//! The web page: its document, its files, and what stays the API's.

use axum::http::Method;
use server::{Page, ServerConfig};

use crate::plane::TestPlane;

const FILES: Page = Page::Given(&[
    ("index.html", "<!doctype html><title>the page</title>"),
    ("assets/app-1.js", "let x = 1"),
    ("assets/app-1.js.br", "packed"),
    ("favicon.svg", "<svg/>"),
]);

async fn plane() -> TestPlane {
    TestPlane::with(ServerConfig { page: FILES, ..ServerConfig::default() }).await
}

// W2: each place in the page can be reloaded and shared.
#[tokio::test]
async fn a_place_in_the_page_is_answered_with_its_document() {
    let plane = plane().await;
    for place in ["/", "/sign-in", "/p/shop/runs", "/p/shop/runs/1?tab=journal", "/nowhere/at.all"] {
        let answer = plane.ask(Method::GET, place).header("accept", "text/html,*/*").send().await.expect(200);
        assert!(answer.text().contains("the page"), "{place}");
        assert_eq!(answer.headers["content-type"], "text/html; charset=utf-8");
        assert_eq!(answer.headers["cache-control"], "no-cache");
        assert!(answer.headers["content-security-policy"].to_str().unwrap().starts_with("default-src 'self'"));
    }
}

#[tokio::test]
async fn programs_and_the_api_get_problems_not_documents() {
    let plane = plane().await;
    let ask = |method, path| plane.ask(method, path);
    ask(Method::GET, "/p/shop/runs").send().await.refused(404, "PH-1022");
    ask(Method::GET, "/api/v1/nothing").header("accept", "text/html").send().await.refused(404, "PH-1022");
    ask(Method::GET, "/api").header("accept", "text/html").send().await.refused(404, "PH-1022");
    ask(Method::POST, "/p/shop/runs").header("accept", "text/html").send().await.refused(404, "PH-1022");
    // After an upgrade an old document asks for scripts that are gone.
    ask(Method::GET, "/assets/app-0.js").header("accept", "text/html").send().await.refused(404, "PH-1022");
    ask(Method::GET, "/assets/../index.html").send().await.refused(404, "PH-1022");
}

#[tokio::test]
async fn files_are_kept_by_browsers_and_sent_small() {
    let plane = plane().await;
    let plain = plane.ask(Method::GET, "/assets/app-1.js").send().await.expect(200);
    assert_eq!(plain.text(), "let x = 1");
    assert_eq!(plain.headers["cache-control"], "public, max-age=31536000, immutable");
    assert_eq!(plain.headers["content-type"], "text/javascript; charset=utf-8");
    let packed = plane.ask(Method::GET, "/assets/app-1.js").header("accept-encoding", "gzip, br").send().await;
    assert_eq!((packed.headers["content-encoding"].to_str().unwrap(), packed.text().as_str()), ("br", "packed"));
    assert_ne!(plain.headers["etag"], packed.headers["etag"]);
    let known = plain.headers["etag"].to_str().unwrap();
    let again = plane.ask(Method::GET, "/assets/app-1.js").header("if-none-match", known).send().await.expect(304);
    assert!(again.bytes.is_empty());
}

#[tokio::test]
async fn a_build_without_a_page_says_how_to_get_it() {
    let plane = TestPlane::start().await;
    let home = plane.ask(Method::GET, "/").send().await.expect(200).text();
    assert!(home.contains("make build") && home.contains("/api/docs"), "{home}");
    plane.ask(Method::GET, "/p/shop/runs").header("accept", "text/html").send().await.refused(404, "PH-1022");
}

// A used link that a person opens again is explained in the page, not in JSON.
#[tokio::test]
async fn a_link_that_does_not_work_leads_to_the_sign_in_page() {
    let plane = plane().await;
    let wrong = "/sign-in?code=phc_0000";
    let answer = plane.ask(Method::GET, wrong).header("accept", "text/html").send().await.expect(303);
    assert_eq!(answer.headers["location"], "/sign-in?refused=PH-1004");
    plane.ask(Method::GET, wrong).send().await.refused(401, "PH-1004");
}
