//! Object stores behind addresses: `s3://`, `gs://`, `az://`, `http(s)://`, `file://`, `memory://`.
//!
//! The only user of the crates of object stores. Calls block, each until it is done or its time is up, so they belong on
//! blocking threads. Reading and replacing are repeated after failures that pass; what several machines agree on goes through
//! [`Store::create`] alone, which every store has: nothing relies on locks, on clocks, or on replacing what is known.
//!
//! Credentials, regions and endpoints come from the environment, as the tools of each provider read them
//! (`AWS_ACCESS_KEY_ID`, `AWS_ENDPOINT_URL`, `GOOGLE_APPLICATION_CREDENTIALS`, `AZURE_STORAGE_ACCOUNT_NAME`, …).

mod address;
mod client;
mod failure;
mod fence;
mod memory;
mod scratch;
mod transfer;

pub use address::{Address, Place, Scheme};
pub use client::time_limit;
pub use failure::StoreError;
pub use fence::{AllowList, Fence, Outside, fence, process_fence, set_fence, set_process_fence};
pub use memory::{Fault, break_memory, mend_memory};
pub use scratch::{Hidden, Scratch, remove_scratch, scratch_below, scratch_parent, sweep};

use client::Client;
use futures_util::{StreamExt, TryStreamExt};
use object_store::path::Path as Key;
use object_store::{Error, ObjectMeta, ObjectStoreExt, PutMode, PutOptions};
use std::fs::File;
use std::path::Path;

/// A folder of an object store; a clone is the same.
#[derive(Clone, Debug)]
pub struct Store {
    at: Address,
    client: Client,
}

/// An object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Name below the store's address, its parts between slashes.
    pub name: String,
    /// Size.
    pub bytes: u64,
    /// When it was written, microseconds UTC, by the store's clock.
    pub modified: i64,
    /// What changes with its content, where the store says so.
    pub etag: Option<String>,
}

/// What a conditional put found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Created {
    /// Nothing: the object is the caller's.
    Now,
    /// An object, with these bytes.
    Exists(Vec<u8>),
}

impl Store {
    /// The store at an address, which is the folder that names count from. Nothing is asked of it yet.
    ///
    /// # Errors
    /// If its settings make no sense.
    pub fn open(at: &Address) -> Result<Store, StoreError> {
        Ok(Store { at: at.clone(), client: Client::of(at)? })
    }

    /// Where it is.
    pub fn address(&self) -> &Address {
        &self.at
    }

    /// The store of a folder below.
    pub fn below(&self, folder: &str) -> Store {
        Store { at: self.at.join(folder), client: self.client.clone() }
    }

