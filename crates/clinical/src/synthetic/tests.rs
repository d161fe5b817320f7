mod coherence;
mod sites;

use std::collections::{HashMap, HashSet};
use std::path::Path;

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;

use super::*;
use crate::{
    donor::{DeferralState, Donation, DonationStatus, Facts, Summary},
    fhir::Record,
    isbt128::Din,
    rules::Rules,
};

const TODAY: Date = Date::constant(2026, 11, 22);

fn run(seed: u64, count: u64) -> Donors<ChaCha20Rng> {
    let sites = ["KZ001".to_owned(), "KZ002".to_owned()];
    donors(ChaCha20Rng::seed_from_u64(seed), TODAY, &sites, count).unwrap()
}

fn lines(donors: Donors<ChaCha20Rng>) -> String {
    donors
        .flat_map(|d| d.resources)
        .map(|r| r.to_line().unwrap() + "\n")
        .collect()
}

/// FNV-1a: enough to notice a changed byte.
fn fingerprint(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[test]
fn the_first_donors_of_seed_1_are_those_on_file() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/synthetic-seed-1.ndjson");
    let made = lines(run(1, 6));
    if std::env::var_os("UPDATE_VECTORS").is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    assert_eq!(made, std::fs::read_to_string(&path).unwrap());
}

#[test]
fn the_same_seed_and_day_give_the_same_bytes() {
    let once = lines(run(7, 500));
    assert_eq!(once, lines(run(7, 500)));
    assert_eq!(fingerprint(&once), FINGERPRINT, "{:#x}", fingerprint(&once));
    assert_ne!(once, lines(run(8, 500)));
    assert!(lines(run(7, 600)).starts_with(&once));
}

const FINGERPRINT: u64 = 0xa1be_1886_4258_0913;

#[test]
fn every_line_reads_back_and_belongs_to_its_site() {
    for donor in run(3, 1000) {
        let Some(Resource::Patient(patient)) = donor.resources.first() else {
            panic!("no patient first")
        };
        for resource in &donor.resources {
            let line = resource.to_line().unwrap();
            let record = Record::parse_line(line.as_bytes()).unwrap();
            assert_eq!(&record.resource, resource);
            assert_eq!(record.raw, line);
            assert_eq!(resource.site(), Some(donor.site.as_str()));
            let person = resource.patient_id().unwrap();
            assert!(person == patient.id || person.starts_with("r-"));
        }
    }
}

#[test]
fn people_are_plausible() {
    let mut numbers = HashSet::new();
    let mut ids = HashSet::new();
    let mut dins = HashSet::new();
    let mut states: HashMap<DeferralState, u32> = HashMap::new();
    let (mut conflicts, mut groups, mut suffixes) = (0, 0, 0);
    for donor in run(5, 20_000) {
        let id = donor.resources[0].id().to_owned();
        assert!(
            donor
                .resources
                .iter()
                .all(|r| ids.insert((r.resource_type(), r.id().to_owned())))
        );
        let facts = Facts::assemble(&id, &donor.resources, TODAY, Rules::builtin()).unwrap();
        let iin = Iin::parse(&facts.iin).unwrap();
        assert_eq!(
            iin.warnings(facts.birth_date.parse().unwrap(), facts.sex),
            []
        );
        assert!(numbers.insert(facts.iin.clone()));
        assert!((18..=65).contains(&facts.age));
        assert!(facts.donations.len() <= 13);
        for donation in &facts.donations {
            assert!(donation.date <= TODAY.to_string());
            assert_eq!(
                donation.din.is_some(),
                donation.status == DonationStatus::Completed
            );
            assert_eq!(
                donation.volume_ml.is_some(),
                donation.status == DonationStatus::Completed
            );
            if let Some(din) = &donation.din {
                assert!(
                    Din::parse(&format!("{din}{}", donation.din_check.as_deref().unwrap())).is_ok()
                );
                assert!(dins.insert(din.clone()));
            }
        }
        assert!(facts.donations.is_sorted_by(|a, b| a.date >= b.date));
        for deferral in &facts.deferrals {
            let done = |d: &&Donation| d.status == DonationStatus::Completed;
            assert!(
                facts
                    .donations
                    .iter()
                    .find(done)
                    .is_none_or(|d| d.date < deferral.from)
            );
            assert!(!deferral.reason_kk.is_empty() && !deferral.reason_ru.is_empty());
            assert_ne!(deferral.reason_kk, deferral.reason_ru);
            assert!(!deferral.verified);
        }
        let summary = Summary::assemble(&id, &donor.resources).unwrap();
        *states.entry(summary.deferral(TODAY)).or_default() += 1;
        assert!(facts.training && summary.training);
        groups += u32::from(facts.blood.is_some());
        let latest = facts.screening.first();
        assert!(latest.is_none_or(|row| row.donation.is_some() && row.groups.len() == 1));
        conflicts += u32::from(!facts.blood_conflict.is_empty());
        suffixes += u32::from(
            facts
                .patronymic
                .is_some_and(|p| p.ends_with("ұлы") || p.ends_with("қызы")),
        );
    }
    assert!(
        (1_400..1_800).contains(&states[&DeferralState::Temporary]),
        "{states:?}"
    );
    assert!(
        (500..700).contains(&states[&DeferralState::Permanent]),
        "{states:?}"
    );
    assert!(
        groups > 18_000 && (50..200).contains(&conflicts),
        "{groups} {conflicts}"
    );
    assert!(suffixes > 7_000, "{suffixes}");
}

