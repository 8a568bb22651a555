//! What one reader is sent at once. Bytes that are shared by all readers are passed on as they are,
//! and copied only when something else goes into the same piece.

use bytes::{Bytes, BytesMut};

/// Bytes on their way to one reader.
#[derive(Debug, Default)]
pub struct Piece {
    shared: Option<Bytes>,
    own: BytesMut,
}

impl Piece {
    /// How many bytes it holds.
    pub fn len(&self) -> usize {
        self.shared.as_ref().map_or(0, Bytes::len) + self.own.len()
    }

    /// Adds bytes that other readers get, too.
    pub fn share(&mut self, bytes: &Bytes) {
        if self.len() == 0 {
            self.shared = Some(bytes.clone());
        } else {
            self.buffer().extend_from_slice(bytes);
        }
    }

    /// Where to write what is for this reader alone.
    pub fn buffer(&mut self) -> &mut BytesMut {
        if let Some(shared) = self.shared.take() {
            self.own.extend_from_slice(&shared);
        }
        &mut self.own
    }

    /// Takes everything out.
    pub fn take(&mut self) -> Bytes {
        match self.shared.take() {
            Some(shared) => shared,
            None => self.own.split().freeze(),
        }
    }
}
