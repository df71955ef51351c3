//! Where to listen and who may write, fully checked.

use std::net::SocketAddr;

/// A bearer token. It never prints.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// A token as read from its environment variable or file, blanks around it removed; `None` if nothing is left.
    pub fn new(text: &str) -> Option<Token> {
        let text = text.trim();
        (!text.is_empty()).then(|| Token(text.into()))
    }

    /// The token itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(***)")
    }
}

/// Where to listen and who may write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServeSpec {
    listen: SocketAddr,
    token: Option<Token>,
    hosts: Vec<String>,
}

/// An address that must not be served like this.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ServeError {
    /// Everybody could reach it.
    #[error("{0} can be reached from other machines and has no token; listen on 127.0.0.1 or give a token")]
    OpenToAll(SocketAddr),
    /// Not the name of a machine.
    #[error("'{0}' is no name of a machine; write it without scheme, port and path")]
    NoHost(String),
}

impl ServeSpec {
    /// An address, and the token that whoever writes has to show. Without a token nobody may write.
    ///
    /// # Errors
    /// If the address is no loopback address and there is no token.
    pub fn new(listen: SocketAddr, token: Option<Token>) -> Result<ServeSpec, ServeError> {
        match listen.ip().is_loopback() || token.is_some() {
            true => Ok(ServeSpec { listen, token, hosts: Vec::new() }),
            false => Err(ServeError::OpenToAll(listen)),
        }
    }

    /// The same, where requests may call this machine by these names, too.
    ///
    /// # Errors
    /// If one is no name.
    pub fn called(self, hosts: &[String]) -> Result<ServeSpec, ServeError> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let is_name = |host: &&String| (1..=253).contains(&host.len()) && host.bytes().all(fits);
        match hosts.iter().find(|host| !is_name(host)) {
            Some(wrong) => Err(ServeError::NoHost(wrong.clone())),
            None => {
                let name = |host: &String| host.trim_end_matches('.').to_ascii_lowercase();
                Ok(ServeSpec { hosts: hosts.iter().map(name).collect(), ..self })
            }
        }
    }

    /// The names by which requests may call this machine beside its addresses and `localhost`; `None` where they may call it
    /// anything. A page from elsewhere can reach a loopback address only through the browser of somebody who may: there
    /// names are checked. Any other address can be reached without, and asks for a token where it matters.
    pub fn checked_hosts(&self) -> Option<Vec<String>> {
        self.listen.ip().is_loopback().then(|| self.hosts.clone())
    }

    /// The address.
    pub fn listen(&self) -> SocketAddr {
        self.listen
    }

    /// The token, if there is one.
    pub fn token(&self) -> Option<&Token> {
        self.token.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_names_and_are_checked_on_loopback_alone() {
        let spec = |listen: &str| {
            ServeSpec::new(listen.parse().expect("address"), Token::new("sesame")).expect("has a token")
        };
        let called = spec("127.0.0.1:8091").called(&["Forecasts.Example.org.".into()]).expect("a name");
        assert_eq!(called.checked_hosts(), Some(vec!["forecasts.example.org".into()]));
        assert_eq!(spec("[::1]:8091").checked_hosts(), Some(Vec::new()));
        assert_eq!(spec("0.0.0.0:8091").checked_hosts(), None);
        for wrong in ["", "http://a", "a:80", "a/b", "a b", "ä"] {
            let refused = spec("127.0.0.1:8091").called(&[wrong.into()]);
            assert_eq!(refused, Err(ServeError::NoHost(wrong.into())), "{wrong}");
        }
    }
}
