//! Which objects an address names: one, all below a folder, those that match a pattern.

use super::{Object, refused};
use crate::ingest::files::{set_aside, usage};
use crate::ingest::spec::{IngestError, IngestErrorKind};
use crate::store::{Address, Entry, Scheme, Store};
use std::path::{Path, PathBuf};

/// Names that are held against one that is missing.
const NEIGHBOURS: usize = 500;

/// What an input names.
pub(crate) enum Found {
    /// An object.
    Named(Box<Object>),
    /// Objects below a folder, in the order of paths.
    Below(Vec<Object>),
    /// Objects that match a pattern, in the order of paths.
    Matching(Vec<Object>),
}

/// Characters that make a pattern of a path.
const WILD: [char; 3] = ['*', '?', '['];

/// The objects that an address names now. Like a path, it is taken for a pattern only if nothing has that very name.
pub(crate) fn find(input: &str, address: &Address) -> Result<Found, IngestError> {
    let (is_folder, is_pattern) = (input.ends_with('/'), address.path().contains(WILD));
    if has_no_list(address) && (is_folder || is_pattern) {
        return Err(usage(format!(
            "{input}: a web server has no list of its files; name each of them, or let a command fetch them with --exec"
        )));
    }
    if !is_folder && !address.path().is_empty() {
        match named(address) {
            Ok(object) => return Ok(Found::Named(Box::new(object))),
            Err(error) if error.kind() != IngestErrorKind::InputMissing || has_no_list(address) => {
                return Err(error);
            }
            Err(_) => {}
        }
    }
    let found = if is_pattern { matching(input, address)? } else { Found::Below(below(address)?) };
    match &found {
        Found::Below(objects) | Found::Matching(objects) if objects.is_empty() => {
            Err(missing(&open(&address.parent())?, address))
        }
        _ => Ok(found),
    }
}

/// Whether only single objects can be asked for.
pub(crate) fn has_no_list(address: &Address) -> bool {
    address.scheme() == Scheme::Http
}

/// The object of exactly that address.
pub(super) fn named(address: &Address) -> Result<Object, IngestError> {
    let store = open(&address.parent())?;
    match store.head(address.name()).map_err(refused)? {
        Some(entry) => {
            let spelt = PathBuf::from(address.path());
            Ok(Object { address: address.clone(), store, entry, spelt, named: true })
        }
        None => Err(missing(&store, address)),
    }
}

fn open(at: &Address) -> Result<Store, IngestError> {
    Store::open(at).map_err(refused)
}

/// All objects below a folder, but for folders that other programs set aside.
fn below(folder: &Address) -> Result<Vec<Object>, IngestError> {
    let store = open(folder)?;
    let entries = store.list("").map_err(refused)?;
    let is_wanted = |entry: &Entry| folders(&entry.name).all(|folder| !set_aside(folder));
    Ok(objects(&store, entries.into_iter().filter(is_wanted)))
}

/// The folders that a name stands in, from the innermost one.
fn folders(name: &str) -> impl Iterator<Item = &Path> {
    Path::new(name).ancestors().skip(1).filter(|folder| !folder.as_os_str().is_empty())
}

fn matching(input: &str, address: &Address) -> Result<Found, IngestError> {
    let parts: Vec<&str> = address.path().split('/').collect();
    let fixed = parts.iter().take_while(|part| !part.contains(WILD)).count();
    let root = parts[..fixed].iter().fold(root_of(address)?, |root, part| root.join(part));
    let pattern = glob::Pattern::new(&parts[fixed..].join("/")).map_err(|error| {
        usage(format!("{input}: neither an object nor a pattern ({error}); write [[] for a bracket"))
    })?;
    let options = glob::MatchOptions { require_literal_separator: true, ..glob::MatchOptions::new() };
    // A folder that the pattern spells out is wanted, whatever its name.
    let is_spelt =
        |folder: &Path| folder.file_name().is_some_and(|name| parts.iter().any(|part| name == *part));
    let is_wanted = |entry: &Entry| {
        pattern.matches_with(&entry.name, options)
            && folders(&entry.name).all(|folder| !set_aside(folder) || is_spelt(folder))
    };
    let store = open(&root)?;
    let entries = store.list("").map_err(refused)?;
    Ok(Found::Matching(objects(&store, entries.into_iter().filter(is_wanted))))
}

/// The bucket, container or host of an address.
fn root_of(address: &Address) -> Result<Address, IngestError> {
    let mut root = address.clone();
    while !root.path().is_empty() {
        root = root.parent();
    }
    Ok(root)
}

/// Objects in the order in which files of these paths are read.
fn objects(store: &Store, entries: impl Iterator<Item = Entry>) -> Vec<Object> {
    let mut entries: Vec<Entry> = entries.collect();
    entries.sort_by(|a, b| Path::new(&a.name).cmp(Path::new(&b.name)));
    let object = |entry: Entry| {
        let address = store.address().join(&entry.name);
        let folder = entry.name.rsplit_once('/').map_or("", |(folder, _)| folder);
        let spelt = PathBuf::from(&entry.name);
        Object { address, store: store.below(folder), entry, spelt, named: false }
    };
    entries.into_iter().map(object).collect()
}

/// The refusal of an address where nothing is, with names beside it that resemble it.
pub(super) fn missing(store: &Store, address: &Address) -> IngestError {
    let near = if has_no_list(address) { Vec::new() } else { neighbours(store, address) };
    let meant =
        if near.is_empty() { String::new() } else { format!("; did you mean {}?", near.join(" or ")) };
    let what = match (address.path().contains(WILD), has_no_list(address)) {
        (true, _) => "the pattern matches no object",
        (_, true) => "the server has no such file",
        _ => "no such object, and none below it",
    };
    let problem = format!("{address}: {what}{meant}");
    IngestError::new(IngestErrorKind::InputMissing, vec![problem])
}

/// Addresses in the same folder that resemble one; only as many as one answer holds are looked at.
fn neighbours(store: &Store, address: &Address) -> Vec<String> {
    // Who may not list has nothing to suggest.
    let entries = store.some("", NEIGHBOURS).unwrap_or_default();
    let first = |entry: &Entry| entry.name.split('/').next().unwrap_or_default().to_owned();
    let mut names: Vec<String> = entries.iter().map(first).collect();
    names.dedup();
    let wanted = address.name().to_lowercase();
    let score = |name: &String| strsim::jaro_winkler(&name.to_lowercase(), &wanted);
    let mut scored: Vec<(f64, String)> =
        names.into_iter().map(|name| (score(&name), name)).filter(|(score, _)| *score > 0.8).collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    scored.dedup();
    scored.into_iter().take(3).map(|(_, name)| store.address().join(&name).to_string()).collect()
}
