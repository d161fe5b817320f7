//! Changing terms, revocations, files of the courier: what happens to a workstation over weeks.

use infoblood::view::{FileTaken, SavedPack};
use infoblood_agreement::document::Change;
use infoblood_server::{
    service::{
        courier::{self, Intake, MAX_WRONG_CODES},
        publication::publish,
    },
    storage::Texts,
};

use super::*;

impl App {
    /// The first person, unlocked.
    async fn enrolled(&self, login: &str, code: &str) -> String {
        self.state().await;
        self.accept().await.unwrap();
        self.sign(login, code, PASSPHRASE).await.unwrap();
        let state = self.shown("unlocked", is_unlocked).await;
        let Screen::Unlocked { person } = state.screen else {
            unreachable!()
        };
        person.person_id
    }

    async fn lock(&self) {
        self.handle.ask(Request::Lock).await.unwrap();
    }

    async fn sync(&self) {
        self.handle.ask(Request::SyncNow).await.unwrap();
    }

    /// As the window sends a chosen file.
    async fn choose(&self, file: &Path) -> Result<FileTaken, AppError> {
        self.handle.ask(Request::UploadBegin).await.unwrap();
        for piece in fs::read(file).unwrap().chunks(5_000) {
            let bytes = piece.to_vec();
            self.handle
                .ask(|reply| Request::UploadPiece { bytes, reply })
                .await
                .unwrap();
        }
        self.handle.ask(Request::UploadEnd).await
    }
}

/// What `infoblood-server courier` does.
async fn answer_to(world: &World, request: &Path, answer: &Path) {
    let context = Context::open(&world.place).await.unwrap();
    let mut intake = Intake::new(&context.keys.sealing).unwrap();
    intake.push(&fs::read(request).unwrap()).await.unwrap();
    let mut request = intake.end().unwrap();
    let taken = courier::take(&context, &mut request, MAX_WRONG_CODES)
        .await
        .unwrap();
    let reply = courier::settle(&context, &request, taken).await.unwrap();
    let (pieces, mut receiver) = tokio::sync::mpsc::channel(1);
    let writing = async {
        reply.write(&context, &pieces).await.unwrap();
        drop(pieces);
    };
    let ((), bytes) = tokio::join!(writing, async {
        let mut bytes = Vec::new();
        while let Some(piece) = receiver.recv().await {
            bytes.extend(piece.unwrap());
        }
        bytes
    });
    fs::write(answer, bytes).unwrap();
}

#[tokio::test]
async fn newer_terms_are_shown_with_what_changed_and_accepted_by_whom_they_concern() {
    let world = World::new().await;
    let code = world.person("a.serik").await;
    let server = world.serve(None).await;
    let app = world.launch();
    let person_id = app.enrolled("a.serik", &code).await;
    app.lock().await;

    let context = Context::open(&world.place).await.unwrap();
    let first = infoblood_agreement::document::Document::builtin();
    let texts = Texts {
        kk: first.kk().replacen("құпия", "аса құпия", 1),
        ru: first
            .ru()
            .replacen("конфиденциальн", "строго конфиденциальн", 1),
        structure: first.structure_json().to_owned(),
    };
    let soon = context.now() + 4;
    publish(&context, &texts, Change::Material, soon)
        .await
        .unwrap();
    app.sync().await;
    app.shown("told ahead", |state| state.terms_change.is_some())
        .await;
    // Its date comes.
    app.shown("in force", |state| state.terms_change.is_none())
        .await;

    app.sign_in(&person_id, PASSPHRASE).await.unwrap();
    let Screen::Agreement {
        person: Some(known),
        ..
    } = app.state().await.screen
    else {
        panic!("the agreement is not asked for")
    };
    assert_eq!(known.person_id, person_id);
    let view = app.handle.ask(Request::GetAgreement).await.unwrap();
    assert_eq!((view.facts.version, view.previous_version), (2, Some(1)));
    assert!(!view.changes.is_empty() && view.changes.len() < view.units.len());
    assert_eq!(app.donors("").await.unwrap_err().code, "patient-locked");

    let again = |passphrase: &str| {
        let passphrase = passphrase.to_owned().into();
        app.handle.ask(move |reply| Request::AcceptAgain {
            evidence: evidence(),
            passphrase,
            reply,
        })
    };
    assert_eq!(
        again("not the passphrase").await.unwrap_err().code,
        "passphrase-wrong"
    );
    again(PASSPHRASE).await.unwrap();
    app.shown("unlocked anew", is_unlocked).await;
    app.close().await;
    server.shutdown().await;
}

#[tokio::test]
async fn a_revoked_workstation_closes_says_so_and_begins_anew() {
    let world = World::new().await;
    let code = world.person("a.serik").await;
    let server = world.serve(None).await;
    let app = world.launch();
    app.enrolled("a.serik", &code).await;

    let context = Context::open(&world.place).await.unwrap();
    let device = administration::devices(&context).await.unwrap().remove(0);
    administration::revoke_device(&context, &device.device_id)
        .await
        .unwrap();
    app.sync().await;
    let state = app.shown("closed", blocked("device-revoked")).await;
    assert!(matches!(
        state.screen,
        Screen::Blocked {
            can_start_anew: true,
            ..
        }
    ));
    assert_eq!(app.donors("").await.unwrap_err().code, "patient-locked");
    assert_eq!(app.accept().await.unwrap_err().code, "device-revoked");

    app.handle.ask(Request::StartAnew).await.unwrap();
    app.shown("the agreement", |state| {
        matches!(state.screen, Screen::Agreement { .. })
    })
    .await;
    let code = {
        let issued = administration::new_code(&context, "a.serik").await.unwrap();
        issued.code.display().to_string()
    };
    app.enrolled("a.serik", &code).await;
    app.close().await;
    server.shutdown().await;
}

#[tokio::test]
async fn a_file_goes_out_and_its_answer_opens_the_cache() {
    let world = World::new().await;
    let code = world.person("a.serik").await;
    let address = world.serve(None).await;
    address.shutdown().await;
    let app = world.launch();
    app.state().await;
    app.accept().await.unwrap();
    app.sign("a.serik", &code, PASSPHRASE).await.unwrap();
    let SavedPack { path, items } = app.handle.ask(Request::CourierExport).await.unwrap();
    assert_eq!(items, 2);

    let error = app.choose(&world.profile_file()).await.unwrap_err();
    assert_eq!(error.code, "courier-malformed");
    let answer = world.dir.path().join("answer.ibpack");
    answer_to(&world, Path::new(&path), &answer).await;
    let taken = app.choose(&answer).await.unwrap();
    assert!(matches!(
        taken,
        FileTaken::Answer {
            receipts: 2,
            grants: 1,
            has_patients: true,
            ..
        }
    ));
    app.shown("unlocked", is_unlocked).await;
    assert_eq!(u64::from(app.donors("").await.unwrap().total), DONORS);
    app.close().await;
}
