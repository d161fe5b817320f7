//! Which form of a compressible answer somebody takes: zstd, or as it is.
//!
//! Who refuses both gets it as it is. The layer that compresses would answer 406 in place of what the handler said, 401 and 403 too.

use axum::extract::Request;
use axum::http::header::ACCEPT_ENCODING;
use axum::http::{HeaderMap, HeaderValue};

/// Leaves of `Accept-Encoding` what can be satisfied.
pub(super) async fn settle(mut request: Request) -> Request {
    let headers = request.headers_mut();
    if takes_zstd(headers) {
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("zstd"));
    } else {
        headers.remove(ACCEPT_ENCODING);
    }
    request
}

/// Whether zstd is acceptable and nothing speaks for the plain form.
fn takes_zstd(headers: &HeaderMap) -> bool {
    let (mut zstd, mut plain, mut others) = (None, None, None);
    let items = headers
        .get_all(ACCEPT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    for item in items {
        let (name, weight) = item.split_once(';').unwrap_or((item, "q=1"));
        let slot = match name.trim().to_ascii_lowercase().as_str() {
            "zstd" => &mut zstd,
            "identity" => &mut plain,
            "*" => &mut others,
            _ => continue,
        };
        *slot = Some(quality(weight));
    }
    let zstd = zstd.or(others).unwrap_or(0.0);
    zstd > 0.0 && zstd >= plain.unwrap_or(0.0)
}

/// What is no weight counts as a refusal.
fn quality(weight: &str) -> f32 {
    let weight = weight.trim();
    let digits = weight
        .strip_prefix("q=")
        .or_else(|| weight.strip_prefix("Q="));
    digits
        .and_then(|digits| digits.parse().ok())
        .filter(|quality| (0.0..=1.0).contains(quality))
        .unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_satisfied_is_the_plain_form() {
        for (accepted, is_zstd) in [
            (&[][..], false),
            (&["zstd"], true),
            (&["ZSTD;Q=0.3"], true),
            (&["gzip, br"], false),
            (&["gzip", "zstd; q=0.5"], true),
            (&["zstd;q=0"], false),
            (&["zstd;q=0, *"], false),
            (&["*"], true),
            (&["*;q=0"], false),
            (&["identity;q=0"], false),
            (&["identity;q=0, zstd"], true),
            (&["identity, zstd;q=0.5"], false),
            (&["identity;q=0.5, zstd;q=0.5"], true),
            (&["zstd;q=nan"], false),
            (&["zstd;q=2"], false),
            (&["zstd;x=1"], false),
        ] {
            let mut headers = HeaderMap::new();
            for value in accepted {
                headers.append(ACCEPT_ENCODING, HeaderValue::from_static(value));
            }
            assert_eq!(takes_zstd(&headers), is_zstd, "{accepted:?}");
        }
    }
}
