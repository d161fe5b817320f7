use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::fixtures::{authority, key_set, signing};

const SALT: &[u8] = b"0123456789abcdef0123456789abcdef";

fn fields() -> ProfileFields {
    let site = Site {
        code: "ALA-01".into(),
        name_kk: "Алматы қан орталығы".into(),
        name_ru: "Алматинский центр крови".into(),
    };
    let authority = PublicKey::of(&authority());
    let url = "https://central.example";
    ProfileFields::new(site, url, &authority, &key_set(), SALT, Policy::default())
}

fn json() -> Value {
    serde_json::to_value(fields()).unwrap()
}

fn parse(json: &Value) -> Result<SiteProfile, ProfileError> {
    SiteProfile::parse(json.to_string().as_bytes())
}

fn code(json: &Value) -> &'static str {
    parse(json).err().map_or("", |error| error.code())
}

#[test]
fn what_is_printed_is_read() {
    let profile = SiteProfile::new(fields()).unwrap();
    let printed = profile.to_json().unwrap();
    let again = SiteProfile::parse(printed.as_bytes()).unwrap();
    assert_eq!(again.fields(), profile.fields());
    assert_eq!(again.key_set(), &key_set());
    assert_eq!(again.person_salt(), SALT);
    assert_eq!(again.policy().device_approval, DeviceApproval::Manual);
    assert!(again.is_same_server(&profile));
    let with_mark = [b"\xef\xbb\xbf", printed.as_bytes()].concat();
    assert!(SiteProfile::parse(&with_mark).is_ok());
    let debug = format!("{profile:?}");
    assert!(!debug.contains(&fields().person_salt));
}

#[test]
fn the_contract_names_these_fields() {
    let names = |value: &Value| -> Vec<String> {
        let mut names: Vec<_> = value.as_object().unwrap().keys().cloned().collect();
        names.sort();
        names
    };
    let top = [
        "authority_key",
        "ca_pem",
        "key_set",
        "person_salt",
        "policy",
        "proxy",
        "site",
        "support_contact",
        "time_zone",
        "url",
        "version",
        "workstation",
    ];
    assert_eq!(names(&json()), top);
    assert_eq!(names(&json()["site"]), ["code", "name_kk", "name_ru"]);
    let policy = [
        "break_glass",
        "device_approval",
        "idle_lock_minutes",
        "offline_days",
        "read_only_days",
    ];
    assert_eq!(names(&json()["policy"]), policy);
    assert_eq!(json()["policy"]["device_approval"], "manual");
}

#[test]
fn the_url_is_https_or_loopback() {
    let good = [
        "https://central.example",
        "https://central.example:8443/base/",
        "http://127.0.0.1:8080",
        "http://127.9.9.9",
        "http://localhost:1",
        "http://[::1]:8080",
        "https://[2001:db8::1]",
    ];
    for url in good {
        assert!(is_server_url(url), "{url}");
    }
    let bad = [
        "",
        "central.example",
        "http://central.example",
        "http://127.0.0.1.evil.example",
        "http://localhost.evil.example",
        "http://127.0.0.1@evil.example",
        "http://evil.example#127.0.0.1",
        "http://127.0.0.1\\@evil.example",
        "http://10.0.0.1",
        "http://[::2]",
        "https://",
        "https:///path",
        "https://user@central.example",
        "https://central.example?x",
        "https://central.example:0",
        "https://central.example:99999",
        "https://central.example:",
        "https://central example",
        "ftp://central.example",
        "HTTPS://central.example",
        "https://орталық.example",
    ];
    for url in bad {
        assert!(!is_server_url(url), "{url}");
        let mut json = json();
        json["url"] = url.into();
        assert_eq!(code(&json), "profile-malformed", "{url}");
    }
    let mut slash = fields();
    slash.url.push('/');
    let profile = SiteProfile::new(slash).unwrap();
    assert_eq!(profile.url(), "https://central.example");
}

