//! Where to listen and who may write, checked.

use crate::config::Key;
use crate::config::check::Check;
use crate::config::secret::{Secret, Secrets};
use crate::config::words::Wrong;
use crate::serve::{ServeSpec, Token};
use std::net::{Ipv4Addr, SocketAddr};

/// Address where none is written.
const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8091);

impl Check<'_> {
    pub(super) fn http(&mut self, secrets: Secrets<'_>) -> Option<ServeSpec> {
        let listen = match self.settings.has(Key::Listen) {
            true => self.one(Key::Listen, address)?,
            false => LISTEN,
        };
        let token = match self.secret(Key::Token, secrets, "token", "S4CAST_TOKEN") {
            Some(Secret::Text(text)) => Token::new(&text),
            Some(Secret::Unread) => Token::new("unread"),
            None => None,
        };
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
}

fn address(text: &str) -> Result<SocketAddr, Wrong> {
    text.trim().parse().map_err(|_| {
        let message = format!("'{text}' is no address with a port");
        Wrong::new(message, "write for example 127.0.0.1:8091 or [::1]:8091")
    })
}
