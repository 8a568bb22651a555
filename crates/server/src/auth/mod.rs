//! Who calls and what they may do. A request is authenticated by a session's cookie or by a bearer
//! token; both are random, shown once and stored as SHA-256. Nothing in a body says who acts (P2).

mod caller;
mod cookie;
mod hosts;
mod limiter;
mod local;
mod principal;
mod recognise;
mod secret;
mod sign_in;

pub use self::{
    caller::{Action, Caller},
    local::{LocalAccess, local_access, sign_in_code},
    principal::{Principal, Via},
    recognise::Auth,
    secret::{Secret, SecretKind},
};
pub(crate) use self::{
    cookie::{cleared_cookie, session_cookie, session_secret},
    local::code_for,
    recognise::Scope,
};
