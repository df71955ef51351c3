//! Secrets in commands and their output, masked: what is logged, printed and published shows their place alone.

/// Words after which a value is a secret: `password=…`, `--api-key …`, `"token": …`. A word may end in one of them.
const WORDS: [&str; 9] =
    ["password", "passwd", "pwd", "secret", "token", "apikey", "api_key", "api-key", "access_key"];

/// What stands in the place of a secret.
const MASK: &str = "****";

/// A command as people may see it: its words in one line, quoted where need be, secrets masked.
pub(super) fn shown(command: &[String]) -> String {
    let mut words = Vec::new();
    let mut is_secret = false;
    for word in command {
        let masked = if is_secret { MASK.to_owned() } else { masked(word) };
        // `--password VALUE` has its secret in the next word.
        is_secret = announces(word);
        words.push(match masked.is_empty() || masked.contains([' ', '"', '\'', '\n', '\t']) {
            true => format!("'{}'", masked.replace('\n', " ")),
            false => masked,
        });
    }
    words.join(" ")
}

/// Whether the word after this one is a secret: `--password`.
pub fn announces(word: &str) -> bool {
    word.starts_with('-') && WORDS.iter().any(|secret| word.to_lowercase().ends_with(secret))
}

/// Places (start, end in bytes) of the secrets of a text, ascending: passwords of URLs (`://user:PASSWORD@`) and values of
/// secret names (`password=VALUE`). They may overlap.
pub fn spans(text: &str) -> Vec<(usize, usize)> {
    let mut spans: Vec<(usize, usize)> = of_urls(text).chain(of_names(text)).collect();
    spans.retain(|(start, end)| start < end);
    spans.sort_unstable();
    spans
}

/// A text with its secrets masked.
pub fn masked(text: &str) -> String {
    let (mut result, mut from) = (String::with_capacity(text.len()), 0);
    for (start, end) in spans(text) {
        if start >= from {
            result.push_str(&text[from..start]);
            result.push_str(MASK);
        }
        from = from.max(end);
    }
    result.push_str(&text[from..]);
    result
}

/// Places of passwords in URLs.
fn of_urls(text: &str) -> impl Iterator<Item = (usize, usize)> {
    text.match_indices("://").filter_map(|(at, mark)| {
        let start = at + mark.len();
        let rest = &text[start..];
        let end = rest.find(['/', ' ', '"', '\'', '\n']).unwrap_or(rest.len());
        let host = rest[..end].rfind('@')?;
        let colon = rest[..host].find(':')?;
        Some((start + colon + 1, start + host))
    })
}

/// Places of values that follow a secret name and `=` or `:`.
fn of_names(text: &str) -> impl Iterator<Item = (usize, usize)> {
    let lower = text.to_ascii_lowercase();
    WORDS.iter().flat_map(move |word| {
        let found: Vec<usize> = lower.match_indices(word).map(|(at, _)| at + word.len()).collect();
        found.into_iter().filter_map(|end| value(text, end)).collect::<Vec<_>>()
    })
}

/// The place of the value that an equals sign or a colon at that place gives.
fn value(text: &str, end_of_name: usize) -> Option<(usize, usize)> {
    let rest = &text[end_of_name..];
    let after = rest.trim_start_matches(['"', '\'', ' ']);
    let after = after.strip_prefix(['=', ':'])?.trim_start();
    let quote = after.chars().next().filter(|c| matches!(c, '"' | '\''));
    let start = text.len() - after.len() + quote.map_or(0, char::len_utf8);
    let value = &text[start..];
    let length = match quote {
        Some(quote) => value.find(quote),
        None => value.find([' ', '&', ';', ',', '"', '\'', '\n', ')']),
    };
    Some((start, start + length.unwrap_or(value.len())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_masked_and_the_rest_stays() {
        let cases = [
            ("postgres://me:s3cret@db/x", "postgres://me:****@db/x"),
            ("postgres://me@db:5432/x", "postgres://me@db:5432/x"),
            ("host=db password=s3cret user=me", "host=db password=**** user=me"),
            ("PASSWORD 's3cret'", "PASSWORD 's3cret'"),
            ("CREATE SECRET (SECRET='s3 cret', KEY_ID=k)", "CREATE SECRET (SECRET='****', KEY_ID=k)"),
            ("{\"token\": \"abc\"}", "{\"token\": \"****\"}"),
            ("--api-key=abc", "--api-key=****"),
            ("SELECT token FROM t", "SELECT token FROM t"),
            ("ä password=ö; x", "ä password=****; x"),
            ("password=", "password="),
        ];
        for (text, want) in cases {
            assert_eq!(masked(text), want);
        }
    }

    #[test]
    fn a_command_is_shown_in_one_line() {
        let command = ["psql", "--password", "s3cret", "-c", "SELECT 1", ""].map(String::from);
        assert_eq!(shown(&command), "psql --password **** -c 'SELECT 1' ''");
    }
}
