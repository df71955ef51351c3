//! Who signs model versions, and whose signatures are asked for.

use crate::config::Key;
use crate::config::check::Check;
use crate::config::secret::{Secret, Secrets};
use crate::config::words::Wrong;
use crate::registry::{KeyError, Keys, PublicKey, SigningKey};

impl Check<'_> {
    /// The keys of a daemon's registry. What it signs it has to be able to use.
    pub(super) fn keys(&mut self, secrets: Secrets<'_>) -> Keys {
        let trusted = self.trusted(Key::TrustedKeys);
        let text = self.secret(Key::SigningKey, secrets, "signing key", "S4CAST_SIGNING_KEY");
        let signing = match text {
            Some(Secret::Text(text)) => self.signing(&text),
            Some(Secret::Unread) | None => None,
        };
        if let Some(key) = signing.as_ref().map(SigningKey::public)
            && !trusted.is_empty()
            && !trusted.contains(&key)
        {
            let message = format!("signing_key signs as {key}, which is none of trusted_keys");
            let wrong =
                Wrong::new(message, "add that to trusted_keys, or name the secret key of one of them");
            self.problem_at(self.settings.place(Key::SigningKey), wrong);
        }
        Keys { signing, trusted }
    }

    /// Public keys; the wrong ones are noted.
    pub(super) fn trusted(&mut self, key: Key) -> Vec<PublicKey> {
        self.many(key, |text| text.parse().map_err(|error: KeyError| error.into()))
    }

    fn signing(&mut self, text: &str) -> Option<SigningKey> {
        let key = SigningKey::parse(text);
        key.map_err(|error| self.problem_at(self.settings.place(Key::SigningKey), error.into())).ok()
    }
}
