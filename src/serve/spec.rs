//! Where to listen, who may read and who may write, fully checked.

use crate::serve::tls::TlsFiles;
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

/// Who may read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reads {
    /// Whoever reaches the address.
    Open,
    /// Whoever shows the token.
    Token,
}

/// An address as it is written, before it is held against the rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawServe {
    /// The address.
    pub listen: SocketAddr,
    /// What whoever writes has to show; without it nobody may.
    pub token: Option<Token>,
    /// Names by which requests may call this machine, beside its addresses and `localhost`.
    pub hosts: Vec<String>,
    /// Certificates; `None` speaks plain HTTP.
    pub tls: Option<TlsFiles>,
    /// Whether plain HTTP may be spoken where others can reach it: a proxy in front speaks TLS.
    pub plaintext: bool,
    /// Who may read; `None` takes what fits the address.
    pub reads: Option<Reads>,
    /// Whether nothing can be changed over HTTP, token or not.
    pub read_only: bool,
    /// Requests per second of one peer; 0 sets no limit.
    pub rate_limit: u32,
    /// Connections at a time.
    pub connections: usize,
}

impl RawServe {
    /// Requests per second of one peer where nothing is written.
    pub const RATE_LIMIT: u32 = 100;

    /// Connections at a time where nothing is written.
    pub const CONNECTIONS: usize = 256;

    /// Plain HTTP at that address, as it is where nothing else is written.
    pub fn at(listen: SocketAddr) -> RawServe {
        RawServe {
            listen,
            token: None,
            hosts: Vec::new(),
            tls: None,
            plaintext: false,
            reads: None,
            read_only: false,
            rate_limit: RawServe::RATE_LIMIT,
            connections: RawServe::CONNECTIONS,
        }
    }
}

/// Where to listen, who may read and who may write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServeSpec {
    raw: RawServe,
    reads: Reads,
}

/// An address that must not be served like this.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ServeError {
    /// Everybody could reach it.
    #[error(
        "{0} can be reached from other machines and has no token; listen on 127.0.0.1 or give a token or tls.client_ca"
    )]
    OpenToAll(SocketAddr),
    /// Everybody on the way could read along.
    #[error(
        "{0} can be reached from other machines without TLS: tokens and forecasts could be read on the way"
    )]
    Plain(SocketAddr),
    /// Nobody could read.
    #[error("reads = \"token\" without a token lets nobody read")]
    Unreadable,
    /// Not the name of a machine.
    #[error("'{0}' is no name of a machine; write it without scheme, port and path")]
    NoHost(String),
}

impl ServeSpec {
    /// The address if it keeps the rules: one that other machines can reach has TLS (or a proxy that has) and asks for a token
    /// or for a client's certificate.
    ///
    /// # Errors
    /// Every rule that is broken.
    pub fn new(raw: RawServe) -> Result<ServeSpec, Vec<ServeError>> {
        let mut problems = Vec::new();
        let is_loopback = raw.listen.ip().is_loopback();
        let asks_certificates = raw.tls.as_ref().is_some_and(|tls| tls.client_ca.is_some());
        if !is_loopback && raw.token.is_none() && !asks_certificates {
            problems.push(ServeError::OpenToAll(raw.listen));
        }
        if !is_loopback && raw.tls.is_none() && !raw.plaintext {
            problems.push(ServeError::Plain(raw.listen));
        }
        if raw.reads == Some(Reads::Token) && raw.token.is_none() {
            problems.push(ServeError::Unreadable);
        }
        problems.extend(raw.hosts.iter().filter(|host| !is_host(host)).cloned().map(ServeError::NoHost));
        if !problems.is_empty() {
            return Err(problems);
        }
        let fitting = if is_loopback || asks_certificates { Reads::Open } else { Reads::Token };
        let name = |host: &String| host.trim_end_matches('.').to_ascii_lowercase();
        let hosts = raw.hosts.iter().map(name).collect();
        Ok(ServeSpec { reads: raw.reads.unwrap_or(fitting), raw: RawServe { hosts, ..raw } })
    }

    /// The names by which requests may call this machine beside its addresses and `localhost`; `None` where they may call it
    /// anything. A page from elsewhere can reach a loopback address only through the browser of somebody who may: there
    /// names are checked. Any other address can be reached without, and asks for a token where it matters.
    pub fn checked_hosts(&self) -> Option<Vec<String>> {
        self.raw.listen.ip().is_loopback().then(|| self.raw.hosts.clone())
    }

