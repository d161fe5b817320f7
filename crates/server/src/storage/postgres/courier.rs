use super::{PostgresTx, Stored, signed, unsigned};
use crate::storage::CourierStorage;

impl CourierStorage for PostgresTx {
    async fn raise_courier_counter(&mut self, device_id: &str, at_least: u64) -> Stored<u64> {
        let row = sqlx::query(
            "INSERT INTO courier_counters (device_id, counter) VALUES ($1, $2)
             ON CONFLICT (device_id) DO UPDATE SET counter = GREATEST(courier_counters.counter + 1, excluded.counter)
             RETURNING counter",
        )
        .bind(device_id)
        .bind(signed(at_least)?)
        .fetch_one(self.conn())
        .await?;
        unsigned(&row, "counter")
    }
}
