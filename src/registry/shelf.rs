//! A registry in an object store: what is put there, in which order, and by whom.
//!
//! ```text
//! AT/JOB/7/weights-SHA12.safetensors    a forecaster, there before anything names it
//!          unseen-SHA12.safetensors     the same before it saw the end of its data, if it has networks
//!          manifest-SHA12.sig           who vouches for the manifest of that hash, if somebody does
//!          manifest.json                put where there was none: whoever succeeds has the number
//!    JOB/champion/000012.json           the whole file that says which version serves; the largest number counts
//! ```
//!
//! Both are decided by [`Store::create`] alone. A version without a manifest does not exist; a number of a champion file is
//! given once, so whoever comes second reads what the first decided and decides again.

use crate::registry::error::RegistryError;
use crate::registry::manifest;
use crate::registry::signature;
use crate::store::{Created, Entry, Hidden, Store};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

/// Largest manifest or champion file that is read.
const TEXT_MAX: u64 = 16 << 20;

/// Champion files that stay behind the newest: whoever decides on an older one would be told.
const LOG_KEPT: u64 = 50;

/// Age, by the store's own clock, from which on files of a version that never got a manifest are removed.
const TORN_AGE: i64 = 24 * 3_600 * 1_000_000;

/// Bytes up to which a file is put at once.
const AT_ONCE: usize = 8 << 20;

/// The part of a registry that stands in a store.
#[derive(Clone, Debug)]
pub(super) struct Shelf(Store);

/// A manifest on its way into the registry.
pub(super) struct Sealed {
    /// Its bytes.
    pub manifest: Vec<u8>,
    /// The file of their signature, if something signs.
    pub signature: Option<Vec<u8>>,
}

/// What became of a decision.
pub(super) enum Decision {
    /// It stands, and this is there afterwards, as far as that can be told.
    Taken(Option<Inventory>),
    /// Another one was faster.
    Late,
}

/// What a store has of one job.
#[derive(Debug, Default)]
pub(super) struct Inventory {
    /// Numbers of the versions, ascending, with their objects.
    pub versions: BTreeMap<u32, Vec<String>>,
    /// What changes with the signatures of those that have some.
    pub signatures: BTreeMap<u32, String>,
    /// Numbers of the champion files, ascending.
    pub champions: Vec<u64>,
    /// Objects of versions that never got a manifest, and long will not.
    torn: Vec<String>,
}

impl Inventory {
    fn of(job: &str, entries: Vec<Entry>) -> Inventory {
        let now = entries.iter().map(|entry| entry.modified).max().unwrap_or(0);
        let mut inventory = Inventory::default();
        let mut folders: BTreeMap<u32, Vec<Entry>> = BTreeMap::new();
        for entry in entries {
            let mut parts =
                entry.name.strip_prefix(job).unwrap_or_default().trim_start_matches('/').split('/');
            let (folder, file) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
            match folder.parse::<u32>() {
                _ if folder == "champion" => {
                    inventory
                        .champions
                        .extend(file.strip_suffix(".json").and_then(|n| n.parse::<u64>().ok()));
                }
                Ok(number) if number.to_string() == folder => {
                    folders.entry(number).or_default().push(entry);
                }
                _ => {}
            }
        }
        for (number, files) in folders {
            let is_whole = files.iter().any(|file| file.name.ends_with(&format!("/{}", manifest::FILE)));
            if let Some(mark) = is_whole.then(|| signatures(&files)).flatten() {
                inventory.signatures.insert(number, mark);
            }
            let is_old = files.iter().all(|file| file.modified < now.saturating_sub(TORN_AGE));
            let names = files.into_iter().map(|file| file.name).collect();
            match is_whole {
                true => drop(inventory.versions.insert(number, names)),
                false if is_old => inventory.torn.extend(names),
                false => {}
            }
        }
        inventory.champions.sort_unstable();
        inventory
    }

    /// Whether nothing is there.
    pub fn is_empty(&self) -> bool {
        self.versions.is_empty() && self.champions.is_empty()
    }

    /// Number of the next version.
    fn next(&self) -> u32 {
        self.versions.keys().last().map_or(1, |last| last.saturating_add(1))
    }

    /// Whether a champion file follows on those before it: one of a number that was given long ago, and whose file is
    /// removed by now, does not.
    fn follows(&self, number: u64) -> bool {
        let mut next = None;
        for &one in self.champions.iter().rev().take_while(|&&one| one >= number) {
            if next.is_some_and(|next| one + 1 != next) {
                return false;
            }
            next = Some(one);
        }
        next == Some(number)
    }
}

