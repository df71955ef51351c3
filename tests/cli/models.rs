//! `s4cast models` over a registry that the library filled.

use super::program::Place;
use crate::forecaster::{fit, panel, spec, waves};
use crate::registry::birth;
use s4cast::registry::Registry;

/// A place with versions 1 to 3 of job `load`, of which 1 and then 2 served, and one version of job `sales`.
fn place() -> Place {
    let place = Place::new();
    let registry = Registry::at(place.path("state/models"));
    let forecaster = fit(&panel(waves(3, 60)), &spec("ridge", 3, 1)).forecaster;
    let birth = birth("run-1");
    for job in ["load", "load", "load", "sales"] {
        registry.add(job, &forecaster, None, &birth).unwrap();
    }
    registry.promote("load", 1, 1_700_000_200_000_000, "first").unwrap();
    registry.promote("load", 2, 1_700_000_300_000_000, "better by 4 %").unwrap();
    place
}

#[test]
fn the_list_says_what_serves() {
    let place = place();
    let text = place.run("models ls").expect(0).stdout;
    assert_eq!(text.lines().count(), 5, "{text}");
    let serving = text.lines().find(|line| line.contains("serves")).unwrap();
    assert!(serving.starts_with("load         2  serves") && serving.contains("MASE"), "{text}");
    let models = place.run("models ls --job load --json").expect(0).json()["models"].clone();
    assert_eq!(models.as_array().unwrap().len(), 3);
    assert_eq!((&models[1]["serves"], &models[2]["serves"]), (&true.into(), &false.into()));
    assert_eq!(models[0]["created_at"], "2023-11-14T22:15:00Z");
    assert_eq!(models[0]["fits"][0]["model_id"], "ridge");
}

#[test]
fn one_version_in_full() {
    let place = place();
    let text = place.run("models show --job load").expect(0).stdout;
    for words in ["version 2 of job load, serves", "ridge, 3 steps ahead", "run run-1", "better by 4 %"] {
        assert!(text.contains(words), "{words}: {text}");
    }
    let shown = place.run("models show 1 --job load --json").expect(0).json();
    assert_eq!((&shown["version"], &shown["serves"]), (&1.into(), &false.into()));
    assert_eq!(shown["cutoff"], "2023-11-14T21:56:40Z");
    assert_eq!(shown["history"].as_array().unwrap().len(), 2);
    assert_eq!(shown["weights_sha256"].as_str().unwrap().len(), 64);
}

#[test]
fn promotion_rollback_and_pins() {
    let place = place();
    let promoted = place.run("models promote 3 --job load --json").expect(0).json();
    assert_eq!((&promoted["previous"], &promoted["changed"]), (&2.into(), &true.into()));
    let again = place.run("models promote 3 --job load").expect(0).stdout;
    assert_eq!(again, "version 3 of job load serves already\n");
    let back = place.run("models rollback --job load").expect(0).stdout;
    assert_eq!(back, "version 2 of job load serves from now on, in place of version 3\n");
    let pinned = place.run("models pin 1 --job load").expect(0).stdout;
    assert!(pinned.contains("serving now: version 2") && pinned.contains("promote 1 --job load"), "{pinned}");
    let refused = place.run("models promote 3 --job load").expect(2);
    assert!(refused.stderr.contains("pinned to version 1"), "{}", refused.stderr);
    place.run("models unpin 1 --job load").expect(0);
    place.run("models promote 3 --job load").expect(0);
}

#[test]
fn a_version_is_put_in_shadow_and_taken_out() {
    let place = place();
    let begun = place.run("models shadow 3 --job load").expect(0).stdout;
    assert_eq!(begun, "version 3 of job load runs in shadow from the next forecast on\n");
    let moved = place.run("models shadow 1 --job load --json").expect(0).json();
    assert_eq!((&moved["shadow"], &moved["previous"]), (&1.into(), &3.into()));
    let text = place.run("models ls --job load").expect(0).stdout;
    assert!(text.lines().any(|line| line.starts_with("load        1  shadow")), "{text}");
    let models = place.run("models ls --job load --json").expect(0).json()["models"].clone();
    assert_eq!([0, 1, 2].map(|at| models[at]["shadow"] == true), [true, false, false]);
    let shown = place.run("models show 1 --job load").expect(0).stdout;
    assert!(shown.contains("version 1 of job load, in shadow"), "{shown}");
    let refused = place.run("models shadow 2 --job load").expect(2);
    assert!(refused.stderr.contains("version 2 of job 'load' serves"), "{}", refused.stderr);
    place.run("models shadow 9 --job load").expect(66);
    assert_eq!(
        place.run("models verify --job load").expect(0).stdout,
        "3 versions checked, 0 problems found\n"
    );
    place.run("models promote 3 --job load").expect(0);
    assert_eq!(
        place.run("models gc --job load --keep 0 --json").expect(0).json()["removed"],
        serde_json::json!([])
    );
    let ended = place.run("models unshadow --job load").expect(0).stdout;
    assert_eq!(ended, "version 1 of job load no longer runs in shadow\n");
    let ended = place.run("models unshadow --job load").expect(0).stdout;
    assert_eq!(ended, "no version of job load runs in shadow\n");
}

