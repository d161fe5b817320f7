//! Proves that the committed TypeScript is what the types of [`super`] say now.
//! After changing them: `UPDATE_BINDINGS=1 cargo test -p infoblood bindings`.

use std::{fs, path::Path};

use ts_rs::{Config, TS};

use super::*;

const FILE: &str = "ui/src/lib/backend/bindings/index.ts";

fn typescript() -> String {
    let config = Config::new().with_large_int("number");
    let mut text = String::from(
        "// Made from src-tauri/src/view.rs. Do not edit: UPDATE_BINDINGS=1 cargo test -p infoblood bindings\n",
    );
    macro_rules! declare {
        ($($name:ident)*) => {$(
            text.push_str("\nexport ");
            text.push_str(&<$name as TS>::decl(&config));
            text.push('\n');
        )*};
    }
    declare! {
        Lang AppError Site Connection State Screen DocumentFacts AgreementView Unit UnitKind Evidence Progress PersonRow
        PersonFacts ReceiptFacts CodeCheck PassphraseCheck SavedProof KnownPerson TermsChange ChangeKind Change BothTexts
        SyncFacts SyncPhase QueueKind Queue CourierFile WedgedItem SavedPack FileProgress QrCode
        FramesTaken Lease Mode Purpose Taking AccessPage AccessRow Delivery FileTaken DonorFilter GroupCode DonorPage DonorRow
        DeferralState BloodGroup StatedGroup StatedPresence Source IinWarning
        DeferralKind Deferral DonationKind DonationStatus Donation Sex DonorCard
        Product ProductStatus ComponentRow GoneKind GoneTo InventoryFilter Soon Inventory ProductStock InventoryCell ExpiryBucket
        RecipientPage RecipientRow RecipientCard Antibody HospitalRequest Transfusion Reaction Scan
        NextDate NextDateBlock ScreeningRow ScreeningResult ScreeningValue Antigen Vital VitalCode Named DonationCard Lookback LookbackDonation
        LookbackRecipient
    }
    text
}

#[test]
fn bindings_are_fresh() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE);
    let expected = typescript();
    if std::env::var_os("UPDATE_BINDINGS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &expected).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(
        committed, expected,
        "{FILE} is stale: run this test with UPDATE_BINDINGS=1"
    );
}

#[test]
fn screens_are_told_apart_by_name() {
    let screen = Screen::Agreement {
        declined: true,
        has_people: false,
        person: None,
    };
    assert_eq!(
        serde_json::to_string(&screen).unwrap(),
        r#"{"name":"agreement","declined":true,"has_people":false,"person":null}"#
    );
    let error = Screen::Blocked {
        can_start_anew: false,
        error: AppError {
            code: "keyring-missing".into(),
            retry_after_seconds: None,
        },
    };
    assert_eq!(
        serde_json::to_string(&error).unwrap(),
        r#"{"name":"blocked","error":{"code":"keyring-missing","retry_after_seconds":null},"can_start_anew":false}"#
    );
}
