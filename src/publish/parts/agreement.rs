//! Whether parts belong to one run: what all of them have to say alike, and what to tell where they do not.

use crate::publish::parts::Part;
use crate::publish::{Commit, PublishError};
use crate::series::civil::shown;
use crate::store::Store;
use std::collections::BTreeMap;
use std::fmt::Display;

/// Metadata that all parts of a run share, where they have it: settings, weights, columns, and how many rows were read.
const SHARED: [&str; 4] = ["config_sha256", "weights_sha256", "columns", "source_rows"];

/// Metadata of a part whose model was trained on the series of its shard alone; such weights differ from part to part.
pub const TRAINED_ON: &str = "trained_on_shard";

/// What all parts of a run say alike, in an order that puts first what explains the rest.
type Claims = Vec<(&'static str, String)>;

fn claims(part: &Part) -> Claims {
    let fixed = [
        ("run_id", part.run_id.clone()),
        ("job", part.job.clone()),
        ("issued_at", shown(part.issued_at)),
        ("schema_version", part.schema_version.to_string()),
        ("naming", part.naming.as_str().into()),
        ("format", part.format.as_str().into()),
    ];
    fixed.into_iter().chain(shared(&part.metadata)).collect()
}

fn claims_of_commit(commit: &Commit) -> Claims {
    let fixed = [
        ("run_id", commit.run_id.clone()),
        ("job", commit.job.clone()),
        ("issued_at", shown(commit.issued_at)),
        ("schema_version", commit.schema_version.to_string()),
        ("naming", commit.naming.as_str().into()),
        ("format", commit.format.as_str().into()),
    ];
    fixed.into_iter().chain(shared(&commit.metadata)).collect()
}

fn shared(metadata: &BTreeMap<String, String>) -> impl Iterator<Item = (&'static str, String)> {
    let keys = SHARED.into_iter().filter(|key| {
        let is_own = *key == "weights_sha256" && metadata.contains_key(TRAINED_ON);
        !is_own
    });
    keys.filter_map(|key| Some((key, metadata.get(key)?.clone())))
}

/// What parts say differently, one line each; none where they belong together.
pub(super) fn differences(parts: &[Part]) -> Vec<String> {
    let said: Vec<Claims> = parts.iter().map(claims).collect();
    let Some(first) = said.first() else { return Vec::new() };
    let mut names: Vec<&str> = first.iter().map(|(name, _)| *name).collect();
    names.extend(SHARED.iter().filter(|name| !first.iter().any(|(known, _)| known == *name)));
    let mut lines = Vec::new();
    for name in names {
        let mut shards: BTreeMap<Option<&str>, Vec<u32>> = BTreeMap::new();
        for (part, claims) in parts.iter().zip(&said) {
            shards.entry(value(claims, name)).or_default().push(part.shard.index());
        }
        if shards.len() > 1 {
            let groups = shards.into_iter().map(|(value, shards)| {
                format!("{} in shard {}", value.unwrap_or("not given"), listed(&shards))
            });
            lines.push(format!("{name} is {}", groups.collect::<Vec<_>>().join(", ")));
        }
    }
    lines
}

fn value<'a>(claims: &'a Claims, name: &str) -> Option<&'a str> {
    claims.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
}

/// Numbers as a person lists them; of many, the first.
pub(super) fn listed<T: Display>(numbers: &[T]) -> String {
    const SHOWN: usize = 12;
    let shown: Vec<String> = numbers.iter().take(SHOWN).map(T::to_string).collect();
    let more = numbers.len().saturating_sub(SHOWN);
    if more == 0 { shown.join(", ") } else { format!("{} and {more} more", shown.join(", ")) }
}

/// Whether a part is one of the run that is committed.
pub(super) fn with_commit(
    store: &Store,
    folder: &str,
    part: &Part,
    commit: &Commit,
) -> Result<(), PublishError> {
    same_run(store, folder, part, &commit.run_id)?;
    let problems = against(&claims(part), &claims_of_commit(commit), "the committed run");
    refuse(store, folder, problems)
}

/// Whether a part says what the one that its shard delivered earlier says, and is of the same data.
pub(super) fn with_earlier(
    store: &Store,
    folder: &str,
    part: &Part,
    earlier: &Part,
) -> Result<(), PublishError> {
    same_run(store, folder, part, &earlier.run_id)?;
    let mut problems = against(&claims(part), &claims(earlier), "what it delivered before");
    let data = |part: &Part| part.metadata.get("data_fingerprint").cloned();
    if let (Some(own), Some(other)) = (data(part), data(earlier))
        && own != other
    {
        problems.push(format!("data_fingerprint is {own}, in what it delivered before {other}"));
    }
    let named = problems.into_iter().map(|line| format!("shard {}: {line}", part.shard)).collect();
    refuse(store, folder, named)
}

/// What one says and the other says otherwise.
fn against(own: &Claims, other: &Claims, words: &str) -> Vec<String> {
    let differs = own.iter().filter_map(|(name, said)| {
        let other = value(other, name).filter(|other| other != said)?;
        Some(format!("{name} is {said}, in {words} {other}"))
    });
    differs.collect()
}

/// Whether a folder that holds a run is the folder of this part's run.
pub(super) fn same_run(store: &Store, folder: &str, part: &Part, stands: &str) -> Result<(), PublishError> {
    match part.run_id == stands {
        true => Ok(()),
        false => Err(PublishError::OtherRun {
            folder: store.address().join(folder).to_string(),
            stands: stands.into(),
            own: part.run_id.clone(),
        }),
    }
}

pub(super) fn refuse(store: &Store, folder: &str, problems: Vec<String>) -> Result<(), PublishError> {
    match problems.is_empty() {
        true => Ok(()),
        false => Err(PublishError::Disagree { folder: store.address().join(folder).to_string(), problems }),
    }
}
