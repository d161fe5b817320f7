//! The state as the window sees it.

use infoblood_client::document;
use jiff::Timestamp;

use super::{
    Controller, Phase, Registering, Store,
    failure::{internal, named, told},
    terms::Known,
};
use crate::view::{AppError, DocumentFacts, PersonRow, Progress, Screen, Site, State};

impl Controller {
    /// Sends the state to the window if it is not what the window has.
    pub(super) async fn show(&mut self) {
        if matches!(self.phase, Phase::Starting) {
            return;
        }
        match self.state().await {
            Ok(state) if self.shown.as_ref() != Some(&state) => {
                self.shell.show(&state);
                self.shown = Some(state);
            }
            Ok(_) => {}
            Err(error) => tracing::error!(code = error.code, "the state cannot be told"),
        }
    }

    pub(super) async fn state(&self) -> Result<State, AppError> {
        let waiting = match &self.store {
            Store::Open(workstation) => workstation
                .waiting()
                .await
                .map_err(|error| told("waiting", error.code(), &error))?,
            Store::Opening | Store::Failed => 0,
        };
        Ok(State {
            screen: self.screen().await?,
            site: self.site(),
            connection: self.connection,
            language: self.language,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            idle_lock_minutes: self.idle_minutes(),
            data_as_of: match &self.phase {
                Phase::Unlocked(open) => open.as_of().map(|time| time.to_string()),
                _ => None,
            },
            left_out: match &self.phase {
                Phase::Unlocked(open) => open.left_out,
                _ => 0,
            },
            data_changes: match &self.phase {
                Phase::Unlocked(open) => open.changes,
                _ => 0,
            },
            waiting: u32::try_from(waiting).unwrap_or(u32::MAX),
            sync: self.sync_facts().await?,
            terms_change: self.terms_change(),
            reading: self.reading(),
            automation: self.config.automation,
        })
    }

    async fn screen(&self) -> Result<Screen, AppError> {
        Ok(match &self.phase {
            // Asked only after opening; until then `GetState` waits.
            Phase::Starting => Screen::Return { people: Vec::new() },
            Phase::Blocked(error) => Screen::Blocked {
                can_start_anew: self.can_start_anew(),
                error: error.clone(),
            },
            Phase::Revoked => Screen::Blocked {
                can_start_anew: true,
                error: named("device-revoked"),
            },
            Phase::Agreement(known) => match &self.store {
                Store::Open(workstation) => Screen::Agreement {
                    declined: workstation
                        .is_declined()
                        .await
                        .map_err(|error| told("declined", error.code(), &error))?,
                    has_people: !self.people().await?.is_empty(),
                    person: known.as_ref().map(Known::told),
                },
                Store::Opening | Store::Failed => Screen::Agreement {
                    declined: false,
                    has_people: false,
                    person: None,
                },
            },
            Phase::Identify(evidence) => Screen::Identify {
                document: document_facts(&document::DocumentFacts::of(&self.document)),
                evidence: evidence.clone(),
            },
            Phase::Registering(registering) => Screen::Registering {
                progress: self.progress(registering).await?,
            },
            Phase::Return => Screen::Return {
                people: self.people().await?,
            },
            Phase::Unlocked(open) => Screen::Unlocked {
                person: open.person_now(self.break_glass_allowed()),
            },
        })
    }

    fn site(&self) -> Option<Site> {
        let fields = self.profile.as_ref()?.fields();
        Some(Site {
            code: fields.site.code.clone(),
            name_kk: fields.site.name_kk.clone(),
            name_ru: fields.site.name_ru.clone(),
            workstation: fields.workstation.clone().unwrap_or_default(),
            time_zone: fields.time_zone.clone(),
            support_contact: fields.support_contact.clone(),
        })
    }

    pub(super) async fn people(&self) -> Result<Vec<PersonRow>, AppError> {
        let people = self
            .workstation()?
            .people()
            .await
            .map_err(|error| told("people", error.code(), &error))?;
        Ok(people
            .into_iter()
            .map(|person| PersonRow {
                person_id: person.person_id,
                login: person.login,
                name: person.name,
                registered: person.is_registered,
                revoked: person.is_revoked,
                offline_until: person.offline_until.map(|time| time.to_string()),
                read_only_until: person.read_only_until.map(|time| time.to_string()),
                last_sign_in: person.last_sign_in.map(|time| time.to_string()),
            })
            .collect())
    }

    async fn progress(&self, registering: &Registering) -> Result<Progress, AppError> {
        let progress = self
            .workstation()?
            .progress(&registering.person_id)
            .await
            .map_err(|error| told("progress", error.code(), &error))?
            .ok_or_else(internal)?;
        let text = |time: Option<Timestamp>| time.map(|time| time.to_string());
        let registered = progress.receipt_verified_at.is_some();
        Ok(Progress {
            stored_at: progress.signed_at.to_string(),
            sent_at: text(progress.sent_at),
            receipt_verified_at: text(progress.receipt_verified_at),
            unlocked: false,
            attempts: progress.attempts,
            next_attempt_at: text(progress.next_attempt_at),
            error: registering
                .trouble
                .clone()
                .or(progress.error.as_deref().map(named)),
            login: progress.login,
            person_id: registering.person_id.clone(),
            statement_id: progress.statement_id,
            signed_at: progress.signed_at.to_string(),
            document: document_facts(&progress.document),
            needs_passphrase: registered && registering.session.is_none(),
        })
    }
}

/// Version, digest and date of a document.
pub(super) fn document_facts(document: &document::DocumentFacts) -> DocumentFacts {
    DocumentFacts {
        version: u32::try_from(document.version).unwrap_or(u32::MAX),
        sha256: hex::encode(document.sha256),
        effective_from: effective_from(document.effective_from),
    }
}

/// The built-in version counts from the beginning: its time is 0 and is not shown as a date.
fn effective_from(seconds: i64) -> String {
    match Timestamp::from_second(seconds) {
        Ok(time) if seconds > 0 => time.to_string(),
        _ => String::new(),
    }
}
