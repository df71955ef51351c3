//! Signing versions: new ones as they appear, those that are there when somebody asks for it.

use crate::publish;
use crate::registry::error::RegistryError;
use crate::registry::folder::{self, Lock};
use crate::registry::key::{PublicKey, SigningKey};
use crate::registry::manifest::Manifest;
use crate::registry::shelf::Sealed;
use crate::registry::signature;
use crate::registry::versions::{Registry, unseen_of, weights_of};

/// A version that was signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// Of the version.
    pub job: String,
    /// Its number.
    pub version: u32,
    /// The key that signed it now.
    pub key: PublicKey,
    /// The key whose signature that replaced, if there was one that held.
    pub previous: Option<PublicKey>,
}

impl Registry {
    /// Signs a version that is there, in place of whoever signed it before. It has to be as it was written; whether its
    /// signature so far is of somebody who is trusted is the caller's to ask.
    ///
    /// # Errors
    /// If there is none, it is damaged, or the signature cannot be written.
    pub fn sign(&self, job: &str, version: u32, key: &SigningKey) -> Result<Signed, RegistryError> {
        self.refresh(job)?;
        let folder = self.known(job)?;
        let _lock = Lock::of(&folder)?;
        self.manifest(job, version)?;
        let path = folder::version(&folder, version);
        // What is signed is what was read, and not what stands there by then.
        let bytes = Manifest::bytes_in(&path)?;
        let manifest = Manifest::parse(&path, &bytes)?;
        weights_of(&path, &manifest)?;
        unseen_of(&path, &manifest)?;
        let previous = signature::of_folder(&path, &bytes).ok().flatten();
        let file = signature::sign(key, &bytes);
        if let Some(shelf) = &self.shelf {
            shelf.put_signature(job, version, &bytes, &file)?;
        }
        publish::write_bytes(&path.join(signature::FILE), &file)?;
        Ok(Signed { job: job.into(), version, key: key.public(), previous })
    }

    /// The key that signed a version; `None` where nobody did.
    ///
    /// # Errors
    /// If there is no such version, or its signature does not hold.
    pub fn signed_by(&self, job: &str, version: u32) -> Result<Option<PublicKey>, RegistryError> {
        self.manifest(job, version)?;
        let path = folder::version(&self.folder(job), version);
        signature::of_folder(&path, &Manifest::bytes_in(&path)?)
    }

    /// Whether a version may be used as far as its signature goes: nobody is trusted in particular, or somebody who is signed it.
    ///
    /// # Errors
    /// If it may not, or cannot be read.
    pub fn check_signature(&self, job: &str, version: u32) -> Result<(), RegistryError> {
        self.manifest(job, version)?;
        let path = folder::version(&self.folder(job), version);
        signature::check(&path, &Manifest::bytes_in(&path)?, &self.keys.trusted)
    }

    /// Who signed a version, and what is wrong with that, for a list.
    pub(super) fn signature(&self, job: &str, version: u32) -> (Option<PublicKey>, Option<String>) {
        let path = folder::version(&self.folder(job), version);
        // A manifest that cannot be read is told of elsewhere.
        let Ok(bytes) = Manifest::bytes_in(&path) else { return (None, None) };
        let found = signature::of_folder(&path, &bytes);
        let problem = match &found {
            Err(error) => Some(reason(error)),
            Ok(_) => signature::check(&path, &bytes, &self.keys.trusted).err().as_ref().map(reason),
        };
        (found.ok().flatten(), problem)
    }

    /// The bytes of a new manifest with their signature, where something signs.
    pub(super) fn seal(&self, manifest: Vec<u8>) -> Sealed {
        let signature = self.keys.signing.as_ref().map(|key| signature::sign(key, &manifest));
        Sealed { manifest, signature }
    }
}

/// What is wrong, without where.
fn reason(error: &RegistryError) -> String {
    match error {
        RegistryError::Broken { reason, .. }
        | RegistryError::Newer { reason, .. }
        | RegistryError::Untrusted { reason, .. } => reason.clone(),
        error => error.to_string(),
    }
}
