use proptest::prelude::*;

use super::*;
use crate::cbor::Limits;
use crate::document::{Change, Document};
use crate::fixtures::{DAY, ISSUER, T0, documents, grant_key, key_set, log_key, rng};
use crate::grant::{self, Terms};
use crate::keys::PublicKey;
use crate::lease::Mode;
use crate::receipt::{self, Inclusion};
use crate::session::SignedTime;
use crate::statement::{
    Evidence, Language, Signer, sign_acceptance, sign_device_refusal, terms_urn, verify_acceptance,
    verify_device_refusal,
};

const PERSON: &str = "00112233445566778899aabbccddeeff";
const SHARE: [u8; 32] = [0x5e; 32];

/// Everything that lies on a workstation after one person was registered.
struct Scene {
    workstation: WorkstationKeys,
    person: PersonKeys,
    acceptance: Verified<Acceptance>,
    receipt: VerifiedReceipt,
    grant: VerifiedGrant,
    /// Another acceptance that the grant names.
    granted_for: Option<Verified<Acceptance>>,
    documents: Documents,
    wrapped: Option<WrappedDek>,
}

impl Scene {
    fn new() -> Self {
        Self::with(Decision::Accepted, 1)
    }

    fn with(decision: Decision, person_seed: u64) -> Self {
        let workstation = WorkstationKeys::generate(&mut rng(1));
        let person = PersonKeys::generate(&mut rng(100 + person_seed));
        let acceptance = accept(&workstation, &person, PERSON, decision);
        let receipt = receipt_for(&acceptance, ISSUER);
        let terms = terms(&workstation, &acceptance);
        let grant = grant_for(&terms, &SHARE, &person);
        Self {
            workstation,
            person,
            acceptance,
            receipt,
            grant,
            granted_for: None,
            documents: Documents::new(),
            wrapped: None,
        }
    }

    fn open_at(&self, now: i64) -> Result<Unlocked, GateError> {
        let inputs = Inputs {
            acceptance: &self.acceptance,
            receipt: &self.receipt,
            grant: &self.grant,
            person: &self.person,
            workstation: &self.workstation,
            granted_for: self.granted_for.as_ref().unwrap_or(&self.acceptance),
            documents: &self.documents,
            wrapped_dek: self.wrapped.as_ref(),
        };
        open(&inputs, now, &mut rng(9))
    }

    fn refused(&self) -> GateError {
        self.open_at(T0 + DAY).err().unwrap()
    }

    fn regrant(&mut self, change: impl FnOnce(&mut Terms)) {
        let mut terms = terms(&self.workstation, &self.acceptance);
        change(&mut terms);
        self.grant = grant_for(&terms, &SHARE, &self.person);
    }
}

fn accept(
    workstation: &WorkstationKeys,
    person: &PersonKeys,
    person_id: &str,
    decision: Decision,
) -> Verified<Acceptance> {
    let device_id = workstation.device_id();
    sign(person, person_id, &claims(&device_id, decision))
}

fn sign(person: &PersonKeys, person_id: &str, claims: &Acceptance) -> Verified<Acceptance> {
    let bytes = sign_acceptance(claims, person_id, T0, person.signing());
    let signer = Signer {
        key: &person.public(),
        person_id,
        device_id: &claims.device_id,
    };
    verify_acceptance(&bytes, &signer, &Limits::DEFAULT).unwrap()
}

fn claims(device_id: &str, decision: Decision) -> Acceptance {
    Acceptance {
        decision,
        device_id: device_id.into(),
        site: "ALA-01".into(),
        document_sha256: *Document::builtin().digest(),
        document_version: 1,
        languages_shown: vec![Language::Kk],
        evidence: Evidence {
            opened_at: T0 - 60,
            visible_seconds: 60,
            end_reached: vec![Language::Kk],
        },
        local_time: "2026-11-01T05:00:00+05:00".into(),
        checkpoint: None,
        sequence: 1,
        previous: None,
        nonce: [3; 16],
        app_version: "0.1.0".into(),
    }
}

fn receipt_for(acceptance: &Verified<Acceptance>, issuer: &str) -> VerifiedReceipt {
    let inclusion = Inclusion {
        tree_size: 1,
        leaf_index: 0,
        path: Vec::new(),
    };
    let leaf = acceptance.leaf();
    let sub = terms_urn(acceptance.payload().document_version);
    let bytes = receipt::issue(leaf, &inclusion, issuer, &sub, T0, &log_key()).unwrap();
    let key = PublicKey::of(&log_key());
    receipt::verify(&bytes, leaf, &sub, &key, &Limits::DEFAULT).unwrap()
}