#[test]
fn a_flipped_byte_is_found() {
    let place = place();
    assert_eq!(place.run("models verify").expect(0).stdout, "4 versions checked, 0 problems found\n");
    let mut bytes = place.read("state/models/load/3/weights.safetensors");
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    place.put("state/models/load/3/weights.safetensors", bytes);
    let found = place.run("models verify --json").expect(65).json();
    assert_eq!((&found["versions"], &found["findings"][0]["version"]), (&4.into(), &3.into()));
    assert!(place.run("models verify").expect(65).stdout.starts_with("load/3: "));
    place.put("state/models/sales/champion.json", "{}");
    let sales = place.run("models verify --job sales").expect(65).stdout;
    assert!(sales.starts_with("sales: ") && sales.contains("champion.json is damaged"), "{sales}");
    let refused = place.run("models promote 3 --job load").expect(65);
    assert!(refused.stderr.contains("damaged") && refused.stderr.contains("roll back"), "{}", refused.stderr);
}

#[test]
fn old_versions_go_and_what_serves_stays() {
    let place = place();
    let planned = place.run("models gc --job load --keep 0 --dry-run").expect(0).stdout;
    assert!(planned.ends_with("0 versions would be removed, 0 KiB\n"), "{planned}");
    place.run("models promote 3 --job load").expect(0);
    let removed = place.run("models gc --keep 0 --json").expect(0).json();
    assert_eq!(removed["removed"][0]["version"], 1);
    assert_eq!(removed["removed"].as_array().unwrap().len(), 1);
    assert_eq!(place.run("models ls --job load").expect(0).stdout.lines().count(), 3);
}

#[test]
fn what_does_not_exist_is_refused_with_what_does() {
    let place = place();
    let cases = [
        ("models show --job laod", 66, "did you mean 'load'? the jobs are load, sales"),
        ("models ls --job other", 66, "the jobs are load, sales"),
        ("models promote 9 --job load", 66, "the versions are 1, 2, 3"),
        ("models show --job sales", 66, "no version of job 'sales' serves"),
        ("models rollback --job sales", 66, "no earlier version of job 'sales'"),
        ("models ls --job ../x", 2, "is no name of a job"),
        ("models rollback", 2, "name one of them with --job: load, sales"),
        ("models promote --job load", 2, "VERSION"),
        ("models promote one --job load", 2, "'one'"),
        ("models ls --job load --state nowhere", 66, "there are no models at all"),
        ("models show --state nowhere", 66, "there are no models in nowhere"),
    ];
    for (arguments, code, message) in cases {
        let run = place.run(arguments).expect(code);
        assert!(run.stderr.contains(message), "{arguments}: '{message}' is not in: {}", run.stderr);
        assert_eq!(run.stdout, "", "{arguments}");
    }
    let error = place.run("models show --job laod --json").expect(66).json()["error"].clone();
    assert_eq!(error["exit_code"], 66);
    let empty = place.run("models ls --state nowhere").expect(0).stdout;
    assert!(empty.contains("there are no models in nowhere"), "{empty}");
}

#[test]
fn the_environment_names_the_state_directory() {
    let place = place();
    std::fs::rename(place.path("state"), place.path("elsewhere")).unwrap();
    let output =
        place.command().args(["models", "ls", "--json"]).env("S4CAST_STATE", "elsewhere").output().unwrap();
    let run = super::program::Run::of(output).expect(0);
    assert_eq!(run.json()["models"].as_array().unwrap().len(), 4);
}

#[test]
fn a_config_names_the_state_directory() {
    let place = place();
    std::fs::rename(place.path("state"), place.path("elsewhere")).unwrap();
    let job = "[source.s]\ninputs = \"in.csv\"\n[model.m]\nhorizon = 6\n[sink.o]\npath = \"out\"\n[job.load]\nsource = \"s\"\n\
               model = \"m\"\nsink = \"o\"\nforecast = { every = \"1h\" }\n";
    place.put("daemon.toml", format!("schema_version = 1\n[daemon]\nstate = \"elsewhere\"\n{job}"));
    let found = |words: &str| place.run(words).expect(0).json()["models"].as_array().unwrap().len();
    assert_eq!(found("models ls -c daemon.toml --json"), 4);
    assert_eq!(found("models ls -c daemon.toml --state nowhere --json"), 0);
}