impl Shelf {
    pub fn new(store: Store) -> Shelf {
        Shelf(store)
    }

    /// Where it is.
    pub fn address(&self) -> &str {
        self.0.address().as_str()
    }

    /// Names of the jobs that have something there, ascending.
    pub fn jobs(&self) -> Result<Vec<String>, RegistryError> {
        let entries = self.0.list("")?;
        let mut jobs: Vec<String> =
            entries.iter().filter_map(|entry| Some(entry.name.split_once('/')?.0.to_owned())).collect();
        jobs.dedup();
        Ok(jobs)
    }

    /// What is there of a job.
    pub fn inventory(&self, job: &str) -> Result<Inventory, RegistryError> {
        Ok(Inventory::of(job, self.0.list(job)?))
    }

    /// A file of a version; `None` where it is gone.
    pub fn file(
        &self,
        job: &str,
        version: u32,
        name: &str,
        max: u64,
    ) -> Result<Option<Vec<u8>>, RegistryError> {
        Ok(self.0.get(&format!("{job}/{version}/{name}"), max)?)
    }

    /// The manifest of a version; `None` where it is gone.
    pub fn manifest(&self, job: &str, version: u32) -> Result<Option<Vec<u8>>, RegistryError> {
        self.file(job, version, manifest::FILE, TEXT_MAX)
    }

    /// Puts files, then takes the first number that is free, from the next one on, with the manifest that `manifest` makes of it.
    /// Returns the number. Large files go by way of `folder`.
    pub fn add(
        &self,
        job: &str,
        inventory: &Inventory,
        files: &[(String, &[u8])],
        folder: &Path,
        manifest: impl Fn(u32) -> Sealed,
    ) -> Result<u32, RegistryError> {
        let mut version = inventory.next();
        while !self.put_version(job, version, files, folder, &manifest(version))? {
            version = version.saturating_add(1);
        }
        Ok(version)
    }

    /// Puts a version whole, unless its number has been given; then nothing of it stays.
    pub fn put_version(
        &self,
        job: &str,
        version: u32,
        files: &[(String, &[u8])],
        folder: &Path,
        Sealed { manifest, signature }: &Sealed,
    ) -> Result<bool, RegistryError> {
        let at = |name: &str| format!("{job}/{version}/{name}");
        for (name, bytes) in files {
            self.put(&at(name), bytes, folder)?;
        }
        let own = signature::name_in_store(manifest);
        if let Some(bytes) = signature {
            self.0.put(&at(&own), bytes)?;
        }
        match self.0.create(&at(manifest::FILE), manifest)? {
            Created::Now => Ok(true),
            Created::Exists(other) => {
                if signature.is_some() && own != signature::name_in_store(&other) {
                    self.0.delete(&at(&own))?;
                }
                let other = String::from_utf8_lossy(&other);
                // Names are made of hashes: one of the same content is the other's, too.
                for (name, _) in files.iter().filter(|(name, _)| !names_hash(&other, name)) {
                    self.0.delete(&at(name))?;
                }
                Ok(false)
            }
        }
    }

    fn put(&self, name: &str, bytes: &[u8], folder: &Path) -> Result<(), RegistryError> {
        if bytes.len() <= AT_ONCE {
            return Ok(self.0.put(name, bytes)?);
        }
        let mut file = tempfile::NamedTempFile::new_in(folder).map_err(RegistryError::io(folder))?;
        let _hidden = Hidden::new(file.path());
        file.write_all(bytes).map_err(RegistryError::io(file.path()))?;
        Ok(self.0.upload(name, file.path())?)
    }

    /// Puts the signature of a version whose manifest has these bytes, in place of the one that is there.
    pub fn put_signature(
        &self,
        job: &str,
        version: u32,
        manifest: &[u8],
        signature: &[u8],
    ) -> Result<(), RegistryError> {
        let name = signature::name_in_store(manifest);
        Ok(self.0.put(&format!("{job}/{version}/{name}"), signature)?)
    }

    /// Removes a version: it does not exist from the first moment on.
    pub fn remove(&self, job: &str, version: u32, inventory: &Inventory) -> Result<(), RegistryError> {
        let manifest = format!("{job}/{version}/{}", manifest::FILE);
        self.0.delete(&manifest)?;
        for name in inventory.versions.get(&version).into_iter().flatten().filter(|name| **name != manifest) {
            self.0.delete(name)?;
        }
        Ok(())
    }

