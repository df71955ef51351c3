//! The fence around this process: folders and addresses below which everything has to lie that it reads and writes for its jobs.
//!
//! Paths are held against it as the operating system walks them: links are followed, `..` goes up from where a link leads, and
//! what is not there yet counts as it would be. A fence is no wall between users of one machine: who may change folders below it
//! can change them between the look and the use.

use super::address::{Address, Place, Scheme};
use super::scratch;
use std::collections::VecDeque;
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};
use std::sync::{PoisonError, RwLock};

/// Links that a path may lead through; as many as the operating system follows.
const LINKS_MAX: usize = 40;

/// What the environment of this process lets it reach, and what its config does besides. Both are the same for all of its threads.
static FENCES: RwLock<(Fence, Option<Fence>)> =
    RwLock::new((Fence { lists: Vec::new(), allows_exec: true }, None));

/// One list of folders and addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowList {
    /// What messages call it: a setting or an environment variable.
    name: String,
    /// As they are, links followed.
    folders: Vec<PathBuf>,
    addresses: Vec<Address>,
    /// As they were written.
    written: Vec<String>,
}

impl AllowList {
    /// The list of that name; relative folders start where the program was started.
    ///
    /// # Errors
    /// Every text that is meant for an address and is none, or empty.
    pub fn new(name: &str, texts: &[String]) -> Result<AllowList, Vec<String>> {
        let (mut folders, mut addresses, mut problems) = (Vec::new(), Vec::new(), Vec::new());
        for text in texts {
            match Place::parse(text) {
                _ if text.trim().is_empty() => problems.push("an empty text allows no folder".to_owned()),
                Ok(Place::Local(path)) => folders.push(real(&path)),
                Ok(Place::Remote(address)) => addresses.push(address),
                Err(error) => problems.push(error.to_string()),
            }
        }
        let list = AllowList { name: name.into(), folders, addresses, written: texts.to_vec() };
        if problems.is_empty() { Ok(list) } else { Err(problems) }
    }

    fn has_path(&self, real: &Path) -> bool {
        self.folders.iter().any(|folder| real.starts_with(folder))
    }

    fn has_address(&self, address: &Address) -> bool {
        self.addresses.iter().any(|folder| {
            plain(address).is_some_and(|text| {
                plain(folder).is_some_and(|folder| {
                    text.strip_prefix(&folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
                })
            })
        })
    }
}

/// An address with the one name of its scheme, its host in lower case and nothing escaped; `None` where it has no such form.
fn plain(address: &Address) -> Option<String> {
    let key = address.key().ok()?;
    let (_, authority) = address.root().split_once("://")?;
    let is_host = address.scheme() == Scheme::Http;
    let authority = if is_host { authority.to_ascii_lowercase() } else { authority.into() };
    let scheme = if is_host {
        address.root().split("://").next()?.to_owned()
    } else {
        format!("{:?}", address.scheme())
    };
    let text = format!("{scheme}://{authority}/{}", key.as_ref());
    Some(text.trim_end_matches('/').to_owned())
}

/// Something that lies outside.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} lies outside of {list}, which allows {allowed}")]
pub struct Outside {
    /// The path or address.
    pub what: String,
    /// Which list.
    pub list: String,
    /// What the list allows.
    pub allowed: String,
}

/// Lists that all have to allow what is reached; without any, everything may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fence {
    lists: Vec<AllowList>,
    allows_exec: bool,
}

impl Default for Fence {
    fn default() -> Fence {
        Fence { lists: Vec::new(), allows_exec: true }
    }
}

impl Fence {
    /// The same, where this list has to allow it, too. Commands can reach anything, so they are not allowed any more.
    pub fn and(mut self, list: AllowList) -> Fence {
        self.lists.push(list);
        Fence { allows_exec: false, ..self }
    }

    /// The same, where commands may run or not.
    pub fn with_exec(self, allows_exec: bool) -> Fence {
        Fence { allows_exec, ..self }
    }

    /// Whether commands may be sources.
    pub fn allows_exec(&self) -> bool {
        self.allows_exec
    }

    /// Whether anything may be reached.
    pub fn is_open(&self) -> bool {
        self.lists.is_empty()
    }

