//! What a synthetic donor has behind them: donations, deferrals and findings, and the cases that every run has.

use jiff::civil::Date;
use rand_core::Rng;

use super::{
    DONORS_PER_RECIPIENT, Donors, INFECTIONS,
    components::Source,
    laboratory::Drawn,
    records::{Deferred, Donor, Running, blood_group, disputed, longest_interval, safer},
};
use crate::{
    blood::{Abo, Antigen, BloodGroup},
    donor::DonationKind,
    rules::Rules,
};

/// Of so many donors one has determinations of the blood group that disagree: who stands at this place among them, so that a small run
/// has one too.
const DISPUTED: Place = Place { at: 7, of: 200 };
/// Of so many donors one is found to be infected after something of theirs was transfused. They come with a recipient of their own.
const TRACED: Place = Place {
    at: DONORS_PER_RECIPIENT,
    of: 25 * DONORS_PER_RECIPIENT,
};

/// Components, screening and vital signs exist for donations of the last so many days.
const DETAILED: i64 = 730;

/// A place that comes round again.
struct Place {
    at: u64,
    of: u64,
}

impl Place {
    fn is(&self, index: u64) -> bool {
        index % self.of == self.at
    }
}

/// What came before today, apart from what the laboratory says of it.
struct Past {
    /// Latest first.
    dates: Vec<(Date, DonationKind)>,
    running: Option<Running>,
    /// The infection found at the latest donation.
    reactive: Option<&'static str>,
}

impl<R: Rng> Donors<R> {
    /// Donations, deferrals, findings and components.
    pub(super) fn history(&mut self, one: &mut Donor, index: u64, birth: Date) {
        let is_disputed = DISPUTED.is(index);
        let past = if TRACED.is(index) {
            self.found_infected(one)
        } else {
            self.past(one, birth)
        };
        let known = !past.dates.is_empty() || is_disputed || self.chance(70);
        let first = past.dates.last().map_or(self.today, |(day, _)| *day);
        let group = known.then(|| match past.reactive {
            // Their red cells suit whoever waits.
            Some(_) => BloodGroup {
                abo: Abo::O,
                rh: Antigen::Negative,
                kell: Some(Antigen::Negative),
            },
            None => self.group(),
        });
        let label = group.map(|group| if is_disputed { safer(group) } else { group });
        if let Some(group) = group.filter(|_| self.chance(15)) {
            self.phenotype(one, group, first);
        }
        if let Some(Running {
            since,
            found_at_visit: true,
            ..
        }) = past.running
        {
            self.donation(one, since, DonationKind::WholeBlood, false);
        }
        let mut latest = None;
        for &(day, kind) in &past.dates {
            // Nor since a deferral that lasts.
            if past.running.is_some_and(|r| day >= r.since) {
                continue;
            }
            let done = past.reactive.is_some() || !self.chance(6);
            let din = self.donation(one, day, kind, done);
            let (Some(din), Some(label)) = (din, label) else {
                continue;
            };
            if day < self.ago(DETAILED) {
                continue;
            }
            let is_latest = latest.is_none();
            let drawn = Drawn {
                number: one.donations,
                day,
                reactive: past.reactive.filter(|_| is_latest),
            };
            self.screening(one, &drawn);
            if is_latest {
                self.vital_signs(one, &drawn);
                latest = Some((day, drawn.number));
            }
            let recalled = past.running.filter(|r| r.is_infection).map(|r| r.since);
            let source = Source {
                drawn,
                kind,
                din,
                group: label,
                recalled,
                is_traced: past.reactive.is_some(),
            };
            self.components(one, &source);
        }
        if let Some(group) = group {
            let donation = latest.map(|(_, number)| number);
            let day = latest.map_or(first, |(day, _)| day);
            blood_group(one, group, day, donation);
            // Until a person resolves it.
            if is_disputed {
                disputed(one, group, day);
            }
        }
    }

    /// What most donors have behind them.
    fn past(&mut self, one: &mut Donor, birth: Date) -> Past {
        let mut dates = self.donation_dates(birth);
        let running = match self.deferrals(one) {
            Some(Deferred::Running(running)) => Some(running),
            // Nobody donates while deferred.
            Some(Deferred::Over { from, to }) => {
                dates.retain(|(day, _)| *day < from || to < *day);
                None
            }
            None => None,
        };
        Past {
            dates,
            running,
            reactive: None,
        }
    }

    /// The second donation of somebody is found to be infected: a permanent deferral from the next day, and nothing of the first may be
    /// used any more. Both were within a year, so whoever is 19 was of age.
    fn found_infected(&mut self, one: &mut Donor) -> Past {
        let last = 1 + self.below(100) as i64;
        let first = last + longest_interval() + self.below(100) as i64;
        let mut past = Past {
            dates: [last, first]
                .map(|days| (self.ago(days), DonationKind::WholeBlood))
                .to_vec(),
            running: None,
            reactive: None,
        };
        let (reason, test) = INFECTIONS[self.below(INFECTIONS.len() as u64) as usize];
        if let Some(rule) = Rules::builtin().deferral(reason, self.today)
            && let Ok(since) = self.ago(last).tomorrow()
        {
            self.flag(one, rule, since, None);
            past.running = Some(Running {
                since,
                found_at_visit: false,
                is_infection: true,
            });
            past.reactive = Some(test);
        }
        past
    }
}
