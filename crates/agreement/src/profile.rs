//! The site profile: the JSON file that tells a workstation where it stands and whom to trust.
//!
//! It pins the authority's public key and carries the key set the authority signed, so sealing works before any contact.

use std::net::{Ipv4Addr, Ipv6Addr};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use unicode_normalization::UnicodeNormalization;

use crate::key_set::{KeySet, KeySetError};
use crate::keys::{KeyError, PublicKey};

/// The version of the format.
const VERSION: u64 = 1;
/// Longest profile in bytes.
pub const MAX_PROFILE_BYTES: usize = 256 * 1024;

/// Why a profile is refused.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    #[error("longer than {MAX_PROFILE_BYTES} bytes")]
    TooLong,
    #[error("not the JSON of a site profile")]
    Json(#[source] serde_json::Error),
    #[error("a version nobody knows")]
    Version,
    #[error("field {0} is not acceptable")]
    Field(&'static str),
    #[error("the authority's key is refused")]
    AuthorityKey(#[source] KeyError),
    #[error("the key set is not the authority's")]
    Authority(#[source] KeySetError),
}

impl ProfileError {
    /// Stable kebab-case code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Authority(_) => "profile-wrong-authority",
            _ => "profile-malformed",
        }
    }
}

/// The two names of a site and its code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Site {
    /// For example `ALA-01`.
    pub code: String,
    pub name_kk: String,
    pub name_ru: String,
}

/// How a new device is approved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeviceApproval {
    Auto,
    Manual,
}

impl DeviceApproval {
    /// The name on the wire and the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Manual => "manual",
        }
    }

    /// The value of this name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Auto, Self::Manual]
            .into_iter()
            .find(|value| value.as_str() == name)
    }
}

/// What the site allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    pub device_approval: DeviceApproval,
    /// Days a grant works without the server, 1–365.
    pub offline_days: u16,
    /// Days of the read-only time after it, 0–90.
    pub read_only_days: u16,
    /// Minutes without input until the lock, 1–240.
    pub idle_lock_minutes: u16,
    /// Whether audited break-glass is possible in the read-only time.
    pub break_glass: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            device_approval: DeviceApproval::Manual,
            offline_days: 30,
            read_only_days: 7,
            idle_lock_minutes: 10,
            break_glass: false,
        }
    }
}

/// The file's fields as they stand in it, unchecked; [`SiteProfile::new`] checks them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProfileFields {
    /// Always 1.
    pub version: u64,
    pub site: Site,
    /// The workstation's name, if the profile is for one.
    #[serde(default)]
    pub workstation: Option<String>,
    /// The server: https, or http for a loopback host.
    pub url: String,
    /// Certificates to trust besides the system's, as PEM.
    #[serde(default)]
    pub ca_pem: Option<String>,
    /// An http or https proxy.
    #[serde(default)]
    pub proxy: Option<String>,
    /// Ed25519 public key (32 bytes), base64url without padding.
    pub authority_key: String,
    /// Signed key set (COSE_Sign1), base64url without padding.
    pub key_set: String,
    /// Secret salt of the person identifiers (16–64 bytes), base64url without padding.
    pub person_salt: String,
    /// IANA name, for example `Asia/Almaty`.
    pub time_zone: String,
    #[serde(default)]
    pub support_contact: Option<String>,
    pub policy: Policy,
}

impl ProfileFields {
    /// Fields of a new profile without the optional ones; the binary ones are encoded here.
    pub fn new(
        site: Site,
        url: &str,
        authority: &PublicKey,
        key_set: &KeySet,
        person_salt: &[u8],
        policy: Policy,
    ) -> Self {
        Self {
            version: VERSION,
            site,
            workstation: None,
            url: url.to_owned(),
            ca_pem: None,
            proxy: None,
            authority_key: BASE64.encode(authority.as_bytes()),
            key_set: BASE64.encode(key_set.as_bytes()),
            person_salt: BASE64.encode(person_salt),
            time_zone: "Asia/Almaty".to_owned(),
            support_contact: None,
            policy,
        }
    }
}

