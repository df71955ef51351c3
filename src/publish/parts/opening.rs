//! What the first process of a run fixes for all others: its id and its instants.

use super::{committed, no_good, unread, within};
use crate::publish::PublishError;
use crate::publish::layout::is_run_id;
use crate::series::civil::shown;
use crate::series::version::{self, Unread};
use crate::store::{Created, Store};
use serde::{Deserialize, Serialize};

/// Name of the file, created once.
const OPENING_FILE: &str = "_run.json";

/// Version of the file's form.
const OPENING_VERSION: u32 = 1;

/// A run as it begins. Processes that were not told what to call it take what the first one wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    /// Id of the run.
    pub run_id: String,
    /// Nominal instant of the forecast, microseconds UTC.
    pub issued_at: i64,
    /// When its rows say that they were written, microseconds UTC: a part that is made again is the same to the last byte.
    pub created_at: i64,
    /// SHA-256 of the settings that decide the result.
    pub config_sha256: String,
}

/// What of an [`Opening`] was asked for, and may be no other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// Its id.
    pub run_id: bool,
    /// Its instant.
    pub issued_at: bool,
}

/// The file as it is written.
#[derive(Serialize, Deserialize)]
struct OpeningFile {
    version: u32,
    run_id: String,
    issued_at: String,
    created_at: String,
    config_sha256: String,
}

/// Begins a run in a folder, or joins the one that was begun there.
///
/// # Errors
/// [`PublishError::OtherRun`] where the folder is that of another run, [`PublishError::Disagree`] where its run was begun with
/// other settings or at another instant, [`PublishError::Store`] where the store fails.
pub fn open(store: &Store, folder: &str, own: &Opening, asked: Asked) -> Result<Opening, PublishError> {
    let name = within(folder, OPENING_FILE);
    let address = || store.address().join(folder).to_string();
    let text = own.to_json().map_err(|reason| no_good(store, &name, &reason))?;
    let stands = match store.create(&name, &text)? {
        Created::Now => own.clone(),
        Created::Exists(found) => Opening::from_json(&found).map_err(|why| unread(store, &name, why))?,
    };
    let other = |stands: &str| {
        let (stands, own) = (stands.to_owned(), own.run_id.clone());
        Err(PublishError::OtherRun { folder: address(), stands, own })
    };
    if asked.run_id && stands.run_id != own.run_id {
        return other(&stands.run_id);
    }
    // A run that was published by a program that begins none.
    if let Some(commit) = committed(store, folder)?
        && commit.run_id != stands.run_id
    {
        return other(&commit.run_id);
    }
    let mut problems = Vec::new();
    let mut hold = |what: &str, own: &str, other: &str| {
        let begun = shown(stands.created_at);
        problems.push(format!("{what} is {own}, in the run that was begun there at {begun} it is {other}"));
    };
    if stands.config_sha256 != own.config_sha256 {
        hold("config_sha256", &own.config_sha256, &stands.config_sha256);
    }
    if asked.issued_at && stands.issued_at != own.issued_at {
        hold("issued_at", &shown(own.issued_at), &shown(stands.issued_at));
    }
    match problems.is_empty() {
        true => Ok(stands),
        false => Err(PublishError::Disagree { folder: address(), problems }),
    }
}

impl Opening {
    fn to_json(&self) -> Result<Vec<u8>, String> {
        let file = OpeningFile {
            version: OPENING_VERSION,
            run_id: self.run_id.clone(),
            issued_at: shown(self.issued_at),
            created_at: shown(self.created_at),
            config_sha256: self.config_sha256.clone(),
        };
        let mut text = serde_json::to_vec_pretty(&file).map_err(|error| error.to_string())?;
        text.push(b'\n');
        Ok(text)
    }

    fn from_json(text: &[u8]) -> Result<Opening, Unread> {
        let file: OpeningFile = version::from_json(text, OPENING_VERSION)?;
        let instant = |text: &str| match text.parse::<jiff::Timestamp>() {
            Ok(instant) => Ok(instant.as_microsecond()),
            Err(error) => Err(Unread::Damaged(error.to_string())),
        };
        if !is_run_id(&file.run_id) {
            return Err(Unread::Damaged(format!("'{}' is no run id", file.run_id)));
        }
        Ok(Opening {
            issued_at: instant(&file.issued_at)?,
            created_at: instant(&file.created_at)?,
            run_id: file.run_id,
            config_sha256: file.config_sha256,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Address;

    #[test]
    fn the_first_one_names_the_run_and_others_join_it_or_are_refused() {
        let address = Address::parse("memory://openings/out").expect("scheme").expect("address");
        let store = Store::open(&address).expect("opened");
        let opening = |run_id: &str, issued_at: i64, config: &str| Opening {
            run_id: run_id.into(),
            issued_at,
            created_at: issued_at + 1,
            config_sha256: config.into(),
        };
        let free = Asked::default();
        let first = opening("a", 5, "c");
        assert_eq!(open(&store, "x", &first, free).expect("begun"), first);
        assert_eq!(open(&store, "x", &opening("b", 9, "c"), free).expect("joined"), first);
        assert_eq!(open(&store, "y", &opening("b", 9, "c"), free).expect("begun").run_id, "b");
        let strict = Asked { run_id: true, issued_at: true };
        assert_eq!(open(&store, "x", &opening("a", 5, "c"), strict).expect("joined"), first);
        let error = open(&store, "x", &opening("b", 5, "c"), strict).expect_err("another run");
        assert!(matches!(error, PublishError::OtherRun { .. }), "{error}");
        let error = open(&store, "x", &opening("a", 6, "d"), strict).expect_err("other settings").to_string();
        assert!(error.contains("config_sha256 is d") && error.contains("issued_at is 1970"), "{error}");
    }
}
