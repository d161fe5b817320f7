//! Reading the parts of a recipient's card out of many resources. What is not understood is left out of every part, and counted.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{Antibody, Reaction, Request, Transfusion};
use crate::{
    blood::BloodGroup,
    component::{Component, Product},
    fhir::{
        AdverseEvent, FhirDate, Observation, Procedure, Quantity, Reference, Resource,
        ServiceRequest, shown_day, system,
    },
    source::{self, Source, Sources, disagreement},
};

/// Resources about one person whose values may be shown.
fn about<'a>(id: &'a str, resources: &'a [Resource]) -> impl Iterator<Item = &'a Resource> {
    resources
        .iter()
        .filter(move |r| r.patient_id() == Some(id) && !r.not_understood())
}

pub(super) fn not_understood(id: &str, resources: &[Resource]) -> u64 {
    let modified = resources
        .iter()
        .filter(|r| r.patient_id() == Some(id) && r.is_unclear());
    modified.count() as u64
}

fn findings<'a>(id: &'a str, resources: &'a [Resource]) -> impl Iterator<Item = &'a Observation> {
    about(id, resources).filter_map(|r| match r {
        Resource::Observation(found) if found.counts() => Some(found),
        _ => None,
    })
}

pub(super) fn groups(id: &str, resources: &[Resource]) -> Vec<BloodGroup> {
    findings(id, resources)
        .flat_map(Observation::blood_groups)
        .collect()
}

/// Every determination of the group, with its source.
pub(super) fn determinations(id: &str, resources: &[Resource]) -> Vec<(BloodGroup, Source)> {
    source::groups(findings(id, resources), &Sources::read(resources))
}

pub(super) fn antibodies(id: &str, resources: &[Resource]) -> Vec<Antibody> {
    let sources = Sources::read(resources);
    let mut found: BTreeMap<&str, Vec<(bool, Source)>> = BTreeMap::new();
    let looked_for = findings(id, resources)
        .flat_map(|finding| finding.component.iter().map(move |part| (finding, part)));
    for (finding, component) in looked_for {
        let Some(code) = component.code.code_in(system::ANTIBODY) else {
            continue;
        };
        for present in component.found() {
            let results = found.entry(code).or_default();
            results.push((present, sources.of(finding)));
        }
    }
    let mut found: Vec<Antibody> = found
        .into_iter()
        .map(|(code, results)| Antibody {
            code: code.to_owned(),
            present: results.iter().any(|(present, _)| *present),
            conflict: disagreement(&results),
        })
        .collect();
    found.sort_by_key(|antibody| !antibody.present);
    found
}

fn orders<'a>(id: &'a str, resources: &'a [Resource]) -> impl Iterator<Item = &'a ServiceRequest> {
    about(id, resources).filter_map(|r| match r {
        Resource::ServiceRequest(request) if request.status != "entered-in-error" => Some(request),
        _ => None,
    })
}

pub(super) fn requirements(id: &str, resources: &[Resource]) -> Vec<String> {
    let found: BTreeSet<&str> = orders(id, resources)
        .flat_map(ServiceRequest::requirements)
        .collect();
    found.into_iter().map(ToOwned::to_owned).collect()
}

pub(super) fn requests(id: &str, resources: &[Resource]) -> Vec<Request> {
    let names: HashMap<&str, &str> = resources
        .iter()
        .filter_map(|r| match r {
            Resource::Organization(o) if !r.not_understood() => {
                Some((o.id.as_str(), o.name.as_deref()?))
            }
            _ => None,
        })
        .collect();
    let name = |by: &Reference| {
        let known = by.id_of("Organization").and_then(|id| names.get(id));
        known
            .map(ToString::to_string)
            .or_else(|| by.display.clone())
    };
    let mut found: Vec<Request> = orders(id, resources)
        .map(|request| Request {
            id: request.id.clone(),
            product: request
                .product()
                .map(Product::from_code)
                .unwrap_or_default(),
            quantity: request
                .quantity_quantity
                .as_ref()
                .and_then(Quantity::number),
            status: request.status.clone(),
            priority: request.priority.clone(),
            date: request
                .occurrence_date_time
                .as_deref()
                .or(request.authored_on.as_deref())
                .map(shown_day),
            organization: request.requester.as_ref().and_then(name),
        })
        .collect();
    found.sort_by(|a, b| latest(b.date.as_deref(), &b.id).cmp(&latest(a.date.as_deref(), &a.id)));
    found
}

