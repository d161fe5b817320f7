//! Invented recipients: who they are, what suits them, and what happens to a component that goes to one.

use jiff::{ToSpan as _, civil::Date};
use rand_core::Rng;

use super::{
    Donors,
    components::Unit,
    laboratory::serology,
    meta, people,
    records::{Donor, blood_group_observation},
    test_meta,
};
use crate::{
    blood::{Abo, Antigen, BloodGroup},
    fhir::{
        AdverseEvent, BiologicallyDerivedProductDispense, CodeableConcept, CodeableReference,
        Coding, HumanName, Identifier, Meta, Observation, OrderDetail, OrderParameter, Patient,
        Period, Procedure, Quantity, RECIPIENT, Reference, Resource, ServiceRequest, SuspectEntity,
        TRANSFUSION, system,
    },
    iin::Sex,
};

/// At most so many recipients of a site wait for components at once.
pub(super) const WAITING: usize = 12;

/// A recipient to whom components still go.
#[derive(Debug, Clone)]
pub(super) struct Recipient {
    pub(super) id: String,
    /// The value that is safe for a recipient: RhD negative as soon as one determination says so.
    group: BloodGroup,
    /// Antibodies against K: only K-negative red cells.
    pub(super) anti_k: bool,
    /// How many components still go to them.
    left: u64,
}

/// What becomes of a component at a recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Requested,
    Issued,
    Transfused,
}

impl<R: Rng> Donors<R> {
    /// One more person who needs blood, in the batch of a donor of the same site. They have been known for over two years.
    pub(super) fn recipient(&mut self, one: &mut Donor) {
        let sex = if self.chance(45) {
            Sex::Male
        } else {
            Sex::Female
        };
        let serial = self.recipients;
        self.recipients += 1;
        // Backwards from where the donors begin, so that no donor of this run has the same.
        let last = self.birthdays * super::BLOCKS - 1;
        let Some((birth, iin)) = last
            .checked_sub(serial)
            .and_then(|index| self.number(index, sex))
        else {
            return;
        };
        let name = people::name(sex, &mut |n| self.below(n));
        let key = self.key();
        let id = format!("r-{key}");
        one.others.push(Resource::Patient(Patient {
            id: id.clone(),
            meta: Some(Meta {
                tag: vec![
                    Coding::new(system::SITE, &one.site),
                    Coding::new(system::ROLE, RECIPIENT),
                ],
                ..test_meta(&one.site)
            }),
            identifier: vec![Identifier::new(system::IIN, iin.to_string())],
            active: Some(true),
            name: vec![HumanName {
                use_: Some("official".to_owned()),
                family: Some(name.family),
                given: name.given,
            }],
            gender: Some(if sex == Sex::Male { "male" } else { "female" }.to_owned()),
            birth_date: Some(birth.to_string()),
            managing_organization: Some(Reference::to("Organization", &super::site_id(&one.site))),
            ..Patient::default()
        }));
        let days = 800 + self.below(300) as i64;
        let known = self.ago(days);
        let mut group = self.group();
        let found = |number, group, day| {
            let own = format!("o-{key}-{number}");
            Resource::Observation(blood_group_observation(&own, &one.site, &id, group, day))
        };
        one.others.push(found(1, group, known));
        // Two determinations that disagree: until a person resolves it, the recipient counts as RhD negative.
        if self.below(50) == 0 {
            group.rh = opposite(group.rh);
            let again = known.checked_add(20.days()).unwrap_or(known);
            one.others.push(found(2, group, again));
            group.rh = Antigen::Negative;
        }
        let anti_k = group.kell != Some(Antigen::Positive) && self.chance(6);
        let anti_d = group.rh == Antigen::Negative && self.chance(10);
        let screen = Observation {
            id: format!("o-{key}-antibodies"),
            meta: Some(meta(&one.site)),
            status: "final".to_owned(),
            category: vec![CodeableConcept::of(
                system::OBSERVATION_CATEGORY,
                "laboratory",
            )],
            code: CodeableConcept::of(system::ANTIBODY_SCREEN, "antibody-screen"),
            subject: Reference::to("Patient", &id),
            effective_date_time: Some(known.to_string()),
            component: [
                ("anti-D", anti_d),
                ("anti-K", anti_k),
                ("anti-E", false),
                ("anti-c", false),
            ]
            .into_iter()
            .map(|(antibody, present)| serology(system::ANTIBODY, antibody, present))
            .collect(),
            ..Observation::default()
        };
        one.others.push(Resource::Observation(screen));
        let left = 2 + self.below(6);
        let waiting = self.waiting.entry(one.site_index).or_default();
        if waiting.len() == WAITING {
            waiting.remove(0);
        }
        waiting.push(Recipient {
            id,
            group,
            anti_k,
            left,
        });
    }

    /// Somebody of the site whom the component suits, and whether it does: in one of 150 choices nobody looked.
    pub(super) fn choose(&mut self, site: usize, unit: &Unit) -> Option<(Recipient, bool)> {
        let careless = self.below(150) == 0;
        let waiting = self.waiting.get_mut(&site)?;
        let at = waiting
            .iter()
            .position(|person| careless || person.suits(unit))?;
        let person = waiting.get_mut(at)?;
        person.left -= 1;
        let chosen = person.clone();
        if chosen.left == 0 {
            waiting.remove(at);
        }
        let suits = chosen.suits(unit);
        Some((chosen, suits))
    }

