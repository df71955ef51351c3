//! Which files an input names: paths, globs, directories, Hive partitions, addresses of the like; what is left out.
//!
//! `key=value` folders count below a named directory and below the part of a glob that has no wildcard; of a named file
//! they count as its path is written. Where the program is started from plays no part.

use super::Watch;
use super::files::{
    Refusal, SourceFile, TORN, check_packed, described, io_error, is_torn, refuse, set_aside, similar,
    source_file, usage,
};
use super::objects::{self, Copied, Object};
use super::spec::{IngestError, IngestErrorKind, SourceSpec};
use crate::store::{self, Address, Fence, Outside};
use std::collections::HashSet;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::AtomicBool;

/// The files of all inputs, in reading order.
#[derive(Clone, Debug, Default)]
pub(super) struct Found {
    pub(super) files: Vec<SourceFile>,
    /// Left out, with the reason.
    pub(super) skipped: Vec<String>,
}

/// What inputs name, in reading order: files, and objects that are not copied yet.
#[derive(Debug, Default)]
struct Named {
    items: Vec<Item>,
    skipped: Vec<String>,
}

#[derive(Debug)]
enum Item {
    File(Box<SourceFile>),
    Object(Box<Object>),
}

/// Finds the files of all inputs; a file that several inputs name is read once. Objects are copied, until `stop` becomes true.
pub(super) fn find(spec: &SourceSpec, stop: &AtomicBool, watch: &Watch) -> Result<Found, IngestError> {
    let mut gone = Vec::new();
    let mut found = found(spec, |objects| spec.objects.bring(objects, stop, watch), &mut gone)?;
    let named = gone.iter().find(|object| object.named);
    if let Some(object) = named.or(gone.first().filter(|_| found.files.is_empty())) {
        let problem = format!("{}: gone since it was listed; run again", object.address);
        return Err(IngestError::new(IngestErrorKind::InputMissing, vec![problem]));
    }
    found.skipped.extend(gone.iter().map(|object| format!("{}: gone since it was listed", object.address)));
    Ok(found)
}

/// As [`find`], without copying more than so many bytes of objects; the names of those that were left in their stores come, too.
pub(super) fn find_some(spec: &SourceSpec, bytes_max: u64) -> Result<(Found, Vec<String>), IngestError> {
    let bring = |objects: &[Object]| {
        let mut bytes = 0;
        let fits = objects.iter().map(|object| {
            bytes += object.entry.bytes;
            bytes <= bytes_max
        });
        let fits: Vec<bool> = fits.collect();
        let chosen = objects.iter().zip(&fits).filter(|(_, fits)| **fits).map(|(object, _)| object.clone());
        let copied = spec.objects.bring(&chosen.collect::<Vec<_>>(), &AtomicBool::new(false), &|_| {})?;
        let mut copied = copied.into_iter();
        Ok(fits.into_iter().map(|fits| if fits { copied.next().flatten() } else { None }).collect())
    };
    let mut left = Vec::new();
    Ok((found(spec, bring, &mut left)?, left.into_iter().map(|object| object.address.to_string()).collect()))
}

/// The files that are on this machine already, and how many bytes of objects are not.
pub(super) fn at_hand(spec: &SourceSpec) -> Result<(Vec<SourceFile>, u64), IngestError> {
    let bring = |objects: &[Object]| Ok(objects.iter().map(|object| spec.objects.at_hand(object)).collect());
    let mut left = Vec::new();
    let found = found(spec, bring, &mut left)?;
    Ok((found.files, left.iter().map(|object| object.entry.bytes).sum()))
}

