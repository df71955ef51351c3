//! Ed25519 keys (RFC 8032): a secret one signs versions, public ones are trusted. Where a secret stands is the config's to know.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// Name of the algorithm, before a public key and in the file of a signature.
pub(super) const ALGORITHM: &str = "ed25519";

/// What a PKCS#8 document of version 1 (RFC 8410) has before the 32 bytes of an Ed25519 key.
const PKCS8_HEAD: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// First and last line of a PEM file.
const PEM: [&str; 2] = ["-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----"];

/// Why a text is no key. A secret is never part of the words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// A secret key was expected.
    #[error(
        "the secret is no Ed25519 key: write it as `s4cast models key` does, as PKCS#8 in PEM without a password, or as base64 of that or of its 32 bytes"
    )]
    Secret,
    /// A public key was expected.
    #[error(
        "'{0}' is no public key; write ed25519: and 44 characters of base64, as `s4cast models key` prints them"
    )]
    Public(String),
    /// The operating system gives no random bytes.
    #[error("the operating system gives no random bytes, so no key was made")]
    Random,
}

/// A public key: text form `ed25519:` and base64 of its 32 bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// Whether these 64 bytes are the signature of a message by this key.
    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, self.0).verify(message, signature).is_ok()
    }
}

impl FromStr for PublicKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<PublicKey, KeyError> {
        let body = text.trim().strip_prefix(ALGORITHM).and_then(|rest| rest.strip_prefix(':'));
        let bytes = body.and_then(|body| BASE64_STANDARD.decode(body).ok());
        let bytes = bytes.and_then(|bytes| bytes.try_into().ok());
        bytes.map(PublicKey).ok_or_else(|| KeyError::Public(text.trim().into()))
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{ALGORITHM}:{}", BASE64_STANDARD.encode(self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

/// A secret key. It is never shown: `Debug` writes the public key that belongs to it.
#[derive(Clone)]
pub struct SigningKey {
    pair: Arc<Ed25519KeyPair>,
}

impl SigningKey {
    /// A key as it stands in an environment variable or a file: PKCS#8 in PEM, or base64 of PKCS#8 or of the 32 bytes.
    ///
    /// # Errors
    /// If it is none.
    pub fn parse(text: &str) -> Result<SigningKey, KeyError> {
        let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty());
        let body: String = match lines().next() {
            Some(first) if first == PEM[0] => lines().skip(1).take_while(|line| *line != PEM[1]).collect(),
            _ => lines().collect(),
        };
        let bytes = BASE64_STANDARD.decode(&body).map_err(|_| KeyError::Secret)?;
        let pair = match bytes.len() {
            32 => Ed25519KeyPair::from_seed_unchecked(&bytes),
            _ => Ed25519KeyPair::from_pkcs8_maybe_unchecked(&bytes),
        };
        Ok(SigningKey { pair: Arc::new(pair.map_err(|_| KeyError::Secret)?) })
    }

    /// A new key from the operating system's random bytes, and the PEM text that [`SigningKey::parse`] and OpenSSL read.
    ///
    /// # Errors
    /// If there are no random bytes.
    pub fn generate() -> Result<(SigningKey, String), KeyError> {
        let mut seed = [0; 32];
        SystemRandom::new().fill(&mut seed).map_err(|_| KeyError::Random)?;
        let document = [PKCS8_HEAD.as_slice(), &seed].concat();
        let text = format!("{}\n{}\n{}\n", PEM[0], BASE64_STANDARD.encode(&document), PEM[1]);
        Ok((SigningKey::parse(&text)?, text))
    }

    /// The key by which others check what this one signs.
    pub fn public(&self) -> PublicKey {
        let bytes = self.pair.public_key().as_ref();
        PublicKey(bytes.try_into().expect("public keys of Ed25519 have 32 bytes"))
    }

    /// The signature of a message, 64 bytes.
    pub(super) fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.pair.sign(message).as_ref().to_vec()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "SigningKey of {}", self.public())
    }
}

/// What signs new versions of a registry, and whose signatures its versions need.
#[derive(Clone, Debug, Default)]
pub struct Keys {
    /// Signs new versions; without it they are not signed.
    pub signing: Option<SigningKey>,
    /// A version that none of these signed is not used; where there is none, signatures are not asked for.
    pub trusted: Vec<PublicKey>,
}

impl PartialEq for Keys {
    fn eq(&self, other: &Keys) -> bool {
        let public = |keys: &Keys| keys.signing.as_ref().map(SigningKey::public);
        public(self) == public(other) && self.trusted == other.trusted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 8032, 7.1, test 2: one byte 0x72.
    const SEED: &str = "TM0Imyj/ltqdtsNG7BFOD1uKMZ81q6Yk2oz27U+4pvs=";

    #[test]
    fn signatures_are_those_of_the_standard() {
        let key = SigningKey::parse(SEED).unwrap();
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let seed = BASE64_STANDARD.decode(SEED).unwrap();
        assert_eq!(hex(&seed), "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb");
        assert_eq!(hex(&key.public().0), "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
        let signature = key.sign(&[0x72]);
        assert!(
            hex(&signature).starts_with("92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da")
        );
        assert!(key.public().verifies(&[0x72], &signature) && !key.public().verifies(&[0x73], &signature));
    }

    #[test]
    fn keys_come_in_three_forms_and_new_ones_differ() {
        let (key, text) = SigningKey::generate().unwrap();
        let body = text.lines().nth(1).unwrap();
        let seed = BASE64_STANDARD.encode(&BASE64_STANDARD.decode(body).unwrap()[16..]);
        for form in [text.as_str(), body, &seed, &text.replace('\n', "\r\n")] {
            assert_eq!(SigningKey::parse(form).unwrap().public(), key.public());
        }
        assert_ne!(SigningKey::generate().unwrap().0.public(), key.public());
        assert_eq!(key.public().to_string().parse::<PublicKey>().unwrap(), key.public());
    }

    #[test]
    fn what_is_no_key_is_refused_and_secrets_are_not_shown() {
        for text in ["", "secret", "c2VjcmV0", "-----BEGIN PRIVATE KEY-----\nMC4\n-----END PRIVATE KEY-----"]
        {
            let error = SigningKey::parse(text).unwrap_err();
            assert!(error == KeyError::Secret && !error.to_string().contains("c2Vj"));
        }
        for text in ["", "ed25519", "ed25519:", "ed25519:AAAA", "rsa:AAAA"] {
            assert!(text.parse::<PublicKey>().is_err(), "{text}");
        }
        let shown =
            format!("{:?}", Keys { signing: Some(SigningKey::parse(SEED).unwrap()), trusted: Vec::new() });
        assert!(!shown.contains(SEED) && shown.contains("ed25519:PUAX"), "{shown}");
    }
}