    /// The address.
    pub fn listen(&self) -> SocketAddr {
        self.raw.listen
    }

    /// The token, if there is one.
    pub fn token(&self) -> Option<&Token> {
        self.raw.token.as_ref()
    }

    /// The certificates; `None` speaks plain HTTP.
    pub fn tls(&self) -> Option<&TlsFiles> {
        self.raw.tls.as_ref()
    }

    /// Who may read.
    pub fn reads(&self) -> Reads {
        self.reads
    }

    /// Whether nothing can be changed over HTTP.
    pub fn is_read_only(&self) -> bool {
        self.raw.read_only
    }

    /// Requests per second of one peer; 0 sets no limit.
    pub fn rate_limit(&self) -> u32 {
        self.raw.rate_limit
    }

    /// Connections at a time.
    pub fn connections(&self) -> usize {
        self.raw.connections
    }
}

/// Whether a text is the name of a machine.
pub fn is_host(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (1..=253).contains(&text.len()) && text.bytes().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(listen: &str) -> RawServe {
        RawServe { token: Token::new("sesame"), ..RawServe::at(listen.parse().expect("address")) }
    }

    fn tls(client_ca: Option<&str>) -> Option<TlsFiles> {
        Some(TlsFiles { cert: "c".into(), key: "k".into(), client_ca: client_ca.map(Into::into) })
    }

    #[test]
    fn hosts_are_names_and_are_checked_on_loopback_alone() {
        let called = |listen: &str, host: &str| {
            let raw = RawServe { hosts: vec![host.into()], plaintext: true, ..raw(listen) };
            ServeSpec::new(raw)
        };
        let spec = called("127.0.0.1:8091", "Forecasts.Example.org.").expect("a name");
        assert_eq!(spec.checked_hosts(), Some(vec!["forecasts.example.org".into()]));
        assert_eq!(called("0.0.0.0:8091", "a").expect("a name").checked_hosts(), None);
        for wrong in ["", "http://a", "a:80", "a/b", "a b", "ä"] {
            let refused = called("127.0.0.1:8091", wrong);
            assert_eq!(refused, Err(vec![ServeError::NoHost(wrong.into())]), "{wrong}");
        }
    }

    #[test]
    fn what_others_can_reach_has_tls_and_asks_who_they_are() {
        let address = "0.0.0.0:8091".parse().expect("address");
        let refusals = |raw: RawServe| ServeSpec::new(raw).expect_err("open");
        let both = vec![ServeError::OpenToAll(address), ServeError::Plain(address)];
        assert_eq!(refusals(RawServe::at(address)), both);
        assert_eq!(refusals(raw("0.0.0.0:8091")), vec![ServeError::Plain(address)]);
        let of_certificate = RawServe { tls: tls(None), ..RawServe::at(address) };
        assert_eq!(refusals(of_certificate), vec![ServeError::OpenToAll(address)]);
        for raw in [
            RawServe { plaintext: true, ..raw("0.0.0.0:8091") },
            RawServe { tls: tls(None), ..raw("[::]:8091") },
            RawServe { tls: tls(Some("ca")), ..RawServe::at(address) },
            RawServe::at("[::1]:8091".parse().expect("address")),
        ] {
            assert!(ServeSpec::new(raw.clone()).is_ok(), "{raw:?}");
        }
    }

    #[test]
    fn reads_ask_for_the_token_where_others_come_without_a_certificate() {
        let reads = |raw: RawServe| ServeSpec::new(raw).map(|spec| spec.reads());
        let outside = || RawServe { plaintext: true, ..raw("10.0.0.1:80") };
        assert_eq!(reads(raw("127.0.0.1:80")), Ok(Reads::Open));
        assert_eq!(reads(outside()), Ok(Reads::Token));
        assert_eq!(reads(RawServe { tls: tls(Some("ca")), ..outside() }), Ok(Reads::Open));
        assert_eq!(reads(RawServe { reads: Some(Reads::Open), ..outside() }), Ok(Reads::Open));
        let asked =
            RawServe { reads: Some(Reads::Token), ..RawServe::at("127.0.0.1:80".parse().expect("ok")) };
        assert_eq!(reads(asked), Err(vec![ServeError::Unreadable]));
    }
}
