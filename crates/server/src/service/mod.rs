//! What the server does, apart from how it is asked. Every function works in one transaction of its own.

pub mod access;
pub mod administration;
pub mod audit;
pub mod audit_export;
pub mod courier;
pub mod enrolments;
pub mod entries;
pub mod feed;
pub mod grants;
pub mod init;
pub mod load;
pub mod publication;
pub mod relay;
pub mod sessions;
