//! Opening the store: profile, keyring, database. It happens beside the first launch's agreement, never before it.

use infoblood_agreement::profile::SiteProfile;
use infoblood_client::Workstation;

use super::{
    Controller, Event, Phase, Registering, Store,
    failure::{internal, told},
    sync::Syncer,
};
use crate::{profile::FindError, view::AppError};

/// Troubles after which the workstation can begin anew; the client refuses every other.
const ANEW: &[&str] = &["keyring-lost", "store-replaced", "store-corrupt"];

/// What opening brought.
pub(super) struct Opened {
    /// Found also where the store did not open.
    profile: Option<SiteProfile>,
    workstation: Result<Workstation, AppError>,
}

impl Controller {
    /// Starts opening; [`Event::Opened`] tells the end.
    pub(super) fn open_store(&mut self) {
        self.open_or_begin_anew(false);
    }

    fn open_or_begin_anew(&mut self, is_anew: bool) {
        self.store = Store::Opening;
        let places = self.config.profile.clone();
        let (dir, events) = (self.config.data_dir.clone(), self.events.clone());
        let (keyring, clock) = (self.config.keyring.clone(), self.config.clock.clone());
        self.beside(async move {
            let profile = tokio::task::spawn_blocking(move || places.find())
                .await
                .unwrap_or(Err(FindError::Missing))
                .map_err(|error| told("profile", error.code(), &error));
            let opened = match profile {
                Ok(profile) => Opened {
                    workstation: if is_anew {
                        Workstation::start_anew(&dir, &profile, keyring, clock, <_>::default())
                            .await
                    } else {
                        Workstation::open(&dir, &profile, keyring, clock).await
                    }
                    .map_err(|error| told("open", error.code(), &error)),
                    profile: Some(profile),
                },
                Err(error) => Opened {
                    profile: None,
                    workstation: Err(error),
                },
            };
            // The controller may have ended meanwhile.
            let _ = events.send(Event::Opened(Box::new(opened))).await;
        });
    }

    pub(super) async fn opened(&mut self, opened: Opened) {
        self.profile = opened.profile;
        match opened.workstation {
            Ok(workstation) => {
                self.syncer = Some(Syncer::start(
                    workstation.clone(),
                    self.config.clock.clone(),
                    self.events.clone(),
                ));
                self.store = Store::Open(workstation);
                if !matches!(self.phase, Phase::Identify(_)) {
                    self.phase = self.first_phase().await;
                }
                self.heed_revocation().await;
            }
            Err(error) => {
                self.store = Store::Failed;
                self.phase = Phase::Blocked(error);
            }
        }
        for request in std::mem::take(&mut self.waiting_for_store) {
            self.request(request).await;
        }
    }

    /// Where a launch begins: with the agreement while nobody signed, with the way of a registration that is not finished, or
    /// with the choice of a person.
    async fn first_phase(&self) -> Phase {
        let Ok(people) = self.people().await else {
            return Phase::Return;
        };
        match people.first() {
            None => Phase::Agreement(None),
            Some(first) if people.iter().all(|person| !person.registered) => {
                Phase::Registering(Box::new(Registering::resumed(first.person_id.clone())))
            }
            Some(_) => Phase::Return,
        }
    }

    /// Takes the profile a person chose and opens the store with it.
    pub(super) fn use_profile(&mut self, text: &str) -> Result<(), AppError> {
        let current = self.profile.as_ref();
        self.config
            .profile
            .choose(text, current)
            .map_err(|error| told("profile", error.code(), &error))?;
        // What was chosen now counts more than what the command line said at the start.
        self.config.profile.flag = None;
        self.reopen();
        Ok(())
    }

    /// Whether what blocks the workstation can be set aside.
    pub(super) fn can_start_anew(&self) -> bool {
        match &self.phase {
            Phase::Blocked(error) => ANEW.contains(&error.code.as_str()),
            Phase::Revoked => true,
            _ => false,
        }
    }

    /// Sets aside what cannot be used any more; everybody enrols again.
    pub(super) async fn start_anew(&mut self) -> Result<(), AppError> {
        if !self.can_start_anew() {
            return Err(internal());
        }
        self.tasks.shutdown().await;
        if let Some(syncer) = self.syncer.take() {
            syncer.stop().await;
        }
        if let Store::Open(workstation) = std::mem::replace(&mut self.store, Store::Failed) {
            workstation
                .close()
                .await
                .map_err(|error| told("close", error.code(), &error))?;
        }
        self.phase = Phase::Agreement(None);
        self.open_or_begin_anew(true);
        Ok(())
    }

    /// Closes everything once the server took this workstation's right back.
    pub(super) async fn heed_revocation(&mut self) {
        let Store::Open(workstation) = &self.store else {
            return;
        };
        match workstation.is_revoked().await {
            Ok(true) if !matches!(self.phase, Phase::Revoked) => {
                self.end_session().await;
                self.phase = Phase::Revoked;
                self.shell.forget_page();
            }
            Ok(_) => {}
            Err(error) => drop(told("revocation", error.code(), &error)),
        }
    }

    /// Tries again after trouble.
    pub(super) fn reopen(&mut self) {
        if matches!(self.store, Store::Failed) {
            self.phase = super::launch_phase(&self.config.data_dir);
            self.open_store();
        }
    }
}
