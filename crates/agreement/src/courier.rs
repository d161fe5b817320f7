//! Courier packs: everything that waits at a site without a network as one file, and the server's answer to it.
//!
//! A pack is eight bytes `IBPACK1\n`, then frames: a length (4 bytes, big endian) and a COSE_Sign1 chunk. Every chunk is
//! signed for itself, numbered, sealed to its reader and at most [`MAX_CHUNK_BYTES`] long, so that a pack of any size is
//! written and read in bounded memory. Signatures are checked before anything is opened, and opened before anything is
//! decompressed.
//!
//! Payload of a chunk {1: pack id (16), 2: direction, 3: n, 4: final, 5: enc, 6: ciphertext, 7: kid of the key it is sealed
//! to, 8: needs the share, 9: the signer's credential}: in a request the device's Ed25519 key, in an answer the key set. The
//! plaintext is zstd of a CBOR array of records.

use zeroize::Zeroizing;

use crate::cbor::CborError;
use crate::cose::CoseError;
use crate::key_set::KeySetError;
use crate::keys::KeyError;
use crate::sealed::SealedError;
use crate::vault::hkdf;

mod chunk;
mod frames;
mod reader;
mod records;
mod writer;

pub use frames::Frames;
pub use reader::{AnswerReader, Claim, RequestReader, claim};
pub use records::{
    AnswerHead, AnswerRecord, Change, DeviceState, ItemState, RequestHead, RequestRecord, Stream,
};
pub use writer::{AnswerWriter, Recipient, RequestWriter};

/// Longest chunk with its length: one MiB.
pub const MAX_CHUNK_BYTES: usize = 1024 * 1024;
/// Longest plaintext of a chunk, before compression.
pub const MAX_PLAIN_BYTES: usize = 960 * 1024;
/// Most chunks of one pack: far more than a first pack of a large site.
pub const MAX_CHUNKS: u64 = 65_536;
/// Longest request, and most bytes of sealed items in it once it is decompressed. What does not fit goes with the next one.
pub const MAX_REQUEST_BYTES: usize = 64 * 1024 * 1024;
/// Most items of one request.
pub const MAX_REQUEST_ITEMS: usize = 100_000;

const SHARE_INFO: &[u8] = b"infoblood/courier-share/v1";

/// Why a pack is refused. A refused pack changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CourierError {
    #[error("not a courier pack")]
    Magic,
    #[error("a chunk is refused")]
    Cose(#[from] CoseError),
    #[error("a chunk is malformed")]
    Malformed(#[from] CborError),
    #[error("a chunk does not open")]
    Sealed(#[from] SealedError),
    #[error("the signer's key is refused")]
    Key(#[from] KeyError),
    #[error("the key set in the answer is refused")]
    KeySet(#[from] KeySetError),
    #[error("signed by somebody who may not")]
    Signer,
    #[error("a pack of the other direction")]
    Direction,
    #[error("chunks of two packs, or not in their order")]
    Order,
    #[error("the pack ends before its last chunk")]
    Truncated,
    #[error("something follows the last chunk")]
    Trailing,
    #[error("a chunk or its content is larger than a chunk may be")]
    TooLarge,
    #[error("for another workstation")]
    OtherDevice,
    #[error("the content needs the server's share, which is not at hand")]
    ShareNeeded,
    #[error("the content is not what zstd made")]
    Compression,
}

impl CourierError {
    /// Stable kebab-case code: one for each thing that a person can do about it.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Truncated => "courier-truncated",
            Self::TooLarge => "courier-too-large",
            Self::OtherDevice | Self::Sealed(SealedError::OtherKey) => "courier-other-device",
            Self::Direction => "courier-direction",
            Self::Signer | Self::KeySet(_) => "courier-signer",
            Self::ShareNeeded => "courier-share-needed",
            Self::Magic
            | Self::Cose(_)
            | Self::Malformed(_)
            | Self::Sealed(_)
            | Self::Key(_)
            | Self::Order
            | Self::Trailing
            | Self::Compression => "courier-malformed",
        }
    }
}

/// Names one pack: random, chosen by its writer.
pub type PackId = [u8; 16];

/// What patient data of a pack are sealed under besides the device's key, derived from the server's share K_srv: without a
/// grant and a passphrase nobody reads them.
#[derive(Clone)]
pub struct ShareKey(Zeroizing<[u8; 32]>);

impl ShareKey {
    /// HKDF-SHA256(K_srv, info `infoblood/courier-share/v1` ‖ epoch as 8 bytes).
    pub fn derive(share: &[u8; 32], epoch: u64) -> Self {
        Self(hkdf(&[share], &[SHARE_INFO, &epoch.to_be_bytes()]))
    }

    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

#[cfg(test)]
mod tests;
