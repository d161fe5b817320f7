use std::future::Future;

use infoblood_agreement::profile::DeviceApproval;

use super::Stored;

/// A blood centre's site and its policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// Short code, unique, e.g. `ALM`.
    pub code: String,
    /// Name in Kazakh.
    pub name_kk: String,
    /// Name in Russian.
    pub name_ru: String,
    /// Policy for new devices.
    pub device_approval: DeviceApproval,
    /// IANA name.
    pub time_zone: String,
    /// Whom to call, as shown to people.
    pub support_contact: Option<String>,
    /// Days a grant opens the cache without contact.
    pub offline_days: u16,
    /// Further days it opens read-only.
    pub read_only_days: u16,
    /// Minutes without input until the window locks.
    pub idle_lock_minutes: u16,
    /// Whether break-glass is allowed in the read-only time.
    pub break_glass: bool,
    /// Unix seconds.
    pub created_at: i64,
}

/// Sites.
pub trait SiteStorage {
    /// The site with this code.
    fn site(&mut self, code: &str) -> impl Future<Output = Stored<Option<Site>>> + Send;

    /// All sites, by code.
    fn sites(&mut self) -> impl Future<Output = Stored<Vec<Site>>> + Send;

    /// Adds a site; `Conflict` if the code is taken.
    fn add_site(&mut self, site: &Site) -> impl Future<Output = Stored<()>> + Send;
}
