use std::net::IpAddr;

use sqlx::ConnectOptions as _;
use sqlx::postgres::{PgConnectOptions, PgSslMode};

/// Where a PostgreSQL database is and how to log in; a password in it is never shown.
#[derive(Clone)]
pub struct PostgresUrl(Box<PgConnectOptions>);

impl std::fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PostgresUrl(..)")
    }
}

impl PostgresUrl {
    /// Reads `postgres://…`. What is not in it comes from the environment and the password file as with other clients of
    /// PostgreSQL. Patient data go over this connection: to another machine only under a verified certificate. The error
    /// is a sentence.
    pub fn parse(url: &str) -> Result<Self, String> {
        let options: PgConnectOptions = url
            .parse()
            .map_err(|_| "--database-url: this is not an address of PostgreSQL".to_owned())?;
        let host = options.get_host();
        let here = options.get_socket().is_some()
            || host.starts_with('/')
            || host == "localhost"
            || host
                .trim_matches(['[', ']'])
                .parse::<IpAddr>()
                .is_ok_and(|address| address.is_loopback());
        if !here && !matches!(options.get_ssl_mode(), PgSslMode::VerifyFull) {
            return Err(
                "--database-url: a database on another machine needs sslmode=verify-full"
                    .to_owned(),
            );
        }
        Ok(Self(Box::new(options)))
    }

    /// How this program connects: its own settings win over those of the database and of the address.
    pub(super) fn options(&self) -> PgConnectOptions {
        PgConnectOptions::clone(&self.0)
            .application_name("infoblood-server")
            .options([
                // What is answered is on the disk.
                ("synchronous_commit", "on"),
                // Another process that writes.
                ("lock_timeout", "5s"),
                // A process that stopped in the middle holds nobody up for long.
                ("idle_in_transaction_session_timeout", "60s"),
                ("client_min_messages", "warning"),
            ])
            .disable_statement_logging()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_machine_needs_a_verified_certificate() {
        for good in [
            "postgres://u:p@127.0.0.1:5432/db",
            "postgres://u@[::1]/db",
            "postgresql://u@localhost/db",
            "postgres://u@%2Frun%2Fpostgresql/db",
            "postgres:///db?host=/run/postgresql",
            "postgres://u@db.example/db?sslmode=verify-full",
        ] {
            assert!(PostgresUrl::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "postgres://u@db.example/db",
            "postgres://u@db.example/db?sslmode=require",
            "postgres://u@db.example/db?sslmode=verify-ca",
            "postgres://u@localhost/db?hostaddr=192.0.2.1",
            "postgres://u@localhost/db?sslmode=nonsense",
            "postgres://u@localhost:port/db",
            "postgres://u@localhost.example/db",
            "nonsense",
        ] {
            assert!(PostgresUrl::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_password_is_not_shown() {
        let url = PostgresUrl::parse("postgres://u:secret@localhost/db").unwrap();
        assert!(!format!("{url:?}").contains("secret"));
        let refused = PostgresUrl::parse("postgres://u:secret@host/db").unwrap_err();
        assert!(!refused.contains("secret"));
    }
}
