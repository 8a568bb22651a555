//! The run kind `dispatch`: an issue, a role, an agent, and the files that come back.
//!
//! Pure parts: what may be asked for ([`config`]), what an agent's answer means ([`answer`]), what is reported
//! ([`report`]) and how large an issue is ([`scale`]). Which files may be written is [`crate::change`]'s business.

pub mod answer;
pub mod comment;
pub mod config;
pub mod pack;
pub mod report;
pub mod scale;

pub use answer::{Answer, Invalid};
pub use comment::{ChangeComment, NewChangeComment};
pub use config::{Apply, DispatchConfig};
pub use report::{Report, Verdict, verdict};
pub use scale::{Scale, scale};
