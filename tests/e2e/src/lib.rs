//! Drives the real window against a real central server: the tour of the demo and the end-to-end tests.
//!
//! A [`world::World`] is a machine of its own: a session bus, a keyring daemon, a display, a server behind TLS, a data directory.
//! Nothing of the account that runs it is touched, every port is chosen by the system, and what was started ends with the world.

pub mod desktop;
pub mod evidence;
pub mod phone;
pub mod process;
pub mod server;
pub mod tour;
pub mod window;
pub mod world;

/// An error in words; the tests and the demo print it and stop.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// Short for a result with [`Error`].
pub type Result<T = ()> = std::result::Result<T, Error>;
