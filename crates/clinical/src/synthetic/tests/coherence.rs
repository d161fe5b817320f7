//! What the synthetic centre says fits together: every reference leads somewhere, nothing happens before its cause, and nobody gets
//! what does not suit them unless it is marked.

use proptest::prelude::*;

use super::*;
use crate::{
    blood::{Abo, Antigen, BloodGroup, Determined},
    fhir::{
        AdverseEvent, BiologicallyDerivedProduct, BiologicallyDerivedProductDispense, Flag,
        Observation, Procedure, ServiceRequest,
    },
    laboratory::Screening,
    lookback,
};

/// A whole run by type and id.
#[derive(Default)]
struct Centre {
    patients: HashMap<String, Patient>,
    findings: HashMap<String, Vec<Observation>>,
    flags: HashMap<String, Vec<Flag>>,
    procedures: HashMap<String, Procedure>,
    components: HashMap<String, BiologicallyDerivedProduct>,
    requests: HashMap<String, ServiceRequest>,
    issues: HashMap<String, BiologicallyDerivedProductDispense>,
    transfusions: HashMap<String, Procedure>,
    reactions: HashMap<String, AdverseEvent>,
}

impl Centre {
    fn of(seed: u64, count: u64) -> Self {
        let mut centre = Self::default();
        let mut ids = HashSet::new();
        for resource in run(seed, count).flat_map(|d| d.resources) {
            let person = resource.patient_id().unwrap().to_owned();
            assert!(ids.insert((resource.resource_type(), resource.id().to_owned())));
            // Whoever a resource is about was there before it.
            let is_person = matches!(resource, Resource::Patient(_));
            assert!(is_person || centre.patients.contains_key(&person));
            match resource {
                Resource::Patient(r) => drop(centre.patients.insert(person, r)),
                Resource::Observation(r) => centre.findings.entry(person).or_default().push(r),
                Resource::Flag(r) => centre.flags.entry(person).or_default().push(r),
                Resource::Procedure(r) if r.is_transfusion() => {
                    let used: Vec<_> = r.components().map(ToOwned::to_owned).collect();
                    let [component] = used.as_slice() else {
                        panic!("{used:?}")
                    };
                    let twice = centre.transfusions.insert(component.clone(), r);
                    assert!(twice.is_none(), "transfused twice");
                }
                Resource::Procedure(r) => drop(centre.procedures.insert(r.id.clone(), r)),
                Resource::BiologicallyDerivedProduct(r) => {
                    drop(centre.components.insert(r.id.clone(), r));
                }
                Resource::ServiceRequest(r) => drop(centre.requests.insert(r.id.clone(), r)),
                Resource::BiologicallyDerivedProductDispense(r) => {
                    let component = r.product_id().unwrap().to_owned();
                    assert!(centre.issues.insert(component, r).is_none(), "issued twice");
                }
                Resource::AdverseEvent(r) => {
                    let component = r.components().next().unwrap().to_owned();
                    drop(centre.reactions.insert(component, r));
                }
                Resource::Specimen(_) | Resource::Organization(_) | Resource::Location(_) => {}
            }
        }
        centre
    }

    fn group(&self, person: &str) -> Determined {
        let found = self.findings.get(person).into_iter().flatten();
        let groups: Vec<_> = found.flat_map(Observation::blood_groups).collect();
        Determined::from_groups(&groups)
    }
}

fn day(text: Option<&str>) -> Date {
    text.unwrap()[..10].parse().unwrap()
}

/// Whether red cells or plasma of one group may go to a person of another, written down once more and by other means.
fn compatible(is_red: bool, from: BloodGroup, to: &Determined, anti_k: bool) -> bool {
    let antigens = |abo| match abo {
        Abo::O => "",
        Abo::A => "A",
        Abo::B => "B",
        Abo::AB => "AB",
    };
    let within = |few: &str, many: &str| few.chars().all(|c| many.contains(c));
    let Some(group) = to.group else { return false };
    let (given, own) = (antigens(from.abo), antigens(group.abo));
    if !is_red {
        return within(own, given);
    }
    // The safer value for a recipient is negative.
    let doubt = to.conflict.iter().any(|g| g.rh == Antigen::Negative);
    let positive = group.rh == Antigen::Positive && !doubt;
    within(given, own)
        && (positive || from.rh == Antigen::Negative)
        && (!anti_k || from.kell == Some(Antigen::Negative))
}

