//! `serve`.

use std::io::Write as _;
use std::net::{SocketAddr, ToSocketAddrs as _};

use super::arguments::Serve;
use super::{Done, ENVIRONMENT, Failure};
use crate::context::Place;
use crate::serve::{ServeConfig, Tls, start};

pub(super) async fn run(place: Place, arguments: &Serve) -> Result<Done, Failure> {
    let tls = match (&arguments.tls_cert, &arguments.tls_key) {
        (Some(cert), Some(key)) => Some(Tls {
            cert: cert.clone(),
            key: key.clone(),
        }),
        _ => None,
    };
    let listen = address(&arguments.listen)?;
    // Before anything listens: a signal from now on ends the server, not the process.
    let signal = Signal::new().map_err(|error| Failure::new(ENVIRONMENT, "signals", &error))?;
    let running = start(ServeConfig {
        listen,
        tls,
        ..ServeConfig::loopback(place)
    })
    .await?;
    {
        let mut stdout = std::io::stdout().lock();
        writeln!(stdout, "listening on {}", running.url)
            .and_then(|()| stdout.flush())
            .map_err(|error| Failure::new(ENVIRONMENT, "stdout", &error))?;
    }
    signal.received().await;
    tracing::info!("shutting down");
    running.shutdown().await;
    Ok(Done {
        output: None,
        ok: true,
    })
}

fn address(text: &str) -> Result<SocketAddr, Failure> {
    text.to_socket_addrs()
        .ok()
        .and_then(|mut found| found.next())
        .ok_or_else(|| Failure::usage("--listen: an IP address and a port, as 127.0.0.1:8443"))
}

#[cfg(unix)]
struct Signal {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signal {
    fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn received(mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

#[cfg(not(unix))]
struct Signal;

#[cfg(not(unix))]
impl Signal {
    #[expect(clippy::unnecessary_wraps, reason = "the same shape on every system")]
    fn new() -> std::io::Result<Self> {
        Ok(Self)
    }

    async fn received(self) {
        // Without a handler there is nothing to wait for but the process's end.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
