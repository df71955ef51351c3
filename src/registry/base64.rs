//! Base64 as RFC 4648 writes it, with its padding; what is not exactly that is refused.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The text of bytes.
pub(super) fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let at = |place: usize| u32::from(three.get(place).copied().unwrap_or(0));
        let group = at(0) << 16 | at(1) << 8 | at(2);
        for place in 0..4 {
            let letter = ALPHABET[(group >> (18 - 6 * place)) as usize & 63];
            text.push(if place <= three.len() { char::from(letter) } else { '=' });
        }
    }
    text
}

/// The bytes of a text; `None` unless [`encode`] would have written it.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    let letters = text.trim_end_matches('=');
    let mut bytes = Vec::with_capacity(letters.len() / 4 * 3 + 2);
    for four in letters.as_bytes().chunks(4) {
        let mut group = 0;
        for place in 0..4 {
            let value =
                four.get(place).map_or(Some(0), |letter| ALPHABET.iter().position(|one| one == letter));
            group = group << 6 | value?;
        }
        let all = [(group >> 16) as u8, (group >> 8) as u8, group as u8];
        bytes.extend(&all[..(four.len() * 6 / 8).min(3)]);
    }
    (encode(&bytes) == text).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_those_of_the_standard_and_come_back() {
        for (bytes, text) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")]
        {
            assert_eq!(
                (encode(bytes.as_bytes()).as_str(), decode(text).as_deref()),
                (text, Some(bytes.as_bytes()))
            );
        }
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(decode(&encode(&all)), Some(all));
    }

    #[test]
    fn what_is_not_written_like_that_is_refused() {
        for text in ["Z", "Zg", "Zg=", "Zh==", "Zm9v=", "Zm9 v", "Zm9v\n", "Zm-v", "=", "Zg==Zg=="] {
            assert_eq!(decode(text), None, "{text}");
        }
    }
}
