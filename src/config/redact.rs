//! Secrets that were written into a config file never reach a message.

/// The text with whatever is written for `token` masked, as long as before: messages show the lines around a problem.
///
/// Where the token stands in the environment or a file, its place is no secret and stays.
pub(super) fn redacted(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("token") {
        let (before, after) = rest.split_at(at + "token".len());
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
    fn literals_are_masked_and_places_stay() {
        let cases = [
            ("token = \"s3cret\"\nx = 1", "token = ********\nx = 1"),
            ("http.token=\"s\u{e9}c\" # x", "http.token=****** * *"),
            ("\"token\" = '''a\nb'''\nc", "\"token\" = ****\n****\nc"),
            ("token = \"unclosed", "token = *********"),
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
