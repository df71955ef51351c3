//! Secrets that a config names by their place: read where they are needed, and never shown.

use crate::config::Key;
use crate::config::check::Check;
use crate::config::file::Env;
use crate::config::words::Wrong;

/// Whether secrets are read.
#[derive(Clone, Copy)]
pub(super) enum Secrets<'a> {
    /// From this environment, and from files.
    Read(Env<'a>),
    /// Not at all: the machine that checks a config need not hold its secrets.
    Unread,
}

/// A secret that a config names.
pub(super) enum Secret {
    /// Its text, which is not empty.
    Text(String),
    /// Nobody has looked.
    Unread,
}

impl Check<'_> {
    /// The secret of a setting; `None` where there is none, or it is wrong, which is noted. `what` it is, in a word, and `example`
    /// is the environment variable that the help names.
    pub(super) fn secret(
        &mut self,
        key: Key,
        secrets: Secrets<'_>,
        what: &str,
        example: &str,
    ) -> Option<Secret> {
        self.inline(key, |inline| inline.place_of_secret(secrets, what, example)).flatten()
    }

    fn place_of_secret(&mut self, secrets: Secrets<'_>, what: &str, example: &str) -> Option<Secret> {
        let env = self.text(Key::SecretEnv);
        let file = self.text(Key::SecretFile);
        let place = self.settings.header.as_ref().map(|(_, span)| span.clone());
        let help = format!(
            "write {{ env = \"{example}\" }} or {{ file = \"/run/secrets/{}\" }}",
            what.replace(' ', "-")
        );
        let text = match (env, file, secrets) {
            (None, None, _) if self.settings.misread || !self.settings.problems.is_empty() => return None,
            (None, None, _) => Err(Wrong::new("a secret without env and file".into(), &help)),
            (Some(_), Some(_), _) => Err(Wrong::new("a secret with both env and file".into(), &help)),
            (_, _, Secrets::Unread) => return Some(Secret::Unread),
            (Some(name), None, Secrets::Read(env)) => of_environment(&name, env, what),
            (None, Some(path), Secrets::Read(_)) => of_file(&path, what),
        };
        text.map_err(|wrong| self.problem_at(place, wrong)).ok().map(Secret::Text)
    }
}

fn of_environment(name: &str, env: Env<'_>, what: &str) -> Result<String, Wrong> {
    let help = format!("set it to the {what}, for example in the unit of the service");
    match env(name) {
        None => Err(Wrong::new(format!("the environment variable {name} of a secret is not set"), &help)),
        Some(text) if text.trim().is_empty() => {
            Err(Wrong::new(format!("the environment variable {name} of a secret is empty"), &help))
        }
        Some(text) => Ok(text),
    }
}

fn of_file(path: &str, what: &str) -> Result<String, Wrong> {
    let help = format!("write the {what} into it and let the daemon's user read it");
    match std::fs::read_to_string(path) {
        Err(error) => Err(Wrong::new(format!("the file {path} of a secret cannot be read: {error}"), &help)),
        Ok(text) if text.trim().is_empty() => {
            Err(Wrong::new(format!("the file {path} of a secret is empty"), &help))
        }
        Ok(text) => Ok(text),
    }
}
