//! Where to listen and who may write, checked; secrets are read, and never shown.

use crate::config::Key;
use crate::config::check::Check;
use crate::config::file::Env;
use crate::config::words::Wrong;
use crate::serve::{ServeSpec, Token};
use std::net::{Ipv4Addr, SocketAddr};

/// Address where none is written.
const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8091);

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
            true => self.one(Key::Listen, address)?,
            false => LISTEN,
        };
        let token = self.inline(Key::Token, |inline| inline.secret(secrets)).flatten();
        if token.is_none() && self.settings.has(Key::Token) {
            return None;
        }
        let spec = ServeSpec::new(listen, token);
        let spec = spec.map_err(|error| {
            let help = "write listen = \"127.0.0.1:8091\", or token = { env = \"S4CAST_TOKEN\" }";
            self.problem_at(self.settings.place(Key::Listen), Wrong::new(error.to_string(), help));
        });
        let spec = spec.ok()?;
        let host = |text: &str| {
            let help = "write for example hosts = [\"forecasts.example.org\"]";
            let host = text.trim().to_owned();
            let called = spec.clone().called(std::slice::from_ref(&host));
            called.map(|_| host).map_err(|error| Wrong::new(error.to_string(), help))
        };
        let hosts = self.many(Key::Hosts, host);
        spec.called(&hosts).ok()
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