fn terms(workstation: &WorkstationKeys, acceptance: &Verified<Acceptance>) -> Terms {
    Terms {
        device_id: workstation.device_id(),
        document: acceptance.payload().document_sha256,
        leaf: *acceptance.leaf(),
        ..crate::fixtures::terms()
    }
}

/// A grant that verified for whatever it says: the gate must find every difference itself.
fn grant_for(terms: &Terms, share: &[u8; 32], person: &PersonKeys) -> VerifiedGrant {
    let x25519 = person.x25519_public();
    let key = grant_key();
    let bytes = grant::issue(terms, share, &x25519, ISSUER, &key, &mut rng(7)).unwrap();
    let expected = Expected {
        person_id: &terms.person_id,
        device_id: &terms.device_id,
        document: &terms.document,
        leaf: &terms.leaf,
    };
    VerifiedGrant::verify(&bytes, &key_set(), &expected).unwrap()
}

#[test]
fn the_first_opening_makes_the_key_and_later_ones_find_it() {
    let mut scene = Scene::new();
    let first = scene.open_at(T0 + DAY).unwrap();
    assert_eq!(first.person_id(), PERSON);
    assert_eq!(first.device_id(), scene.workstation.device_id());
    assert_eq!(first.role(), Role::Clinician);
    assert_eq!(first.site(), "ALA-01");
    assert_eq!(first.offline_until(), T0 + 30 * DAY);
    assert_eq!(first.read_only_until(), T0 + 37 * DAY);

    let stored = first.new_dek().unwrap().to_bytes();
    let wrapped = WrappedDek::parse(&stored).unwrap();
    assert_eq!(wrapped.epoch(), 1);
    assert_eq!(wrapped.to_bytes(), stored);
    let hidden = first.database_key();
    assert!(!stored.windows(32).any(|window| window == hidden));
    scene.wrapped = Some(wrapped);
    let later = scene.open_at(T0 + 2 * DAY).unwrap();
    assert!(later.new_dek().is_none());
    assert_eq!(later.database_key(), first.database_key());
    assert_ne!(later.database_key(), &[0; 32]);
}

#[test]
fn a_colleague_finds_the_same_key_with_an_own_grant() {
    let mut scene = Scene::new();
    let first = scene.open_at(T0).unwrap();
    let wrapped = first.new_dek().cloned();
    let colleague = "c".repeat(32);
    scene.person = PersonKeys::generate(&mut rng(200));
    scene.acceptance = accept(
        &scene.workstation,
        &scene.person,
        &colleague,
        Decision::Accepted,
    );
    scene.receipt = receipt_for(&scene.acceptance, ISSUER);
    scene.regrant(|terms| terms.person_id.clone_from(&colleague));
    scene.wrapped = wrapped;
    let second = scene.open_at(T0).unwrap();
    assert_eq!(second.person_id(), colleague);
    assert_eq!(second.database_key(), first.database_key());
}

#[test]
fn without_an_acceptance_of_this_document_here_it_stays_closed() {
    let mut scene = Scene::new();
    scene.documents = documents(&[(Change::Material, T0)]);
    assert_eq!(scene.refused(), GateError::AgreementRequired);
    assert_eq!(scene.refused().code(), "agreement-required");

    let declined = Scene::with(Decision::Declined, 1);
    assert_eq!(declined.refused(), GateError::AgreementRequired);

    let mut elsewhere = Scene::new();
    elsewhere.workstation = WorkstationKeys::generate(&mut rng(2));
    assert_eq!(elsewhere.refused(), GateError::AgreementRequired);

    // A device's refusal is no person's acceptance, whatever it claims to be.
    let mut refusal = Scene::new();
    let device = refusal.workstation.device();
    let device_id = refusal.workstation.device_id();
    let bytes = sign_device_refusal(&claims(&device_id, Decision::Declined), T0, device);
    let public = PublicKey::of(device);
    refusal.acceptance = verify_device_refusal(&bytes, &public, &Limits::DEFAULT).unwrap();
    assert_eq!(refusal.refused(), GateError::AgreementRequired);
}

