//! `key=value` folders of paths, as Hive writes them.

use std::path::Path;

/// The part of a path below a folder; matches of a glob lack the `./` that it may begin with.
pub(super) fn below<'a>(path: &'a Path, root: &Path) -> &'a Path {
    let path = path.strip_prefix(".").unwrap_or(path);
    path.strip_prefix(root.strip_prefix(".").unwrap_or(root)).unwrap_or(path)
}

/// `key=value` folders of a path.
pub(super) fn columns(path: &Path) -> Vec<(String, Option<String>)> {
    let folders = path.parent().into_iter().flat_map(Path::components);
    let pair = |part: std::path::Component<'_>| {
        let part = part.as_os_str().to_str()?.to_owned();
        let (key, value) = part.split_once('=').filter(|(key, _)| !key.is_empty())?;
        let value = (value != "__HIVE_DEFAULT_PARTITION__").then(|| percent_decoded(value));
        Some((percent_decoded(key), value))
    };
    folders.filter_map(pair).collect()
}

/// Hive writes characters that paths do not like as `%3A`.
fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let code = bytes.get(at + 1..at + 3).and_then(|hex| std::str::from_utf8(hex).ok());
        match code.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) if bytes[at] == b'%' => {
                decoded.push(byte);
                at += 3;
            }
            _ => {
                decoded.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8(decoded).unwrap_or_else(|_| text.to_owned())
}
