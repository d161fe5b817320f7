//! The agreement and everything that is signed about it: documents, statements, receipts, grants, keys, the gate.
//!
//! Pure: no input or output, no runtime; the clock and the random numbers are parameters. Received bytes are kept as
//! they came, and nothing under a signature is readable before it was verified.

// Messages, their log and the document.
pub mod cbor;
pub mod checkpoint;
pub mod cose;
pub mod document;
pub mod enrolment_code;
pub mod keys;
pub mod log;
pub mod receipt;
pub mod statement;
pub mod transparent;

// Keys, rights and the gate.
pub mod audit;
pub mod courier;
pub mod gate;
pub mod grant;
pub mod key_set;
pub mod lease;
pub mod profile;
pub mod relay;
pub mod sealed;
pub mod session;
pub mod vault;

#[cfg(test)]
mod fixtures;