fn check(centre: &Centre) {
    let mut numbers = HashSet::new();
    let dins: HashMap<&str, &Procedure> = centre
        .procedures
        .values()
        .filter_map(|p| Some((Identifier::find(&p.identifier, system::DIN)?, p)))
        .collect();
    for (id, unit) in &centre.components {
        let din = unit.din().unwrap();
        assert!(Din::parse(din).is_ok());
        assert!(numbers.insert(unit.component().unwrap()));
        let donation = dins[din];
        let donor = unit.donor_id().unwrap();
        assert_eq!(donation.subject.id_of("Patient"), Some(donor));
        assert!(!centre.patients[donor].is_recipient());
        for parent in unit.parents() {
            let parent = &centre.components[parent];
            assert_eq!(
                (parent.din(), parent.status()),
                (Some(din), Some("processed"))
            );
        }
        let label = unit.blood_groups().next().unwrap();
        let known = centre.group(donor).group.unwrap();
        assert_eq!(label.code(), known.code(), "the label says the safer value");

        let drawn = day(donation.occurred());
        let expires = day(unit.expiration_date.as_deref());
        let released = drawn.checked_add(2.days()).unwrap();
        let status = unit.status().unwrap();
        assert_eq!(
            centre.transfusions.contains_key(id),
            status == "transfused",
            "{status}"
        );
        assert_eq!(
            centre.issues.contains_key(id),
            ["issued", "transfused"].contains(&status)
        );
        match status {
            "available" | "reserved" => assert!(released <= TODAY && TODAY <= expires),
            "quarantine" => assert!(TODAY < released),
            "expired" => assert!(expires < TODAY),
            _ => {}
        }
        for request in unit
            .request
            .iter()
            .map(|r| r.id_of("ServiceRequest").unwrap())
        {
            let request = &centre.requests[request];
            assert_eq!(request.product(), unit.product());
            assert!(
                day(request.authored_on.as_deref()) <= day(request.occurrence_date_time.as_deref())
            );
        }
        // Nothing of a donor who was found to be infected may be used from that day on.
        let infected = centre
            .flags
            .get(donor)
            .into_iter()
            .flatten()
            .filter(|flag| {
                let reason = flag.code.code_in(system::DEFERRAL);
                INFECTIONS.iter().any(|(code, _)| reason == Some(code))
            });
        for flag in infected {
            let since = day(flag.period.as_ref().unwrap().start.as_deref());
            assert!(!["available", "reserved", "quarantine", "issued"].contains(&status));
            if let Some(given) = centre.transfusions.get(id) {
                assert!(day(given.occurred()) < since);
            }
        }
        let positive = centre.findings[donor].iter().find(|o| {
            o.interpreted() == Some("POS") && o.donation_id() == Some(donation.id.as_str())
        });
        assert!(
            positive.is_none() || ["discarded", "processed"].contains(&status),
            "{status}"
        );
    }
    for donation in centre.procedures.values() {
        let donor = donation.subject.id_of("Patient").unwrap();
        let given = day(donation.occurred());
        for flag in centre.flags.get(donor).into_iter().flatten() {
            let period = flag.period.as_ref().unwrap();
            let ended = period.end.is_some() && day(period.end.as_deref()) < given;
            let is_outside = ended || given < day(period.start.as_deref());
            // Who is deferred comes at most to be sent home.
            assert!(
                is_outside || donation.status == "not-done",
                "{given} {period:?}"
            );
        }
    }
    for (component, issue) in &centre.issues {
        check_issue(centre, component, issue, &dins);
    }
    for (component, event) in &centre.reactions {
        assert_eq!(event.subject, centre.transfusions[component].subject);
    }
}

