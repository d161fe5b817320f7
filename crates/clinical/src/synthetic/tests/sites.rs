//! Ids that are made of a site's code: a code may have what no FHIR id has.

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::fhir::is_id;

/// Every `reference` within.
fn references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            let named = map.get("reference").and_then(Value::as_str);
            found.extend(named.map(ToOwned::to_owned));
            map.values().for_each(|value| references(value, found));
        }
        Value::Array(list) => list.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

#[test]
fn every_site_has_resources_that_are_read_and_lead_to_one_another() {
    let codes = ["ALM_1", "ALM.1", "KZ001"].map(str::to_owned);
    let donors = donors(ChaCha20Rng::seed_from_u64(6), TODAY, &codes, 150).unwrap();
    let places = codes.iter().flat_map(|code| {
        let organization = organization(code, "Қан орталығы");
        let hospitals = hospitals(code).into_iter();
        hospitals
            .chain([organization])
            .map(|place| (code.clone(), place))
    });
    let people = donors.flat_map(|donor| {
        let site = donor.site;
        let resources = donor.resources.into_iter();
        resources.map(move |resource| (site.clone(), resource))
    });
    let (mut ids, mut named) = (HashSet::new(), Vec::new());
    for (site, resource) in places.chain(people) {
        let line = resource.to_line().unwrap();
        let read = Record::parse_line(line.as_bytes()).unwrap().resource;
        assert_eq!(read, resource);
        assert_eq!(read.site(), Some(site.as_str()), "the code itself");
        let id = format!("{}/{}", read.resource_type(), read.id());
        assert!(ids.insert(id.clone()), "{id}");
        references(&serde_json::from_str(&line).unwrap(), &mut named);
    }
    for id in ["ALM.1--2", "h-ALM.1--2-1", "ALM.1", "h-ALM.1-1", "KZ001"] {
        assert!(ids.contains(&format!("Organization/{id}")), "{id}");
        assert!(named.contains(&format!("Organization/{id}")), "{id}");
    }
    for reference in named {
        assert!(ids.contains(&reference), "{reference}");
    }
}

proptest! {
    #[test]
    fn every_code_has_an_id_of_its_own(one in "[A-Z0-9._-]{1,32}", other in "[._]{1,6}") {
        for code in [&one, &other] {
            prop_assert!(is_id(&site_id(code)) && is_id(&hospital_id(code, 1)), "{}", code);
            prop_assert!(code.contains('_') || site_id(code) == *code);
        }
        let twin = other.replacen('_', ".", 1);
        prop_assert_eq!(site_id(&twin) == site_id(&other), twin == other);
    }
}