/// The person's acceptance of a later version, as `change` makes it.
fn accept_version(
    scene: &Scene,
    version: u64,
    change: impl FnOnce(&mut Acceptance),
) -> Verified<Acceptance> {
    let document = scene.documents.get(version).unwrap();
    let mut claims = Acceptance {
        document_sha256: *document.digest(),
        document_version: version,
        sequence: version,
        ..claims(&scene.workstation.device_id(), Decision::Accepted)
    };
    change(&mut claims);
    sign(&scene.person, PERSON, &claims)
}

fn code_at(scene: &Scene, now: i64) -> &'static str {
    scene
        .open_at(now)
        .err()
        .map_or("open", |error| error.code())
}

#[test]
fn a_material_version_closes_at_its_date_until_it_is_accepted() {
    let mut scene = Scene::new();
    let date = T0 + 5 * DAY;
    scene.documents = documents(&[(Change::Material, date)]);
    assert_eq!(code_at(&scene, date - 1), "open");
    assert_eq!(code_at(&scene, date), "agreement-required");
    assert_eq!(
        scene.open_at(date - 1).unwrap().document(),
        Document::builtin().digest()
    );
    // A clock set back behind a signed time past the date does not help.
    let bytes = SignedTime::issue(ISSUER, &[1; 16], date, &grant_key());
    let time = SignedTime::verify(&bytes, &key_set(), &[1; 16]).unwrap();
    scene.workstation.raise_time_floor(&time);
    assert_eq!(
        code_at(&scene, date - CLOCK_TOLERANCE),
        "agreement-required"
    );

    let second = accept_version(&scene, 2, |_| ());
    scene.receipt = receipt_for(&second, ISSUER);
    scene.acceptance = second;
    scene.regrant(|_| ());
    assert_eq!(code_at(&scene, date), "open");
    assert_eq!(
        scene.open_at(date).unwrap().document(),
        scene.documents.get(2).unwrap().digest()
    );

    // Declined, it stays closed.
    scene.acceptance = accept_version(&scene, 2, |claims| claims.decision = Decision::Declined);
    scene.receipt = receipt_for(&scene.acceptance, ISSUER);
    assert_eq!(code_at(&scene, date), "agreement-required");
}

#[test]
fn an_editorial_version_asks_for_nothing_and_may_be_accepted() {
    let mut scene = Scene::new();
    scene.documents = documents(&[
        (Change::Editorial, T0 + DAY),
        (Change::Editorial, T0 + 2 * DAY),
    ]);
    assert_eq!(code_at(&scene, T0 + 3 * DAY), "open");
    let third = accept_version(&scene, 3, |_| ());
    scene.granted_for = Some(std::mem::replace(&mut scene.acceptance, third));
    scene.receipt = receipt_for(&scene.acceptance, ISSUER);
    assert_eq!(code_at(&scene, T0 + 3 * DAY), "open");
    // Not in force yet, it stands for nothing.
    assert_eq!(code_at(&scene, T0 + DAY), "agreement-required");
}

#[test]
fn an_early_acceptance_counts_from_the_date_under_the_grant_of_the_first() {
    let mut scene = Scene::new();
    let date = T0 + 5 * DAY;
    scene.documents = documents(&[(Change::Material, date)]);
    let second = accept_version(&scene, 2, |_| ());
    scene.receipt = receipt_for(&second, ISSUER);
    scene.granted_for = Some(std::mem::replace(&mut scene.acceptance, second));
    assert_eq!(code_at(&scene, date - 1), "agreement-required");
    assert_eq!(code_at(&scene, date), "open");

    // The grant is still for one acceptance, of this person on this device.
    let colleague = PersonKeys::generate(&mut rng(200));
    scene.granted_for = Some(accept(
        &scene.workstation,
        &colleague,
        PERSON,
        Decision::Accepted,
    ));
    assert_eq!(scene.open_at(date).err().unwrap(), GateError::Person);
    scene.granted_for = Some(accept_version(&scene, 2, |claims| claims.sequence = 9));
    assert_eq!(
        scene.open_at(date).err().unwrap(),
        GateError::Grant(GrantError::Document)
    );
    scene.granted_for = Some(accept_version(&scene, 1, |claims| claims.sequence = 9));
    assert_eq!(
        scene.open_at(date).err().unwrap(),
        GateError::Grant(GrantError::Leaf)
    );
    scene.granted_for = Some(accept_version(&scene, 1, |claims| {
        claims.decision = Decision::Declined;
    }));
    assert_eq!(code_at(&scene, date), "agreement-required");
    scene.granted_for = Some(accept_version(&scene, 1, |claims| {
        claims.device_id = "f".repeat(32);
    }));
    assert_eq!(code_at(&scene, date), "agreement-required");
}