#[test]
fn sites_of_one_facility_share_its_numbers() {
    // Neither `ALM` nor `AST` can be a facility's code, and `KZ001` is what they use instead.
    let sites = ["ALM", "AST", "KZ001"].map(str::to_owned);
    let donors = donors(ChaCha20Rng::seed_from_u64(4), TODAY, &sites, 300).unwrap();
    let mut dins = HashSet::new();
    let mut count = 0;
    for resource in donors.flat_map(|donor| donor.resources) {
        if let Resource::Specimen(specimen) = resource {
            count += 1;
            dins.extend(specimen.accession_identifier.and_then(|din| din.value));
        }
    }
    assert!(count > 300);
    assert_eq!(dins.len(), count);
}

#[test]
fn runs_beside_one_another_share_nothing() {
    let mut ids = HashSet::new();
    let mut numbers = HashSet::new();
    let tomorrow = TODAY.tomorrow().unwrap();
    for (seed, today) in [(20, TODAY), (21, TODAY), (22, TODAY), (20, tomorrow)] {
        let sites = ["KZ001".to_owned()];
        let run = donors(ChaCha20Rng::seed_from_u64(seed), today, &sites, 400).unwrap();
        for resource in run.flat_map(|donor| donor.resources) {
            assert!(ids.insert((resource.resource_type(), resource.id().to_owned())));
            let own = match &resource {
                Resource::Patient(patient) => patient.identifier.as_slice(),
                Resource::Specimen(specimen) => specimen.accession_identifier.as_slice(),
                _ => &[],
            };
            for identifier in own {
                let number = (identifier.system.clone(), identifier.value.clone());
                assert!(numbers.insert(number.clone()), "{number:?}");
            }
        }
    }
}

#[test]
fn numbers_stay_unique_when_birthdays_come_round_again() {
    let mut run = run(9, 1);
    let rounds = 3;
    let mut seen = HashSet::new();
    let total = run.birthdays * rounds;
    let found = (0..total)
        .filter_map(|i| run.number(i, Sex::Female))
        .filter(|(_, iin)| seen.insert(*iin))
        .count();
    assert_eq!(found as u64, total);
}

#[test]
fn what_cannot_be_made_has_a_code() {
    let make = |sites: &[String], count, today| {
        donors(ChaCha20Rng::seed_from_u64(1), today, sites, count)
            .err()
            .map(|e| e.code())
    };
    let sites = ["KZ001".to_owned()];
    assert_eq!(make(&[], 1, TODAY), Some("seed-no-site"));
    assert_eq!(make(&sites, u64::MAX, TODAY), Some("seed-too-many"));
    assert_eq!(
        make(&sites, 1, Date::constant(1850, 1, 1)),
        Some("seed-today")
    );
    assert_eq!(make(&sites, 1_000_000, TODAY), None);
    assert_eq!(run(1, 0).count(), 0);
}
