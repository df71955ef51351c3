//! `s4cast models key` and `sign`: who vouches for versions.

use crate::cli::Exit;
use crate::cli::args_models::{KeyArgs, Place, Sign};
use crate::cli::error::CliError;
use crate::cli::models::{job, jobs, registry};
use crate::cli::summary::Page;
use crate::cli::terminal::Terminal;
use crate::publish::PublishError;
use crate::registry::{KeyError, PublicKey, Registry, RegistryError, Signed, SigningKey};
use serde_json::json;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

/// The keys that flags and environment name.
pub(super) fn trusted(place: &Place) -> Result<Vec<PublicKey>, CliError> {
    let texts = place.trusted_keys.iter().map(|text| text.trim()).filter(|text| !text.is_empty());
    texts.map(|text| text.parse().map_err(|error: KeyError| refused(error, None))).collect()
}

fn refused(error: KeyError, help: Option<String>) -> CliError {
    CliError::Request { message: error.to_string(), help }
}

/// Makes a key pair.
pub(super) fn make(args: &KeyArgs, terminal: &Terminal) -> Result<Exit, CliError> {
    let (key, text) = SigningKey::generate().map_err(|error| refused(error, None))?;
    let path = &args.output;
    write_secret(path, &text).map_err(|error| {
        let reason = match error.kind() {
            io::ErrorKind::AlreadyExists => "it exists, and a key is never written over".to_owned(),
            _ => error.to_string(),
        };
        PublishError::CannotCreate { path: path.clone(), reason }
    })?;
    let public = key.public().to_string();
    terminal.result(
        || json!({ "key": public, "file": path.display().to_string() }),
        || {
            format!(
                "{public}\nThe secret key is in {}: name it as signing_key = {{ file = … }}, and the public one above in trusted_keys.\n",
                path.display()
            )
        },
    )?;
    Ok(Exit::Ok)
}

/// A file that nobody else may read, and that was not there.
fn write_secret(path: &Path, text: &str) -> io::Result<()> {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Signs versions that are there.
pub(super) fn sign(args: &Sign, terminal: &Terminal) -> Result<Exit, CliError> {
    let (path, place) = (&args.signing_key_file, &args.place);
    let text = std::fs::read_to_string(path).map_err(|error| {
        CliError::Missing(format!("cannot read the secret key {}: {error}", path.display()))
    })?;
    let key = SigningKey::parse(&text)
        .map_err(|error| refused(error, Some(format!("look at {}", path.display()))))?;
    let registry = registry(place)?;
    let (mut signed, mut problems) = (Vec::new(), Vec::new());
    match args.version {
        // A person who names a version vouches for it.
        Some(version) => signed.push(registry.sign(&job(place)?, version, &key)?),
        None => {
            for job in jobs(place)? {
                for version in registry.versions(Some(&job)) {
                    match sign_trusted(&registry, &job, version.version, &key) {
                        Ok(one) => signed.push(one),
                        Err(error) => problems.push((job.clone(), version.version, error.to_string())),
                    }
                }
            }
        }
    }
    let document = || {
        let one = |one: &Signed| {
            let previous = one.previous.map(|key| key.to_string());
            json!({ "job": one.job, "version": one.version, "previous": previous })
        };
        let problem = |(job, version, problem): &(String, u32, String)| json!({ "job": job, "version": version, "problem": problem });
        json!({
            "key": key.public().to_string(),
            "signed": signed.iter().map(one).collect::<Vec<_>>(),
            "problems": problems.iter().map(problem).collect::<Vec<_>>(),
        })
    };
    terminal.result(document, || page(&key, &signed, &problems))?;
    Ok(if problems.is_empty() { Exit::Ok } else { Exit::Data })
}

/// Signs a version; where keys are trusted, one of them signed it so far.
fn sign_trusted(
    registry: &Registry,
    job: &str,
    version: u32,
    key: &SigningKey,
) -> Result<Signed, RegistryError> {
    registry.check_signature(job, version)?;
    registry.sign(job, version, key)
}

fn page(key: &SigningKey, signed: &[Signed], problems: &[(String, u32, String)]) -> String {
    let mut page = Page::default();
    for one in signed {
        let before = one.previous.filter(|previous| *previous != one.key);
        let before = before.map_or(String::new(), |previous| format!(", in place of {previous}"));
        page.row(format!("{}/{} signed by {}{before}", one.job, one.version, key.public()));
    }
    for (job, version, problem) in problems {
        page.row(format!("{job}/{version} not signed: {problem}"));
    }
    page.text
}
