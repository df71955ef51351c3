//! TLS: certificates of the daemon and of its clients, renewed ones, and those who do not speak it.

use super::support::{Answer, SOON, Served, VERSION, patient, raw, read_answer};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use s4cast::serve::{Limits, RawServe, TlsFiles};
use std::io::Write;
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// An authority.
struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Authority {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Authority { pem, issuer: Issuer::new(params, key) }
    }

    /// A certificate of this authority, and its key.
    fn issue(&self) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }

    /// Writes a certificate of this authority where the daemon looks for it.
    fn install(&self, folder: &Path) -> TlsFiles {
        let (cert, key) = self.issue();
        let files = TlsFiles { cert: folder.join("tls.crt"), key: folder.join("tls.key"), client_ca: None };
        std::fs::write(&files.cert, cert).unwrap();
        std::fs::write(&files.key, key).unwrap();
        files
    }

    /// A client that trusts this authority.
    fn client(&self, own: Option<(String, String)>) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.pem.as_bytes()).unwrap()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        match own {
            None => builder.with_no_client_auth(),
            Some((cert, key)) => builder
                .with_client_auth_cert(
                    vec![CertificateDer::from_pem_slice(cert.as_bytes()).unwrap()],
                    PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap(),
                )
                .unwrap(),
        }
    }
}

type Stream = StreamOwned<ClientConnection, TcpStream>;

fn connect(served: &Served, config: ClientConfig) -> Stream {
    let tcp = served.connect().0;
    let name = ServerName::try_from("localhost").unwrap();
    StreamOwned::new(ClientConnection::new(Arc::new(config), name).unwrap(), tcp)
}

/// The answer; `None` where the two do not agree.
fn ask(stream: &mut Stream) -> Option<Answer> {
    stream.write_all(VERSION.as_bytes()).ok()?;
    read_answer(stream)
}

fn served(files: TlsFiles, limits: Limits) -> Served {
    Served::of(RawServe { tls: Some(files), ..raw() }, limits)
}

#[test]
fn a_client_that_trusts_the_authority_is_answered() {
    let (folder, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    let served = served(authority.install(folder.path()), patient());
    let mut stream = connect(&served, authority.client(None));
    let answer = ask(&mut stream).unwrap();
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("strict-transport-security"), Some("max-age=86400"));
    assert_eq!(stream.conn.alpn_protocol(), None, "it asked for none");
    assert_eq!(ask(&mut stream).unwrap().status, 200, "the connection goes on");
    assert!(
        ask(&mut connect(&served, Authority::new().client(None))).is_none(),
        "a stranger does not trust it"
    );
}

#[test]
fn clients_need_a_certificate_of_the_right_authority_where_one_is_named() {
    let (folder, authority, clients) = (tempfile::tempdir().unwrap(), Authority::new(), Authority::new());
    let client_ca = folder.path().join("clients.crt");
    std::fs::write(&client_ca, &clients.pem).unwrap();
    let files = TlsFiles { client_ca: Some(client_ca), ..authority.install(folder.path()) };
    let served = served(files, patient());
    let with = |own| ask(&mut connect(&served, authority.client(own)));
    assert_eq!(with(Some(clients.issue())).unwrap().status, 200);
    assert!(with(None).is_none());
    assert!(with(Some(authority.issue())).is_none(), "the daemon's own authority is not that of clients");
    assert!(with(Some(Authority::new().issue())).is_none());
}

#[test]
fn plain_http_is_told_what_is_spoken_here() {
    let (folder, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    let served = served(authority.install(folder.path()), patient());
    let answer = served.ask(VERSION);
    assert_eq!(answer.status, 400);
    assert!(answer.text().contains("https://"), "{}", answer.text());
    assert_eq!(ask(&mut connect(&served, authority.client(None))).unwrap().status, 200);
}

#[test]
fn who_does_not_agree_on_keys_is_not_waited_for() {
    let (folder, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    let served = served(authority.install(folder.path()), Limits { handshake: SOON, ..patient() });
    let mut silent = served.connect();
    assert!(silent.ends());
    let mut half = served.connect();
    half.say(b"\x16\x03\x01\x02\x00\x01");
    assert!(half.ends());
    let mut garbage = served.connect();
    garbage.say(b"\x16garbage that is no record of anything");
    while !garbage.ends() {}
}

#[test]
fn a_renewed_certificate_serves_new_connections_and_a_broken_one_nobody() {
    let (folder, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    let served = served(authority.install(folder.path()), patient());
    let of = |stream: &Stream| stream.conn.peer_certificates().unwrap()[0].to_vec();
    let mut before = connect(&served, authority.client(None));
    assert_eq!(ask(&mut before).unwrap().status, 200);
    let tls = served.tls.clone().unwrap();
    std::fs::write(folder.path().join("tls.key"), "broken").unwrap();
    assert!(tls.renew().is_err());
    let mut meanwhile = connect(&served, authority.client(None));
    assert_eq!(ask(&mut meanwhile).unwrap().status, 200);
    assert_eq!(of(&meanwhile), of(&before));
    authority.install(folder.path());
    assert_eq!(tls.renew(), Ok(true));
    let mut after = connect(&served, authority.client(None));
    assert_eq!(ask(&mut after).unwrap().status, 200);
    assert_ne!(of(&after), of(&before));
    assert_eq!(ask(&mut before).unwrap().status, 200, "what was agreed on goes on");
}
