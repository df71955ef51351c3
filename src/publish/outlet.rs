//! Files of one-shot commands, by path or by address.
//!
//! What goes to an address is written to a file of this process by the same code as any other, verified there, and put in the
//! store at once: whoever reads it sees the old object or the new one.

use crate::publish::{PublishError, Published, store};
use crate::store::{Address, Place, Scheme, Scratch, Store, StoreError, fence, scratch_parent};
use std::path::{Path, PathBuf};

/// Where a file of a command goes.
#[derive(Debug)]
pub struct Outlet {
    place: Place,
    /// Where it is written.
    file: PathBuf,
    remote: Option<Remote>,
}

/// The store that it is put in.
#[derive(Debug)]
struct Remote {
    store: Store,
    _scratch: Scratch,
}

impl Outlet {
    /// Asks whether a file can be written there, without touching what stands there: before hours of training.
    ///
    /// # Errors
    /// See [`PublishError`].
    pub fn open(place: &Place) -> Result<Outlet, PublishError> {
        let address = match place {
            Place::Local(path) => {
                store::probe(path)?;
                return Ok(Outlet { place: place.clone(), file: path.clone(), remote: None });
            }
            Place::Remote(address) => address,
        };
        fence().address(address)?;
        let refuse = |reason: &str| refused(address, reason.into());
        if address.scheme() == Scheme::Http {
            return Err(refuse("a web server takes no files; write to a path or to s3://, gs:// or az://"));
        }
        if address.name().is_empty() {
            return Err(refuse("it names no object; add a name, for example /out.parquet"));
        }
        let store = Store::open(&address.parent())?;
        store.probe(address.name()).map_err(|error| sort_out(address, error))?;
        let scratch = Scratch::begin().map_err(|error| store::sort_out(&scratch_parent(), &error))?;
        let file = scratch.path().join("out");
        Ok(Outlet { place: place.clone(), file, remote: Some(Remote { store, _scratch: scratch }) })
    }

    /// Where it goes.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Where to write it.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Puts what was written where it goes.
    ///
    /// # Errors
    /// See [`PublishError`]; an earlier object is untouched then.
    pub fn send(&self) -> Result<(), PublishError> {
        match (&self.remote, &self.place) {
            (Some(remote), Place::Remote(address)) => {
                let sent = remote.store.upload(address.name(), &self.file);
                sent.map_err(|error| sort_out(address, error))
            }
            _ => Ok(()),
        }
    }

    /// As [`Outlet::send`]; what was published is where it went.
    ///
    /// # Errors
    /// See [`Outlet::send`].
    pub fn publish(&self, published: Published) -> Result<Published, PublishError> {
        self.send()?;
        Ok(Published { path: self.place.clone(), ..published })
    }
}

/// Writes a file by path or address; `write` gets the path to write to.
///
/// # Errors
/// See [`Outlet`].
pub fn write_to<T>(
    place: &Place,
    write: impl FnOnce(&Path) -> Result<T, PublishError>,
) -> Result<T, PublishError> {
    let outlet = Outlet::open(place)?;
    let written = write(outlet.file())?;
    outlet.send()?;
    Ok(written)
}

fn refused(address: &Address, reason: String) -> PublishError {
    PublishError::CannotCreate { path: address.as_str().into(), reason }
}

/// What is missing is the bucket here, not the object.
fn sort_out(address: &Address, error: StoreError) -> PublishError {
    match error {
        StoreError::Missing { reason, .. } => {
            refused(address, format!("there is no such bucket; create it, or check the address ({reason})"))
        }
        error => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publish::write_bytes;

    fn place(text: &str) -> Place {
        Place::parse(text).expect("place")
    }

    #[test]
    fn a_file_goes_to_an_address_as_to_a_path() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("x").display().to_string();
        for at in [path.as_str(), "memory://outlet/a/x"] {
            let outlet = Outlet::open(&place(at)).expect("writable");
            write_bytes(outlet.file(), b"one").expect("written");
            outlet.send().expect("sent");
            write_to(&place(at), |path| write_bytes(path, b"two")).expect("written");
        }
        assert_eq!(std::fs::read(&path).expect("there"), b"two");
        let Place::Remote(root) = place("memory://outlet") else { panic!("an address") };
        let store = Store::open(&root).expect("opened");
        assert_eq!(store.get("a/x", 9).expect("asked").as_deref(), Some(&b"two"[..]));
        assert_eq!(store.list("").expect("listed").len(), 1, "a probe leaves nothing");
    }

    #[test]
    fn what_takes_no_files_is_told_before() {
        for (at, part) in [("https://host/x.parquet", "web server"), ("memory://outlet", "names no object")] {
            let error = Outlet::open(&place(at)).expect_err("refused");
            assert!(matches!(error, PublishError::CannotCreate { .. }), "{error}");
            assert!(error.to_string().contains(part) && error.to_string().contains(at), "{error}");
        }
    }
}
