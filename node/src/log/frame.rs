//! One frame of a segment: a block's bytes with their length and hash.
//!
//! ```text
//! 4 bytes    length of the body, little-endian
//! 32 bytes   BLAKE3 of the body
//! then       the body
//! ```

use std::io::{self, Read};

use crate::block::BODY_BYTES_MAX;

/// Bytes before a frame's body.
pub const FRAME_HEAD_BYTES: usize = 36;

/// What is wrong with a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameFlaw {
    /// The file ends inside the length and the hash.
    #[error("the file ends after {0} of the {FRAME_HEAD_BYTES} bytes before a block")]
    Head(usize),
    /// A length of zero, or above the limit.
    #[error("a length of {0} bytes: a block has 1 to {BODY_BYTES_MAX}")]
    Length(u32),
    /// The file ends inside the body.
    #[error("the file ends after {found} of {claimed} bytes of a block")]
    Body {
        /// Bytes that the frame claims.
        claimed: u32,
        /// Bytes that are there.
        found: usize,
    },
    /// The body is not what was written.
    #[error("the block's bytes do not have the hash that was written before them")]
    Hash,
}

/// The bytes of a frame around this body.
///
/// # Panics
///
/// The body is empty or longer than [`BODY_BYTES_MAX`]: whoever made it has
/// checked that.
pub(super) fn encode(body: &[u8]) -> Vec<u8> {
    assert!((1..=BODY_BYTES_MAX).contains(&body.len()));
    let mut frame = Vec::with_capacity(FRAME_HEAD_BYTES + body.len());
    frame.extend_from_slice(&(body.len() as u32).to_le_bytes());
    frame.extend_from_slice(blake3::hash(body).as_bytes());
    frame.extend_from_slice(body);
    frame
}

/// The body of the next frame; none at the end of the source. What is held
/// grows with what arrives: the claimed length is only its bound.
pub(super) fn read(source: &mut impl Read) -> io::Result<Result<Option<Vec<u8>>, FrameFlaw>> {
    let mut head = Vec::with_capacity(FRAME_HEAD_BYTES);
    source
        .take(FRAME_HEAD_BYTES as u64)
        .read_to_end(&mut head)?;
    if head.is_empty() {
        return Ok(Ok(None));
    }
    let Some((length, hash)) = head.split_first_chunk::<4>() else {
        return Ok(Err(FrameFlaw::Head(head.len())));
    };
    if hash.len() < FRAME_HEAD_BYTES - 4 {
        return Ok(Err(FrameFlaw::Head(head.len())));
    }
    let claimed = u32::from_le_bytes(*length);
    if claimed == 0 || claimed as usize > BODY_BYTES_MAX {
        return Ok(Err(FrameFlaw::Length(claimed)));
    }
    let mut body = Vec::new();
    source.take(u64::from(claimed)).read_to_end(&mut body)?;
    if body.len() < claimed as usize {
        let found = body.len();
        return Ok(Err(FrameFlaw::Body { claimed, found }));
    }
    if blake3::hash(&body).as_bytes().as_slice() != hash {
        return Ok(Err(FrameFlaw::Hash));
    }
    Ok(Ok(Some(body)))
}

/// Moves to the next frame without reading the body. The frame was read before.
pub(super) fn skip(source: &mut (impl Read + io::Seek)) -> io::Result<()> {
    let mut head = [0; FRAME_HEAD_BYTES];
    source.read_exact(&mut head)?;
    let length = u32::from_le_bytes([head[0], head[1], head[2], head[3]]);
    source.seek_relative(i64::from(length))
}
