//! Secrets that were written into a config file never reach a message.

use crate::ingest::secrets;

/// The text with whatever is a secret masked, as long as before: messages show the lines around a problem.
pub(super) fn redacted(text: &str) -> String {
    commands(&tokens(text))
}

/// The text with the secrets in the values of `exec` masked: those of URLs and names, and the word after `--password`.
fn commands(text: &str) -> String {
    let mut spans = Vec::new();
    for (at, key) in text.match_indices("exec") {
        let after = &text[at + key.len()..];
        let value = after.trim_start_matches(['"', '\'', ' ', '\t']);
        let Some(list) = value.strip_prefix('=') else { continue };
        let start = text.len() - list.len();
        let words = strings(list);
        let end = words.last().map_or(0, |(_, end)| *end);
        let shifted = |(from, to): (usize, usize)| (start + from, start + to);
        spans.extend(secrets::spans(&list[..end]).into_iter().map(shifted));
        let announced = words.windows(2).filter(|pair| secrets::announces(&list[pair[0].0..pair[0].1]));
        spans.extend(announced.map(|pair| shifted(pair[1])));
    }
    let is_secret = |at: usize| spans.iter().any(|(start, end)| (*start..*end).contains(&at));
    let one = |(at, c): (usize, char)| if is_secret(at) { mask(c).to_owned() } else { c.to_string() };
    text.char_indices().map(one).collect()
}

/// Places of the contents of the strings of a list, up to its end.
fn strings(list: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut open: Option<(char, usize)> = None;
    let mut is_escaped = false;
    for (at, c) in list.char_indices() {
        match open {
            Some(('"', _)) if is_escaped => is_escaped = false,
            Some(('"', _)) if c == '\\' => is_escaped = true,
            Some((quote, start)) if c == quote => {
                found.push((start, at));
                open = None;
            }
            Some(_) => {}
            None if matches!(c, '"' | '\'') => open = Some((c, at + 1)),
            None if c == ']' => break,
            None => {}
        }
    }
    found
}

/// Settings whose values are secrets.
const SECRETS: [&str; 2] = ["token", "signing_key"];

/// The text with whatever is written for a secret masked, as long as before: messages show the lines around a problem.
///
/// Where the secret stands in the environment or a file, its place is none and stays.
fn tokens(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(end) = SECRETS.iter().filter_map(|key| Some(rest.find(key)? + key.len())).min() {
        let (before, after) = rest.split_at(end);
        masked.push_str(before);
        let value = after.trim_start_matches(['"', '\'', ' ', '\t']);
        rest = after;
        if let Some(value) = value.strip_prefix('=') {
            masked.push_str(&after[..after.len() - value.len()]);
            let (value, next) = value.split_at(length(value));
            masked.extend(value.chars().map(mask));
            rest = next;
        }
    }
    masked.push_str(rest);
    masked
}

/// Bytes of a value that are to be masked.
fn length(value: &str) -> usize {
    let start = value.len() - value.trim_start_matches([' ', '\t']).len();
    let line = value.find('\n').unwrap_or(value.len());
    for quotes in ["\"\"\"", "'''"] {
        if let Some(text) = value[start..].strip_prefix(quotes) {
            return text.find(quotes).map_or(value.len(), |end| start + end + 2 * quotes.len());
        }
    }
    let is_place =
        value[start..line].starts_with('{') && ["env", "file"].iter().any(|key| value[..line].contains(key));
    if is_place { 0 } else { line }
}

/// Bytes count in spans, so one character becomes as many marks as it has bytes.
fn mask(c: char) -> &'static str {
    match (c, c.len_utf8()) {
        ('\n', _) => "\n",
        ('\r', _) => "\r",
        (' ', _) => " ",
        (_, 1) => "*",
        (_, 2) => "**",
        (_, 3) => "***",
        (_, _) => "****",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_of_commands_are_masked() {
        let cases = [
            (
                "exec = [\"a\", \"--password\", \"s3\"]\nx = \"s3\"",
                "exec = [\"a\", \"--password\", \"**\"]\nx = \"s3\"",
            ),
            (
                "exec = [\n 'psql',\n 'host=h password=s3 x',\n]",
                "exec = [\n 'psql',\n 'host=h password=** x',\n]",
            ),
            ("exec=[\"pg://u:\u{e9}@h/]\", \"--secret=t\"]", "exec=[\"pg://u:**@h/]\", \"--secret=*\"]"),
            ("exec = [\"a\"]\nb = \"password=c\"", "exec = [\"a\"]\nb = \"password=c\""),
            ("exec_timeout = \"1m\" # exec", "exec_timeout = \"1m\" # exec"),
        ];
        for (text, want) in cases {
            assert_eq!(redacted(text), want);
            assert_eq!(redacted(text).len(), text.len());
        }
    }

    #[test]
    fn literals_are_masked_and_places_stay() {
        let cases = [
            ("token = \"s3cret\"\nx = 1", "token = ********\nx = 1"),
            ("http.token=\"s\u{e9}c\" # x", "http.token=****** * *"),
            ("\"token\" = '''a\nb'''\nc", "\"token\" = ****\n****\nc"),
            ("token = \"unclosed", "token = *********"),
            ("signing_key = \"MC4C\"\ntoken='a'", "signing_key = ******\ntoken=***"),
            ("token = { value = \"s\" }", "token = * ***** * *** *"),
            ("token = { env = \"S4CAST_TOKEN\" }", "token = { env = \"S4CAST_TOKEN\" }"),
            ("# a token file\nx = \"tokens\"", "# a token file\nx = \"tokens\""),
        ];
        for (text, want) in cases {
            assert_eq!(redacted(text), want);
            assert_eq!(redacted(text).len(), text.len());
        }
    }
}
