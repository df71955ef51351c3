//! Where to listen and who may write, checked.

use crate::config::Key;
use crate::config::check::{Check, flag};
use crate::config::secret::{Secret, Secrets};
use crate::config::words::Wrong;
use crate::serve::{RawServe, Reads, ServeError, ServeSpec, TlsFile, TlsFiles, Token, is_host};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

/// How names of a machine are written.
const NAME: &str = "write for example hosts = [\"forecasts.example.org\"]";

/// Address where none is written.
const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8091);

/// More than that is no limit.
const RATE_MAX: usize = 1_000_000;

/// Each of them is an open file of this process.
const CONNECTIONS_MAX: usize = 100_000;

impl Check<'_> {
    pub(super) fn http(&mut self, secrets: Secrets<'_>) -> Option<ServeSpec> {
        let listen = match self.settings.has(Key::Listen) {
            true => self.one(Key::Listen, address),
            false => Some(LISTEN),
        };
        let token = match self.secret(Key::Token, secrets, "token", "S4CAST_TOKEN") {
            Some(Secret::Text(text)) => Token::new(&text),
            Some(Secret::Unread) => Token::new("unread"),
            None => None,
        };
        let tls = self.inline(Key::Tls, |inline| inline.tls(secrets)).flatten();
        let reads = self.one(Key::Reads, |text| match text.trim() {
            "open" => Ok(Reads::Open),
            "token" => Ok(Reads::Token),
            _ => {
                let message =
                    format!("unknown reads '{text}'; choose one of {}", Key::Reads.choices().join(", "));
                Err(Wrong::meant(message, text, Key::Reads.choices().iter().copied()))
            }
        });
        let plaintext = self.one(Key::Plaintext, flag).unwrap_or_default();
        let read_only = self.one(Key::ReadOnly, flag).unwrap_or_default();
        // Whoever reaches a loopback address has the machine itself to be wasteful with.
        let is_loopback = listen.is_some_and(|listen| listen.ip().is_loopback());
        let usual = if is_loopback { 0 } else { RawServe::RATE_LIMIT };
        let rate_limit = self.between(Key::RateLimit, 0, RATE_MAX).map_or(usual, |rate| rate as u32);
        let connections = self.between(Key::Connections, 1, CONNECTIONS_MAX).unwrap_or(RawServe::CONNECTIONS);
        let hosts = self.many(Key::Hosts, host);
        let is_lost = |key: Key, is_there: bool| self.settings.has(key) && !is_there;
        if is_lost(Key::Token, token.is_some()) || is_lost(Key::Tls, tls.is_some()) {
            return None;
        }
        let listen = listen?;
        let raw =
            RawServe { listen, token, hosts, tls, plaintext, reads, read_only, rate_limit, connections };
        match ServeSpec::new(raw) {
            Ok(spec) => Some(spec),
            Err(problems) => {
                for problem in problems {
                    let (key, help) = remedy(&problem);
                    self.problem_at(self.settings.place(key), Wrong::new(problem.to_string(), help));
                }
                None
            }
        }
    }

    /// Files of certificates; they are looked into where secrets are.
    fn tls(&mut self, secrets: Secrets<'_>) -> Option<TlsFiles> {
        for key in [Key::TlsCert, Key::TlsKey] {
            self.demand(key, "tls needs cert and key");
        }
        let mut path = |key: Key| self.text(key).map(PathBuf::from);
        let (cert, key, client_ca) = (path(Key::TlsCert), path(Key::TlsKey), path(Key::TlsClientCa));
        let files = TlsFiles { cert: cert?, key: key?, client_ca };
        if let Secrets::Read(_) = secrets {
            let problems = files.check().err().unwrap_or_default();
            for problem in &problems {
                let key = match problem.file {
                    TlsFile::Cert => Key::TlsCert,
                    TlsFile::Key => Key::TlsKey,
                    TlsFile::ClientCa => Key::TlsClientCa,
                };
                self.problem_at(self.settings.place(key), Wrong { message: problem.to_string(), help: None });
            }
            if !problems.is_empty() {
                return None;
            }
        }
        Some(files)
    }
}

/// Where a rule is broken, and what keeps it.
fn remedy(problem: &ServeError) -> (Key, &'static str) {
    match problem {
        ServeError::OpenToAll(_) => {
            (Key::Listen, "write listen = \"127.0.0.1:8091\", or token = { env = \"S4CAST_TOKEN\" }")
        }
        ServeError::Plain(_) => (
            Key::Listen,
            "write tls = { cert = \"tls.crt\", key = \"tls.key\" }, or plaintext = true where a proxy in front speaks TLS",
        ),
        ServeError::Unreadable => {
            (Key::Reads, "write token = { env = \"S4CAST_TOKEN\" }, or reads = \"open\"")
        }
        ServeError::NoHost(_) => (Key::Hosts, NAME),
    }
}

fn host(text: &str) -> Result<String, Wrong> {
    let host = text.trim();
    match is_host(host) {
        true => Ok(host.into()),
        false => Err(Wrong::new(ServeError::NoHost(host.into()).to_string(), NAME)),
    }
}

fn address(text: &str) -> Result<SocketAddr, Wrong> {
    text.trim().parse().map_err(|_| {
        let message = format!("'{text}' is no address with a port");
        Wrong::new(message, "write for example 127.0.0.1:8091 or [::1]:8091")
    })
}