/// The files of all inputs, with the copies of objects that `bring` has; objects without one are added to `left`.
fn found(
    spec: &SourceSpec,
    bring: impl FnOnce(&[Object]) -> Result<Vec<Option<Copied>>, IngestError>,
    left: &mut Vec<Object>,
) -> Result<Found, IngestError> {
    let inputs = &spec.inputs;
    if inputs.is_empty() {
        return Err(usage("no input: name a file, a glob or a directory".to_owned()));
    }
    let fence = store::fence();
    within("inputs", inputs.iter().filter_map(|input| fence.input(input).err()))?;
    let mut named = Named::default();
    for input in inputs {
        add_input(input, &mut named)?;
    }
    // A folder or a pattern may have found links that lead out.
    within("inputs", named.items.iter().filter_map(|item| item.reached(&fence).err()))?;
    let mut seen = HashSet::new();
    named.items.retain(|item| seen.insert(item.identity()));
    let objects: Vec<Object> = named.items.iter().filter_map(Item::object).cloned().collect();
    let mut copies = bring(&objects)?.into_iter();
    let mut found = Found { files: Vec::new(), skipped: named.skipped };
    for item in named.items {
        match item {
            Item::File(file) => found.files.push(*file),
            Item::Object(object) => match copies.next().flatten() {
                Some(copied) => add_copy(&object, copied, &mut found)?,
                None => left.push(*object),
            },
        }
    }
    if found.files.is_empty() && left.is_empty() {
        let mut problems = vec![format!("{}: no CSV or Parquet file to read", inputs.join(", "))];
        problems.extend(found.skipped.iter().map(|skipped| format!("left out: {skipped}")));
        return Err(IngestError::new(IngestErrorKind::InputMissing, problems));
    }
    Ok(found)
}

/// All that lies outside, as one refusal.
pub(super) fn within(key: &str, outside: impl Iterator<Item = Outside>) -> Result<(), IngestError> {
    let problems: Vec<String> = outside.map(|one| format!("{key}: {one}")).collect();
    match problems.is_empty() {
        true => Ok(()),
        false => Err(IngestError::new(IngestErrorKind::Permission, problems)),
    }
}

impl Item {
    /// One for all that name the same file.
    fn identity(&self) -> PathBuf {
        match self {
            Item::File(file) => file.path.canonicalize().unwrap_or_else(|_| file.path.clone()),
            Item::Object(object) => object.address.as_str().into(),
        }
    }

    /// Whether it lies inside of the fence.
    fn reached(&self, fence: &Fence) -> Result<(), Outside> {
        match self {
            Item::File(file) => fence.path(&file.path),
            Item::Object(object) => fence.address(&object.address),
        }
    }

    fn object(&self) -> Option<&Object> {
        match self {
            Item::File(_) => None,
            Item::Object(object) => Some(object),
        }
    }
}

fn add_input(input: &str, named: &mut Named) -> Result<(), IngestError> {
    match Address::parse(input).transpose().map_err(objects::refused)? {
        None => add_path(input, named),
        Some(address) => match address.local() {
            Some(path) => add_path(&path.to_string_lossy(), named),
            None => add_address(input, &address, named),
        },
    }
}

fn add_address(input: &str, address: &Address, named: &mut Named) -> Result<(), IngestError> {
    let (many, tell_foreign) = match objects::find(input, address)? {
        objects::Found::Named(object) => {
            check_packed(&object.spelt, address.as_str())?;
            named.items.push(Item::Object(object));
            return Ok(());
        }
        objects::Found::Below(objects) => (objects, false),
        objects::Found::Matching(objects) => (objects, true),
    };
    for object in many {
        match refuse(&object.spelt, object.entry.bytes) {
            Refusal::None => named.items.push(Item::Object(Box::new(object))),
            refusal => named.skip(object.address.as_str(), refusal, tell_foreign),
        }
    }
    Ok(())
}

/// Adds the copy of an object; one that cannot be read is left out unless it was named.
fn add_copy(object: &Object, copied: Copied, found: &mut Found) -> Result<(), IngestError> {
    let (name, spelt, named) = (object.address.to_string(), object.spelt.as_path(), object.named);
    let file = described(copied.path, name, spelt, copied.seen, named);
    match file {
        Ok(file) => found.files.push(file),
        Err(error) if !named && error.kind() == IngestErrorKind::Data => {
            found.skipped.extend(error.problems().iter().cloned());
        }
        Err(error) => return Err(error),
    }
    Ok(())
}

