//! Lines of an iCalendar text: unfolded, and cut into name, parameters and value.
//!
//! Read here and not by a library, since `icalendar` and `calcard` do not say in which line of the file something stands, and
//! `ical` is no longer developed. Source: RFC 5545, 3.1 and 3.2.

/// One property.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Property {
    /// Line of the file on which it starts, from 1.
    pub line: usize,
    /// Upper case.
    pub name: String,
    /// Parameters with their names in upper case, without quotes.
    pub parameters: Vec<(String, String)>,
    pub value: String,
}

impl Property {
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }
}

/// A line that is no property: where it starts, and its text.
pub(super) type Malformed = (usize, String);

/// The properties of a text, in order.
pub(super) fn properties(text: &str) -> impl Iterator<Item = Result<Property, Malformed>> {
    let lines = unfolded(text.strip_prefix('\u{feff}').unwrap_or(text));
    lines.map(|(line, text)| property(line, &text).ok_or((line, text)))
}

/// Logical lines with the number of their first line; empty ones are left out.
fn unfolded(text: &str) -> impl Iterator<Item = (usize, String)> {
    let mut lines =
        text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line)).enumerate().peekable();
    std::iter::from_fn(move || {
        loop {
            let (number, line) = lines.next()?;
            if line.trim().is_empty() {
                continue;
            }
            let mut whole = line.to_string();
            while let Some((_, more)) = lines.next_if(|(_, line)| line.starts_with([' ', '\t'])) {
                whole.push_str(&more[1..]);
            }
            return Some((number + 1, whole));
        }
    })
}

fn property(line: usize, text: &str) -> Option<Property> {
    let name_end = text.find([':', ';'])?;
    let name = &text[..name_end];
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if !is_name {
        return None;
    }
    let mut parameters = Vec::new();
    let mut rest = &text[name_end..];
    while let Some(parameter) = rest.strip_prefix(';') {
        let end = unquoted(parameter, [':', ';'])?;
        let (name, value) = parameter[..end].split_once('=')?;
        parameters.push((name.to_ascii_uppercase(), value.replace('"', "")));
        rest = &parameter[end..];
    }
    let value = rest.strip_prefix(':')?.to_string();
    Some(Property { line, name: name.to_ascii_uppercase(), parameters, value })
}

/// Where the first of these characters stands outside quotes.
fn unquoted(text: &str, wanted: [char; 2]) -> Option<usize> {
    let mut is_quoted = false;
    text.char_indices().find_map(|(at, c)| {
        is_quoted ^= c == '"';
        (!is_quoted && wanted.contains(&c)).then_some(at)
    })
}

/// A TEXT value without its escapes (RFC 5545, 3.3.11).
pub(super) fn unescaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('n' | 'N') => plain.push('\n'),
                Some(escaped) => plain.push(escaped),
                None => {}
            },
            c => plain.push(c),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn folded_lines_keep_the_number_of_their_first() {
        let text = "\u{feff}BEGIN:VEVENT\r\nSUMMARY:Long\r\n  sale\r\n\r\nDTSTART;TZID=\"Europe/Berlin\";X=a\\,b:20240101T080000\n";
        let read: Vec<_> = properties(text).map(Result::unwrap).collect();
        assert_eq!(read.len(), 3);
        assert_eq!((read[1].line, read[1].value.as_str()), (2, "Long sale"));
        assert_eq!((read[2].line, read[2].parameter("TZID")), (5, Some("Europe/Berlin")));
        assert_eq!(read[2].value, "20240101T080000");
    }

    #[test]
    fn colons_in_quotes_belong_to_the_parameter() {
        let read = properties("attendee;cn=\"A: B; C\":mailto:x").next().unwrap().unwrap();
        assert_eq!((read.name.as_str(), read.parameter("CN")), ("ATTENDEE", Some("A: B; C")));
        assert_eq!(read.value, "mailto:x");
        for bad in ["no colon", ":x", "A;B:c", "A;B=\"c:d", "ß:x"] {
            assert_eq!(properties(bad).next().unwrap().unwrap_err(), (1, bad.to_string()));
        }
    }

    #[test]
    fn escapes_are_taken_away() {
        assert_eq!(unescaped(r"a\, b\; c\\ d\ne\"), "a, b; c\\ d\ne");
    }

    proptest! {
        #[test]
        fn any_text_is_cut_without_loss_of_lines(text in "[a-cA-C:;=\"\\\\, \t\r\nß]{0,200}") {
            let count = properties(&text).count();
            prop_assert!(count <= text.split('\n').count());
        }
    }
}