    /// Whether a path lies inside, as far as links lead now.
    ///
    /// # Errors
    /// If a list does not allow it.
    pub fn path(&self, path: &Path) -> Result<(), Outside> {
        if self.is_open() || scratch::is_own(path) {
            return Ok(());
        }
        let real = real(path);
        let shown = match real == path {
            true => path.display().to_string(),
            false => format!("{} (which is {})", path.display(), real.display()),
        };
        self.first(|list| list.has_path(&real), shown)
    }

    /// Whether an address lies inside, by whole parts of its path.
    ///
    /// # Errors
    /// If a list does not allow it.
    pub fn address(&self, address: &Address) -> Result<(), Outside> {
        match address.local() {
            Some(path) => self.path(&path),
            None => self.first(|list| list.has_address(address), address.to_string()),
        }
    }

    /// Whether a place lies inside.
    ///
    /// # Errors
    /// If a list does not allow it.
    pub fn place(&self, place: &Place) -> Result<(), Outside> {
        match place {
            Place::Local(path) => self.path(path),
            Place::Remote(address) => self.address(address),
        }
    }

    /// Whether an input may name what lies inside: a path, a folder, an address, or a pattern, of which the part without wildcards
    /// counts. What is no address is somebody else's problem.
    ///
    /// # Errors
    /// If a list does not allow it.
    pub fn input(&self, text: &str) -> Result<(), Outside> {
        match Place::parse(text) {
            Err(_) => Ok(()),
            Ok(place) if !text.contains(['*', '?', '[']) => self.place(&place),
            Ok(Place::Local(path)) if path.exists() => self.path(&path),
            Ok(Place::Local(path)) => {
                let is_fixed =
                    |part: &Component<'_>| !part.as_os_str().to_string_lossy().contains(['*', '?', '[']);
                self.path(&path.components().take_while(is_fixed).collect::<PathBuf>())
            }
            Ok(Place::Remote(address)) => {
                let mut folder = address.clone();
                while folder.path().contains(['*', '?', '[']) {
                    folder = folder.parent();
                }
                self.address(&folder)
            }
        }
    }

    fn first(&self, allows: impl Fn(&AllowList) -> bool, what: String) -> Result<(), Outside> {
        match self.lists.iter().find(|list| !allows(list)) {
            None => Ok(()),
            Some(list) => Err(Outside { what, list: list.name.clone(), allowed: list.written.join(", ") }),
        }
    }
}

/// The fence in force: that of a config where there is one, otherwise that of the process.
pub fn fence() -> Fence {
    let fences = FENCES.read().unwrap_or_else(PoisonError::into_inner);
    fences.1.as_ref().unwrap_or(&fences.0).clone()
}

/// The fence that the environment puts around this process.
pub fn process_fence() -> Fence {
    FENCES.read().unwrap_or_else(PoisonError::into_inner).0.clone()
}

/// Puts the fence of a config in force, which holds that of the process; what is being read or written goes on.
pub fn set_fence(fence: Fence) {
    FENCES.write().unwrap_or_else(PoisonError::into_inner).1 = Some(fence);
}

/// Puts a fence around this process, once, before it does anything.
pub fn set_process_fence(fence: Fence) {
    FENCES.write().unwrap_or_else(PoisonError::into_inner).0 = fence;
}

/// Where a path leads, absolute and without links, `.` and `..`; parts that are not there stay as they are written.
fn real(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.into());
    let mut rest: VecDeque<OsString> = parts(&absolute).collect();
    let mut real = PathBuf::from("/");
    let mut links = 0;
    while let Some(part) = rest.pop_front() {
        if part == ".." {
            real.pop();
            continue;
        }
        real.push(&part);
        let Ok(target) = std::fs::read_link(&real) else { continue };
        links += 1;
        if links > LINKS_MAX {
            // It leads nowhere, and so to no place that is allowed.
            return PathBuf::new();
        }
        match target.is_absolute() {
            true => real = PathBuf::from("/"),
            false => {
                real.pop();
            }
        }
        for part in parts(&target).collect::<Vec<_>>().into_iter().rev() {
            rest.push_front(part);
        }
    }
    real
}

