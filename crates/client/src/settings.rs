//! Named values of `workstation.db`. None of them is the gate: changing one by hand opens nothing.

use sqlx::SqliteConnection;

use crate::database::DatabaseError;

pub(crate) async fn get(
    store: &mut SqliteConnection,
    name: &str,
) -> Result<Option<Vec<u8>>, DatabaseError> {
    Ok(
        sqlx::query_scalar("SELECT value FROM setting WHERE name = ?")
            .bind(name)
            .fetch_optional(store)
            .await?,
    )
}

pub(crate) async fn set(
    store: &mut SqliteConnection,
    name: &str,
    value: &[u8],
) -> Result<(), DatabaseError> {
    sqlx::query("INSERT INTO setting (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value")
        .bind(name)
        .bind(value)
        .execute(store)
        .await?;
    Ok(())
}

pub(crate) async fn remove(store: &mut SqliteConnection, name: &str) -> Result<(), DatabaseError> {
    sqlx::query("DELETE FROM setting WHERE name = ?")
        .bind(name)
        .execute(store)
        .await?;
    Ok(())
}

pub(crate) async fn int(
    store: &mut SqliteConnection,
    name: &str,
) -> Result<Option<i64>, DatabaseError> {
    let value = get(store, name).await?;
    Ok(value
        .and_then(|bytes| bytes.try_into().ok())
        .map(i64::from_be_bytes))
}

pub(crate) async fn set_int(
    store: &mut SqliteConnection,
    name: &str,
    value: i64,
) -> Result<(), DatabaseError> {
    set(store, name, &value.to_be_bytes()).await
}
