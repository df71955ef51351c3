//! Versions that somebody vouches for: signed as they appear, checked wherever they are used.

use crate::registry::{birth, forecaster};
use s4cast::registry::{self, Keys, PublicKey, Registry, RegistryError, SigningKey};
use std::path::{Path, PathBuf};

/// A registry in a folder that is removed with it.
struct Place(tempfile::TempDir);

impl Place {
    /// With versions of these signers, or of nobody.
    fn new(signers: &[Option<&SigningKey>]) -> Place {
        let place = Place(tempfile::tempdir().unwrap());
        for signer in signers {
            let keys = Keys { signing: signer.cloned(), trusted: Vec::new() };
            place.registry(keys).add("load", forecaster(), None, &birth("run")).unwrap();
        }
        place
    }

    fn registry(&self, keys: Keys) -> Registry {
        Registry::at(self.0.path().join("models")).with_keys(keys)
    }

    fn trusting(&self, trusted: &[&SigningKey]) -> Registry {
        self.registry(trusting(trusted))
    }

    fn version(&self, version: u32) -> PathBuf {
        self.0.path().join(format!("models/load/{version}"))
    }
}

pub fn key() -> SigningKey {
    SigningKey::generate().unwrap().0
}

pub fn trusting(trusted: &[&SigningKey]) -> Keys {
    Keys { signing: None, trusted: trusted.iter().map(|key| key.public()).collect() }
}

pub fn is_untrusted<T>(outcome: Result<T, RegistryError>) -> bool {
    matches!(outcome, Err(RegistryError::Untrusted { .. }))
}

/// Changes one byte of a file while `look` looks, and puts it back.
fn with_flipped(path: &Path, at: usize, look: impl FnOnce()) {
    let sound = std::fs::read(path).unwrap();
    let mut bytes = sound.clone();
    bytes[at] ^= 1;
    std::fs::write(path, bytes).unwrap();
    look();
    std::fs::write(path, sound).unwrap();
}

#[test]
fn what_is_signed_by_somebody_trusted_is_used_and_nothing_else() {
    let (own, other) = (key(), key());
    let place = Place::new(&[Some(&own), None, Some(&other), Some(&own)]);
    let registry = place.trusting(&[&own]);
    registry.promote("load", 1, 1, "first").unwrap();
    registry.promote("load", 4, 2, "second").unwrap();
    for version in [2, 3] {
        assert!(is_untrusted(registry.load("load", version)));
        assert!(is_untrusted(registry.load_unseen("load", version)));
        assert!(is_untrusted(registry.promote("load", version, 3, "no")));
        assert!(is_untrusted(registry.run_in_shadow("load", version)));
        assert!(is_untrusted(registry::open(&place.version(version), &[own.public()])));
    }
    assert!(registry::open(&place.version(1), &[other.public(), own.public()]).is_ok());
    let error = registry.load("load", 3).err().unwrap().to_string();
    assert!(error.contains(&other.public().to_string()) && error.contains("models sign"), "{error}");
    // What served is not used either, once its key is trusted no more.
    assert!(is_untrusted(place.trusting(&[&other]).load("load", 1)));
    assert!(is_untrusted(place.trusting(&[&other]).rollback("load", 5)));
    assert_eq!(registry.rollback("load", 5).unwrap().version, 1);
    let signed: Vec<Option<PublicKey>> = registry.versions(None).iter().map(|one| one.signed_by).collect();
    assert_eq!(signed, [Some(own.public()), None, Some(other.public()), Some(own.public())]);
    let problems = registry.versions(None).iter().filter(|one| one.signature_problem.is_some()).count();
    assert_eq!((problems, registry.verify(None).len()), (2, 2));

    // Where nobody is trusted in particular, all of them are used as ever.
    let open = place.trusting(&[]);
    assert_eq!(open.verify(None).len(), 0);
    assert!((1..=4).all(|version| open.load("load", version).is_ok()));
    assert!(open.promote("load", 2, 7, "x").is_ok());
}

#[test]
fn one_byte_of_anything_is_found() {
    let own = key();
    let place = Place::new(&[Some(&own)]);
    let (trusting, open) = (place.trusting(&[&own]), place.trusting(&[]));
    let folder = place.version(1);
    let bytes = |name: &str| std::fs::metadata(folder.join(name)).unwrap().len() as usize;
    for name in ["manifest.json", "manifest.sig"] {
        for at in 0..bytes(name) {
            with_flipped(&folder.join(name), at, || {
                assert!(trusting.load("load", 1).is_err(), "{name}, byte {at}");
                assert_eq!(
                    (trusting.verify(None).len(), open.verify(None).len()),
                    (1, 1),
                    "{name}, byte {at}"
                );
            });
        }
    }
    let weights = bytes("weights.safetensors");
    for at in (0..weights).step_by(weights / 97) {
        with_flipped(&folder.join("weights.safetensors"), at, || {
            assert!(trusting.load("load", 1).is_err() && open.load("load", 1).is_err(), "byte {at}");
        });
    }
    assert!(trusting.verify(None).is_empty());
    // Without its signature it is a version as any other, and of nobody.
    std::fs::remove_file(folder.join("manifest.sig")).unwrap();
    assert!(is_untrusted(trusting.load("load", 1)) && open.verify(None).is_empty());
}

#[test]
fn a_signature_is_for_one_version_of_one_job() {
    let own = key();
    let place = Place::new(&[Some(&own), Some(&own)]);
    let registry = place.trusting(&[&own]);
    for name in ["manifest.json", "manifest.sig"] {
        std::fs::copy(place.version(1).join(name), place.version(2).join(name)).unwrap();
    }
    assert!(matches!(registry.load("load", 2), Err(RegistryError::Broken { .. })));
}

#[test]
fn keys_are_replaced_by_signing_anew() {
    let (old, new) = (key(), key());
    let place = Place::new(&[Some(&old), None]);
    let both = place.trusting(&[&old, &new]);
    assert!(both.check_signature("load", 1).is_ok() && is_untrusted(both.check_signature("load", 2)));
    let signed = both.sign("load", 1, &new).unwrap();
    assert_eq!((signed.key, signed.previous), (new.public(), Some(old.public())));
    assert_eq!(both.sign("load", 2, &new).unwrap().previous, None);
    let later = place.trusting(&[&new]);
    assert!(later.load("load", 1).is_ok() && later.load("load", 2).is_ok() && later.verify(None).is_empty());
    assert!(is_untrusted(place.trusting(&[&old]).load("load", 1)));
    // What is damaged is not signed.
    with_flipped(&place.version(1).join("weights.safetensors"), 100, || {
        assert!(matches!(later.sign("load", 1, &new), Err(RegistryError::Broken { .. })));
    });
}

#[test]
fn a_file_of_weights_has_nobody_who_could_have_signed_it() {
    let own = key();
    let place = Place::new(&[Some(&own)]);
    let file = place.version(1).join("weights.safetensors");
    assert!(registry::open(&file, &[]).is_ok());
    assert!(is_untrusted(registry::open(&file, &[own.public()])));
}
