//! Donations and the look back from them for the window.

use infoblood_client as client;
use infoblood_clinical::{donation, lookback};
use jiff::Zoned;

use super::{
    Controller,
    failure::told,
    patients::{
        blood_group, deferral, donation_kind, donation_status, number, screening, stated_group,
    },
    stock::{component_row, product},
};
use crate::view::{
    AppError, ComponentRow, DonationCard, GoneKind, GoneTo, Lookback, LookbackDonation,
    LookbackRecipient, Named, Product,
};

impl Controller {
    /// The look at everybody who is named is recorded before the card is shown.
    pub(super) async fn open_donation(&self, din: &str) -> Result<DonationCard, AppError> {
        let cache = &self.open_cache()?.cache;
        let card = cache
            .donation(cache.gate(), din)
            .await
            .map_err(|error| told("donation", error.code(), &error))?;
        self.nudge();
        Ok(donation_card(card))
    }

    /// The look at everybody who is named is recorded before it is shown.
    pub(super) async fn lookback(&self, din: &str) -> Result<Lookback, AppError> {
        let cache = &self.open_cache()?.cache;
        let found = cache
            .lookback(cache.gate(), din)
            .await
            .map_err(|error| told("lookback", error.code(), &error))?;
        self.nudge();
        Ok(lookback_view(found))
    }
}

fn donation_card(card: client::DonationCard) -> DonationCard {
    let facts = card.facts;
    let (donor_id, donor_name) = named(facts.donor);
    DonationCard {
        din: facts.din.to_string(),
        din_check: facts.din.check_char().to_string(),
        others: facts.others,
        donor_id,
        donor_name,
        further_donors: further(facts.further_donors),
        date: facts.date,
        kind: facts.kind.map(donation_kind),
        status: facts.status.map(donation_status),
        volume_ml: facts.volume_ml,
        deferrals: facts.deferrals.into_iter().map(deferral).collect(),
        screening: facts.screening.map(screening),
        blood: facts.blood.map(blood_group),
        blood_conflict: facts.blood_conflict.into_iter().map(stated_group).collect(),
        components: parts(facts.components, &card.now),
        training: facts.training,
        not_understood: number(facts.not_understood),
        logged_at: card.logged_at.to_string(),
        as_of: card.as_of.map(|time| time.to_string()),
    }
}

fn lookback_view(found: client::Lookback) -> Lookback {
    let facts = found.facts;
    let (donor_id, donor_name) = named(facts.donor);
    Lookback {
        din: facts.din.to_string(),
        din_check: facts.din.check_char().to_string(),
        donor_id,
        donor_name,
        further_donors: further(facts.further_donors),
        date: facts.date,
        reason: facts.reason.map(screening),
        components: parts(facts.components, &found.now),
        others: facts.others,
        donations: facts
            .donations
            .into_iter()
            .map(|other| LookbackDonation {
                din: other.din.map(|din| din.to_string()),
                date: other.date,
            })
            .collect(),
        recipients: facts.reached.into_iter().map(reached).collect(),
        training: facts.training,
        not_understood: number(facts.not_understood),
        logged_at: found.logged_at.to_string(),
        as_of: found.as_of.map(|time| time.to_string()),
    }
}

fn reached(reached: lookback::Reached) -> LookbackRecipient {
    LookbackRecipient {
        id: reached.recipient.id,
        name: reached.recipient.name,
        birth_date: reached.birth_date,
        component_id: reached.number.unwrap_or(reached.component),
        product: reached.product.map_or(Product::Other, product),
        transfused_at: reached.at.filter(|_| reached.transfused),
        organization: reached.organization,
        reaction: reached.reaction,
    }
}

fn parts(parts: Vec<donation::Part>, now: &Zoned) -> Vec<ComponentRow> {
    parts
        .into_iter()
        .map(|part| {
            let mut row = component_row(part.component, now);
            // Of a label that says otherwise than the donor's determinations all are told.
            if !part.blood_conflict.is_empty() {
                row.blood_conflict = part.blood_conflict.into_iter().map(stated_group).collect();
            }
            ComponentRow {
                parent: part.parent,
                depth: part.depth,
                gone_to: part.gone_to.map(gone),
                way_unclear: part.way_unclear,
                ..row
            }
        })
        .collect()
}

fn gone(gone: donation::Gone) -> GoneTo {
    GoneTo {
        kind: match gone.kind {
            donation::GoneKind::Issued => GoneKind::Issued,
            donation::GoneKind::Transfused => GoneKind::Transfused,
        },
        at: gone.at,
        recipient_id: Some(gone.recipient.id),
        recipient_name: gone.recipient.name,
        organization: gone.organization,
    }
}

fn further(people: Vec<donation::Named>) -> Vec<Named> {
    people
        .into_iter()
        .map(|donation::Named { id, name }| Named { id, name })
        .collect()
}

fn named(person: Option<donation::Named>) -> (Option<String>, Option<String>) {
    person.map_or((None, None), |person| (Some(person.id), person.name))
}