/// A profile that was checked, with the key set verified under its authority.
#[derive(Clone)]
pub struct SiteProfile {
    fields: ProfileFields,
    authority: PublicKey,
    key_set: KeySet,
    person_salt: Vec<u8>,
}

impl std::fmt::Debug for SiteProfile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SiteProfile")
            .field("site", &self.fields.site.code)
            .field("url", &self.fields.url)
            .finish_non_exhaustive()
    }
}

impl SiteProfile {
    /// Reads the file. Unknown and repeated fields are refused: a profile is typed by nobody.
    pub fn parse(json: &[u8]) -> Result<Self, ProfileError> {
        if json.len() > MAX_PROFILE_BYTES {
            return Err(ProfileError::TooLong);
        }
        // A byte order mark is what some editors leave behind.
        let json = json.strip_prefix(b"\xef\xbb\xbf").unwrap_or(json);
        Self::new(serde_json::from_slice(json).map_err(ProfileError::Json)?)
    }

    /// Checks every field and verifies the key set.
    pub fn new(fields: ProfileFields) -> Result<Self, ProfileError> {
        let field = |ok: bool, name| {
            if ok {
                Ok(())
            } else {
                Err(ProfileError::Field(name))
            }
        };
        if fields.version != VERSION {
            return Err(ProfileError::Version);
        }
        field(is_site_code(&fields.site.code), "site.code")?;
        field(is_line(&fields.site.name_kk), "site.name_kk")?;
        field(is_line(&fields.site.name_ru), "site.name_ru")?;
        let optional = |text: &Option<String>| text.as_deref().is_none_or(is_line);
        field(optional(&fields.workstation), "workstation")?;
        field(optional(&fields.support_contact), "support_contact")?;
        field(is_server_url(&fields.url), "url")?;
        let pem = fields.ca_pem.as_deref();
        field(pem.is_none_or(is_pem), "ca_pem")?;
        let proxy = fields.proxy.as_deref();
        field(proxy.is_none_or(|url| Url::split(url).is_some()), "proxy")?;
        field(is_zone_name(&fields.time_zone), "time_zone")?;
        let policy = &fields.policy;
        let days = 1..=365;
        field(days.contains(&policy.offline_days), "policy.offline_days")?;
        field(policy.read_only_days <= 90, "policy.read_only_days")?;
        let minutes = 1..=240;
        let idle = &policy.idle_lock_minutes;
        field(minutes.contains(idle), "policy.idle_lock_minutes")?;

        let person_salt = decode(&fields.person_salt, "person_salt")?;
        field((16..=64).contains(&person_salt.len()), "person_salt")?;
        let authority: [u8; 32] = decode(&fields.authority_key, "authority_key")?
            .try_into()
            .map_err(|_| ProfileError::Field("authority_key"))?;
        let authority = PublicKey::from_bytes(&authority).map_err(ProfileError::AuthorityKey)?;
        let key_set = KeySet::verify(&decode(&fields.key_set, "key_set")?, &authority)
            .map_err(ProfileError::Authority)?;
        Ok(Self {
            fields,
            authority,
            key_set,
            person_salt,
        })
    }

    /// The file, indented JSON with a final line feed.
    pub fn to_json(&self) -> Result<String, ProfileError> {
        let mut json = serde_json::to_string_pretty(&self.fields).map_err(ProfileError::Json)?;
        json.push('\n');
        Ok(json)
    }

    /// The fields as they stand in the file.
    pub const fn fields(&self) -> &ProfileFields {
        &self.fields
    }

    /// The site.
    pub const fn site(&self) -> &Site {
        &self.fields.site
    }

    /// The server's URL without a final slash.
    pub fn url(&self) -> &str {
        self.fields.url.trim_end_matches('/')
    }

    /// What the site allows.
    pub const fn policy(&self) -> &Policy {
        &self.fields.policy
    }

    /// The pinned authority.
    pub const fn authority(&self) -> &PublicKey {
        &self.authority
    }

