//! Where to listen and who may write, checked; secrets are read, and never shown.

use crate::config::Key;
use crate::config::check::{Check, flag};
use crate::config::file::Env;
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

/// Whether secrets are read.
#[derive(Clone, Copy)]
pub(super) enum Secrets<'a> {
    /// From this environment, and from files.
    Read(Env<'a>),
    /// Not at all: the machine that checks a config need not hold its secrets.
    Unread,
}

impl Check<'_> {
    pub(super) fn http(&mut self, secrets: Secrets<'_>) -> Option<ServeSpec> {
        let listen = match self.settings.has(Key::Listen) {
            true => self.one(Key::Listen, address),
            false => Some(LISTEN),
        };
        let token = self.inline(Key::Token, |inline| inline.secret(secrets)).flatten();
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
        let rate_limit =
            self.between(Key::RateLimit, 0, RATE_MAX).map_or(RawServe::RATE_LIMIT, |rate| rate as u32);
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

    fn secret(&mut self, secrets: Secrets<'_>) -> Option<Token> {
        let env = self.text(Key::SecretEnv);
        let file = self.text(Key::SecretFile);
        let place = self.settings.header.as_ref().map(|(_, span)| span.clone());
        let help = "write { env = \"S4CAST_TOKEN\" } or { file = \"/run/secrets/token\" }";
        let text = match (env, file, secrets) {
            (None, None, _) if self.settings.misread || !self.settings.problems.is_empty() => return None,
            (None, None, _) => Err(Wrong::new("a secret without env and file".into(), help)),
            (Some(_), Some(_), _) => Err(Wrong::new("a secret with both env and file".into(), help)),
            (_, _, Secrets::Unread) => Ok("unread".to_string()),
            (Some(name), None, Secrets::Read(env)) => of_environment(&name, env),
            (None, Some(path), Secrets::Read(_)) => of_file(&path),
        };
        match text {
            Ok(text) => Token::new(&text),
            Err(wrong) => {
                self.problem_at(place, wrong);
                None
            }
        }
    }
}

/// Where a rule is broken, and what keeps it.
fn remedy(problem: &ServeError) -> (Key, &'static str) {
    match problem {
        ServeError::OpenToAll(_) => {
            (Key::Listen, "write listen = \"127.0.0.1:8091\", or token = { env = \"S4CAST_TOKEN\" }")
        }
        ServeError::Plain(_) => {
            (Key::Listen, "write tls = { cert = \"tls.crt\", key = \"tls.key\" }, or plaintext = true where a proxy in front speaks TLS")
        }
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

fn of_environment(name: &str, env: Env<'_>) -> Result<String, Wrong> {
    let help = "set it to the token, for example in the unit of the service";
    match env(name) {
        None => Err(Wrong::new(format!("the environment variable {name} of a secret is not set"), help)),
        Some(text) if text.trim().is_empty() => {
            Err(Wrong::new(format!("the environment variable {name} of a secret is empty"), help))
        }
        Some(text) => Ok(text),
    }
}

fn of_file(path: &str) -> Result<String, Wrong> {
    let help = "write the token into it and let the daemon's user read it";
    match std::fs::read_to_string(path) {
        Err(error) => Err(Wrong::new(format!("the file {path} of a secret cannot be read: {error}"), help)),
        Ok(text) if text.trim().is_empty() => {
            Err(Wrong::new(format!("the file {path} of a secret is empty"), help))
        }
        Ok(text) => Ok(text),
    }
}

fn address(text: &str) -> Result<SocketAddr, Wrong> {
    text.trim().parse().map_err(|_| {
        let message = format!("'{text}' is no address with a port");
        Wrong::new(message, "write for example 127.0.0.1:8091 or [::1]:8091")
    })
}
