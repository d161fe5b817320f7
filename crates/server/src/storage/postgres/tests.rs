use std::time::Instant;

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
