use std::future::Future;

use super::{StorageError, Stored};

/// Whether a device may hold patient data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceStatus {
    /// Waits for an administrator.
    Pending,
    /// May be granted shares.
    Approved,
    /// For ever without.
    Revoked,
}

impl DeviceStatus {
    /// As stored and as listed.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Revoked => "revoked",
        }
    }

    pub(super) fn parse(text: &str) -> Stored<Self> {
        match text {
            "pending" => Ok(Self::Pending),
            "approved" => Ok(Self::Approved),
            "revoked" => Ok(Self::Revoked),
            _ => Err(StorageError::Damaged("devices.status")),
        }
    }
}

/// A workstation's installation, known from its first enrolment on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// 32 hex digits, derived from the signing key.
    pub device_id: String,
    /// Ed25519.
    pub signing_key: [u8; 32],
    /// X25519.
    pub exchange_key: [u8; 32],
    /// Thumbprint of the signing key.
    pub kid: [u8; 32],
    /// Code of its site: the scope of the data it may hold.
    pub site: String,
    /// Name of the workstation.
    pub workstation: String,
    /// Whether it may hold patient data.
    pub status: DeviceStatus,
    /// Counts the shares; raised by a revocation.
    pub epoch: u64,
    /// Unix seconds.
    pub registered_at: i64,
}

/// Devices and their key shares.
pub trait DeviceStorage {
    /// The device with this id.
    fn device(&mut self, device_id: &str) -> impl Future<Output = Stored<Option<Device>>> + Send;

    /// The device whose signing key has this kid.
    fn device_by_kid(
        &mut self,
        kid: &[u8; 32],
    ) -> impl Future<Output = Stored<Option<Device>>> + Send;

    /// All devices, in order of registration.
    fn devices(&mut self) -> impl Future<Output = Stored<Vec<Device>>> + Send;

    /// Adds a device; `Conflict` if it is known already.
    fn add_device(&mut self, device: &Device) -> impl Future<Output = Stored<()>> + Send;

    /// Sets status and epoch.
    fn set_device_status(
        &mut self,
        device_id: &str,
        status: DeviceStatus,
        epoch: u64,
    ) -> impl Future<Output = Stored<()>> + Send;

    /// The share of this device and epoch; `fresh` is kept and returned if there is none yet.
    fn share_or_insert(
        &mut self,
        device_id: &str,
        epoch: u64,
        fresh: &[u8; 32],
    ) -> impl Future<Output = Stored<[u8; 32]>> + Send;
}