    /// All objects below a folder, ascending by name; the empty name is the store's own folder.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn list(&self, folder: &str) -> Result<Vec<Entry>, StoreError> {
        let (key, root) = (self.key(folder)?, self.key("")?);
        let listed =
            self.client.ask_again(async |store| store.list(Some(&key)).try_collect::<Vec<_>>().await);
        let found = match listed {
            Err(Error::NotFound { .. }) => Vec::new(),
            found => found.map_err(|error| self.failure(folder, error))?,
        };
        let mut entries: Vec<Entry> = found.iter().filter_map(|meta| entry(&root, meta)).collect();
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    /// Some of the objects below a folder, at most so many: as few questions as that takes.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn some(&self, folder: &str, most: usize) -> Result<Vec<Entry>, StoreError> {
        let (key, root) = (self.key(folder)?, self.key("")?);
        let asked =
            self.client.ask(async |store| store.list(Some(&key)).take(most).try_collect::<Vec<_>>().await);
        let found = asked.map_err(|error| self.failure(folder, error))?;
        Ok(found.iter().filter_map(|meta| entry(&root, meta)).collect())
    }

    /// What is known of an object; `None` where there is none.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn head(&self, name: &str) -> Result<Option<Entry>, StoreError> {
        let (key, root) = (self.key(name)?, self.key("")?);
        match self.client.ask(async |store| store.head(&key).await) {
            Err(Error::NotFound { .. }) => Ok(None),
            // The address may be the object itself.
            found => Ok(found
                .map(|meta| entry(&root, &meta).or_else(|| Some(named(String::new(), &meta))))
                .map_err(|error| self.failure(name, error))?),
        }
    }

    /// The bytes of an object, at most so many; `None` where there is none.
    ///
    /// # Errors
    /// See [`StoreError`]; one that is larger is refused before it is read.
    pub fn get(&self, name: &str, bytes_max: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let key = self.key(name)?;
        let read = self.client.ask_again(async |store| {
            let found = store.get(&key).await?;
            match found.meta.size > bytes_max {
                true => Ok(Err(found.meta.size)),
                false => Ok(Ok(found.bytes().await?.to_vec())),
            }
        });
        match read {
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.failure(name, error)),
            Ok(Ok(bytes)) => Ok(Some(bytes)),
            Ok(Err(bytes)) => Err(StoreError::TooLarge { at: self.at.join(name), bytes, bytes_max }),
        }
    }

    /// Copies an object to a file, whole or not at all; `None` where there is none.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn download(&self, name: &str, to: &Path) -> Result<Option<Entry>, StoreError> {
        let (key, root) = (self.key(name)?, self.key("")?);
        let found = transfer::download(&self.client, &key, to).map_err(|failed| match failed {
            transfer::Failed::There(error) => self.failure(name, error),
            transfer::Failed::Here(source) => StoreError::Local { path: to.into(), source },
        })?;
        Ok(found.map(|meta| entry(&root, &meta).unwrap_or_else(|| named(String::new(), &meta))))
    }

    /// Puts an object in the place of whatever is there, at once.
    ///
    /// # Errors
    /// See [`StoreError`]; what was there is untouched then, or the new object stands and the answer was lost.
    pub fn put(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let key = self.key(name)?;
        let put = self.client.ask(async |store| store.put(&key, bytes.to_vec().into()).await);
        put.map_err(|error| self.failure(name, error))?;
        self.sync(name)
    }

    /// As [`Store::put`], from a file.
    ///
    /// # Errors
    /// See [`Store::put`].
    pub fn upload(&self, name: &str, file: &Path) -> Result<(), StoreError> {
        let key = self.key(name)?;
        transfer::upload(&self.client, &key, file).map_err(|failed| match failed {
            transfer::Failed::There(error) => self.failure(name, error),
            transfer::Failed::Here(source) => StoreError::Local { path: file.into(), source },
        })?;
        self.sync(name)
    }

    /// Whether an object may be put there: an upload in parts is begun and given up, which changes nothing that anybody sees.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn probe(&self, name: &str) -> Result<(), StoreError> {
        let key = self.key(name)?;
        let at_azure = self.at.scheme() == Scheme::Az;
        let asked = self.client.ask(async |store| {
            // This one hears nothing of an upload before its first part.
            if at_azure && let Some(Err(error)) = store.list(None).next().await {
                return Err(error);
            }
            let mut upload = store.put_multipart(&key).await?;
            if let Err(error) = upload.abort().await {
                tracing::debug!(%key, %error, "an upload that was only a question stays begun");
            }
            Ok(())
        });
        asked.map_err(|error| self.failure(name, error))
    }

    /// Puts an object where there is none: of all who try, one succeeds.
    ///
    /// Where the answer was lost, what stands there tells: with these very bytes it is [`Created::Now`], so they have to be the
    /// caller's alone, or the same for all.
    ///
    /// # Errors
    /// See [`StoreError`]; whether the object is there is not known then.
    pub fn create(&self, name: &str, bytes: &[u8]) -> Result<Created, StoreError> {
        let key = self.key(name)?;
        let mut pause = client::Pause::begin(&self.client);
        loop {
            let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
            let put = self
                .client
                .ask(async |store| store.put_opts(&key, bytes.to_vec().into(), options.clone()).await);
            let error = match put {
                Ok(_) => return self.sync(name).map(|()| Created::Now),
                Err(error) => error,
            };
            if matches!(error, Error::NotImplemented { .. } | Error::NotSupported { .. }) {
                return Err(self.failure(name, error));
            }
            match self.client.ask(async |store| store.get(&key).await?.bytes().await) {
                Ok(found) if found == bytes => return Ok(Created::Now),
                Ok(found) => return Ok(Created::Exists(found.to_vec())),
                // Gone again, or the store is: the next turn tells, unless there is none.
                Err(_) if !failure::passes(&error) || !pause.wait() => return Err(self.failure(name, error)),
                Err(_) => {}
            }
        }
    }

    /// Removes an object; one that is gone already is fine.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn delete(&self, name: &str) -> Result<(), StoreError> {
        let key = self.key(name)?;
        match self.client.ask(async |store| store.delete(&key).await) {
            Err(Error::NotFound { .. }) | Ok(()) => Ok(()),
            Err(error) => Err(self.failure(name, error)),
        }
    }

    /// Makes what was put durable, where that is left to us: in a folder.
    fn sync(&self, name: &str) -> Result<(), StoreError> {
        let Some(path) = self.at.join(name).local() else { return Ok(()) };
        let local = |source| StoreError::Local { path: path.clone(), source };
        match File::open(&path).and_then(|file| file.sync_all()) {
            // Somebody has removed it since.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            synced => synced.map_err(local)?,
        }
        // A file system that cannot sync folders keeps the file all the same.
        if let Some(folder) = path.parent().filter(|_| cfg!(unix)) {
            let _ = File::open(folder).and_then(|folder| folder.sync_all());
        }
        Ok(())
    }

    /// The key of a name.
    fn key(&self, name: &str) -> Result<Key, StoreError> {
        self.at.join(name).key()
    }

    fn failure(&self, name: &str, error: Error) -> StoreError {
        failure::of(self.at.join(name), error)
    }
}

/// The object behind a key below the root; `None` for the root itself.
fn entry(root: &Key, meta: &ObjectMeta) -> Option<Entry> {
    let parts = meta.location.prefix_match(root)?;
    let name = parts.map(|part| part.as_ref().to_owned()).collect::<Vec<_>>().join("/");
    (!name.is_empty()).then(|| named(name, meta))
}

fn named(name: String, meta: &ObjectMeta) -> Entry {
    Entry {
        name,
        bytes: meta.size,
        modified: meta.last_modified.timestamp_micros(),
        etag: meta.e_tag.clone(),
    }
}

#[cfg(test)]
mod tests;
