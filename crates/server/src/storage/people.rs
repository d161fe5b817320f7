use std::future::Future;

use super::Stored;

/// A member of staff.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// 32 hex digits, derived from the login.
    pub person_id: String,
    /// NFC, lower case.
    pub login: String,
    /// Code of the person's site.
    pub site: String,
    /// As shown to people.
    pub name: String,
    /// `clinician`, `registrar`, `dpo` or `admin`.
    pub role: String,
    /// Unix seconds.
    pub created_at: i64,
    /// Unix seconds; absent while the person may work.
    pub revoked_at: Option<i64>,
}

/// The public half of a one-time enrolment code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnrolmentCode {
    /// Ed25519.
    pub public_key: [u8; 32],
    /// Whose code it is.
    pub person_id: String,
    /// Unix seconds.
    pub issued_at: i64,
    /// Unix seconds; not redeemable from then on.
    pub expires_at: i64,
    /// Unix seconds of the enrolment that used it.
    pub used_at: Option<i64>,
    /// Unix seconds; a newer code or a revocation replaced it.
    pub revoked_at: Option<i64>,
}

/// A person's keys on one device, as enrolled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonKey {
    /// Thumbprint of the signing key.
    pub kid: [u8; 32],
    /// Whose key it is.
    pub person_id: String,
    /// Where it was made.
    pub device_id: String,
    /// Ed25519.
    pub signing_key: [u8; 32],
    /// X25519.
    pub exchange_key: [u8; 32],
    /// Leaf hash of the enrolment.
    pub leaf: [u8; 32],
    /// Unix seconds.
    pub registered_at: i64,
}

/// People, their codes and keys.
pub trait PeopleStorage {
    /// The person with this id.
    fn person(&mut self, person_id: &str) -> impl Future<Output = Stored<Option<Person>>> + Send;

    /// Adds a person; `Conflict` if the login is taken.
    fn add_person(&mut self, person: &Person) -> impl Future<Output = Stored<()>> + Send;

    /// Marks a person as revoked; the first time stays.
    fn revoke_person(
        &mut self,
        person_id: &str,
        at: i64,
    ) -> impl Future<Output = Stored<()>> + Send;

    /// The code with this public key.
    fn code(
        &mut self,
        public_key: &[u8; 32],
    ) -> impl Future<Output = Stored<Option<EnrolmentCode>>> + Send;

    /// Adds a code.
    fn add_code(&mut self, code: &EnrolmentCode) -> impl Future<Output = Stored<()>> + Send;

    /// Marks an unused code as used; `Conflict` if it was used before.
    fn use_code(
        &mut self,
        public_key: &[u8; 32],
        at: i64,
    ) -> impl Future<Output = Stored<()>> + Send;

    /// Takes back every unused code of a person.
    fn revoke_codes(&mut self, person_id: &str, at: i64)
    -> impl Future<Output = Stored<()>> + Send;

    /// The enrolled key with this kid.
    fn person_key(
        &mut self,
        kid: &[u8; 32],
    ) -> impl Future<Output = Stored<Option<PersonKey>>> + Send;

    /// The newest key of a person on a device.
    fn newest_person_key(
        &mut self,
        person_id: &str,
        device_id: &str,
    ) -> impl Future<Output = Stored<Option<PersonKey>>> + Send;

    /// Everybody who is enrolled on a device, in the order of their ids.
    fn people_of_device(
        &mut self,
        device_id: &str,
    ) -> impl Future<Output = Stored<Vec<Person>>> + Send;

    /// Adds a key; `Conflict` if it is enrolled already.
    fn add_person_key(&mut self, key: &PersonKey) -> impl Future<Output = Stored<()>> + Send;
}
