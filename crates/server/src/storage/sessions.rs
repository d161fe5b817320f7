use std::future::Future;

use super::Stored;

/// A person at work on a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// SHA-256 of the token; the token itself is nowhere.
    pub token_hash: [u8; 32],
    /// Who.
    pub person_id: String,
    /// Where.
    pub device_id: String,
    /// The key that opened it.
    pub kid: [u8; 32],
    /// Unix seconds.
    pub expires_at: i64,
}

/// Challenges and sessions.
pub trait SessionStorage {
    /// Remembers a challenge by its hash.
    fn add_challenge(
        &mut self,
        hash: &[u8; 32],
        expires_at: i64,
    ) -> impl Future<Output = Stored<()>> + Send;

    /// Uses a challenge up; true if it was known and not expired at `now`.
    fn take_challenge(
        &mut self,
        hash: &[u8; 32],
        now: i64,
    ) -> impl Future<Output = Stored<bool>> + Send;

    /// Adds a session.
    fn add_session(&mut self, session: &Session) -> impl Future<Output = Stored<()>> + Send;

    /// The session with this token hash, expired or not.
    fn session(
        &mut self,
        token_hash: &[u8; 32],
    ) -> impl Future<Output = Stored<Option<Session>>> + Send;

    /// Deletes challenges and sessions that expired before `now`.
    fn delete_expired(&mut self, now: i64) -> impl Future<Output = Stored<()>> + Send;
}
