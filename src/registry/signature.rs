//! The signature of a version: who vouches for its manifest, which holds the hashes of its weights.
//!
//! It is over the bytes of `manifest.json` as they are, so that other tools can check it, too. In a folder it is the file
//! `manifest.sig` beside them; in a store its name has the hash of the manifest, so that daemons that want the same number
//! do not replace each other's.

use crate::model::artifact::sha256;
use crate::registry::error::RegistryError;
use crate::registry::folder;
use crate::registry::key::{ALGORITHM, PublicKey, SigningKey};
use crate::registry::manifest;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::Path;

/// Name of the file in a version's folder.
pub(super) const FILE: &str = "manifest.sig";

/// Version of the file's own format.
pub(super) const FORMAT: u32 = 1;

/// Largest file that is read.
pub(super) const BYTES_MAX: u64 = 4 << 10;

/// The file. It has these keys in this order, and nothing between them that [`folder::pretty`] would not write.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Signature {
    format: u32,
    algorithm: String,
    key: String,
    signature: String,
}

/// The file over a manifest.
pub(super) fn sign(key: &SigningKey, manifest: &[u8]) -> Vec<u8> {
    folder::pretty(&Signature {
        format: FORMAT,
        algorithm: ALGORITHM.into(),
        key: key.public().to_string(),
        signature: BASE64_STANDARD.encode(key.sign(manifest)),
    })
}

/// Name of the file over a manifest in a store.
pub(super) fn name_in_store(manifest: &[u8]) -> String {
    format!("manifest-{}.sig", &sha256(manifest)[..12])
}

/// Whose signature over a manifest the bytes of a file are; it is checked.
pub(super) fn signer(path: &Path, bytes: &[u8], manifest: &[u8]) -> Result<PublicKey, RegistryError> {
    let broken = |reason: String| RegistryError::broken(path, reason);
    let file: Signature = folder::parse(path, bytes, FORMAT)?;
    if file.algorithm != ALGORITHM {
        return Err(broken(format!("its algorithm is '{}', this program knows {ALGORITHM}", file.algorithm)));
    }
    let key: PublicKey = file.key.parse().map_err(|error| broken(format!("{error}")))?;
    let is_valid =
        BASE64_STANDARD.decode(&file.signature).is_ok_and(|signature| key.verifies(manifest, &signature));
    if !is_valid {
        return Err(broken(format!("it does not match {}: one of the two was changed", manifest::FILE)));
    }
    // Blanks and the like would be changes that nobody signed.
    match folder::pretty(&file) == bytes {
        true => Ok(key),
        false => Err(broken("it is not written as it was signed".into())),
    }
}

/// Whose signature stands in the folder of a version whose manifest has these bytes; `None` where there is none.
pub(super) fn of_folder(folder: &Path, manifest: &[u8]) -> Result<Option<PublicKey>, RegistryError> {
    let path = folder.join(FILE);
    match folder::read(&path, BYTES_MAX) {
        Err(RegistryError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
        bytes => signer(&path, &bytes?, manifest).map(Some),
    }
}

/// Whether a version may be used: nobody is trusted in particular, or somebody who is signed it.
pub(super) fn check(folder: &Path, manifest: &[u8], trusted: &[PublicKey]) -> Result<(), RegistryError> {
    if trusted.is_empty() {
        return Ok(());
    }
    let reason = match of_folder(folder, manifest) {
        Ok(Some(key)) if trusted.contains(&key) => return Ok(()),
        Ok(Some(key)) => format!("{key} signed it, which is none of the trusted keys"),
        Ok(None) => "nobody signed it".into(),
        Err(RegistryError::Broken { reason, .. } | RegistryError::Newer { reason, .. }) => {
            format!("its {FILE} cannot be used: {reason}")
        }
        Err(error) => return Err(error),
    };
    Err(RegistryError::Untrusted { path: folder.into(), reason })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_counts() {
        let (key, _) = SigningKey::generate().unwrap();
        let (manifest, path) = (b"{\n  \"format\": 1\n}\n".as_slice(), Path::new(FILE));
        let file = sign(&key, manifest);
        assert_eq!(signer(path, &file, manifest).unwrap(), key.public());
        for (of, bytes) in [(0, &file), (1, &manifest.to_vec())] {
            for at in 0..bytes.len() {
                for change in [1_u8, 2, 4, 0x29, 0x80] {
                    let mut other = bytes.clone();
                    other[at] ^= change;
                    let pair = if of == 0 { (&other[..], manifest) } else { (&file[..], &other[..]) };
                    assert!(signer(path, pair.0, pair.1).is_err(), "byte {at} of {of} by {change}");
                }
            }
        }
        let longer = [&file[..], b"\n"].concat();
        assert!(signer(path, &longer, manifest).unwrap_err().to_string().contains("written"));
    }

    #[test]
    fn who_is_trusted_is_asked_where_anybody_is() {
        let folder = tempfile::tempdir().unwrap();
        let ([own, other], manifest) = ([(); 2].map(|()| SigningKey::generate().unwrap().0), b"{}");
        let reason = |trusted: &[PublicKey]| {
            check(folder.path(), manifest, trusted).err().map(|error| error.to_string())
        };
        assert_eq!(reason(&[]), None);
        assert!(reason(&[own.public()]).is_some_and(|reason| reason.contains("nobody signed it")));
        std::fs::write(folder.path().join(FILE), sign(&own, manifest)).unwrap();
        assert_eq!((reason(&[]), reason(&[other.public(), own.public()])), (None, None));
        assert!(reason(&[other.public()]).is_some_and(|reason| reason.contains(&own.public().to_string())));
        std::fs::write(folder.path().join(FILE), "{\"format\": 2}").unwrap();
        assert!(reason(&[own.public()]).is_some_and(|reason| reason.contains("format 2")));
    }
}
