//! Donations in the store alone: found by number, through every way, however records came.

use infoblood_clinical::{fhir::system, synthetic};
use jiff::civil::date;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;

use super::*;
use crate::unlocked::tests::{Cache, delete, donation, patient, put};

const DIN: &str = "KZ00126000001";

fn component(id: &str, din: Option<&str>, donor: Option<&str>, parents: &[&str]) -> String {
    let din = din.map_or(String::new(), |din| {
        format!(
            r#""identifier":[{{"system":"{}","value":"{din}"}}],"#,
            system::DIN
        )
    });
    let donor = donor.map_or(String::new(), |id| {
        format!(r#""collection":{{"source":{{"reference":"Patient/{id}"}}}},"#)
    });
    let parents: Vec<String> = parents
        .iter()
        .map(|id| format!(r#"{{"reference":"BiologicallyDerivedProduct/{id}"}}"#))
        .collect();
    put(&format!(
        r#"{{"resourceType":"BiologicallyDerivedProduct","id":"{id}",{din}{donor}"productCode":{{"coding":[{{"system":"urn:infoblood:product","code":"ffp"}}]}},"parent":[{}]}}"#,
        parents.join(",")
    ))
}

fn transfusion(id: &str, recipient: &str, component: &str) -> String {
    put(&format!(
        r#"{{"resourceType":"Procedure","id":"{id}","status":"completed","code":{{"coding":[{{"system":"urn:infoblood:procedure","code":"transfusion"}}]}},"subject":{{"reference":"Patient/{recipient}"}},"basedOn":[{{"reference":"ServiceRequest/q"}}],"occurrenceDateTime":"2026-02-01","used":[{{"reference":{{"reference":"BiologicallyDerivedProduct/{component}"}}}}]}}"#
    ))
}

fn world() -> Vec<String> {
    vec![
        transfusion("t", "r", "k"),
        component("k", None, None, &["c", "a"]),
        component("a", Some(DIN), Some("d"), &["c"]),
        component("c", Some(DIN), None, &["a"]),
        donation("p", "d", DIN),
        patient("d", "Ким", "Яна", ""),
        patient("r", "Қасымова", "Әсел", ""),
        put(
            r#"{"resourceType":"ServiceRequest","id":"q","status":"active","intent":"order","subject":{"reference":"Patient/r"},"requester":{"reference":"Organization/h"}}"#,
        ),
        put(r#"{"resourceType":"Organization","id":"h","name":"№ 1 аурухана"}"#),
        component("x", Some("KZ00126000002"), Some("e"), &[]),
        donation("p2", "e", "KZ00126000002"),
    ]
}

impl Cache {
    async fn gathered(&mut self, din: &str) -> Vec<String> {
        let found = gather(&mut self.connection, Din::parse(din).unwrap());
        let mut ids: Vec<String> = found.await.unwrap().iter().map(|r| r.id().into()).collect();
        ids.sort_unstable();
        ids
    }
}

#[tokio::test]
async fn all_that_belongs_together_and_nothing_else() {
    let mut lines = world();
    for _ in 0..3 {
        let mut cache = Cache::new().await;
        for line in &lines {
            cache.apply(std::slice::from_ref(line)).await;
        }
        assert_eq!(
            cache.gathered(DIN).await,
            ["a", "c", "d", "h", "k", "p", "q", "r", "t"]
        );
        assert_eq!(cache.gathered("KZ00126000003").await, [""; 0]);
        lines.rotate_left(4);
    }
}

#[tokio::test]
async fn what_changed_or_went_is_not_found_by_what_it_was() {
    let mut cache = Cache::new().await;
    cache.apply(&world()).await;
    cache
        .apply(&[
            transfusion("t", "r", "x"),
            delete("BiologicallyDerivedProduct", "k"),
            donation("p", "d", "KZ00126000003"),
        ])
        .await;
    // The donor is still known from a component, and so is all about the donor.
    assert_eq!(cache.gathered(DIN).await, ["a", "c", "d", "p"]);
    let found = gather(&mut cache.connection, Din::parse(DIN).unwrap()).await;
    let facts = lookback::Facts::assemble(Din::parse(DIN).unwrap(), &found.unwrap()).unwrap();
    assert_eq!((facts.reached.len(), facts.date), (0, None));
    assert!(
        cache
            .gathered("KZ00126000002")
            .await
            .contains(&"t".to_owned())
    );
    cache::clear(&mut cache.connection).await.unwrap();
    assert_eq!(cache.gathered("KZ00126000002").await, [""; 0]);
}

#[tokio::test]
async fn every_donation_of_a_synthetic_centre_leads_to_what_was_made_of_it() {
    let today = date(2026, 11, 22);
    let random = ChaCha20Rng::seed_from_u64(4);
    let donors = synthetic::donors(random, today, &["KZ001".to_owned()], 100).unwrap();
    let mut world = synthetic::hospitals("KZ001");
    world.extend(donors.flat_map(|donor| donor.resources));
    let mut cache = Cache::new().await;
    let lines: Vec<String> = world.iter().map(|r| put(&r.to_line().unwrap())).collect();
    for batch in lines.chunks(500) {
        cache.apply(batch).await;
    }
    let (mut donations, mut screened, mut reached) = (0, 0, 0);
    for resource in &world {
        let Resource::Procedure(procedure) = resource else {
            continue;
        };
        let Some(din) = keys(resource)
            .into_iter()
            .find_map(|key| Din::parse(key.strip_prefix('d')?).ok())
        else {
            continue;
        };
        let found = gather(&mut cache.connection, din).await.unwrap();
        let facts = donation::Facts::assemble(din, &found, today, Rules::builtin()).unwrap();
        let whole = donation::Facts::assemble(din, &world, today, Rules::builtin()).unwrap();
        assert_eq!(facts, whole, "the same as from everything there is");
        assert_eq!(
            facts.donor.as_ref().map(|d| d.id.as_str()),
            procedure.subject.id_of("Patient")
        );
        assert_eq!((facts.others.len(), facts.not_understood), (0, 0));
        screened += usize::from(facts.screening.is_some());
        let back = lookback::Facts::assemble(din, &found).unwrap();
        assert_eq!(Some(&back), lookback::Facts::assemble(din, &world).as_ref());
        assert!(back.reached.iter().all(|r| r.recipient.name.is_some()));
        donations += 1;
        reached += back.reached.len();
    }
    assert!(donations > 50 && screened > 50 && reached > 10);
}
