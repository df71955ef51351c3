use super::*;
use clap::Parser;

fn root() -> Command {
    let mut root = Args::command();
    root.build();
    root
}

/// The words of a command line as a shell cuts it, up to a pipe or redirection.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut is_quoted = false;
    for c in line.chars() {
        match c {
            '\'' => is_quoted = !is_quoted,
            ' ' if !is_quoted => words.push(String::new()),
            c => words.last_mut().expect("never empty").push(c),
        }
    }
    words.into_iter().take_while(|word| !["|", "<", ">"].contains(&word.as_str())).collect()
}

#[test]
fn examples_are_command_lines_of_pages_that_there_are() {
    let root = root();
    let names: Vec<String> = commands(&root).iter().map(|one| page::page(&root, one).name).collect();
    for (name, what, text) in examples::EXAMPLES {
        assert!(names.iter().any(|known| known == name), "{name}");
        assert!(!what.ends_with('.'), "{what}");
        for line in text.lines() {
            let line = line.trim_start_matches("source <(").trim_end_matches(')');
            let parsed = Args::try_parse_from(words(line));
            assert!(parsed.is_ok(), "{line}: {}", parsed.expect_err("checked"));
        }
    }
}

#[test]
fn every_command_has_a_page_with_all_of_its_flags_and_an_example() {
    let root = root();
    for command in commands(&root) {
        let page = page::page(&root, command);
        assert!(page.text.is_ascii(), "{}", page.name);
        for arg in command.get_arguments() {
            let flag = arg.get_long().map(|long| format!("\\-\\-{}", long.replace('-', "\\-")));
            assert!(flag.is_none_or(|flag| page.text.contains(&flag)), "{}: {}", page.name, arg.get_id());
        }
        for section in
            ["NAME", "SYNOPSIS", "DESCRIPTION", "\"EXIT STATUS\"", "ENVIRONMENT", "FILES", "\"SEE ALSO\""]
        {
            assert!(page.text.contains(&format!("\n.SH {section}\n")), "{}: {section}", page.name);
        }
        assert_eq!(
            page.text.contains("\n.SH EXAMPLES\n"),
            !command.has_subcommands() || command.get_name() == "s4cast",
            "{}",
            page.name
        );
    }
}