fn check_issue(
    centre: &Centre,
    component: &str,
    issue: &BiologicallyDerivedProductDispense,
    dins: &HashMap<&str, &Procedure>,
) {
    let unit = &centre.components[component];
    let person = issue.patient.id_of("Patient").unwrap();
    assert!(centre.patients[person].is_recipient());
    let handed = day(issue.when_handed_over.as_deref());
    let drawn = day(dins[unit.din().unwrap()].occurred());
    assert!(drawn < handed && handed < TODAY, "{drawn} {handed}");
    assert!(handed <= day(unit.expiration_date.as_deref()));
    let findings = &centre.findings[person];
    assert!(
        findings
            .iter()
            .all(|o| day(o.effective_date_time.as_deref()) < handed)
    );
    if let Some(given) = centre.transfusions.get(component) {
        assert_eq!(given.subject, issue.patient);
        assert!(given.occurred().unwrap() > issue.when_handed_over.as_deref().unwrap());
    }
    let anti_k = findings.iter().flat_map(|o| &o.component).any(|part| {
        part.code.code_in(system::ANTIBODY) == Some("anti-K") && part.found().contains(&true)
    });
    // The label has no Kell: the donor's determination does.
    let from = centre.group(unit.donor_id().unwrap()).group.unwrap();
    let is_red = unit.product().unwrap().starts_with("red-cells");
    let fits = compatible(is_red, from, &centre.group(person), anti_k);
    let marked = issue.match_status.as_ref().unwrap().code_in(system::MATCH);
    assert_eq!(
        marked,
        Some(if fits { "compatible" } else { "incompatible" })
    );
    if !fits && centre.transfusions.contains_key(component) {
        let seriousness = centre.reactions[component].seriousness.as_ref().unwrap();
        assert_eq!(seriousness.code_in(system::SERIOUSNESS), Some("serious"));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn every_centre_is_coherent(seed in any::<u64>(), count in 1_u64..160) {
        let centre = Centre::of(seed, count);
        check(&centre);
        let recipients = centre.patients.values().filter(|p| p.is_recipient()).count();
        prop_assert_eq!(recipients as u64, count.div_ceil(DONORS_PER_RECIPIENT));
        let numbers: HashSet<_> = centre
            .patients
            .values()
            .map(|p| Identifier::find(&p.identifier, system::IIN).unwrap())
            .collect();
        prop_assert_eq!(numbers.len(), centre.patients.len());
    }
}

#[test]
fn a_small_centre_has_a_conflict_and_a_lookback() {
    for (seed, count, sites) in (1..7).flat_map(|seed| {
        let counts = [20, 50, 100].into_iter();
        counts.map(move |count| (seed, count, 1 + seed % 3))
    }) {
        let sites: Vec<_> = (1..=sites).map(|site| format!("KZ00{site}")).collect();
        let donors = donors(ChaCha20Rng::seed_from_u64(seed), TODAY, &sites, count).unwrap();
        let resources: Vec<Resource> = donors.flat_map(|donor| donor.resources).collect();
        let mut people = resources.iter().filter_map(|r| match r {
            Resource::Patient(patient) if !patient.is_recipient() => Some(&patient.id),
            _ => None,
        });
        let is_disputed = |id: &String| Summary::assemble(id, &resources).unwrap().blood_conflict;
        assert!(people.any(is_disputed), "{seed} {count}");
        let mut dins = resources.iter().filter_map(|r| match r {
            Resource::Procedure(donation) => donation.din(),
            _ => None,
        });
        let reached_somebody = |din| {
            let facts = lookback::Facts::assemble(din, &resources).unwrap();
            let mut parts = facts.components.iter();
            assert!(parts.all(|part| part.blood_conflict.is_empty()), "{din}");
            let later = facts.reason.filter(Screening::is_positive);
            let later = later.is_some_and(|screening| Some(screening.date) > facts.date);
            later && facts.reached.iter().any(|reached| reached.transfused)
        };
        assert!(dins.any(reached_somebody), "{seed} {count}");
    }
}

#[test]
fn a_large_centre_has_every_case() {
    let centre = Centre::of(11, 6_000);
    check(&centre);
    let mut statuses: HashMap<&str, u32> = HashMap::new();
    let mut products: HashMap<&str, u32> = HashMap::new();
    for unit in centre.components.values() {
        *statuses.entry(unit.status().unwrap()).or_default() += 1;
        *products.entry(unit.product().unwrap()).or_default() += 1;
    }
    for status in [
        "quarantine",
        "available",
        "reserved",
        "issued",
        "transfused",
        "discarded",
        "expired",
        "recalled",
        "processed",
    ] {
        assert!(
            statuses.get(status).is_some_and(|n| *n > 5),
            "{status}: {statuses:?}"
        );
    }
    for product in [
        "whole-blood",
        "red-cells-sagm",
        "red-cells-cpda1",
        "platelets",
        "ffp",
        "cryo",
    ] {
        assert!(products.contains_key(product), "{products:?}");
    }
    let marked = centre.issues.values().filter(|i| {
        i.match_status.as_ref().unwrap().code_in(system::MATCH) == Some("incompatible")
    });
    assert!((1..60).contains(&marked.count()));
    assert!(!centre.reactions.is_empty());
    let wary = centre
        .requests
        .values()
        .filter(|r| r.requirements().any(|c| c == "k-negative"));
    assert!(wary.count() > 0);
    let doubtful = centre
        .patients
        .values()
        .filter(|p| p.is_recipient() && !centre.group(&p.id).conflict.is_empty());
    assert!(doubtful.count() > 0);
}
