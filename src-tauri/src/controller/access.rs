//! What a session is for, what leaves the screen, and the person's own access log.

use infoblood_agreement::audit::Outcome;
use infoblood_client as client;

use super::{Controller, failure::told, patients::PAGE};
use crate::view::{AccessPage, AccessRow, AppError, Delivery, Purpose, Taking};

impl Controller {
    /// What the looks from now on are for.
    pub(super) async fn choose_purpose(&self, purpose: Purpose) -> Result<(), AppError> {
        let cache = &self.open_cache()?.cache;
        cache
            .choose_purpose(match purpose {
                Purpose::Treatment => client::Purpose::Treatment,
                Purpose::Donation => client::Purpose::Donation,
                Purpose::Lookback => client::Purpose::Lookback,
                Purpose::Quality => client::Purpose::Quality,
            })
            .await
            .map_err(|error| told("purpose", error.code(), &error))
    }

    /// The events of who is signed in, on this workstation.
    pub(super) async fn access_log(&self, after: Option<&str>) -> Result<AccessPage, AppError> {
        let cache = &self.open_cache()?.cache;
        let after = after.and_then(|after| after.parse().ok());
        let log = cache
            .own_log(cache.gate(), after, PAGE)
            .await
            .map_err(|error| told("access-log", error.code(), &error))?;
        Ok(AccessPage {
            rows: log.rows.into_iter().map(row).collect(),
            next: log.next.map(|next| next.to_string()),
        })
    }

    /// Recorded before anything is printed or copied; the window does either only after this.
    pub(super) async fn take_away(
        &self,
        taking: Taking,
        patients: &[String],
    ) -> Result<(), AppError> {
        let cache = &self.open_cache()?.cache;
        let taking = match taking {
            Taking::Print => client::Taking::Print,
            Taking::Copy => client::Taking::Copy,
        };
        let taken = cache.take_away(cache.gate(), taking, patients).await;
        self.nudge();
        taken.map_err(|error| told("take-away", error.code(), &error))
    }
}

pub(super) fn purpose_view(purpose: client::Purpose) -> Purpose {
    match purpose {
        client::Purpose::Treatment => Purpose::Treatment,
        client::Purpose::Donation => Purpose::Donation,
        client::Purpose::Lookback => Purpose::Lookback,
        client::Purpose::Quality => Purpose::Quality,
    }
}

fn row(own: client::OwnAccess) -> AccessRow {
    let at = own.at().to_string();
    let event = own.event;
    let (patient_id, patient_name) = own.patient.unzip();
    let reference = event.reference.as_deref();
    let donation = reference.and_then(|reference| reference.strip_prefix("Donation/"));
    AccessRow {
        sequence: event.sequence,
        at,
        action: event.action.as_str().to_owned(),
        permitted: event.outcome == Outcome::Permit,
        reason: event.reason,
        purpose: event.purpose.map(purpose_view),
        glass_broken: event.glass_broken,
        patient_id,
        patient_name: patient_name.flatten(),
        donation: donation.map(str::to_owned),
        delivery: match own.delivery {
            client::Delivery::Delivered => Delivery::Delivered,
            client::Delivery::Waiting => Delivery::Waiting,
            client::Delivery::Stuck => Delivery::Stuck,
        },
    }
}