    /// Request, issue, transfusion and sometimes a reaction, as far as it has come.
    pub(super) fn give(
        &mut self,
        one: &mut Donor,
        unit: &Unit,
        (person, suits): (&Recipient, bool),
        day: Date,
        step: Step,
    ) {
        let key = unit.id.trim_start_matches("b-");
        let hospital = super::hospital_id(&one.site, 1 + self.below(super::HOSPITALS));
        let at = |time: &str| format!("{day}T{time}:00+05:00");
        let component = Reference::to("BiologicallyDerivedProduct", &unit.id);
        let subject = Reference::to("Patient", &person.id);
        let request = Reference::to("ServiceRequest", &format!("q-{key}"));
        let asked = day.checked_sub(1.days()).unwrap_or(day);
        let priority = match self.below(10) {
            0 => "stat",
            1..3 => "urgent",
            _ => "routine",
        };
        let one_unit = Quantity {
            value: Some(1.into()),
            ..Quantity::default()
        };
        one.others.push(Resource::ServiceRequest(ServiceRequest {
            id: format!("q-{key}"),
            meta: Some(test_meta(&one.site)),
            status: if step == Step::Transfused {
                "completed"
            } else {
                "active"
            }
            .to_owned(),
            intent: "order".to_owned(),
            priority: Some(priority.to_owned()),
            code: Some(CodeableReference {
                concept: Some(CodeableConcept::of(system::PRODUCT, unit.product)),
                reference: None,
            }),
            order_detail: if person.anti_k && unit.is_red() {
                vec![requirement("k-negative")]
            } else {
                Vec::new()
            },
            quantity_quantity: Some(one_unit.clone()),
            subject: subject.clone(),
            occurrence_date_time: Some(day.to_string()),
            authored_on: Some(asked.to_string()),
            requester: Some(Reference::to("Organization", &hospital)),
            ..ServiceRequest::default()
        }));
        if step == Step::Requested {
            return;
        }
        let matched = if suits { "compatible" } else { "incompatible" };
        one.others
            .push(Resource::BiologicallyDerivedProductDispense(
                BiologicallyDerivedProductDispense {
                    id: format!("i-{key}"),
                    meta: Some(test_meta(&one.site)),
                    based_on: vec![request.clone()],
                    status: "issued".to_owned(),
                    match_status: Some(CodeableConcept::of(system::MATCH, matched)),
                    product: component.clone(),
                    patient: subject.clone(),
                    quantity: Some(one_unit),
                    when_handed_over: Some(at("09:00")),
                    destination: Some(Reference::to("Location", &hospital)),
                    ..BiologicallyDerivedProductDispense::default()
                },
            ));
        if step == Step::Issued {
            return;
        }
        one.others.push(Resource::Procedure(Procedure {
            id: format!("t-{key}"),
            meta: Some(test_meta(&one.site)),
            status: "completed".to_owned(),
            code: Some(CodeableConcept::of(system::PROCEDURE, TRANSFUSION)),
            subject: subject.clone(),
            occurrence_period: Some(Period {
                start: Some(at("12:00")),
                end: Some(at("13:30")),
            }),
            based_on: vec![request],
            used: vec![CodeableReference {
                concept: None,
                reference: Some(component.clone()),
            }],
            ..Procedure::default()
        }));
        let reaction = match (suits, self.below(100)) {
            (false, _) => ("hemolytic", "serious"),
            (true, 0..2) => ("fever", "non-serious"),
            (true, 2) => ("allergic", "non-serious"),
            _ => return,
        };
        one.others.push(Resource::AdverseEvent(AdverseEvent {
            id: format!("a-{key}"),
            meta: Some(test_meta(&one.site)),
            status: "completed".to_owned(),
            actuality: "actual".to_owned(),
            code: Some(CodeableConcept::of(system::REACTION, reaction.0)),
            subject,
            occurrence_date_time: Some(at("13:00")),
            recorded_date: Some(at("14:00")),
            seriousness: Some(CodeableConcept::of(system::SERIOUSNESS, reaction.1)),
            suspect_entity: vec![SuspectEntity {
                instance_reference: Some(component),
                ..SuspectEntity::default()
            }],
            ..AdverseEvent::default()
        }));
    }
}

impl Recipient {
    /// Whether a component may go to this person: red cells by the antigens they bring, plasma by the antibodies.
    fn suits(&self, unit: &Unit) -> bool {
        let brings = unit.group;
        if unit.is_red() {
            let abo =
                brings.abo == Abo::O || brings.abo == self.group.abo || self.group.abo == Abo::AB;
            abo && brings.rh <= self.group.rh
                && (!self.anti_k || brings.kell == Some(Antigen::Negative))
        } else {
            brings.abo == Abo::AB || brings.abo == self.group.abo || self.group.abo == Abo::O
        }
    }
}

pub(super) fn opposite(antigen: Antigen) -> Antigen {
    match antigen {
        Antigen::Positive => Antigen::Negative,
        Antigen::Negative => Antigen::Positive,
    }
}

fn requirement(code: &str) -> OrderDetail {
    OrderDetail {
        parameter: vec![OrderParameter {
            code: CodeableConcept::of(system::REQUEST_PARAMETER, "special-requirement"),
            value_codeable_concept: Some(CodeableConcept::of(system::REQUIREMENT, code)),
            ..OrderParameter::default()
        }],
        ..OrderDetail::default()
    }
}
