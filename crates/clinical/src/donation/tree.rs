//! The components of a donation, each under what it was made from. Parents may be missing, more than one, or lead round in a circle.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::{Part, Ways};
use crate::{component::Component, fhir::Resource, isbt128::Din};

/// Every component that bears the number or was made of one that does, each once, parents before children.
pub(crate) fn tree(din: Din, resources: &[Resource], ways: &Ways<'_>) -> Vec<Part> {
    let mut known: BTreeMap<String, Component> = BTreeMap::new();
    for resource in resources {
        if let Resource::BiologicallyDerivedProduct(product) = resource {
            known.insert(product.id.clone(), Component::read(product));
        }
    }
    let mut children: HashMap<&str, Vec<&Component>> = HashMap::new();
    for component in known.values() {
        for parent in &component.parents {
            children.entry(parent).or_default().push(component);
        }
    }
    for siblings in children.values_mut() {
        siblings.sort_by_key(|component| order(component));
        siblings.dedup_by_key(|component| component.id.as_str());
    }
    let mut own: Vec<&Component> = known.values().filter(|c| c.din == Some(din)).collect();
    own.sort_by_key(|component| order(component));
    let is_root = |component: &&&Component| {
        let mut parents = component.parents.iter();
        !parents.any(|id| known.get(id).is_some_and(|parent| parent.din == Some(din)))
    };
    // After the roots whatever is left: it hangs in a circle, which is opened where it is met.
    let starts: Vec<&Component> = own.iter().filter(is_root).chain(&own).copied().collect();
    let mut seen: HashSet<&str> = HashSet::new();
    let mut parts = Vec::new();
    for start in starts {
        // A list in place of calls: nobody says how deep it goes.
        let mut next = vec![(start, None::<&str>, 0)];
        while let Some((component, parent, depth)) = next.pop() {
            if !seen.insert(&component.id) {
                continue;
            }
            parts.push(Part {
                gone_to: ways.gone(&component.id),
                way_unclear: ways.is_unclear(&component.id),
                component: component.clone(),
                blood_conflict: Vec::new(),
                parent: parent.map(ToOwned::to_owned),
                depth,
            });
            let below = children.get(component.id.as_str());
            let below = below.into_iter().flatten().rev();
            next.extend(below.map(|child| (*child, Some(component.id.as_str()), depth + 1)));
        }
    }
    parts
}

/// Whole blood, cells, plasma; then by number.
fn order(component: &Component) -> (crate::component::Product, Option<&str>, &str) {
    (
        component.product,
        component.number.as_deref(),
        &component.id,
    )
}
