use std::sync::Arc;

use infoblood_agreement::profile::DeviceApproval;

use super::*;
use crate::clock::{ManualClock, rng};
use crate::context::Place;
use crate::service::administration;
use crate::service::init::init_with;
use crate::storage::Stream;
use crate::storage::sqlite::SqliteDatabase;

/// 2026-11-01T00:00:00Z.
const T0: i64 = 1_793_491_200;

async fn server(dir: &tempfile::TempDir) -> Context<SqliteDatabase> {
    let clock = Arc::new(ManualClock::new(T0));
    let place = Place::new(dir.path());
    let context = init_with::<SqliteDatabase>(
        &place,
        "https://central.example",
        clock,
        &mut rng().unwrap(),
    )
    .await
    .unwrap();
    let site = Site {
        code: "A".into(),
        name_kk: "Қан орталығы".into(),
        name_ru: "Центр крови".into(),
        device_approval: DeviceApproval::Auto,
        time_zone: "Asia/Almaty".into(),
        support_contact: None,
        offline_days: 30,
        read_only_days: 7,
        idle_lock_minutes: 10,
        break_glass: false,
        created_at: T0,
    };
    administration::add_site(&context, &site).await.unwrap();
    context
}

fn patient(id: &str) -> String {
    format!(
        r#"{{"resourceType":"Patient","id":"{id}","name":[{{"family":"Қасымова"}}],"gender":"female","birthDate":"1985-07-15"}}"#
    ) + "\n"
}

async fn count(context: &Context<SqliteDatabase>) -> usize {
    let mut tx = context.database.read().await.unwrap();
    tx.changes("A", Stream::All, 0, 99).await.unwrap().len()
}

#[tokio::test]
async fn what_is_wrong_is_found_while_others_write() {
    let dir = tempfile::tempdir().unwrap();
    let context = server(&dir).await;
    let files = ["good.ndjson", "bad.ndjson"].map(|name| dir.path().join(name));
    std::fs::write(&files[0], patient("a")).unwrap();
    std::fs::write(&files[1], patient("b") + "nonsense\n").unwrap();
    let sites = context
        .database
        .read()
        .await
        .unwrap()
        .sites()
        .await
        .unwrap();

    let _held = context.database.write().await.unwrap();
    let error = check(&files, &sites, today(&context).unwrap()).unwrap_err();
    let ImportError::Line { file, line: 2, .. } = &error else {
        panic!("{error:?}")
    };
    assert!(file.ends_with("bad.ndjson"));
}

#[tokio::test]
async fn a_file_that_changed_since_it_was_checked_is_refused_with_the_others() {
    let dir = tempfile::tempdir().unwrap();
    let context = server(&dir).await;
    let files = ["one.ndjson", "two.ndjson"].map(|name| dir.path().join(name));
    std::fs::write(&files[0], patient("a")).unwrap();
    std::fs::write(&files[1], patient("b")).unwrap();
    let sites = context
        .database
        .read()
        .await
        .unwrap()
        .sites()
        .await
        .unwrap();
    let day = today(&context).unwrap();
    let checked = check(&files, &sites, day).unwrap();

    std::fs::write(&files[1], patient("c")).unwrap();
    let error = store(&context, &files, &sites, day, &checked)
        .await
        .unwrap_err();
    assert!(matches!(error, ImportError::Changed { .. }), "{error:?}");
    assert_eq!(count(&context).await, 0);
    assert_eq!(import(&context, &files).await.unwrap().resources, 2);
    assert_eq!(count(&context).await, 2);
}
