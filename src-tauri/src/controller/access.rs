//! What a session is for, and what leaves the screen.

use infoblood_client as client;

use super::{Controller, failure::told};
use crate::view::{AppError, Purpose, Taking};

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
