//! The client against a real server in the same process: from signing to an open donor card, with crashes, bad networks and bad answers
//! on the way.

#![expect(clippy::unwrap_used, reason = "tests")]

mod anew;
mod bad_resources;
mod carried;
mod clock;
mod common;
mod crash;
mod donations;
mod full;
mod hostile;
mod incomplete;
mod kill;
mod lease;
mod own_log;
mod passphrase;
mod purpose;
mod refused;
mod relay;
mod restored;
mod revoked;
mod stock;
mod versions;
mod way;