fn add_path(input: &str, named: &mut Named) -> Result<(), IngestError> {
    let path = Path::new(input);
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => {
            let mut paths = Vec::new();
            walk(path, &mut HashSet::new(), &mut paths)?;
            paths.sort();
            add_many(paths, path, false, named)
        }
        Ok(metadata) if !metadata.is_file() => {
            Err(usage(format!("{input}: a pipe or a device, which cannot be read twice; name a file")))
        }
        Ok(_) => {
            named.items.push(Item::File(Box::new(source_file(path, Path::new(""), true)?)));
            Ok(())
        }
        Err(_) if input == "-" => {
            Err(usage("-: standard input cannot be read twice; write it to a file and name that".to_owned()))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound && input.contains(['*', '?', '[']) => {
            let matches = glob::glob(input).map_err(|error| {
                usage(format!("{input}: neither a file nor a pattern ({error}); write [[] for a bracket"))
            })?;
            let mut paths: Vec<PathBuf> =
                matches.collect::<Result<_, _>>().map_err(|error| io_error(error.path(), error.error()))?;
            // A folder that the pattern spells out is wanted, whatever its name.
            let spelt: Vec<Component<'_>> = path.components().collect();
            let wanted = |folder: &Path| {
                let last = folder.components().next_back();
                !set_aside(folder) || last.is_some_and(|last| spelt.contains(&last))
            };
            paths.retain(|path| path.is_file() && path.ancestors().skip(1).all(wanted));
            if paths.is_empty() {
                let problem = format!("{input}: the pattern matches no file{}", similar(path));
                return Err(IngestError::new(IngestErrorKind::InputMissing, vec![problem]));
            }
            paths.sort();
            let is_fixed =
                |part: &Component<'_>| !part.as_os_str().to_string_lossy().contains(['*', '?', '[']);
            let root: PathBuf = path.components().take_while(is_fixed).collect();
            add_many(paths, &root, true, named)
        }
        Err(error) => Err(io_error(path, &error)),
    }
}

/// All files below a directory. Links to directories are followed, but no folder is entered twice.
fn walk(
    directory: &Path,
    visited: &mut HashSet<PathBuf>,
    paths: &mut Vec<PathBuf>,
) -> Result<(), IngestError> {
    if !visited.insert(directory.canonicalize().map_err(|error| io_error(directory, &error))?) {
        return Ok(());
    }
    let entries = std::fs::read_dir(directory).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    let entries = entries.map_err(|error| io_error(directory, &error))?;
    let mut entries: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).collect();
    entries.sort();
    for path in entries {
        match path.is_dir() {
            true if set_aside(&path) => {}
            true => walk(&path, visited, paths)?,
            false => paths.push(path),
        }
    }
    Ok(())
}

/// Adds the files of a directory or glob. A glob that matches files of other kinds says so; a directory may hold them.
fn add_many(
    paths: Vec<PathBuf>,
    root: &Path,
    tell_foreign: bool,
    named: &mut Named,
) -> Result<(), IngestError> {
    for path in paths {
        let bytes =
            || std::fs::metadata(&path).map(|file| file.len()).map_err(|error| io_error(&path, &error));
        let refusal = match refuse(&path, 1) {
            Refusal::None => refuse(&path, bytes()?),
            refusal => refusal,
        };
        match refusal {
            Refusal::None if is_torn(&path)? => named.skip(&path.display().to_string(), TORN, tell_foreign),
            Refusal::None => named.items.push(Item::File(Box::new(source_file(&path, root, false)?))),
            refusal => named.skip(&path.display().to_string(), refusal, tell_foreign),
        }
    }
    Ok(())
}

impl Named {
    fn skip(&mut self, name: &str, refusal: Refusal, tell_foreign: bool) {
        match refusal {
            Refusal::Foreign(reason) if !tell_foreign => {
                tracing::trace!(name, reason, "not meant to be read")
            }
            Refusal::Foreign(reason) | Refusal::Because(reason) => {
                self.skipped.push(format!("{name}: {reason}"));
            }
            Refusal::None => {}
        }
    }
}

#[cfg(test)]
mod tests;