    /// Removes what trainings left that never got to their manifest.
    pub fn sweep(&self, inventory: &Inventory) -> Result<(), RegistryError> {
        for name in &inventory.torn {
            self.0.delete(name)?;
            tracing::info!(object = name, store = self.address(), "removed what a killed training left");
        }
        Ok(())
    }

    /// The champion file of a number; `None` where it is gone.
    pub fn champion(&self, job: &str, number: u64) -> Result<Option<Vec<u8>>, RegistryError> {
        Ok(self.0.get(&log_name(job, number), TEXT_MAX)?)
    }

    /// Puts the champion file that follows on number `after`.
    pub fn decide(&self, job: &str, after: u64, bytes: &[u8]) -> Result<Decision, RegistryError> {
        let number = after + 1;
        if let Created::Exists(_) = self.0.create(&log_name(job, number), bytes)? {
            return Ok(Decision::Late);
        }
        // It is decided: an error from here on would have the caller decide the same again.
        let Ok(inventory) = self.inventory(job) else { return Ok(Decision::Taken(None)) };
        if !inventory.follows(number) {
            self.0.delete(&log_name(job, number))?;
            return Ok(Decision::Late);
        }
        for old in inventory.champions.iter().filter(|old| **old + LOG_KEPT < number) {
            // The next decision removes what stays.
            if self.0.delete(&log_name(job, *old)).is_err() {
                break;
            }
        }
        Ok(Decision::Taken(Some(inventory)))
    }
}

/// Name of a file of weights: how it begins, and its hash.
pub(super) fn weights_name(stem: &str, sha256: &str) -> String {
    format!("{stem}-{}.safetensors", sha256.get(..12).unwrap_or(sha256))
}

/// What changes with the signatures among the files of a version; `None` where there is none.
fn signatures(files: &[Entry]) -> Option<String> {
    let mark =
        |file: &Entry| file.etag.clone().unwrap_or_else(|| format!("{} {}", file.modified, file.bytes));
    let marks = files.iter().filter(|file| file.name.ends_with(".sig"));
    let marks: Vec<String> = marks.map(|file| format!("{} {}", file.name, mark(file))).collect();
    (!marks.is_empty()).then(|| marks.join("; "))
}

/// Whether the hash in the name of a file begins one in a manifest.
fn names_hash(manifest: &str, name: &str) -> bool {
    let hash = name.rsplit_once('-').and_then(|(_, rest)| rest.split_once('.')).map(|(hash, _)| hash);
    hash.is_some_and(|hash| manifest.contains(&format!("\"{hash}")))
}

fn log_name(job: &str, number: u64) -> String {
    format!("{job}/champion/{number:06}.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, modified: i64) -> Entry {
        Entry { name: name.into(), bytes: 1, modified, etag: None }
    }

    #[test]
    fn versions_are_those_with_a_manifest_and_what_is_torn_goes_after_a_day() {
        let names = ["load/1/manifest.json", "load/1/weights-a.safetensors", "load/2/weights-b.safetensors"];
        let mut entries: Vec<Entry> = names.iter().map(|name| entry(name, 0)).collect();
        entries.push(entry("load/03/manifest.json", 0));
        entries.push(entry("load/4/weights-c.safetensors", TORN_AGE));
        entries.push(entry("load/champion/000007.json", TORN_AGE + 1));
        let inventory = Inventory::of("load", entries);
        assert_eq!(inventory.versions.keys().copied().collect::<Vec<_>>(), [1]);
        assert_eq!(inventory.torn, ["load/2/weights-b.safetensors"]);
        assert_eq!((inventory.champions.as_slice(), inventory.next()), (&[7][..], 2));
    }

    #[test]
    fn a_number_that_was_given_long_ago_follows_on_nothing() {
        let with = |champions: &[u64]| Inventory { champions: champions.into(), ..Inventory::default() };
        assert!(with(&[1]).follows(1) && with(&[4, 5, 6]).follows(6) && with(&[4, 5, 6]).follows(5));
        assert!(!with(&[2, 40, 41]).follows(2) && !with(&[1, 2]).follows(3));
    }

    #[test]
    fn the_hash_of_a_name_is_found_in_the_manifest_that_has_it() {
        let name = weights_name("weights", "0123456789abcdef");
        assert_eq!(name, "weights-0123456789ab.safetensors");
        assert!(names_hash("{\"weights_sha256\": \"0123456789abcdef\"}", &name));
        assert!(!names_hash("{\"weights_sha256\": \"123456789abcdef\"}", &name));
    }
}
