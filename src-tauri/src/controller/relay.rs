//! Through any phone: the QR code to show, and the frames that a scanner or a person brings back.

use infoblood_client::relay::{picture, typed};

use super::{
    Controller, Phase,
    failure::{internal, named, told},
};
use crate::view::{AppError, FramesTaken, QrCode};

impl Controller {
    /// The QR code that asks the server, through a phone, to register this person. Frames of an answer to an earlier question are
    /// forgotten: a half-read one would refuse those of the next for ever.
    pub(super) async fn show_qr(&mut self, person_id: &str) -> Result<QrCode, AppError> {
        let url = self
            .workstation()?
            .relay_url(person_id)
            .await
            .map_err(|error| told("relay", error.code(), &error))?
            .ok_or_else(|| named("relay-nothing"))?;
        self.frames = <_>::default();
        let svg = picture(&url).ok_or_else(internal)?;
        Ok(QrCode { svg, url })
    }

    /// Takes frames in any order; with the last of them the answer is verified and stored, and the way goes on by itself.
    pub(super) async fn relay_frame(&mut self, text: &str) -> Result<FramesTaken, AppError> {
        let progress = self
            .frames
            .take(&typed(text))
            .map_err(|error| told("relay-frame", error.code(), &error))?;
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let mut taken = FramesTaken {
            have: count(progress.have),
            total: count(progress.total),
            missing: progress.missing.into_iter().map(count).collect(),
            is_done: false,
            refusal: None,
        };
        let Some(answer) = self.frames.answer() else {
            return Ok(taken);
        };
        // Whatever it is, the next scan begins another one.
        self.frames = <_>::default();
        let relayed = self
            .workstation()?
            .accept_relay(&answer)
            .await
            .map_err(|error| told("relay-answer", error.code(), &error))?;
        taken.is_done = true;
        taken.refusal = relayed.refusal.map(named);
        if let Phase::Registering(registering) = &mut self.phase {
            registering.again_at = tokio::time::Instant::now();
        }
        self.unlock_if_registered().await;
        Ok(taken)
    }
}
