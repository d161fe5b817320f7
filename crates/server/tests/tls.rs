//! TLS, and that nothing but loopback is served without it.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::net::SocketAddr;
use std::sync::Arc;

use infoblood_server::clock::SystemClock;
use infoblood_server::service::init::init;
use infoblood_server::{Place, ServeConfig, Tls, start};

async fn place(dir: &tempfile::TempDir) -> Place {
    let place = Place::new(dir.path());
    init(&place, "https://central.example", Arc::new(SystemClock))
        .await
        .unwrap();
    place
}

#[tokio::test]
async fn https_with_a_configured_certificate() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let dir = tempfile::tempdir().unwrap();
    let place = place(&dir).await;
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()])
        .unwrap();
    let tls = Tls {
        cert: dir.path().join("cert.pem"),
        key: dir.path().join("key.pem"),
    };
    std::fs::write(&tls.cert, made.cert.pem()).unwrap();
    std::fs::write(&tls.key, made.signing_key.serialize_pem()).unwrap();

    let running = start(ServeConfig {
        tls: Some(tls.clone()),
        ..ServeConfig::loopback(place.clone())
    })
    .await
    .unwrap();
    assert!(running.url.starts_with("https://127.0.0.1:"));
    let trusted = reqwest::Certificate::from_pem(made.cert.pem().as_bytes()).unwrap();
    let http = reqwest::Client::builder()
        .tls_certs_only([trusted])
        .build()
        .unwrap();
    assert_eq!(
        http.get(format!("{}/healthz", running.url))
            .send()
            .await
            .unwrap()
            .status(),
        200
    );
    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let other = reqwest::Certificate::from_pem(other.cert.pem().as_bytes()).unwrap();
    let suspicious = reqwest::Client::builder()
        .tls_certs_only([other])
        .build()
        .unwrap();
    assert!(
        suspicious
            .get(format!("{}/healthz", running.url))
            .send()
            .await
            .is_err()
    );
    let plain = running.url.replace("https", "http");
    assert!(
        http.get(format!("{plain}/healthz")).send().await.is_err(),
        "no plain HTTP on the port"
    );
    running.shutdown().await;

    std::fs::write(&tls.key, "nonsense").unwrap();
    let error = start(ServeConfig {
        tls: Some(tls),
        ..ServeConfig::loopback(place)
    })
    .await
    .unwrap_err();
    assert_eq!(error.code(), "tls-unusable");
}

#[tokio::test]
async fn without_tls_only_loopback() {
    let dir = tempfile::tempdir().unwrap();
    let place = place(&dir).await;
    for listen in ["0.0.0.0:0", "[::]:0", "192.0.2.1:8000"] {
        let listen: SocketAddr = listen.parse().unwrap();
        let error = start(ServeConfig {
            listen,
            ..ServeConfig::loopback(place.clone())
        })
        .await
        .unwrap_err();
        assert_eq!(error.code(), "tls-needed");
    }
}
