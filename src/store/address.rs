//! Addresses of objects and of folders of them, and places, which are addresses or paths.

use super::failure::StoreError;
use object_store::path::Path as Key;
use std::fmt;
use std::path::{Path, PathBuf};

/// The kind of store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Amazon S3 and whatever speaks its protocol.
    S3,
    /// Google Cloud Storage.
    Gs,
    /// Azure Blob Storage.
    Az,
    /// A web server: read only, and without a list unless it speaks WebDAV.
    Http,
    /// A folder that machines share.
    File,
    /// This process's memory, by name: for tests and drills.
    Memory,
}

impl Scheme {
    fn of(word: &str) -> Option<Scheme> {
        match word {
            "s3" | "s3a" => Some(Scheme::S3),
            "gs" => Some(Scheme::Gs),
            "az" | "azure" | "adl" | "abfs" | "abfss" => Some(Scheme::Az),
            "http" | "https" => Some(Scheme::Http),
            "file" => Some(Scheme::File),
            "memory" => Some(Scheme::Memory),
            _ => None,
        }
    }
}

/// The address of an object, or of a folder of objects: scheme, authority (bucket, container, host, name) and path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    text: String,
    /// Bytes of the text before the path.
    root: usize,
}

impl Address {
    /// The address that a text is; `None` for a path, which has no scheme.
    ///
    /// Letters such as `*`, `?` and blanks stand for themselves; nothing is percent-decoded but in the paths of web servers.
    pub fn parse(text: &str) -> Option<Result<Address, StoreError>> {
        let (word, rest) = text.split_once("://")?;
        let is_word = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric());
        is_word.then(|| Address::new(text, word, rest))
    }

    fn new(text: &str, word: &str, rest: &str) -> Result<Address, StoreError> {
        let refuse = |reason: &str| {
            // What stands before an @ may be a password.
            let shown = text.rsplit_once('@').map_or(text.into(), |(_, rest)| format!("{word}://…@{rest}"));
            Err(StoreError::Address { text: shown, reason: reason.into() })
        };
        let Some(scheme) = Scheme::of(&word.to_ascii_lowercase()) else {
            return refuse(
                "no such scheme; s3://, gs://, az://, http://, https://, file:// and memory:// are known",
            );
        };
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        match scheme {
            Scheme::File if !authority.is_empty() && authority != "localhost" => {
                return refuse("a path has to follow; write file:///path, with three slashes");
            }
            Scheme::File => {}
            _ if authority.is_empty() => {
                return refuse("a bucket, container, host or name has to follow the scheme");
            }
            Scheme::Http if authority.contains('@') => {
                return refuse(
                    "user and password do not belong into an address; let a command fetch it: source.exec = [\"curl\", …]",
                );
            }
            Scheme::Http if path.contains(['?', '#']) => {
                return refuse(
                    "queries are not understood; let a command fetch it: source.exec = [\"curl\", …]",
                );
            }
            _ => {}
        }
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        if parts.iter().any(|part| [".", ".."].contains(part)) {
            return refuse("its path has . or .. in it; write it without");
        }
        let authority = if scheme == Scheme::File { "" } else { authority };
        let mut address = Address { text: format!("{}://{authority}", word.to_ascii_lowercase()), root: 0 };
        address.root = address.text.len();
        for part in parts {
            address.text.push('/');
            address.text.push_str(part);
        }
        address.key().map(|_| address)
    }

    /// As it is written, without a slash at its end.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The kind of store.
    pub fn scheme(&self) -> Scheme {
        let word = self.text.split("://").next().unwrap_or_default();
        Scheme::of(word).unwrap_or(Scheme::Memory)
    }

    /// Scheme and authority.
    pub fn root(&self) -> &str {
        &self.text[..self.root]
    }

    /// What follows them, without a slash before it.
    pub fn path(&self) -> &str {
        self.text[self.root..].trim_start_matches('/')
    }

    /// The last part of the path; empty where there is none.
    pub fn name(&self) -> &str {
        self.path().rsplit('/').next().unwrap_or_default()
    }

    /// The address of a name below this one.
    pub fn join(&self, name: &str) -> Address {
        let mut address = self.clone();
        for part in name.split('/').filter(|part| !part.is_empty()) {
            address.text.push('/');
            address.text.push_str(part);
        }
        address
    }

    /// The folder that it stands in; itself where it is the root.
    pub fn parent(&self) -> Address {
        let end = self.text[self.root..].rfind('/').map_or(self.root, |slash| self.root + slash);
        Address { text: self.text[..end].into(), root: self.root }
    }

    /// Whether it is this folder or lies below it.
    pub fn is_below(&self, folder: &Address) -> bool {
        self.text.strip_prefix(folder.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// The path of a file:// address.
    pub fn local(&self) -> Option<PathBuf> {
        (self.scheme() == Scheme::File).then(|| PathBuf::from(format!("/{}", self.path())))
    }

    /// The address of a local path, absolute.
    ///
    /// # Errors
    /// If the path is no UTF-8, or the working folder is gone.
    pub fn of_local(path: &Path) -> Result<Address, StoreError> {
        let local = |source| StoreError::Local { path: path.into(), source };
        let absolute = std::path::absolute(path).map_err(local)?;
        let Some(text) = absolute.to_str() else {
            return Err(local(std::io::Error::new(
                std::io::ErrorKind::InvalidInput,
                "the path is not UTF-8",
            )));
        };
        Address::new(&format!("file://{text}"), "file", text)
    }

    /// The key of the object in its store.
    pub(super) fn key(&self) -> Result<Key, StoreError> {
        let key = match self.scheme() {
            Scheme::Http => Key::from_url_path(self.path()),
            _ => Key::parse(self.path()),
        };
        key.map_err(|error| StoreError::Address { text: self.text.clone(), reason: error.to_string() })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Where a file is, or is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// On this machine.
    Local(PathBuf),
    /// In a store.
    Remote(Address),
}

impl Place {
    /// The place that a text names; `file://` is a path like others.
    ///
    /// # Errors
    /// If it is meant for an address and is none.
    pub fn parse(text: &str) -> Result<Place, StoreError> {
        let Some(address) = Address::parse(text) else { return Ok(Place::Local(text.into())) };
        let address = address?;
        Ok(address.local().map_or(Place::Remote(address), Place::Local))
    }

    /// The path, where it is on this machine.
    pub fn local(&self) -> Option<&Path> {
        match self {
            Place::Local(path) => Some(path),
            Place::Remote(_) => None,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Local(path) => path.display().fmt(f),
            Place::Remote(address) => address.fmt(f),
        }
    }
}
