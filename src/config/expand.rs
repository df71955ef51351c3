//! Environment variables in config values.

use crate::config::words::Wrong;

/// Replaces `${NAME}` and `${NAME:-default}`; `$${` stands for a literal `${`.
///
/// A variable that is not set and has no default is an error, never the empty text or the placeholder itself.
pub(super) fn expand(text: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<String, Wrong> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let before = &rest[..start];
        let after = &rest[start + 2..];
        if let Some(literal) = before.strip_suffix('$') {
            out.push_str(literal);
            out.push_str("${");
            rest = after;
            continue;
        }
        out.push_str(before);
        let end = after.find('}').ok_or_else(|| {
            Wrong::new(
                format!("'{text}' opens ${{ and never closes it"),
                "write ${NAME}, or $${ for the characters themselves",
            )
        })?;
        let (name, default) = match after[..end].split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (&after[..end], None),
        };
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            let message = format!("'{name}' is no name of an environment variable");
            return Err(Wrong::new(message, "write letters, digits and _ between the braces"));
        }
        let value = env(name).or_else(|| default.map(String::from));
        out.push_str(&value.ok_or_else(|| {
            let message = format!("the environment variable {name} is not set");
            Wrong::new(message, "give it a value, or a default as in ${NAME:-default}")
        })?);
        rest = &after[end + 1..];
    }
    out.push_str(rest);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(name: &str) -> Option<String> {
        (name == "DATA").then(|| "/data".into())
    }

    #[test]
    fn variables_defaults_and_literals() {
        let cases = [
            ("plain", "plain"),
            ("${DATA}/a.csv", "/data/a.csv"),
            ("${NONE:-x}${DATA}", "x/data"),
            ("${NONE:-}", ""),
            ("$${DATA} costs 5$", "${DATA} costs 5$"),
        ];
        for (text, want) in cases {
            assert_eq!(expand(text, &env), Ok(want.into()));
        }
    }

    #[test]
    fn what_cannot_be_expanded_is_an_error() {
        for text in ["${NONE}", "${DATA", "${}", "${A B}"] {
            assert!(expand(text, &env).is_err(), "{text}");
        }
        assert!(expand("a ${NONE}", &env).expect_err("unset").message.contains("NONE is not set"));
    }
}
