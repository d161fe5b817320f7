//! Courier: everything that waits at a site without a network, brought by somebody as one file, and the answer to it.
//!
//! [`Intake`] reads the pack to its end before anything of it is acted on: a refused pack changes nothing. [`take`] takes its
//! items through the services that every other way uses. [`settle`] decides once what the device gets, and [`Reply::write`]
//! writes it in bounded memory, however many donors there are.

mod changes;
mod intake;
mod items;
mod reply;

pub use intake::{Intake, Request};
pub use items::{MAX_WRONG_CODES, Taken, take};
pub use reply::{Pieces, Reply, Summary, settle};

/// The media type of packs.
pub const MEDIA_TYPE: &str = "application/vnd.infoblood.courier-pack";
