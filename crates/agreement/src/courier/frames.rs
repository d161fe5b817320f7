//! Cutting a pack into its chunks while it is read, in pieces of any size.

use super::{CourierError, MAX_CHUNK_BYTES};

pub(super) const MAGIC: &[u8; 8] = b"IBPACK1\n";
const LENGTH: usize = 4;

/// Takes bytes as they come and gives whole chunks; never holds more than one chunk and one piece.
#[derive(Debug, Default)]
pub struct Frames {
    buffer: Vec<u8>,
    has_magic: bool,
}

impl Frames {
    /// A reader at the beginning of a pack.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the next piece.
    pub fn push(&mut self, piece: &[u8]) {
        self.buffer.extend_from_slice(piece);
    }

    /// The next whole chunk, or `None` until more bytes come.
    pub fn next_chunk(&mut self) -> Result<Option<Vec<u8>>, CourierError> {
        if !self.has_magic {
            let known = self.buffer.len().min(MAGIC.len());
            if self.buffer[..known] != MAGIC[..known] {
                return Err(CourierError::Magic);
            }
            if known < MAGIC.len() {
                return Ok(None);
            }
            self.buffer.drain(..MAGIC.len());
            self.has_magic = true;
        }
        let Some((length, rest)) = self.buffer.split_first_chunk::<LENGTH>() else {
            return Ok(None);
        };
        let length = u32::from_be_bytes(*length) as usize;
        if length > MAX_CHUNK_BYTES - LENGTH {
            return Err(CourierError::TooLarge);
        }
        if rest.len() < length {
            return Ok(None);
        }
        let chunk = rest[..length].to_vec();
        self.buffer.drain(..LENGTH + length);
        Ok(Some(chunk))
    }

    /// Call at the end of the file: half a chunk is a cut pack.
    pub fn end(&self) -> Result<(), CourierError> {
        if self.has_magic && self.buffer.is_empty() {
            Ok(())
        } else {
            Err(CourierError::Truncated)
        }
    }
}

/// A chunk as it stands in the file; the first one follows the magic.
pub(super) fn frame(chunk: &[u8], is_first: bool) -> Result<Vec<u8>, CourierError> {
    if chunk.len() > MAX_CHUNK_BYTES - LENGTH {
        return Err(CourierError::TooLarge);
    }
    let length = u32::try_from(chunk.len()).map_err(|_| CourierError::TooLarge)?;
    let magic: &[u8] = if is_first { MAGIC } else { &[] };
    Ok([magic, &length.to_be_bytes(), chunk].concat())
}