#[test]
fn a_receipt_for_something_else_or_from_elsewhere_is_refused() {
    let mut scene = Scene::new();
    let other = Scene::with(Decision::Accepted, 2);
    scene.receipt = other.receipt;
    assert_eq!(scene.refused(), GateError::Receipt);
    assert_eq!(scene.refused().code(), "receipt-invalid");
    scene.receipt = receipt_for(&scene.acceptance, "https://other.example");
    assert_eq!(scene.refused(), GateError::Receipt);
}

#[test]
fn a_grant_for_another_person_device_document_or_acceptance_is_refused() {
    let mut scene = Scene::new();
    let other = "e".repeat(32);
    scene.regrant(|terms| terms.person_id.clone_from(&other));
    assert_eq!(scene.refused(), GateError::Grant(GrantError::Person));
    scene.regrant(|terms| terms.device_id.clone_from(&other));
    assert_eq!(scene.refused(), GateError::Grant(GrantError::Device));
    scene.regrant(|terms| terms.document = [1; 32]);
    assert_eq!(scene.refused(), GateError::Grant(GrantError::Document));
    scene.regrant(|terms| terms.leaf = [1; 32]);
    assert_eq!(scene.refused(), GateError::Grant(GrantError::Leaf));
    assert_eq!(scene.refused().code(), "grant-invalid");
}

#[test]
fn another_epoch_share_person_or_damage_does_not_open() {
    let mut scene = Scene::new();
    scene.wrapped = scene.open_at(T0).unwrap().new_dek().cloned();
    scene.regrant(|terms| terms.epoch = 2);
    assert_eq!(scene.refused(), GateError::Grant(GrantError::Epoch));

    // The right epoch number with another share.
    let terms = terms(&scene.workstation, &scene.acceptance);
    scene.grant = grant_for(&terms, &[0x5f; 32], &scene.person);
    assert_eq!(scene.refused(), GateError::DatabaseKey);

    // A forged epoch in the stored form opens nothing either.
    scene.regrant(|terms| terms.epoch = 2);
    let epoch_2 = WrappedDek {
        epoch: 2,
        sealed: scene.wrapped.clone().unwrap().sealed,
    };
    let kept = scene.wrapped.replace(epoch_2);
    assert_eq!(scene.refused(), GateError::DatabaseKey);

    scene.regrant(|_| ());
    let stored = kept.unwrap().to_bytes();
    for at in 0..stored.len() {
        let mut changed = stored.clone();
        changed[at] ^= 1;
        scene.wrapped = WrappedDek::parse(&changed).ok();
        let closed = scene.wrapped.is_none() || scene.open_at(T0).is_err();
        assert!(closed, "byte {at}");
        assert!(WrappedDek::parse(&stored[..at]).is_err());
    }

    let mut stranger = Scene::new();
    stranger.person = PersonKeys::generate(&mut rng(300));
    assert_eq!(stranger.refused(), GateError::Person);
}

#[test]
fn a_grant_sealed_to_another_key_does_not_open() {
    let mut scene = Scene::new();
    let terms = terms(&scene.workstation, &scene.acceptance);
    let other = PersonKeys::generate(&mut rng(300));
    scene.grant = grant_for(&terms, &SHARE, &other);
    let GateError::Grant(GrantError::Share(_)) = scene.refused() else {
        panic!("the share opened");
    };
}

#[test]
fn the_lease_becomes_read_only_and_ends_to_the_second() {
    let scene = Scene::new();
    let (until, end) = (T0 + 30 * DAY, T0 + 37 * DAY);
    let open = scene.open_at(until).unwrap();
    assert_eq!(open.mode(until), Some(Mode::Full));
    assert_eq!(open.mode(until + 1), Some(Mode::ReadOnly));
    assert_eq!(open.lease(until + 1).days_left, 7);
    let open = scene.open_at(end).unwrap();
    assert_eq!(open.mode(end), Some(Mode::ReadOnly));
    assert_eq!(open.mode(end + 1), None);
    let refused = scene.open_at(end + 1).err().unwrap();
    assert_eq!(
        refused,
        GateError::Expired {
            read_only_until: end
        }
    );
    assert_eq!(refused.code(), "grant-expired");
}

