//! What the labels of a donation's components say beside what was determined of its donor.

use super::Part;
use crate::{
    blood::{BloodGroup, Determined},
    component::Component,
    donor::{conflict, determinations},
    fhir::Resource,
    isbt128::Din,
    source::Source,
};

/// What was determined of everybody who is named as the donor.
pub(crate) fn determined<'a>(
    donors: impl IntoIterator<Item = &'a String>,
    resources: &[Resource],
) -> Vec<(BloodGroup, Source)> {
    let donors = donors.into_iter();
    donors
        .flat_map(|id| determinations(id, resources))
        .collect()
}

/// Notes where the label of a component that bears the number does not say the donor's group. Its group is then the safer value of all
/// that is known, as of a label that contradicts itself. A pool that bears another number has the group of nobody, and is left as it is.
pub(crate) fn compare(din: Din, parts: &mut [Part], determined: &[(BloodGroup, Source)]) {
    let own = parts.iter_mut();
    for part in own.filter(|part| part.component.din == Some(din)) {
        let labels = labels(&part.component);
        // Where determinations disagree, a label with the safer value is right; where none is safe, none is.
        let safer = joined(determined).group;
        let expected = safer.map_or_else(|| values(determined), |group| vec![group]);
        let both = [values(&labels), expected].concat();
        if labels.is_empty() || Determined::from_groups(&both).conflict.is_empty() {
            continue;
        }
        let all = [labels, determined.to_vec()].concat();
        let all_joined = joined(&all);
        part.blood_conflict = conflict(&all_joined, &all);
        part.component.blood = all_joined.group;
        part.component.blood_conflict = all_joined.conflict;
    }
}

/// What a label says, with the component as its source.
fn labels(component: &Component) -> Vec<(BloodGroup, Source)> {
    let source = Source {
        date: None,
        din: None,
        laboratory: None,
        record: component.id.clone(),
    };
    let one = component
        .blood
        .filter(|_| component.blood_conflict.is_empty());
    let said = component.blood_conflict.iter().copied().chain(one);
    said.map(|group| (group, source.clone())).collect()
}

fn joined(found: &[(BloodGroup, Source)]) -> Determined {
    Determined::from_groups(&values(found))
}

fn values(found: &[(BloodGroup, Source)]) -> Vec<BloodGroup> {
    found.iter().map(|(group, _)| *group).collect()
}
