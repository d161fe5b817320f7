//! The central server: registers statements in a transparent log, enrols people and devices, grants access, and feeds
//! workstations with the changes they may hold.
//!
//! [`start`] runs a server in this process; [`cli`] is the command. [`service`] is what both do, over the traits of [`storage`].
//! Handlers in `http` only translate.

pub mod cli;
pub mod clock;
pub mod context;
mod http;
pub mod keys;
pub mod problem;
mod serve;
pub mod service;
pub mod storage;
pub mod tree;

pub use context::{Context, Place};
pub use serve::{Running, ServeConfig, ServeError, Tls, start};
