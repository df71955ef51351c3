//! A command whose output is the data, checked.

use crate::config::Key;
use crate::config::check::{Check, whole};
use crate::config::words::{self, Wrong};
use crate::ingest::ExecSpec;
use crate::ingest::secrets::masked;
use std::path::PathBuf;

/// What a command may look like.
const EXAMPLE: &str = "write for example exec = [\"duckdb\", \"-csv\", \"-c\", \"FROM sales\"]";

impl Check<'_> {
    /// The command of a source, if there is one.
    pub(super) fn exec(&mut self) -> Option<ExecSpec> {
        let timeout = self.one(Key::ExecTimeout, words::duration).unwrap_or(ExecSpec::TIMEOUT);
        let max_bytes = self.one(Key::ExecMaxBytes, |text| match whole(text)? {
            0 => Err(Wrong::new("no data has 0 bytes".into(), "write 1 or more")),
            bytes => Ok(bytes as u64),
        });
        if !self.settings.has(Key::Exec) {
            for key in [Key::ExecTimeout, Key::ExecMaxBytes] {
                if let Some(item) = self.settings.get(key).first() {
                    let wrong = Wrong::new(format!("{} without exec does nothing", key.name()), EXAMPLE);
                    self.problem(key, item, wrong);
                }
            }
            return None;
        }
        let items = self.settings.get(Key::Exec);
        if let Some(input) = self.settings.get(Key::Inputs).first() {
            let message = "inputs and exec are two sources".to_owned();
            self.problem(Key::Inputs, input, Wrong::new(message, "leave one of them out"));
        }
        let is_flag = items.first().is_some_and(|item| item.span.is_none());
        let command = match items {
            [one] if is_flag => match split(&one.text) {
                Ok(words) => words,
                Err(wrong) => {
                    self.problem(Key::Exec, one, wrong);
                    return None;
                }
            },
            [one] if one.text.trim().contains(char::is_whitespace) => {
                let message = "exec is a list of words, for no shell splits it".to_owned();
                self.problem(Key::Exec, one, Wrong::new(message, EXAMPLE));
                return None;
            }
            items => items.iter().map(|item| item.text.clone()).collect(),
        };
        if command.first().is_none_or(|program| program.trim().is_empty()) {
            // A list that could not be read is a problem already.
            if self.settings.problems.is_empty() {
                let wrong = Wrong::new("exec names no program".into(), EXAMPLE);
                self.problem_at(self.settings.place(Key::Exec), wrong);
            }
            return None;
        }
        // A flag is written by whoever stands in the folder where the program was started.
        let folder = if is_flag { PathBuf::new() } else { self.settings.folder.clone() };
        Some(ExecSpec { command, folder, timeout, max_bytes: max_bytes.unwrap_or(ExecSpec::MAX_BYTES) })
    }
}

/// The words of a command line as a POSIX shell would split them: by blanks, with quotes and backslashes, and nothing
/// else that a shell does.
fn split(line: &str) -> Result<Vec<String>, Wrong> {
    let open = || Wrong::new(format!("'{}' has a quote that is not closed", masked(line)), "close it");
    let mut words: Vec<String> = Vec::new();
    let mut word: Option<String> = None;
    let mut characters = line.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            ' ' | '\t' | '\n' | '\r' => words.extend(word.take()),
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match characters.next().ok_or_else(open)? {
                        '\'' => break,
                        c => word.push(c),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match characters.next().ok_or_else(open)? {
                        '"' => break,
                        '\\' if characters.peek().is_some_and(|c| matches!(c, '"' | '\\' | '$' | '`')) => {
                            word.extend(characters.next());
                        }
                        c => word.push(c),
                    }
                }
            }
            '\\' => word.get_or_insert_default().extend(characters.next()),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Settings, source};
    use std::time::Duration;

    fn parse(keys: &str) -> Settings {
        let text = format!("[source]\n{keys}\n");
        Settings::parse("job.toml", &text, PathBuf::from("conf"), &|_| None)
    }

    #[test]
    fn a_line_is_split_as_a_shell_would() {
        let words = |line: &str| split(line).expect("words");
        assert_eq!(
            words(" a  'b c' \"d \\\"e\\\" $f\" g\\ h '' i'j'k "),
            ["a", "b c", "d \"e\" $f", "g h", "", "ijk"]
        );
        assert_eq!(words(""), [""; 0]);
        assert!(split("a 'b").is_err() && split("a \"b").is_err());
    }

    #[test]
    fn a_command_of_a_file_runs_where_the_file_is_and_one_of_a_flag_here() {
        let settings =
            parse("exec = [\"./get\", \"a b\", \"\"]\nexec_timeout = \"90s\"\nexec_max_bytes = 1000");
        let exec = source(&settings).expect("valid").source.exec.expect("there");
        assert_eq!(exec.command, ["./get", "a b", ""]);
        assert_eq!((exec.timeout, exec.max_bytes), (Duration::from_secs(90), 1000));
        assert_eq!(exec.program(), PathBuf::from("conf/./get"));
        let mut settings = parse("inputs = \"a.csv\"");
        settings.instead(Key::Exec, Some(&"./get 'a b'".into()), Key::Inputs);
        let exec = source(&settings).expect("valid").source.exec.expect("there");
        assert_eq!((exec.command.len(), exec.program()), (2, PathBuf::from("./get")));
        let exec = source(&parse("exec = \"get\"")).expect("valid").source.exec.expect("there");
        assert_eq!(
            (exec.command.as_slice(), exec.program()),
            (&["get".to_owned()][..], PathBuf::from("get"))
        );
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        let cases = [
            ("exec = [\"a\"]\ninputs = \"a.csv\"", "inputs and exec are two sources"),
            ("exec = \"duckdb -csv\"", "exec is a list of words"),
            ("exec = []", "exec names no program"),
            ("exec = [\"\"]", "exec names no program"),
            ("exec = [\"sleep\", 5]", "exec must be a list of strings"),
            ("inputs = \"a.csv\"\nexec_timeout = \"1m\"", "exec_timeout without exec does nothing"),
            ("exec = [\"a\"]\nexec_timeout = \"0s\"", "no time at all"),
            ("exec = [\"a\"]\nexec_max_bytes = 0", "no data has 0 bytes"),
            ("", "no input: name a CSV or Parquet file"),
        ];
        for (keys, words) in cases {
            let problems = source(&parse(keys)).expect_err(keys);
            let messages: Vec<&str> = problems.all().iter().map(|problem| problem.message()).collect();
            assert!(messages.iter().any(|message| message.contains(words)), "{keys}: {messages:?}");
        }
    }
}
