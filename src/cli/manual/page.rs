//! The text of a manual page: what clap knows of a command, then exit codes, environment, files and examples.

use super::{ManualPage, examples};
use crate::cli::Exit;
use clap::{Arg, Command};
use clap_mangen::roff::{Inline, Roff, bold, italic, roman};

/// The day of the release that the pages describe, as a manual page states it.
const RELEASED: &str = "2026-11-27";

/// What clap_mangen writes before possible values: a break, an empty line, a break, of which the breaks do nothing.
const LISTED: &str = ".br\n\n.br\n";

/// What no flag stands for. (variable, what it does)
const ENVIRONMENT: &[(&str, &str)] = &[
    ("S4CAST_LOG", "Filter of the log on stderr, in place of --verbose and --quiet: s4cast=debug,info"),
    ("NO_COLOR", "Where it is set and not empty, messages have no colour unless --color says so"),
    ("TMPDIR", "Folder of temporary files (default: /tmp)"),
    (
        "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION, AWS_ENDPOINT, …",
        "Access to addresses that begin with s3://; GOOGLE_… those of gs://, AZURE_… those of az://",
    ),
    ("S4CAST_STORE_TIMEOUT", "How long one request to an object store may take, such as 30s"),
];

/// Where things are if the package of the distribution was installed. (path, what it is)
const FILES: &[(&str, &str)] = &[
    (
        "/etc/s4cast/daemon.toml",
        "Config of the daemon that systemd runs; the service starts only where it exists",
    ),
    ("/var/lib/s4cast", "State and forecasts of that daemon"),
    ("/usr/share/doc/s4cast/examples", "Configs, alert rules, dashboards, views, example data"),
];

/// The page of a command; `root` is the program's, built.
pub(super) fn page(root: &Command, command: &Command) -> ManualPage {
    let name = command.get_display_name().unwrap_or(command.get_name()).to_owned();
    let version = root.get_version().unwrap_or_default();
    let mut usage = command.clone().render_usage().to_string();
    usage = usage.trim_start_matches("Usage: ").to_owned();
    let man = clap_mangen::Man::new(command.clone().override_usage(usage))
        .title(name.to_uppercase())
        .date(RELEASED)
        .source(format!("s4cast {version}"))
        .manual("s4cast manual");
    let mut text = Vec::new();
    // Writing to memory cannot fail.
    let _ = man.render_title(&mut text);
    let _ = man.render_name_section(&mut text);
    let _ = man.render_synopsis_section(&mut text);
    let _ = man.render_description_section(&mut text);
    let _ = man.render_options_section(&mut text);
    let rest = Roff::from_iter([
        subcommands(command, &name),
        exit_status(),
        environment(command),
        files(),
        examples_of(&name),
        see_also(root, command, &name),
    ]);
    let _ = rest.to_writer(&mut text);
    ManualPage { name, text: portable(&String::from_utf8_lossy(&text)) }
}

/// One line that tells man what an apostrophe is, in front; letters beyond ASCII spelled as every man can read them.
fn portable(text: &str) -> String {
    let preamble = Roff::new().render();
    let body = text.replace(&preamble, "").replace(LISTED, ".sp\n");
    let spelled = |c: char| match c.is_ascii() {
        true => c.to_string(),
        false => format!("\\[u{:04X}]", u32::from(c)),
    };
    preamble + &body.chars().map(spelled).collect::<String>()
}

fn subcommands(command: &Command, name: &str) -> Roff {
    let mut roff = Roff::new();
    if command.has_subcommands() {
        roff.control("SH", ["COMMANDS"]);
        for sub in command.get_subcommands() {
            let about = sub.get_about().map_or(String::new(), ToString::to_string);
            term(&mut roff, vec![bold(format!("{name}-{}", sub.get_name())), roman("(1)")], &about);
        }
    }
    roff
}

fn exit_status() -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["EXIT STATUS"]);
    for exit in Exit::ALL {
        term(&mut roff, vec![bold(exit.code().to_string())], exit.meaning());
    }
    roff
}

fn environment(command: &Command) -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["ENVIRONMENT"]);
    if command.get_arguments().any(|arg| arg.get_env().is_some()) {
        roff.text([roman(
            "A flag on the command line wins over its variable, and both win over a config file.",
        )]);
    }
    for arg in command.get_arguments() {
        if let (Some(variable), Some(flag)) = (arg.get_env(), flag(arg)) {
            term(&mut roff, vec![bold(variable.to_string_lossy())], &format!("The same as {flag}"));
        }
    }
    for (variable, meaning) in ENVIRONMENT {
        term(&mut roff, vec![bold(*variable)], meaning);
    }
    roff
}

fn flag(arg: &Arg) -> Option<String> {
    arg.get_long().map(|long| format!("--{long}"))
}

fn files() -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["FILES"]);
    for (path, meaning) in FILES {
        term(&mut roff, vec![italic(*path)], meaning);
    }
    roff
}

fn examples_of(name: &str) -> Roff {
    let mut roff = Roff::new();
    let examples = examples::of(name);
    if !examples.is_empty() {
        roff.control("SH", ["EXAMPLES"]);
        for (at, example) in examples.iter().enumerate() {
            if at > 0 {
                roff.control("PP", []);
            }
            roff.text([roman(format!("{}:", example.what))]);
            roff.control("PP", []);
            roff.control("RS", ["4"]);
            roff.control("nf", []);
            roff.text([bold(example.command)]);
            roff.control("fi", []);
            roff.control("RE", []);
        }
    }
    roff
}

/// The page above and those below.
fn see_also(root: &Command, command: &Command, name: &str) -> Roff {
    let mut names: Vec<String> = Vec::new();
    if let Some((above, _)) = name.rsplit_once('-') {
        names.push(above.to_owned());
    }
    let root_name = root.get_name();
    if names.iter().all(|above| above != root_name) && name != root_name {
        names.push(root_name.to_owned());
    }
    names.extend(command.get_subcommands().map(|sub| format!("{name}-{}", sub.get_name())));
    let last = names.len().saturating_sub(1);
    let inline = |(at, name): (usize, &String)| -> [Inline; 2] {
        let comma = if at == last { "(1)" } else { "(1), " };
        [bold(name.clone()), roman(comma)]
    };
    let mut roff = Roff::new();
    roff.control("SH", ["SEE ALSO"]);
    roff.text(names.iter().enumerate().flat_map(inline).collect::<Vec<_>>());
    roff
}

/// A term with what is said of it.
fn term(roff: &mut Roff, term: Vec<Inline>, text: &str) {
    roff.control("TP", []);
    roff.text(term);
    roff.text([roman(text)]);
}
