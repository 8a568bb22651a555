//! Live streams: server-sent events read from journals by number (00 §7).
//!
//! A reader registers its interest, then reads the journal, then follows the shared tail; numbers it
//! has are dropped, so there is never a hole or a duplicate. It is asked for the next piece only when
//! its socket has taken the one before: nothing is queued per reader, and a slow one slows nobody.

mod body;
mod cursor;
mod frame;
pub mod journal;
mod piece;
mod places;
mod reader;

pub use self::{
    body::{Opening, open},
    cursor::{Cursor, MultiCursor},
    places::{Place, StreamPlaces},
};
