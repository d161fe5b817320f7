//! Changing a passphrase: the same keys under another wrapping; the old wrapping is gone, also from the database's log.

use infoblood_agreement::{
    audit::Action,
    vault::{NewPassphrase, PassphraseError, VaultError},
};
use secrecy::SecretString;
use sqlx::Connection as _;

use crate::{
    SignInError, Workstation,
    audit::Access,
    database::DatabaseError,
    error::StoreError,
    random,
    revocation::{RAISE_DUE, settle_pages},
    settings,
    sign_in::Opened,
};

/// Why the passphrase is the old one still.
#[derive(Debug, thiserror::Error)]
pub enum ChangePassphraseError {
    /// The old one opened nothing.
    #[error(transparent)]
    Old(#[from] SignInError),
    /// The new one is too weak.
    #[error("the new passphrase is not acceptable")]
    New(#[source] PassphraseError),
    /// The keys could not be wrapped.
    #[error("the keys could not be wrapped")]
    Vault(#[source] VaultError),
    /// It could not be kept.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl ChangePassphraseError {
    /// Stable code for the interface.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Old(error) => error.code(),
            Self::New(error) => error.code(),
            Self::Vault(error) => error.code(),
            Self::Store(error) => error.code(),
        }
    }

    /// How long the person has to wait after wrong passphrases.
    pub fn retry_after(&self) -> Option<std::time::Duration> {
        match self {
            Self::Old(error) => error.retry_after(),
            _ => None,
        }
    }
}

impl Workstation {
    /// Wraps a person's keys under a new passphrase; the rules are those of the enrolment, and a wrong old one costs what it costs at
    /// signing in. The new one is judged first: a weak one costs no attempt.
    pub async fn change_passphrase(
        &self,
        person_id: &str,
        old: SecretString,
        new: SecretString,
    ) -> Result<(), ChangePassphraseError> {
        let login = self.login_of(person_id).await?;
        let new = NewPassphrase::check(&new, &login).map_err(ChangePassphraseError::New)?;
        let Opened { identity, keys } = self.open_keys(person_id, old).await?;

        let (workstation_keys, id) = (self.keys(), person_id.to_owned());
        let mut rng = random::generator().map_err(StoreError::from)?;
        let wrapped =
            tokio::task::spawn_blocking(move || keys.wrap(&workstation_keys, &id, &new, &mut rng))
                .await
                .map_err(StoreError::sign)?
                .map_err(ChangePassphraseError::Vault)?;
        self.replace_wrapped(identity.id, &wrapped)
            .await
            .map_err(StoreError::from)?
            .then_some(())
            .ok_or(SignInError::Unknown)?;
        // It is changed: whatever fails from here on, nobody may believe that the old one still opens.
        if let Err(error) = self.raise_if_due().await {
            tracing::warn!(code = error.code(), "the generation is raised later");
        }
        let changed = Access::permit(Action::PassphraseChanged, person_id);
        if let Err(error) = self.record(changed).await {
            tracing::error!(code = error.code(), "a changed passphrase was not recorded");
        }
        Ok(())
    }

    /// False if the keys were destroyed meanwhile. An older copy of the store opens with the old passphrase: it is recognised once the
    /// generation is raised, which is due from the same moment.
    async fn replace_wrapped(&self, identity: i64, wrapped: &[u8]) -> Result<bool, DatabaseError> {
        let mut store = self.store().await;
        let mut transaction = store.begin().await?;
        let changed =
            sqlx::query("UPDATE identity SET wrapped = ? WHERE id = ? AND wrapped IS NOT NULL")
                .bind(wrapped)
                .bind(identity)
                .execute(&mut *transaction)
                .await?;
        if changed.rows_affected() == 0 {
            return Ok(false);
        }
        settings::set(&mut transaction, RAISE_DUE, &[1]).await?;
        transaction.commit().await?;
        if let Err(error) = settle_pages(&mut store).await {
            tracing::warn!(code = error.code(), "the pages are settled later");
        }
        Ok(true)
    }

    async fn login_of(&self, person_id: &str) -> Result<String, ChangePassphraseError> {
        let mut store = self.store().await;
        let identity = crate::people::identity(&mut store, person_id)
            .await
            .map_err(StoreError::from)?;
        Ok(identity.ok_or(SignInError::Unknown)?.login)
    }
}
