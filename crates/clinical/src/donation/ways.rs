//! Issues, transfusions and reactions by component.

use std::collections::{BTreeMap, HashMap, HashSet};

use jiff::civil::Date;

use super::{Gone, GoneKind, Named};
use crate::{
    donor::Person,
    fhir::{
        AdverseEvent, BiologicallyDerivedProductDispense, FhirDate, Procedure, Reference, Resource,
        system,
    },
};

/// Where all components went.
pub(crate) struct Ways<'a> {
    people: HashMap<&'a str, Person>,
    names: HashMap<(&'static str, &'a str), String>,
    issues: BTreeMap<&'a str, Vec<&'a BiologicallyDerivedProductDispense>>,
    transfusions: BTreeMap<&'a str, Vec<&'a Procedure>>,
    reactions: BTreeMap<&'a str, Vec<&'a AdverseEvent>>,
    /// Components of which an issue or a transfusion says something that is not understood.
    unclear: HashSet<&'a str>,
}

/// Somebody who received a component, for whom it was handed over, or whose reaction it may have caused.
pub(crate) struct Way {
    pub(crate) recipient: String,
    pub(crate) transfused: bool,
    /// As written: of the transfusion, else of the issue.
    pub(crate) at: Option<String>,
    pub(crate) organization: Option<String>,
    /// Code of the graver reaction for which the component is suspected.
    pub(crate) reaction: Option<String>,
}

impl<'a> Ways<'a> {
    /// Reads what is understood.
    pub(crate) fn read(resources: &'a [Resource]) -> Self {
        let mut ways = Self {
            people: HashMap::new(),
            names: HashMap::new(),
            issues: BTreeMap::new(),
            transfusions: BTreeMap::new(),
            reactions: BTreeMap::new(),
            unclear: HashSet::new(),
        };
        for resource in resources {
            match resource {
                // Who it is is shown even so.
                Resource::Patient(patient) => {
                    ways.people
                        .extend(Person::read(patient).map(|person| (patient.id.as_str(), person)));
                }
                Resource::BiologicallyDerivedProductDispense(issue)
                    if resource.not_understood() && issue.status != "entered-in-error" =>
                {
                    ways.unclear.extend(issue.product_id());
                }
                Resource::Procedure(procedure)
                    if resource.not_understood() && procedure.status != "entered-in-error" =>
                {
                    ways.unclear.extend(procedure.components());
                }
                _ if resource.not_understood() => {}
                Resource::Organization(place) => {
                    ways.name("Organization", &place.id, place.name.as_deref());
                }
                Resource::BiologicallyDerivedProductDispense(issue)
                    if matches!(issue.status.as_str(), "issued" | "unknown") =>
                {
                    if let Some(id) = issue.product_id() {
                        ways.issues.entry(id).or_default().push(issue);
                    }
                }
                // One that was stopped, or goes on, brought blood too.
                Resource::Procedure(procedure)
                    if procedure.is_transfusion()
                        && !matches!(
                            procedure.status.as_str(),
                            "preparation" | "not-done" | "entered-in-error"
                        ) =>
                {
                    for id in procedure.components() {
                        ways.transfusions.entry(id).or_default().push(procedure);
                    }
                }
                Resource::AdverseEvent(event)
                    if event.status != "entered-in-error" && event.actuality == "actual" =>
                {
                    for id in event.components() {
                        ways.reactions.entry(id).or_default().push(event);
                    }
                }
                _ => {}
            }
        }
        ways.places(resources);
        ways
    }

    /// A place is called as whose place it is, a request as who asked: their names are known by now.
    fn places(&mut self, resources: &'a [Resource]) {
        for resource in resources.iter().filter(|r| !r.not_understood()) {
            match resource {
                Resource::Location(place) => {
                    let owner = place.managing_organization.as_ref();
                    let name = owner.and_then(|owner| self.called(owner));
                    let name = name.or_else(|| place.name.clone());
                    self.name("Location", &place.id, name.as_deref());
                }
                Resource::ServiceRequest(request) => {
                    let name = request.requester.as_ref().and_then(|by| self.called(by));
                    self.name("ServiceRequest", &request.id, name.as_deref());
                }
                _ => {}
            }
        }
    }

    fn name(&mut self, kind: &'static str, id: &'a str, name: Option<&str>) {
        self.names
            .extend(name.map(|name| ((kind, id), name.to_owned())));
    }

    fn called(&self, reference: &Reference) -> Option<String> {
        ["Organization", "Location", "ServiceRequest"]
            .into_iter()
            .find_map(|kind| self.names.get(&(kind, reference.id_of(kind)?)).cloned())
            .or_else(|| reference.display.clone())
    }

