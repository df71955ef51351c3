//! TLS of the address: certificates from files, read again when they were renewed.

use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

/// Where the certificates are, as PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate of this machine, then those between it and a root.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// Authorities that have to have signed the certificate of a client; `None` asks for none.
    pub client_ca: Option<PathBuf>,
}

/// Which of the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsFile {
    /// The certificate.
    Cert,
    /// The private key.
    Key,
    /// The authorities of clients.
    ClientCa,
}

/// Why a file of certificates cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {reason}", path = .path.display())]
pub struct TlsError {
    /// Which file.
    pub file: TlsFile,
    /// Where it is.
    pub path: PathBuf,
    /// What is wrong, and what helps.
    pub reason: String,
}

impl TlsFiles {
    /// Reads the files, and holds them against each other.
    ///
    /// # Errors
    /// Every file that cannot be used.
    pub fn check(&self) -> Result<(), Vec<TlsError>> {
        self.read().map(|_| ())
    }

    /// What the files say, and the SHA-256 of all of them.
    fn read(&self) -> Result<(ServerConfig, [u8; 32]), Vec<TlsError>> {
        let mut problems = Vec::new();
        let mut digest = Sha256::new();
        let mut text = |file: TlsFile, path: &Path| match std::fs::read(path) {
            Ok(bytes) => {
                digest.update((bytes.len() as u64).to_le_bytes());
                digest.update(&bytes);
                Some(bytes)
            }
            Err(error) => {
                let reason = format!("cannot be read: {error}; let the daemon's user read it");
                problems.push(TlsError { file, path: path.into(), reason });
                None
            }
        };
        let cert = text(TlsFile::Cert, &self.cert);
        let key = text(TlsFile::Key, &self.key);
        let client_ca = self.client_ca.as_ref().map(|path| (path, text(TlsFile::ClientCa, path)));
        let mut of = |file: TlsFile, path: &Path, reason: String| {
            problems.push(TlsError { file, path: path.into(), reason });
        };
        let chain = cert
            .and_then(|pem| certificates(&pem).map_err(|reason| of(TlsFile::Cert, &self.cert, reason)).ok());
        let key = key.and_then(|pem| {
            // The parser's own words may quote a line of the key.
            let reason = "holds no private key; write PKCS#8, PKCS#1 or SEC1 as PEM, without a password";
            let key = PrivateKeyDer::from_pem_slice(&pem);
            key.map_err(|_| of(TlsFile::Key, &self.key, reason.into())).ok()
        });
        let roots = match &client_ca {
            None => Some(None),
            Some((path, pem)) => pem.as_ref().and_then(|pem| {
                roots(pem).map(Some).map_err(|reason| of(TlsFile::ClientCa, path, reason)).ok()
            }),
        };
        let (Some(chain), Some(key), Some(roots)) = (chain, key, roots) else { return Err(problems) };
        let config = config(chain, key, roots)
            .map_err(|reason| vec![TlsError { file: TlsFile::Key, path: self.key.clone(), reason }])?;
        Ok((config, digest.finalize().into()))
    }
}

/// The certificates of a PEM file, one at least.
fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match all {
        Ok(all) if all.is_empty() => Err("holds no certificate; write PEM, with BEGIN CERTIFICATE".into()),
        Ok(all) => Ok(all),
        Err(_) => Err("is no whole PEM; write it again".into()),
    }
}

/// Authorities that clients are held against.
fn roots(pem: &[u8]) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(pem)? {
        roots.add(certificate).map_err(|error| format!("holds no certificate of an authority: {error}"))?;
    }
    Ok(roots)
}

