//! The direction of dependencies: the pure crates stay pure, and the client never knows the server.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::{BTreeSet, HashMap};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, PackageId};

fn metadata() -> Metadata {
    MetadataCommand::new()
        .manifest_path(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
        .other_options(["--offline".into(), "--locked".into()])
        .exec()
        .unwrap()
}

/// Names of every package that building `root` (not its tests) pulls in.
fn pulled_in(metadata: &Metadata, root: &str) -> BTreeSet<String> {
    let names: HashMap<&PackageId, &str> = metadata
        .packages
        .iter()
        .map(|package| (&package.id, package.name.as_str()))
        .collect();
    let nodes: HashMap<&PackageId, _> = metadata
        .resolve
        .as_ref()
        .unwrap()
        .nodes
        .iter()
        .map(|node| (&node.id, node))
        .collect();
    let start = &metadata
        .workspace_packages()
        .into_iter()
        .find(|package| package.name.as_str() == root)
        .unwrap()
        .id;
    let (mut seen, mut open) = (BTreeSet::new(), vec![start]);
    while let Some(id) = open.pop() {
        for dependency in &nodes[id].deps {
            let built = dependency
                .dep_kinds
                .iter()
                .any(|kind| kind.kind != DependencyKind::Development);
            if built && seen.insert(names[&dependency.pkg].to_owned()) {
                open.push(&dependency.pkg);
            }
        }
    }
    seen
}

#[test]
fn agreement_and_clinical_are_pure() {
    let metadata = metadata();
    for root in ["infoblood-agreement", "infoblood-clinical"] {
        let crates = pulled_in(&metadata, root);
        for impure in [
            "tokio",
            "sqlx",
            "sqlx-core",
            "reqwest",
            "tauri",
            "hyper",
            "infoblood-client",
            "infoblood-server",
        ] {
            assert!(!crates.contains(impure), "{root} pulls in {impure}");
        }
    }
}

#[test]
fn dependencies_go_one_way() {
    let metadata = metadata();
    let client = pulled_in(&metadata, "infoblood-client");
    for other in ["infoblood-server", "infoblood", "tauri", "axum"] {
        assert!(!client.contains(other), "the client pulls in {other}");
    }
    let server = pulled_in(&metadata, "infoblood-server");
    for other in ["infoblood-client", "infoblood", "tauri"] {
        assert!(!server.contains(other), "the server pulls in {other}");
    }
    let app = pulled_in(&metadata, "infoblood");
    assert!(app.contains("infoblood-client") && !app.contains("infoblood-server"));
}

#[test]
fn the_developers_commands_build_without_webkit_and_openssl() {
    let crates = pulled_in(&metadata(), "xtask");
    for heavy in ["tauri", "webkit2gtk", "openssl-sys", "libsqlite3-sys"] {
        assert!(!crates.contains(heavy), "xtask pulls in {heavy}");
    }
}
