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
        (name = "issues", description = "the board: what is to be done, and where it stands"),
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

/// Gives each operation a name of its own, from its method and path: a generated client needs it, and
/// the functions behind the routes share names such as `list`.
pub fn name_operations(document: &mut Document) {
    for (path, item) in &mut document.paths.paths {
        let place = path.trim_start_matches("/api/v1").replace(['/', '{', '}', '-', '.'], "_");
        let operations = [
            ("get", &mut item.get),
            ("put", &mut item.put),
            ("post", &mut item.post),
            ("patch", &mut item.patch),
            ("delete", &mut item.delete),
        ];
        for (method, operation) in operations {
            if let Some(operation) = operation {
                let words = place.split('_').filter(|word| !word.is_empty());
                let words: Vec<_> = std::iter::once(method).chain(words).collect();
                operation.operation_id = Some(words.join("_"));
            }
        }
    }
}

/// The document as it is served.
pub fn render(document: &Document) -> Bytes {
    // The document is plain maps, lists and texts, which always render; an empty one would be seen
    // by the test that compares it with the routes.
    document.to_json().map(Bytes::from).unwrap_or_default()
}