#[test]
fn glass_is_broken_only_in_the_read_only_time_with_a_reason_where_the_policy_allows_it() {
    let scene = Scene::new();
    let (until, end) = (T0 + 30 * DAY, T0 + 37 * DAY);
    let open = scene.open_at(until).unwrap();
    let reason = "Экстренная операция, связи нет";
    let code = |now, allowed, reason: &str| {
        open.may_break_glass(now, allowed, reason)
            .unwrap_err()
            .code()
    };
    assert_eq!(code(until, true, reason), "break-glass-not-now");
    assert_eq!(code(end + 1, true, reason), "break-glass-not-now");
    assert_eq!(code(until + 1, false, reason), "break-glass-forbidden");
    assert_eq!(code(until + 1, true, "срочно"), "break-glass-reason");
    assert_eq!(
        open.mode(until + 1),
        Some(Mode::ReadOnly),
        "asking changes nothing"
    );

    let reason = open.may_break_glass(until + 1, true, reason).unwrap();
    open.break_glass(&reason);
    assert_eq!(open.mode(until), Some(Mode::Full));
    assert_eq!(open.mode(end), Some(Mode::BreakGlass));
    assert_eq!(
        open.mode(end + 1),
        None,
        "nothing lengthens the lease itself"
    );
    assert!(open.may_break_glass(end, true, reason.as_str()).is_err());
    assert_eq!(scene.open_at(end).unwrap().mode(end), Some(Mode::ReadOnly));
}

#[test]
fn a_clock_behind_a_signed_time_is_refused() {
    let mut scene = Scene::new();
    // The grant itself is a signed time.
    assert!(scene.open_at(T0 - CLOCK_TOLERANCE).is_ok());
    let refused = scene.open_at(T0 - CLOCK_TOLERANCE - 1).err().unwrap();
    assert_eq!(refused, GateError::ClockBehind { floor: T0 });
    assert_eq!(refused.code(), "clock-behind");

    let raise = |scene: &mut Scene, time| {
        let bytes = SignedTime::issue(ISSUER, &[1; 16], time, &grant_key());
        let time = SignedTime::verify(&bytes, &key_set(), &[1; 16]).unwrap();
        scene.workstation.raise_time_floor(&time);
    };
    let floor = T0 + 10 * DAY;
    raise(&mut scene, floor);
    assert!(scene.open_at(floor - CLOCK_TOLERANCE).is_ok());
    let refused = scene.open_at(floor - CLOCK_TOLERANCE - 1).err().unwrap();
    assert_eq!(refused, GateError::ClockBehind { floor });

    // Within the tolerance the floor counts: turning the clock back does not lengthen the lease.
    raise(&mut scene, T0 + 37 * DAY + 1);
    let refused = scene.open_at(T0 + 37 * DAY).err().unwrap();
    assert_eq!(refused.code(), "grant-expired");
    assert_eq!(
        scene.open_at(i64::MIN).err().unwrap().code(),
        "clock-behind"
    );
    assert_eq!(
        scene.open_at(i64::MAX).err().unwrap().code(),
        "grant-expired"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn it_opens_exactly_between_the_floor_and_the_end(
        issued in 0..1_000 * DAY, offline in 0..60 * DAY, read_only in 0..20 * DAY, floor in 0..1_100 * DAY, near: bool, offset in -600..600i64, any: i64,
    ) {
        let mut scene = Scene::new();
        let (offline_until, read_only_until) = (issued + offline, issued + offline + read_only);
        scene.regrant(|terms| {
            terms.issued_at = T0 + issued;
            terms.offline_until = T0 + offline_until;
            terms.read_only_until = T0 + read_only_until;
        });
        let bytes = SignedTime::issue(ISSUER, &[1; 16], T0 + floor, &grant_key());
        let signed = SignedTime::verify(&bytes, &key_set(), &[1; 16]).unwrap();
        scene.workstation.raise_time_floor(&signed);
        let floor = T0 + floor.max(issued);
        // Around the edges, where mistakes are, or anywhere.
        let edge = if any % 2 == 0 { floor - CLOCK_TOLERANCE } else { T0 + read_only_until };
        let now = if near { edge + offset } else { any };
        let opened = scene.open_at(now);
        let end = T0 + read_only_until;
        prop_assert_eq!(opened.is_ok(), floor - CLOCK_TOLERANCE <= now && now.max(floor) <= end);
        if let Ok(opened) = opened {
            prop_assert!(floor - CLOCK_TOLERANCE <= now && now <= opened.read_only_until());
        }
    }
}
