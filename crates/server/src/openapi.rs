//! The OpenAPI document: its head, and what is said once for all operations.

use bytes::Bytes;
use utoipa::{
    Modify, OpenApi,
    openapi::{
        OpenApi as Document, SecurityRequirement,
        security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};

use crate::problem::ProblemDocument;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Proofhouse",
        description = "Autonomous software work, started, watched, answered, proven and exported.\n\n\
            Lists answer `{items, next_cursor, total?}` and take `?cursor=&limit=`. Refusals are RFC 9457 \
            documents with a code of the declared list. A change that builds on what was read takes \
            `If-Match: REVISION`; a POST that creates takes `Idempotency-Key`.",
    ),
    components(schemas(ProblemDocument)),
    tags(
        (name = "projects", description = "registered repositories and their documents"),
        (name = "runs", description = "what is done, whatever its kind"),
        (name = "questions", description = "what a person is asked"),
        (name = "streams", description = "what happens, as it happens: server-sent events"),
        (name = "artifacts", description = "files and texts made by runs"),
        (name = "proof", description = "requirements, gates, evidence"),
        (name = "access", description = "who may call: sessions, links, tokens"),
        (name = "workers", description = "the protocol of workers: claim, renew, append, end"),
        (name = "server", description = "the server itself"),
    ),
    modifiers(&Access),
)]
struct Base;

struct Access;

impl Modify for Access {
    fn modify(&self, document: &mut Document) {
        let components = document.components.get_or_insert_default();
        let token =
            HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("a token, shown once when made"));
        components.add_security_scheme("token", SecurityScheme::Http(token.build()));
        let cookie = ApiKeyValue::with_description("proofhouse_session", "a person's session");
        components.add_security_scheme("session", SecurityScheme::ApiKey(ApiKey::Cookie(cookie)));
        let none: [&str; 0] = [];
        document.security =
            Some(vec![SecurityRequirement::new("token", none), SecurityRequirement::new("session", none)]);
    }
}

/// The document without operations.
pub fn base() -> Document {
    let mut document = Base::openapi();
    document.info.version = env!("CARGO_PKG_VERSION").to_owned();
    document
}

/// The document as it is served.
pub fn render(document: &Document) -> Bytes {
    // The document is plain maps, lists and texts, which always render; an empty one would be seen
    // by the test that compares it with the routes.
    document.to_json().map(Bytes::from).unwrap_or_default()
}
