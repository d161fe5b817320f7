//! The passphrase: opening a person's keys, and what a wrong one costs.

use std::time::Duration;

use infoblood_agreement::{
    audit::Action,
    vault::{PersonKeys, VaultError},
};
use secrecy::SecretString;

use crate::{
    PersonSession, Workstation,
    audit::Access,
    error::StoreError,
    people::{Identity, identity},
};

/// Wrong passphrases that cost no waiting yet.
const FREE_ATTEMPTS: i64 = 2;
/// The longest wait after a wrong passphrase.
const LONGEST_WAIT: i64 = 15 * 60;

/// Why a passphrase opened nothing.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// Nobody of this id has keys here.
    #[error("nobody of this id is enrolled here")]
    Unknown,
    /// The server took the person's or this workstation's right back; the keys are destroyed.
    #[error("the right was taken back: {code}")]
    Revoked {
        /// `person-revoked` or `device-revoked`.
        code: &'static str,
    },
    /// The passphrase is wrong; how long to wait before the next attempt.
    #[error("the passphrase is wrong")]
    Wrong {
        /// Zero for the first attempts.
        retry_after: Duration,
    },
    /// Too early after wrong passphrases.
    #[error("too many wrong passphrases")]
    Wait {
        /// How long to wait.
        retry_after: Duration,
    },
    /// The stored keys are damaged, or memory is short.
    #[error("the keys cannot be opened")]
    Vault(#[source] VaultError),
    /// It could not be recorded.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl SignInError {
    /// Stable code for the interface.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unknown => "login-unknown",
            Self::Revoked { code } => code,
            Self::Wrong { .. } => "passphrase-wrong",
            Self::Wait { .. } => "passphrase-wait",
            Self::Vault(error) => error.code(),
            Self::Store(error) => error.code(),
        }
    }

    /// How long the person has to wait.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Wrong { retry_after } | Self::Wait { retry_after } => Some(*retry_after),
            _ => None,
        }
    }
}

/// Keys that a passphrase opened.
pub(crate) struct Opened {
    pub(crate) identity: Identity,
    pub(crate) keys: PersonKeys,
}

impl Workstation {
    /// Opens a person's keys. Wrong passphrases are recorded and cost a growing delay, which survives a restart.
    pub async fn sign_in(
        &self,
        person_id: &str,
        passphrase: SecretString,
    ) -> Result<PersonSession, SignInError> {
        let Opened { identity, keys } = self.open_keys(person_id, passphrase).await?;
        Ok(PersonSession::new(
            identity.person_id,
            identity.login,
            identity.id,
            keys,
        ))
    }

    pub(crate) async fn open_keys(
        &self,
        person_id: &str,
        passphrase: SecretString,
    ) -> Result<Opened, SignInError> {
        let now = self.now().as_second();
        let (identity, failures) = {
            let mut store = self.store().await;
            let identity = identity(&mut store, person_id)
                .await
                .map_err(StoreError::from)?
                .ok_or(SignInError::Unknown)?;
            let (failures, wait_until): (i64, i64) =
                sqlx::query_as("SELECT failures, wait_until FROM attempt WHERE person_id = ?")
                    .bind(person_id)
                    .fetch_optional(&mut *store)
                    .await
                    .map_err(StoreError::from)?
                    .unwrap_or_default();
            // A clock that went back lengthens no wait.
            let left = (wait_until - now).min(LONGEST_WAIT);
            if left > 0 {
                drop(store);
                if wait_until - now > LONGEST_WAIT {
                    self.set_attempts(person_id, failures, now + LONGEST_WAIT)
                        .await?;
                }
                return Err(SignInError::Wait {
                    retry_after: Duration::from_secs(left.unsigned_abs()),
                });
            }
            (identity, failures)
        };
        let Some(wrapped) = identity.wrapped.clone() else {
            let code = match identity.refused.as_deref() {
                Some("device-revoked") => "device-revoked",
                _ => "person-revoked",
            };
            self.record(Access::deny(Action::AccessRefused, person_id, code))
                .await?;
            return Err(SignInError::Revoked { code });
        };
        let (keys, id) = (self.keys(), person_id.to_owned());
        let opened = tokio::task::spawn_blocking(move || {
            PersonKeys::unwrap(&wrapped, &keys, &id, &passphrase)
        })
        .await
        .map_err(StoreError::sign)?;
        match opened {
            Ok(keys) => {
                self.set_attempts(person_id, 0, 0).await?;
                Ok(Opened { identity, keys })
            }
            Err(VaultError::WrongPassphrase) => {
                let failures = failures + 1;
                let wait = wait_after(failures);
                self.set_attempts(person_id, failures, now + wait).await?;
                self.record(Access::deny(
                    Action::SignInFailed,
                    person_id,
                    "passphrase-wrong",
                ))
                .await?;
                Err(SignInError::Wrong {
                    retry_after: Duration::from_secs(wait.unsigned_abs()),
                })
            }
            Err(error) => Err(SignInError::Vault(error)),
        }
    }

    async fn set_attempts(
        &self,
        person_id: &str,
        failures: i64,
        wait_until: i64,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO attempt (person_id, failures, wait_until) VALUES (?, ?, ?)
             ON CONFLICT (person_id) DO UPDATE SET failures = excluded.failures, wait_until = excluded.wait_until",
        )
        .bind(person_id)
        .bind(failures)
        .bind(wait_until)
        .execute(&mut *self.store().await)
        .await?;
        Ok(())
    }
}

/// Seconds to wait after so many wrong passphrases: 0, 0, 2, 4, 8 … 900.
fn wait_after(failures: i64) -> i64 {
    if failures <= FREE_ATTEMPTS {
        0
    } else {
        (1i64 << (failures - FREE_ATTEMPTS).min(20)).min(LONGEST_WAIT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_passphrases_cost_more_and_more() {
        let waits: Vec<_> = (1..=14).map(wait_after).collect();
        assert_eq!(waits[..6], [0, 0, 2, 4, 8, 16]);
        assert_eq!(waits[13], LONGEST_WAIT);
    }
}
