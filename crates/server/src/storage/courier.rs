use std::future::Future;

use super::Stored;

/// What is remembered of answers that somebody carries.
pub trait CourierStorage {
    /// Raises the counter of a device by one, or to `at_least` if that is more, and returns it.
    fn raise_courier_counter(
        &mut self,
        device_id: &str,
        at_least: u64,
    ) -> impl Future<Output = Stored<u64>> + Send;
}