/// Components that are here, and may be shown or at least traced.
fn components(resources: &[Resource]) -> HashMap<&str, Component> {
    resources
        .iter()
        .filter_map(|r| match r {
            Resource::BiologicallyDerivedProduct(product) => {
                Some((product.id.as_str(), Component::read(product)))
            }
            _ => None,
        })
        .collect()
}

fn events<'a>(id: &'a str, resources: &'a [Resource]) -> impl Iterator<Item = &'a AdverseEvent> {
    about(id, resources).filter_map(|r| match r {
        Resource::AdverseEvent(event)
            if event.status != "entered-in-error" && event.actuality == "actual" =>
        {
            Some(event)
        }
        _ => None,
    })
}

fn given<'a>(id: &'a str, resources: &'a [Resource]) -> impl Iterator<Item = &'a Procedure> {
    // One that was stopped, or goes on, brought blood too.
    about(id, resources).filter_map(|r| match r {
        Resource::Procedure(procedure)
            if procedure.is_transfusion()
                && matches!(
                    procedure.status.as_str(),
                    "completed" | "in-progress" | "stopped" | "on-hold" | "unknown"
                ) =>
        {
            Some(procedure)
        }
        _ => None,
    })
}

pub(super) fn transfusions(id: &str, resources: &[Resource]) -> Vec<Transfusion> {
    let components = components(resources);
    let mut suspected: HashMap<&str, String> = HashMap::new();
    for event in events(id, resources) {
        for component in event.components() {
            suspected.entry(component).or_insert_with(|| code(event));
        }
    }
    let mut found: Vec<Transfusion> = given(id, resources)
        .flat_map(|procedure| {
            let date = procedure.occurred().map(shown_day).unwrap_or_default();
            procedure.components().map(move |id| (date.clone(), id))
        })
        .map(|(date, id)| {
            let known = components.get(id);
            Transfusion {
                date,
                component: id.to_owned(),
                number: known.and_then(|c| c.number.clone()),
                din: known.and_then(|c| c.din),
                product: known.filter(|c| !c.not_understood).map(|c| c.product),
                reaction: suspected.get(id).cloned(),
            }
        })
        .collect();
    found.sort_by(|a, b| {
        latest(Some(&b.date), &b.component).cmp(&latest(Some(&a.date), &a.component))
    });
    found.dedup();
    found
}

pub(super) fn reactions(id: &str, resources: &[Resource]) -> Vec<Reaction> {
    let components = components(resources);
    let mut found: Vec<(&str, Reaction)> = events(id, resources)
        .map(|event| {
            let component = event.components().next();
            let known = component.and_then(|id| components.get(id));
            let reaction = Reaction {
                date: event
                    .occurrence_date_time
                    .as_deref()
                    .or(event.recorded_date.as_deref())
                    .map(shown_day),
                code: code(event),
                seriousness: event
                    .seriousness
                    .as_ref()
                    .and_then(|s| s.code_in(system::SERIOUSNESS))
                    .map(ToOwned::to_owned),
                component: component.map(ToOwned::to_owned),
                number: known.and_then(|c| c.number.clone()),
                din: known.and_then(|c| c.din),
            };
            (event.id.as_str(), reaction)
        })
        .collect();
    found.sort_by(|(a_id, a), (b_id, b)| {
        latest(b.date.as_deref(), b_id).cmp(&latest(a.date.as_deref(), a_id))
    });
    found.into_iter().map(|(_, reaction)| reaction).collect()
}

fn code(event: &AdverseEvent) -> String {
    let Some(code) = &event.code else {
        return String::new();
    };
    let known = code.code_in(system::REACTION).map(ToOwned::to_owned);
    let words = || {
        code.text
            .clone()
            .or_else(|| code.coding.iter().find_map(|c| c.display.clone()))
    };
    known.or_else(words).unwrap_or_default()
}

/// Sorts by day, what has none first; then by id, so that the order is always the same.
fn latest<'a>(date: Option<&str>, id: &'a str) -> (Option<jiff::civil::Date>, &'a str) {
    (date.and_then(FhirDate::parse).map(|date| date.first), id)
}