/// The names of a path, `..` among them.
fn parts(path: &Path) -> impl Iterator<Item = OsString> {
    path.components().filter_map(|part| match part {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn fence(texts: &[&str]) -> Fence {
        let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
        Fence::default().and(AllowList::new("allow_paths", &texts).expect("right"))
    }

    #[test]
    fn paths_are_held_against_it_as_they_are_walked() {
        let folder = tempfile::tempdir().expect("folder");
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir_all(at("in/sub")).expect("made");
        std::fs::create_dir_all(at("out")).expect("made");
        std::fs::write(at("out/x.csv"), "x").expect("written");
        symlink(at("out"), at("in/link")).expect("linked");
        symlink("../out/x.csv", at("in/file.csv")).expect("linked");
        symlink(at("out/new.csv"), at("in/dangling.csv")).expect("linked");
        symlink(at("in/sub"), at("way-in")).expect("linked");
        symlink("loop", at("in/loop")).expect("linked");
        let fence = fence(&[&at("in").display().to_string()]);
        for inside in ["in", "in/x.csv", "in/sub/../x.csv", "in/none/yet", "out/../in/x.csv", "way-in/x.csv"]
        {
            assert_eq!(fence.path(&at(inside)), Ok(()), "{inside}");
        }
        for outside in [
            "out/x.csv",
            "in/../out/x.csv",
            "in/none/../../out",
            "in/link/x.csv",
            "in/link/../secret",
            "in/file.csv",
            "in/dangling.csv",
            "in/loop",
            "inner/x.csv",
            "in-other/x.csv",
            "",
        ] {
            assert!(fence.path(&at(outside)).is_err(), "{outside}");
        }
        let error = fence.path(&at("in/file.csv")).expect_err("outside").to_string();
        for part in ["in/file.csv", "out/x.csv", "allow_paths"] {
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn inputs_count_by_their_part_without_wildcards() {
        let folder = tempfile::tempdir().expect("folder");
        let at = |name: &str| folder.path().join(name).display().to_string();
        std::fs::create_dir_all(at("in")).expect("made");
        let fence = fence(&[&at("in"), "s3://bucket/data"]);
        for inside in [&at("in/*.csv"), &at("in/**/*.csv"), "s3://bucket/data/*.csv", "s3a://bucket/data/x"] {
            assert_eq!(fence.input(inside), Ok(()), "{inside}");
        }
        for outside in [&at("*.csv"), &at("i*/x.csv"), "s3://bucket/*.csv", "s3://bucket/database/x", "/*"] {
            assert!(fence.input(outside).is_err(), "{outside}");
        }
    }

    #[test]
    fn addresses_count_by_whole_parts_and_one_name_of_each_store() {
        let fence = fence(&["s3://bucket/data", "https://Example.org/open"]);
        let address = |text: &str| Address::parse(text).expect("address").expect("right");
        for inside in ["s3://bucket/data", "s3a://bucket/data/x/y", "https://example.org/open/a.csv"] {
            assert_eq!(fence.address(&address(inside)), Ok(()), "{inside}");
        }
        for outside in [
            "s3://bucket/database",
            "s3://bucket",
            "s3://other/data/x",
            "gs://bucket/data/x",
            "http://example.org/open/a.csv",
            "https://example.org/opener",
            "https://example.org.evil.org/open/a",
            "file:///bucket/data/x",
            "memory://bucket/data/x",
        ] {
            assert!(fence.address(&address(outside)).is_err(), "{outside}");
        }
        assert!(Address::parse("https://example.org/open/%2e%2e/x").expect("address").is_err());
    }

    #[test]
    fn every_list_has_to_allow_it_and_commands_are_not_allowed_by_themselves() {
        let open = Fence::default();
        assert!(open.is_open() && open.allows_exec());
        assert_eq!(open.path(Path::new("/etc/passwd")), Ok(()));
        let narrowed = fence(&["/srv", "/data"])
            .and(AllowList::new("S4CAST_ALLOW_PATHS", &["/srv/a".into()]).expect("right"));
        assert!(!narrowed.allows_exec() && narrowed.clone().with_exec(true).allows_exec());
        assert_eq!(narrowed.path(Path::new("/srv/a/x")), Ok(()));
        let refusal = narrowed.path(Path::new("/data/x")).expect_err("outside");
        assert_eq!(refusal.list, "S4CAST_ALLOW_PATHS");
        assert!(AllowList::new("x", &["nosuch://a".into(), "".into()]).is_err_and(|all| all.len() == 2));
    }
}
