//! `s4cast models key`, `sign` and `verify`, and who is trusted with `--trusted-key`.

use super::program::{Place, weekly};
use crate::registry::{birth, forecaster};
use s4cast::registry::Registry;

/// A place with two versions of job `load` that nobody signed, a key and its public half.
fn place() -> (Place, String) {
    let place = Place::new();
    let registry = Registry::at(place.path("state/models"));
    for _ in 0..2 {
        registry.add("load", forecaster(), None, &birth("run-1")).unwrap();
    }
    let key = place.run("models key -o key.pem --json").expect(0).json();
    (place, key["key"].as_str().unwrap().to_owned())
}

#[test]
fn a_key_is_made_once_and_only_its_public_half_is_shown() {
    let (place, public) = place();
    let text = String::from_utf8(place.read("key.pem")).unwrap();
    assert!(text.starts_with("-----BEGIN PRIVATE KEY-----\n") && public.starts_with("ed25519:"));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(place.path("key.pem")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let again = place.run("models key -o key.pem").expect(73);
    assert!(again.stderr.contains("never written over") && place.read("key.pem") == text.as_bytes());
    let signed = place.run("models sign --signing-key-file key.pem").expect(0);
    let secret = text.lines().nth(1).unwrap();
    assert!(!format!("{}{}", signed.stdout, signed.stderr).contains(&secret[22..]));
    place.put("other", "no key");
    let run = place.run("models sign --signing-key-file other").expect(2);
    assert!(run.stderr.contains("no Ed25519 key") && run.stderr.contains("other"), "{}", run.stderr);
    place.run("models sign --signing-key-file none").expect(66);
}

#[test]
fn signed_versions_are_listed_promoted_and_verified() {
    let (place, public) = place();
    let trusted = format!("--trusted-key {public}");
    place.run("models verify").expect(0);
    let run = place.run(&format!("models verify {trusted} --json")).expect(65).json();
    assert_eq!(run["findings"].as_array().unwrap().len(), 2);
    let refused = place.run(&format!("models promote 1 {trusted}")).expect(65).stderr;
    assert!(refused.contains("nobody signed it") && refused.contains("models sign"), "{refused}");
    // Where keys are trusted, only what they signed is signed anew, unless it is named.
    place.run(&format!("models sign --signing-key-file key.pem {trusted}")).expect(65);
    let signed =
        place.run(&format!("models sign 1 --signing-key-file key.pem {trusted} --json")).expect(0).json();
    assert_eq!((&signed["key"], &signed["signed"][0]["version"]), (&public.as_str().into(), &1.into()));
    place.run(&format!("models promote 1 {trusted}")).expect(0);
    let list = place.run(&format!("models ls {trusted} --json")).expect(0).json()["models"].clone();
    assert_eq!((&list[0]["signed_by"], &list[1]["signed_by"]), (&public.as_str().into(), &().into()));
    assert!(list[0]["signature_problem"].is_null() && list[1]["signature_problem"].is_string());
    assert!(place.run(&format!("models ls {trusted}")).expect(0).stdout.contains("untrusted"));
    assert_eq!(place.run("models show 1 --json").expect(0).json()["signed_by"], public);
    assert!(place.run("models show 1").expect(0).stdout.contains(&format!("by {public}")));
    place.run("models sign --signing-key-file key.pem").expect(0);
    place.run(&format!("models verify {trusted}")).expect(0);
    for name in ["manifest.sig", "manifest.json", "weights.safetensors"] {
        let path = place.path(&format!("state/models/load/2/{name}"));
        let sound = std::fs::read(&path).unwrap();
        let mut bytes = sound.clone();
        bytes[sound.len() / 2] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        place.run("models verify").expect(65);
        place.run(&format!("models verify {trusted}")).expect(65);
        std::fs::write(&path, sound).unwrap();
    }
    let wrong = place.run("models verify --trusted-key ed25519:AAAA").expect(2).stderr;
    assert!(wrong.contains("ed25519:AAAA"), "{wrong}");
}

#[test]
fn a_model_that_is_loaded_by_its_path_is_signed_where_keys_are_trusted() {
    let (place, public) = place();
    place.put("in.csv", weekly(60));
    let forecast = |more: &str| {
        place.run(&format!("forecast in.csv -o out.parquet --load-model state/models/load/1 {more}"))
    };
    forecast("").expect(0);
    let trusted = format!("--trusted-key {public}");
    assert!(forecast(&trusted).expect(65).stderr.contains("nobody signed it"));
    place.run("models sign 1 --signing-key-file key.pem").expect(0);
    forecast(&trusted).expect(0);
    let mut command = place.command();
    command.args("forecast in.csv -o out.parquet --load-model state/models/load/2".split(' '));
    let output =
        command.env("S4CAST_TRUSTED_KEY", format!("ed25519:{},{public}", "A".repeat(43) + "=")).output();
    assert_eq!(output.unwrap().status.code(), Some(65));
    let weights = "forecast in.csv -o out.parquet --load-model state/models/load/1/weights.safetensors";
    let run = place.run(&format!("{weights} {trusted}")).expect(65);
    assert!(run.stderr.contains("file of weights alone"), "{}", run.stderr);
}
