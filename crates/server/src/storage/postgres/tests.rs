use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;
use crate::storage::{SettingsStorage, suite};
use cluster::Cluster;

#[path = "../../../tests/common/cluster.rs"]
mod cluster;

async fn open(url: &str) -> Stored<PostgresDatabase> {
    PostgresDatabase::connect(&PostgresUrl::parse(url).unwrap()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn passes_the_suite() {
    let cluster = Cluster::start();
    suite::run(&open(&cluster.database("suite")).await.unwrap()).await;

    suite::given_up(&open(&cluster.database("given_up")).await.unwrap()).await;

    let url = cluster.database("two");
    let (first, second) = (open(&url).await.unwrap(), open(&url).await.unwrap());
    suite::one_after_the_other(first, second).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_change_is_missed_or_doubled_under_many_writers() {
    let cluster = Cluster::start();
    let url = cluster.database("feed");
    suite::many_writers([open(&url).await.unwrap(), open(&url).await.unwrap()]).await;
    let log = cluster.log();
    assert!(!log.contains("deadlock") && !log.contains("could not serialize"));
}

#[tokio::test]
async fn what_cannot_be_used_is_named() {
    let mut cluster = Cluster::start();
    let code = async |url: &str| open(url).await.unwrap_err().code();

    let url = cluster.database("newer");
    let database = open(&url).await.unwrap();
    sqlx::query(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (9999, 'future', TRUE, '', 0)",
    )
    .execute(&database.pool)
    .await
    .unwrap();
    assert_eq!(code(&url).await, "store-newer");
    assert_eq!(code(&cluster.url("absent")).await, "storage-unavailable");
    let latin = cluster.url("latin1");
    sqlx::query("CREATE DATABASE latin1 ENCODING 'LATIN1' TEMPLATE template0")
        .execute(&database.pool)
        .await
        .unwrap();
    assert_eq!(code(&latin).await, "storage-unavailable");

    // Anything that failed in a transaction fails its commit, whatever the caller made of it.
    let mut tx = database.write().await.unwrap();
    tx.add_setting("a", b"1").await.unwrap();
    sqlx::query("SELECT 1 / 0")
        .execute(tx.conn())
        .await
        .unwrap_err();
    assert!(matches!(
        tx.commit().await,
        Err(StorageError::Unavailable(_))
    ));
    let mut tx = database.read().await.unwrap();
    assert_eq!(tx.setting("a").await.unwrap(), None);
    assert!(
        tx.add_setting("a", b"1").await.is_err(),
        "a reader does not write"
    );
    drop(tx);

    // A database that goes away, and comes back.
    cluster.stop();
    let began = Instant::now();
    assert!(matches!(
        database.read().await,
        Err(StorageError::Unavailable(_))
    ));
    assert!(began.elapsed() < PATIENCE * 2);
    assert_eq!(code(&url).await, "storage-unavailable");
    cluster.start_again();
    let mut tx = database.write().await.unwrap();
    tx.add_setting("a", b"1").await.unwrap();
    tx.commit().await.unwrap();
}

/// Another machine's database is trusted by the name in its certificate only; here the name is this machine's.
#[tokio::test]
async fn a_certificate_is_verified() {
    let certificate = |name: &str| {
        let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
        (made.cert.pem(), made.signing_key.serialize_pem())
    };
    let (pem, key) = certificate("localhost");
    let (foreign, _) = certificate("localhost");
    let cluster = Cluster::start();
    let url = cluster.database("tls").replace("127.0.0.1", "localhost");
    let plain = open(&url).await.unwrap();
    // Its own user writes the files, so that they are readable to nobody else.
    for (name, text) in [("server.crt", &pem), ("server.key", &key)] {
        let text = STANDARD.encode(text);
        let put =
            format!("COPY (SELECT '{text}') TO PROGRAM 'base64 -d > {name} && chmod 600 {name}'");
        let put = sqlx::query(sqlx::AssertSqlSafe(put));
        put.execute(&plain.pool).await.unwrap();
    }
    for change in ["ALTER SYSTEM SET ssl = on", "SELECT pg_reload_conf()"] {
        sqlx::query(change).execute(&plain.pool).await.unwrap();
    }
    tokio::time::sleep(Duration::from_millis(500)).await;

    let dir = tempfile::tempdir().unwrap();
    let [ours, others] = ["ours.pem", "others.pem"].map(|name| dir.path().join(name));
    std::fs::write(&ours, &pem).unwrap();
    std::fs::write(&others, &foreign).unwrap();
    let with = |url: &str, root: &std::path::Path| {
        format!("{url}?sslmode=verify-full&sslrootcert={}", root.display())
    };
    let database = open(&with(&url, &ours)).await.unwrap();
    let row = sqlx::query("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
        .fetch_one(&database.pool)
        .await
        .unwrap();
    assert!(row.get::<bool, _>("ssl"));
    let by_address = url.replace("localhost", "127.0.0.1");
    for refused in [with(&url, &others), with(&by_address, &ours)] {
        let error = open(&refused).await.unwrap_err();
        assert_eq!(error.code(), "storage-unavailable");
    }
}

/// A table more in one engine and not in the other would be found late.
#[test]
fn both_engines_have_the_same_migrations() {
    let numbers = |migrator: &sqlx::migrate::Migrator| -> Vec<_> {
        let found = migrator.iter();
        found
            .map(|one| (one.version, one.description.clone()))
            .collect()
    };
    let embedded = sqlx::migrate!("./migrations");
    assert_eq!(numbers(&MIGRATIONS), numbers(&embedded));
}
