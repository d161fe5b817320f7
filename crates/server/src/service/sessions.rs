//! Sessions: the person's key signs a challenge that is used once.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use infoblood_agreement::keys::PublicKey;
use infoblood_agreement::profile::person_id;
use infoblood_agreement::session::{self, SignedTime};
use rand_core::Rng as _;
use sha2::{Digest, Sha256};

use super::access;
use crate::context::{Context, rng};
use crate::problem::Problem;
use crate::storage::{
    Database, DeviceStorage, PeopleStorage, Person, Session, SessionStorage, Transaction,
};

/// Seconds a challenge may wait.
pub const CHALLENGE_SECONDS: i64 = 120;
/// Shortest life of a session, seconds.
pub const MIN_SESSION_SECONDS: i64 = 15 * 60;
/// Longest life of a session, seconds.
pub const MAX_SESSION_SECONDS: i64 = 8 * 60 * 60;

/// A challenge and the time until which it may be answered, Unix seconds.
#[derive(Debug)]
pub struct Challenge {
    /// 32 random bytes.
    pub challenge: [u8; 32],
    /// Unix seconds.
    pub expires_at: i64,
}

/// An answered challenge.
#[derive(Debug)]
pub struct Answer {
    /// As given out.
    pub challenge: [u8; 32],
    /// The person's login.
    pub login: String,
    /// 32 hex digits.
    pub device_id: String,
    /// The client's.
    pub nonce: [u8; 16],
    /// By the person's key.
    pub signature: [u8; 64],
}

/// An opened session.
#[derive(Debug)]
pub struct Opened {
    /// The bearer token, shown once.
    pub token: String,
    /// Unix seconds.
    pub expires_at: i64,
    /// COSE message.
    pub signed_time: Vec<u8>,
    /// Who it is.
    pub person: Person,
}

/// Gives out a challenge.
pub async fn challenge<D: Database>(context: &Context<D>) -> Result<Challenge, Problem> {
    let mut challenge = [0; 32];
    rng()?.fill_bytes(&mut challenge);
    let now = context.now();
    let expires_at = now + CHALLENGE_SECONDS;
    let mut tx = context.database.write().await?;
    tx.delete_expired(now).await?;
    tx.add_challenge(&hash(&challenge), expires_at).await?;
    tx.commit().await?;
    Ok(Challenge {
        challenge,
        expires_at,
    })
}

/// Checks an answer and opens a session of `seconds`.
///
/// A wrong challenge, login, device or signature is one and the same 401; only a caller that proved the key learns that
/// it was revoked.
pub async fn open<D: Database>(
    context: &Context<D>,
    answer: &Answer,
    seconds: i64,
) -> Result<Opened, Problem> {
    let refused =
        || Problem::unauthorised("session-refused", "The challenge was not answered rightly.");
    let now = context.now();
    let mut tx = context.database.write().await?;
    let fresh = tx.take_challenge(&hash(&answer.challenge), now).await?;
    // Used up whatever comes of it.
    tx.commit().await?;
    if !fresh {
        return Err(refused());
    }

    let person_id = person_id(&context.person_salt, &answer.login);
    let mut tx = context.database.write().await?;
    let person = tx.person(&person_id).await?.ok_or_else(refused)?;
    let device = tx.device(&answer.device_id).await?.ok_or_else(refused)?;
    let key = tx
        .newest_person_key(&person_id, &answer.device_id)
        .await?
        .ok_or_else(refused)?;
    let public = PublicKey::from_bytes(&key.signing_key).map_err(|_| refused())?;
    session::verify(
        &public,
        &answer.challenge,
        &answer.device_id,
        &answer.nonce,
        &answer.signature,
    )
    .map_err(|_| refused())?;
    access::refuse_revoked(&person, &device)?;

    let mut secret = [0; 32];
    rng()?.fill_bytes(&mut secret);
    let token = BASE64.encode(secret);
    let expires_at = now + seconds.clamp(MIN_SESSION_SECONDS, MAX_SESSION_SECONDS);
    tx.add_session(&Session {
        token_hash: hash(token.as_bytes()),
        person_id,
        device_id: answer.device_id.clone(),
        kid: key.kid,
        expires_at,
    })
    .await?;
    tx.commit().await?;
    let signed_time = SignedTime::issue(&context.issuer, &answer.nonce, now, &context.keys.grant);
    Ok(Opened {
        token,
        expires_at,
        signed_time,
        person,
    })
}

fn hash(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}
