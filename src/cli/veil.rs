//! A last veil over the log: secrets of the environment do not show, whoever quotes them.
//!
//! Secrets are masked where they could be quoted (`ingest::secrets`), and types that hold them do not print. This is for what
//! nobody thought of.

use std::borrow::Cow;
use std::io::{self, Stderr, Write};
use std::sync::Arc;
use tracing_subscriber::fmt::MakeWriter;

/// Ends of the names of environment variables that hold secrets.
const NAMES: [&str; 8] =
    ["TOKEN", "SECRET", "PASSWORD", "PASSWD", "_KEY", "ACCESS_KEY", "CREDENTIALS", "SIGNING_KEY"];

/// Shorter values are found everywhere, and nobody's secret.
const LENGTH_MIN: usize = 8;

/// What stands in the place of a secret.
const MASK: &str = "****";

/// The secrets that do not show; a clone has the same.
#[derive(Clone, Default)]
pub(super) struct Veil(Arc<Vec<String>>);

impl Veil {
    /// Over the values of the environment variables whose names say that they are secret. Paths of secrets are none.
    pub fn of(environment: impl Iterator<Item = (String, String)>) -> Veil {
        let is_secret = |name: &str| NAMES.iter().any(|end| name.to_ascii_uppercase().ends_with(end));
        let lines = |text: String| text.lines().map(|line| line.trim().to_owned()).collect::<Vec<_>>();
        let mut secrets: Vec<String> = environment
            .filter(|(name, value)| is_secret(name) && !value.starts_with('/'))
            .flat_map(|(_, value)| lines(value))
            .filter(|line| line.len() >= LENGTH_MIN && !line.starts_with("-----"))
            .collect();
        // The longest first: one may hold another.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        secrets.dedup();
        Veil(Arc::new(secrets))
    }

    /// A text without the secrets.
    pub fn over<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut covered = Cow::Borrowed(text);
        for secret in self.0.iter().filter(|secret| text.contains(secret.as_str())) {
            covered = Cow::Owned(covered.replace(secret.as_str(), MASK));
        }
        covered
    }
}

/// Stderr behind the veil; a line comes as a whole.
pub(super) struct Veiled(Veil, Stderr);

impl Write for Veiled {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match std::str::from_utf8(bytes) {
            Ok(text) => self.1.write_all(self.0.over(text).as_bytes()).map(|()| bytes.len()),
            Err(_) => self.1.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.1.flush()
    }
}

impl<'a> MakeWriter<'a> for Veil {
    type Writer = Veiled;

    fn make_writer(&'a self) -> Veiled {
        Veiled(self.clone(), io::stderr())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_secret_names_do_not_show() {
        let environment = [
            ("S4CAST_TOKEN", " open-sesame\n"),
            ("AWS_SECRET_ACCESS_KEY", "abcdefgh-open-sesame"),
            ("DB_PASSWORD", "short"),
            ("GOOGLE_APPLICATION_CREDENTIALS", "/run/secrets/google.json"),
            ("S4CAST_SIGNING_KEY", "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQ\n-----END PRIVATE KEY-----"),
            ("HOME", "/home/somebody"),
        ];
        let veil = Veil::of(environment.into_iter().map(|(name, value)| (name.into(), value.into())));
        let cases = [
            ("a open-sesame b", "a **** b"),
            ("abcdefgh-open-sesame", "****"),
            ("short is in many words", "short is in many words"),
            ("/run/secrets/google.json", "/run/secrets/google.json"),
            ("key MC4CAQAwBQ", "key ****"),
            ("nothing", "nothing"),
        ];
        for (text, want) in cases {
            assert_eq!(veil.over(text), want);
        }
    }
}