    /// The key set the profile carries; newer ones travel with sessions.
    pub const fn key_set(&self) -> &KeySet {
        &self.key_set
    }

    /// The salt of the person identifiers.
    pub fn person_salt(&self) -> &[u8] {
        &self.person_salt
    }

    /// The person identifier of a login; see [`person_id`].
    pub fn person_id(&self, login: &str) -> String {
        person_id(&self.person_salt, login)
    }

    /// Whether the other profile leads to the same server under the same authority and the same identifiers.
    pub fn is_same_server(&self, other: &Self) -> bool {
        self.authority == other.authority
            && self.key_set.issuer() == other.key_set.issuer()
            && self.person_salt == other.person_salt
    }
}

/// A login in the form under which it is known: lower case, NFC, without blanks around it.
pub fn normal_login(login: &str) -> String {
    login.trim().to_lowercase().nfc().collect()
}

/// Lowercase hex of the first 16 bytes of HMAC-SHA256(salt, [`normal_login`]): 32 digits.
pub fn person_id(salt: &[u8], login: &str) -> String {
    // A longer key than a block is hashed, a shorter one padded: no length is refused.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(salt) else {
        unreachable!("HMAC takes keys of every length")
    };
    mac.update(normal_login(login).as_bytes());
    hex::encode(&mac.finalize().into_bytes()[..16])
}

fn decode(text: &str, name: &'static str) -> Result<Vec<u8>, ProfileError> {
    BASE64.decode(text).map_err(|_| ProfileError::Field(name))
}

/// Some visible text on one line, at most 200 characters.
fn is_line(text: &str) -> bool {
    !text.trim().is_empty() && text.chars().count() <= 200 && !text.chars().any(char::is_control)
}

/// Letters, digits, `-`, `_` and `.`, at most 32: it stands in URLs and identifiers.
fn is_site_code(code: &str) -> bool {
    (1..=32).contains(&code.len())
        && code
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

fn is_zone_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'_' | b'+' | b'-'))
}

fn is_pem(text: &str) -> bool {
    let begins = text.matches("-----BEGIN CERTIFICATE-----").count();
    let ends = text.matches("-----END CERTIFICATE-----").count();
    begins > 0 && begins == ends && !text.contains("PRIVATE KEY")
}

fn is_server_url(url: &str) -> bool {
    Url::split(url).is_some_and(|url| url.tls || url.is_loopback())
}

struct Url<'a> {
    tls: bool,
    host: &'a str,
}

impl<'a> Url<'a> {
    /// Scheme, host, optional port, optional path; nothing else (no user, query or fragment).
    fn split(url: &'a str) -> Option<Self> {
        let (tls, rest) = match url.strip_prefix("https://") {
            Some(rest) => (true, rest),
            None => (false, url.strip_prefix("http://")?),
        };
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'~');
        if !path.bytes().all(|b| plain(b) || b == b'/') {
            return None;
        }
        let (host, port) = if authority.starts_with('[') {
            let end = authority.find(']')? + 1;
            let host = &authority[..end];
            host[1..end - 1].parse::<Ipv6Addr>().ok()?;
            (host, &authority[end..])
        } else {
            let end = authority.find(':').unwrap_or(authority.len());
            let host = &authority[..end];
            let label = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.');
            if host.is_empty() || !host.bytes().all(label) {
                return None;
            }
            (host, &authority[end..])
        };
        if !port.is_empty() {
            let digits = port.strip_prefix(':')?;
            if !digits.bytes().all(|b| b.is_ascii_digit()) || digits.parse::<u16>().ok()? == 0 {
                return None;
            }
        }
        Some(Self { tls, host })
    }

    fn is_loopback(&self) -> bool {
        let address = self.host.trim_matches(['[', ']']);
        self.host.eq_ignore_ascii_case("localhost")
            || address.parse().is_ok_and(|ip: Ipv4Addr| ip.is_loopback())
            || address.parse().is_ok_and(|ip: Ipv6Addr| ip.is_loopback())
    }
}

#[cfg(test)]
mod tests;