    /// Where a component went: the latest transfusion, else the latest issue.
    pub(crate) fn gone(&self, component: &str) -> Option<Gone> {
        let way = self.left(component).into_iter().next()?;
        Some(Gone {
            kind: if way.transfused {
                GoneKind::Transfused
            } else {
                GoneKind::Issued
            },
            at: way.at,
            recipient: Named {
                name: self.person(&way.recipient).map(Person::full_name),
                id: way.recipient,
            },
            organization: way.organization,
        })
    }

    /// Whether an issue or a transfusion of a component is not understood: it may have gone elsewhere, or to somebody else too.
    pub(crate) fn is_unclear(&self, component: &str) -> bool {
        self.unclear.contains(component)
    }

    /// Somebody's record, if it is here.
    pub(crate) fn person(&self, id: &str) -> Option<&Person> {
        self.people.get(id)
    }

    /// Everybody whom a component may have reached: transfusions first, the latest of them first. Whoever reacted to it comes last if
    /// neither a transfusion nor an issue says so.
    pub(crate) fn all(&self, component: &str) -> Vec<Way> {
        let mut ways = self.left(component);
        let mut reacted: Vec<&str> = listed(&self.reactions, component)
            .filter_map(|event| event.subject.id_of("Patient"))
            .filter(|id| ways.iter().all(|way| way.recipient != *id))
            .collect();
        reacted.sort_unstable();
        reacted.dedup();
        ways.extend(reacted.into_iter().map(|recipient| Way {
            recipient: recipient.to_owned(),
            transfused: false,
            at: None,
            organization: None,
            reaction: None,
        }));
        for way in &mut ways {
            way.reaction = self.reaction(component, &way.recipient);
        }
        ways
    }

    /// Everybody to whom a transfusion or an issue leads.
    fn left(&self, component: &str) -> Vec<Way> {
        let mut ways: BTreeMap<&str, Way> = BTreeMap::new();
        for procedure in listed(&self.transfusions, component) {
            let Some(recipient) = procedure.subject.id_of("Patient") else {
                continue;
            };
            let place = procedure.based_on.iter().find_map(|by| self.called(by));
            let at = procedure.occurred();
            note(&mut ways, (recipient, true), at, place);
        }
        for issue in listed(&self.issues, component) {
            let Some(recipient) = issue.patient.id_of("Patient") else {
                continue;
            };
            let place = issue.destination.as_ref().and_then(|to| self.called(to));
            let place = place.or_else(|| issue.based_on.iter().find_map(|by| self.called(by)));
            let at = issue.when_handed_over.as_deref();
            note(&mut ways, (recipient, false), at, place);
        }
        let mut ways: Vec<Way> = ways.into_values().collect();
        ways.sort_by(|a, b| {
            let (of_a, of_b) = (a.at.as_deref(), b.at.as_deref());
            let latest = (b.transfused, of_b.and_then(moment), &a.recipient);
            latest.cmp(&(a.transfused, of_a.and_then(moment), &b.recipient))
        });
        ways
    }

    fn reaction(&self, component: &str, recipient: &str) -> Option<String> {
        listed(&self.reactions, component)
            .filter(|event| event.subject.id_of("Patient") == Some(recipient))
            .min_by_key(|event| (!is_serious(event), event.id.as_str()))
            .map(code)
    }
}

/// One entry for each recipient: of the latest transfusion, else of the latest issue.
fn note<'a>(
    ways: &mut BTreeMap<&'a str, Way>,
    (recipient, transfused): (&'a str, bool),
    at: Option<&str>,
    organization: Option<String>,
) {
    let way = ways.entry(recipient).or_insert_with(|| Way {
        recipient: recipient.to_owned(),
        transfused,
        at: None,
        organization: None,
        reaction: None,
    });
    way.organization = way.organization.take().or(organization);
    let is_later = at.and_then(moment) > way.at.as_deref().and_then(moment);
    if way.transfused == transfused && (way.at.is_none() || is_later) {
        way.at = at.map(ToOwned::to_owned);
    }
}

fn listed<T: Copy>(by: &BTreeMap<&str, Vec<T>>, component: &str) -> impl Iterator<Item = T> {
    by.get(component).into_iter().flatten().copied()
}

fn is_serious(event: &AdverseEvent) -> bool {
    let seriousness = event.seriousness.as_ref();
    seriousness.is_some_and(|s| s.code_in(system::SERIOUSNESS) == Some("serious"))
}

fn code(event: &AdverseEvent) -> String {
    let Some(code) = &event.code else {
        return String::new();
    };
    let known = code.code_in(system::REACTION).map(ToOwned::to_owned);
    let words = code.text.clone();
    let display = || code.coding.iter().find_map(|c| c.display.clone());
    known.or(words).or_else(display).unwrap_or_default()
}

/// By day, then as written.
fn moment(written: &str) -> Option<(Date, &str)> {
    FhirDate::parse(written).map(|date| (date.first, written))
}
