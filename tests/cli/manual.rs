//! Completions and manual pages: what the programs that read them say of them, where they are installed.

use super::program::Place;
use std::io::Write;
use std::process::{Command, Output, Stdio};

/// What a program says of a text on its stdin; none where it is not installed.
fn told(program: &str, arguments: &[&str], text: &str) -> Option<Output> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().ok()?;
    let mut stdin = child.stdin.take().unwrap();
    let text = text.to_owned();
    let writer = std::thread::spawn(move || stdin.write_all(text.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    Some(output)
}

#[test]
fn completions_are_read_by_their_shells() {
    let place = Place::new();
    for (shell, check) in [
        ("bash", Some(["bash", "-n"])),
        ("zsh", Some(["zsh", "-n"])),
        ("fish", Some(["fish", "--no-execute"])),
        ("elvish", None),
        ("powershell", None),
    ] {
        let script = place.run(&format!("completions {shell}")).expect(0).stdout;
        for word in ["forecast", "models", "--save-model", "seasonal_naive", "balanced", "degraded"] {
            // Not every shell is told of values.
            let is_value =
                !matches!(shell, "bash" | "zsh" | "fish") && !word.contains('-') && word != "forecast";
            assert!(script.contains(word) || is_value, "{shell}: {word}");
        }
        let Some([program, argument]) = check else { continue };
        if let Some(output) = told(program, &[argument], &script) {
            let stderr = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success() && stderr.is_empty(), "{shell}: {stderr}");
        }
    }
    let document = place.run("completions bash --json").expect(0).json();
    assert_eq!(document["shell"], "bash");
    place.run("completions tcsh").expect(2);
}

#[test]
fn bash_completes_commands_flags_words_and_paths() {
    let place = Place::new();
    place.put("weather.csv", "");
    std::fs::create_dir(place.path("out")).unwrap();
    let script = place.run("completions bash").expect(0).stdout;
    let complete = |line: &str| {
        let asked = format!(
            "{script}\nline='{line}'; COMP_WORDS=(${{line% }}); [[ $line == *' ' ]] && COMP_WORDS+=('')\n\
             COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))\n\
             _s4cast s4cast \"${{COMP_WORDS[COMP_CWORD]}}\" \"${{COMP_WORDS[COMP_CWORD - 1]}}\"\necho \"${{COMPREPLY[@]}}\"\n"
        );
        let mut bash = Command::new("bash");
        bash.current_dir(place.path(".")).args(["--norc", "-c", &asked]);
        let output = bash.output().ok()?;
        Some(String::from_utf8(output.stdout).unwrap().trim().to_owned())
    };
    for (line, expected) in [
        ("s4cast fore", "forecast"),
        ("s4cast models pro", "promote"),
        ("s4cast forecast --load", "--load-model"),
        ("s4cast forecast --preset b", "balanced best"),
        ("s4cast forecast --model seas", "seasonal_naive"),
        ("s4cast runs ls --outcome d", "degraded"),
        ("s4cast run --stage t", "train"),
        ("s4cast serve -c wea", "weather.csv"),
        ("s4cast worker --model wea", "weather.csv"),
    ] {
        let Some(reply) = complete(line) else { return };
        assert_eq!(reply, expected, "{line}");
    }
}

#[test]
fn every_command_has_a_page_that_man_reads_without_an_error() {
    let place = Place::new();
    let document = place.run("man -o man1 --json").expect(0).json();
    let files = document["files"].as_array().unwrap();
    assert!(files.len() > 35, "{files:?}");
    for file in files {
        let path = place.path(file.as_str().unwrap());
        let text = std::fs::read_to_string(&path).unwrap();
        for (program, arguments) in
            [("mandoc", ["-Tlint", "-Wwarning"].as_slice()), ("groff", &["-man", "-ww", "-z", "-Tutf8"])]
        {
            if let Some(output) = told(program, arguments, &text) {
                let said = [output.stdout, output.stderr].concat();
                assert!(said.is_empty(), "{program}: {}: {}", path.display(), String::from_utf8_lossy(&said));
            }
        }
    }
    let written = place.read("man1/s4cast-models-ls.1");
    let printed = place.run("man models ls").expect(0).stdout;
    assert_eq!(printed.as_bytes(), written);
    assert_eq!(place.run("man").expect(0).stdout.as_bytes(), place.read("man1/s4cast.1"));
    // The same pages again are no obstacle; a file in place of the folder is.
    place.run("man -o man1").expect(0);
    place.put("taken", "");
    place.run("man -o taken").expect(73);
}

#[test]
fn a_page_of_no_command_is_refused_with_what_was_meant() {
    let place = Place::new();
    let refusal = place.run("man forcast").expect(2);
    assert!(refusal.stderr.contains("did you mean 'forecast'?"), "{}", refusal.stderr);
    let refusal = place.run("man models lst").expect(2);
    assert!(refusal.stderr.contains("s4cast models"), "{}", refusal.stderr);
    let refusal = place.run("man demo more").expect(2);
    assert!(refusal.stderr.contains("no commands below"), "{}", refusal.stderr);
}
