//! `/openapi.json`: this interface described; a test compares it with the router.

use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

const DOCUMENT: &str = include_str!("openapi.json");

pub(super) async fn get() -> Response {
    ([(CONTENT_TYPE, "application/json")], DOCUMENT).into_response()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::DOCUMENT;

    /// `METHOD path` of every `.route(…)` in the router's text.
    fn routed() -> BTreeSet<String> {
        let text = include_str!("mod.rs");
        text.split(".route(")
            .skip(1)
            .map(|route| {
                let (_, rest) = route.split_once('"').unwrap();
                let (path, rest) = rest.split_once('"').unwrap();
                let rest = rest.trim_start_matches([',', ' ', '\n']);
                let (method, _) = rest.split_once('(').unwrap();
                // A path with a star answers nothing but refusals, under the methods of reading.
                let method = if method == "any" { "get" } else { method };
                format!("{method} {}", path.replace("{*", "{"))
            })
            .collect()
    }

    #[test]
    fn every_route_is_described_and_nothing_else() {
        let document: Value = serde_json::from_str(DOCUMENT).unwrap();
        let described: BTreeSet<String> = document["paths"]
            .as_object()
            .unwrap()
            .iter()
            .flat_map(|(path, methods)| {
                let methods = methods.as_object().unwrap().keys();
                methods.map(move |method| format!("{method} {path}"))
            })
            .collect();
        assert_eq!(described, routed());
        assert!(routed().len() > 20);
        assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    }

    /// Every `$ref` has its place.
    #[test]
    fn references_lead_somewhere() {
        let document: Value = serde_json::from_str(DOCUMENT).unwrap();
        let references: Vec<&str> = DOCUMENT
            .split("\"$ref\": \"#")
            .skip(1)
            .map(|rest| rest.split_once('"').unwrap().0)
            .collect();
        assert!(references.len() > 20);
        for reference in references {
            assert!(document.pointer(reference).is_some(), "{reference}");
        }
    }
}