fn config(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    roots: Option<RootCertStore>,
) -> Result<ServerConfig, String> {
    let provider: Arc<CryptoProvider> = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let builder = match roots {
        None => builder.with_no_client_auth(),
        Some(roots) => {
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            builder.with_client_cert_verifier(verifier.map_err(|error| error.to_string())?)
        }
    };
    let mut config = builder.with_single_cert(chain, key).map_err(|error| {
        format!("does not fit the certificate: {error}; write the key that it was made with")
    })?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// The certificates in use; a clone has the same.
#[derive(Clone)]
pub struct Tls(Arc<Inner>);

struct Inner {
    files: TlsFiles,
    current: RwLock<Current>,
}

struct Current {
    config: Arc<ServerConfig>,
    /// Of the files as they were last looked at.
    sha256: [u8; 32],
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// Every file that cannot be used.
    pub fn open(files: &TlsFiles) -> Result<Tls, Vec<TlsError>> {
        let (config, sha256) = files.read()?;
        let current = RwLock::new(Current { config: Arc::new(config), sha256 });
        Ok(Tls(Arc::new(Inner { files: files.clone(), current })))
    }

    /// Reads the files again; connections from now on have what they say. Returns whether they changed.
    ///
    /// # Errors
    /// Every file that cannot be used; what was read before stays in use.
    pub fn renew(&self) -> Result<bool, Vec<TlsError>> {
        let (config, sha256) = self.0.files.read()?;
        let mut current = self.0.current.write().unwrap_or_else(PoisonError::into_inner);
        let is_new = current.sha256 != sha256;
        if is_new {
            *current = Current { config: Arc::new(config), sha256 };
        }
        Ok(is_new)
    }

    /// What agrees on keys with the next connection.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        self.0.current.read().unwrap_or_else(PoisonError::into_inner).config.clone().into()
    }
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Tls").field(&self.0.files).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertifiedKey, generate_simple_self_signed};

    fn written(folder: &Path, name: &str) -> TlsFiles {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(vec!["localhost".into()]).expect("a certificate");
        let files = TlsFiles {
            cert: folder.join(format!("{name}.crt")),
            key: folder.join(format!("{name}.key")),
            client_ca: None,
        };
        std::fs::write(&files.cert, cert.pem()).expect("written");
        std::fs::write(&files.key, signing_key.serialize_pem()).expect("written");
        files
    }

    #[test]
    fn files_are_held_against_each_other_and_all_problems_are_told() {
        let folder = tempfile::tempdir().expect("folder");
        let (a, b) = (written(folder.path(), "a"), written(folder.path(), "b"));
        assert_eq!(a.check(), Ok(()));
        let mixed = TlsFiles { key: b.key.clone(), ..a.clone() };
        let problems = mixed.check().expect_err("of another certificate");
        assert_eq!(problems[0].file, TlsFile::Key);
        assert!(problems[0].reason.contains("does not fit"), "{}", problems[0]);
        let none = folder.path().join("none");
        std::fs::write(folder.path().join("text"), "no PEM").expect("written");
        let wrong = TlsFiles {
            cert: folder.path().join("text"),
            key: none.clone(),
            client_ca: Some(folder.path().join("text")),
        };
        let problems = wrong.check().expect_err("wrong");
        let files: Vec<TlsFile> = problems.iter().map(|problem| problem.file).collect();
        assert_eq!(files, [TlsFile::Key, TlsFile::Cert, TlsFile::ClientCa]);
        let swapped = TlsFiles { cert: a.key.clone(), key: a.cert.clone(), client_ca: None };
        assert_eq!(swapped.check().expect_err("swapped").len(), 2);
    }

    #[test]
    fn what_was_renewed_is_used_and_what_is_broken_is_not() {
        let folder = tempfile::tempdir().expect("folder");
        let (a, b) = (written(folder.path(), "a"), written(folder.path(), "b"));
        let tls = Tls::open(&a).expect("right");
        assert_eq!(tls.renew(), Ok(false));
        std::fs::copy(&b.cert, &a.cert).expect("copied");
        assert_eq!(tls.renew().expect_err("half renewed").len(), 1);
        std::fs::copy(&b.key, &a.key).expect("copied");
        assert_eq!(tls.renew(), Ok(true));
        let key = std::fs::read_to_string(&a.key).expect("text");
        assert!(!format!("{tls:?}").contains(key.lines().nth(1).expect("a line")));
    }
}
