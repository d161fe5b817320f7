//! A newer version of the terms, and somebody known who has to accept it.

use infoblood_agreement::document::{ChangeKind, changes};
use infoblood_client::{Decision, Person};
use jiff::Timestamp;
use secrecy::SecretString;

use super::{
    Controller, Phase, Registering, Store,
    agreement::for_statement,
    failure::{internal, named, told},
};
use crate::view::{self, AppError, BothTexts, Evidence, KnownPerson, TermsChange};

/// Somebody enrolled here whose acceptance counts no more. The keys are closed while they read.
pub(super) struct Known {
    person_id: String,
    name: String,
    /// The newest version whose acceptance is registered.
    accepted: Option<u64>,
}

impl Known {
    pub(super) fn of(person: Person) -> Self {
        Self {
            name: person.name.unwrap_or(person.login),
            person_id: person.person_id,
            accepted: person.accepted_version,
        }
    }

    pub(super) fn told(&self) -> KnownPerson {
        KnownPerson {
            person_id: self.person_id.clone(),
            name: self.name.clone(),
        }
    }
}

impl Controller {
    /// The version that was accepted before, and what differs from it in the one that is shown.
    pub(super) fn changes(&self) -> (Option<u32>, Vec<view::Change>) {
        let (Phase::Agreement(Some(known)), Store::Open(workstation)) = (&self.phase, &self.store)
        else {
            return (None, Vec::new());
        };
        let documents = workstation.documents();
        let Some(old) = known.accepted.and_then(|version| documents.get(version)) else {
            return (None, Vec::new());
        };
        let texts = |sides: infoblood_agreement::document::Sides| BothTexts {
            kk: sides.kk,
            ru: sides.ru,
        };
        let changes = changes(old, &self.document)
            .into_iter()
            .map(|change| view::Change {
                kind: match change.kind {
                    ChangeKind::Changed => view::ChangeKind::Changed,
                    ChangeKind::Added => view::ChangeKind::Added,
                    ChangeKind::Removed => view::ChangeKind::Removed,
                },
                unit: change.unit,
                before: change.before.map(texts),
                after: change.after.map(texts),
            })
            .collect();
        (u32::try_from(old.meta().version).ok(), changes)
    }

    /// The next version that is published and not yet in force.
    pub(super) fn terms_change(&self) -> Option<TermsChange> {
        let Store::Open(workstation) = &self.store else {
            return None;
        };
        let documents = workstation.documents();
        let next = documents.upcoming(workstation.document_time()).next()?;
        let meta = next.meta();
        Some(TermsChange {
            version: u32::try_from(meta.version).unwrap_or(u32::MAX),
            effective_from: Timestamp::from_second(meta.effective_from)
                .ok()?
                .to_string(),
        })
    }

    /// The person whose passphrase was right must read first; `None` when what they accepted counts.
    pub(super) async fn must_accept(&self, person_id: &str) -> Result<Option<Known>, AppError> {
        let people = self
            .workstation()?
            .people()
            .await
            .map_err(|error| told("people", error.code(), &error))?;
        Ok(people
            .into_iter()
            .find(|person| person.person_id == person_id && person.must_accept)
            .map(Known::of))
    }

    /// Signs the known person's decision with their own keys, which the passphrase opens for it.
    pub(super) async fn decide_again(
        &mut self,
        decision: Decision,
        evidence: &Evidence,
        passphrase: SecretString,
    ) -> Result<(), AppError> {
        let Phase::Agreement(Some(known)) = &self.phase else {
            return Err(internal());
        };
        if decision == Decision::Accepted && evidence.end_reached.is_empty() {
            return Err(named("agreement-required"));
        }
        let session = self.keys_of(&known.person_id, passphrase).await?;
        self.workstation()?
            .accept_again(&session, &for_statement(evidence, &self.document), decision)
            .await
            .map_err(|error| told("accept-again", error.code(), &error))?;
        self.phase = match decision {
            Decision::Accepted => {
                let person_id = session.person_id().to_owned();
                Phase::Registering(Box::new(Registering::signed(person_id, session)))
            }
            Decision::Declined => Phase::Return,
        };
        self.nudge();
        Ok(())
    }
}
