//! What a session is for, and what leaves the screen: printing and copying.

use std::sync::PoisonError;

use infoblood_agreement::{
    audit::{Action, Purpose},
    gate::Unlocked,
};
use infoblood_clinical::fhir::is_id;

use super::UnlockedWorkstation;
use crate::{Workstation, database::DatabaseError, session::UnlockError, settings};

/// How something leaves the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taking {
    /// On paper.
    Print,
    /// Through the clipboard.
    Copy,
}

/// Whether the record is taken away from the screen.
pub(super) fn leaves_the_screen(action: Action) -> bool {
    matches!(action, Action::PatientPrint | Action::PatientCopy)
}

impl UnlockedWorkstation {
    /// What the person looks for in this session; `None` before it was said.
    pub fn purpose(&self) -> Option<Purpose> {
        *self.purpose.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says what the looks from now on are for. It stands in every audit event until the lock, and is offered next time.
    pub async fn choose_purpose(&self, purpose: Purpose) -> Result<(), UnlockError> {
        let mut store = self.workstation.store().await;
        let name = purpose.as_str().as_bytes();
        settings::set(&mut store, &setting(self.gate.person_id()), name).await?;
        drop(store);
        *self.purpose.write().unwrap_or_else(PoisonError::into_inner) = Some(purpose);
        Ok(())
    }

    /// Records that these people's records leave the screen, before they do: one event for each. Refused in the read-only time; a
    /// refusal is recorded under the same action.
    pub async fn take_away(
        &self,
        gate: &Unlocked,
        taking: Taking,
        patients: &[String],
    ) -> Result<(), UnlockError> {
        if patients.is_empty() || !patients.iter().all(|id| is_id(id)) {
            return Err(UnlockError::Unknown);
        }
        let action = match taking {
            Taking::Print => Action::PatientPrint,
            Taking::Copy => Action::PatientCopy,
        };
        for id in patients {
            self.admit(gate, action, Some(format!("Patient/{id}")))
                .await?;
        }
        Ok(())
    }
}

impl Workstation {
    /// What this person's last session was for.
    pub async fn last_purpose(&self, person_id: &str) -> Result<Option<Purpose>, DatabaseError> {
        let stored = settings::get(&mut *self.store().await, &setting(person_id)).await?;
        Ok(stored
            .and_then(|name| String::from_utf8(name).ok())
            .and_then(|name| Purpose::parse(&name)))
    }
}

fn setting(person_id: &str) -> String {
    format!("purpose:{person_id}")
}