#[test]
fn another_authority_is_named() {
    let mut json = json();
    let other = PublicKey::of(&signing(1));
    json["authority_key"] = BASE64.encode(other.as_bytes()).into();
    assert_eq!(code(&json), "profile-wrong-authority");

    let mut tampered = key_set().as_bytes().to_vec();
    let last = tampered.len() - 1;
    tampered[last] ^= 1;
    json = self::json();
    json["key_set"] = BASE64.encode(tampered).into();
    assert_eq!(code(&json), "profile-wrong-authority");
}

#[test]
fn bad_fields_are_malformed() {
    let long = "x".repeat(201);
    let cases: [(&str, Value); 27] = [
        ("/version", json!(2)),
        ("/version", json!("1")),
        ("/site/code", json!("")),
        ("/site/code", json!("ALA 01")),
        ("/site/code", json!("../01")),
        ("/site/name_kk", json!(" ")),
        ("/site/name_ru", json!(long)),
        ("/workstation", json!("a\nb")),
        ("/support_contact", json!("")),
        ("/ca_pem", json!("certificate")),
        ("/ca_pem", json!("-----BEGIN CERTIFICATE-----")),
        ("/proxy", json!("socks5://proxy.example")),
        ("/authority_key", json!("AAAA")),
        ("/authority_key", json!(BASE64.encode([0; 32]))),
        ("/authority_key", json!("not base64!")),
        ("/key_set", json!("%")),
        ("/person_salt", json!(BASE64.encode([1; 15]))),
        ("/person_salt", json!(BASE64.encode([1; 65]))),
        ("/time_zone", json!("")),
        ("/time_zone", json!("Asia/Алматы")),
        ("/policy/device_approval", json!("maybe")),
        ("/policy/offline_days", json!(0)),
        ("/policy/offline_days", json!(366)),
        ("/policy/offline_days", json!(-1)),
        ("/policy/read_only_days", json!(91)),
        ("/policy/idle_lock_minutes", json!(0)),
        ("/policy/break_glass", json!(null)),
    ];
    for (path, value) in cases {
        let mut json = json();
        *json.pointer_mut(path).unwrap() = value.clone();
        assert_eq!(code(&json), "profile-malformed", "{path} {value}");
    }
    for name in ["version", "site", "url", "key_set", "policy"] {
        let mut json = json();
        json.as_object_mut().unwrap().remove(name);
        assert_eq!(code(&json), "profile-malformed", "{name} missing");
    }
    let mut unknown = json();
    unknown["ca_pm"] = "typo".into();
    assert_eq!(code(&unknown), "profile-malformed");
    let twice = json().to_string().replacen('{', "{\"version\":1,", 1);
    assert!(SiteProfile::parse(twice.as_bytes()).is_err());
    let huge = vec![b' '; MAX_PROFILE_BYTES + 1];
    assert!(SiteProfile::parse(&huge).is_err());
    for bytes in [&b""[..], b"null", b"[]", b"\xff", b"{}"] {
        assert!(SiteProfile::parse(bytes).is_err());
    }
}

#[test]
fn a_login_has_one_identifier_however_it_is_typed() {
    // HMAC-SHA256 by hand: the identifier is part of signed statements for ever.
    let mut mac = Hmac::<Sha256>::new_from_slice(SALT).unwrap();
    mac.update("әсел@ala".as_bytes());
    let expected = hex::encode(&mac.finalize().into_bytes()[..16]);
    assert_eq!(person_id(SALT, "әсел@ala"), expected);
    assert_eq!(person_id(SALT, " ӘСЕЛ@Ala "), expected);
    // й as one character and as и with a breve.
    let decomposed = person_id(SALT, "андре\u{438}\u{306}");
    assert_eq!(decomposed, person_id(SALT, "андре\u{439}"));
    assert_ne!(person_id(SALT, "a"), person_id(b"another salt....", "a"));
    assert!(crate::keys::is_id(&expected));
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(SiteProfile::parse(&bytes).is_err());
    }

    #[test]
    fn plain_http_never_leaves_the_machine(host in "[a-z0-9.:@\\[\\]-]{1,24}") {
        let url = format!("http://{host}");
        if is_server_url(&url) {
            let rest = host.trim_start_matches('[');
            prop_assert!(["localhost", "127.", "::1", "0"].iter().any(|p| rest.starts_with(p)), "{}", host);
        }
    }
}
