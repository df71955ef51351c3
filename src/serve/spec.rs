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
}

/// An address that must not be served like this.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ServeError {
    /// Everybody could reach it.
    #[error("{0} can be reached from other machines and has no token; listen on 127.0.0.1 or give a token")]
    OpenToAll(SocketAddr),
}

impl ServeSpec {
    /// An address, and the token that whoever writes has to show. Without a token nobody may write.
    ///
    /// # Errors
    /// If the address is no loopback address and there is no token.
    pub fn new(listen: SocketAddr, token: Option<Token>) -> Result<ServeSpec, ServeError> {
        match listen.ip().is_loopback() || token.is_some() {
            true => Ok(ServeSpec { listen, token }),
            false => Err(ServeError::OpenToAll(listen)),
        }
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
