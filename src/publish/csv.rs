//! A panel as long CSV, the shape that every tool reads.

use crate::publish::{PublishError, Published, store};
use crate::series::Panel;
use jiff::Timestamp;
use std::borrow::Cow;
use std::io::{BufWriter, Write};
use std::path::Path;

/// Writes a panel as long CSV (`unique_id,ds,y`), atomically; empty fields where nothing was observed. Times are
/// ISO 8601 in UTC.
///
/// # Errors
/// See [`PublishError`].
pub fn write_csv(path: &Path, panel: &Panel) -> Result<Published, PublishError> {
    let bytes = store::publish(
        path,
        |file| {
            let mut out = BufWriter::new(file);
            out.write_all(b"unique_id,ds,y\n")?;
            for series in &panel.series {
                let id = field(&series.unique_id);
                for (&time, value) in series.times.iter().zip(&series.values) {
                    let time = Timestamp::from_microsecond(time)?;
                    match value.is_nan() {
                        true => writeln!(out, "{id},{time},")?,
                        false => writeln!(out, "{id},{time},{value}")?,
                    }
                }
            }
            Ok(out.flush()?)
        },
        |_| Ok(()),
    )?;
    let rows = panel.series.iter().map(|series| series.times.len()).sum();
    Ok(Published { rows, bytes, path: path.into() })
}

/// A field as RFC 4180 wants it: quoted where it holds a separator, a quote or a line break.
fn field(text: &str) -> Cow<'_, str> {
    match text.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")).into(),
        false => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::{Frequency, Series};
    use jiff::tz::TimeZone;

    #[test]
    fn missing_values_are_empty_and_ids_are_quoted_where_needed() {
        let series = Series {
            unique_id: "a,\"b\"".into(),
            keys: Vec::new(),
            frequency: Frequency::Fixed { micros: 3_600_000_000 },
            times: vec![0, 3_600_000_000],
            values: vec![f64::NAN, 1.5],
        };
        let panel = Panel { id_columns: Vec::new(), series: vec![series], zone: TimeZone::UTC };
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("panel.csv");
        assert_eq!(write_csv(&path, &panel).expect("published").rows, 2);
        let text = std::fs::read_to_string(&path).expect("read");
        let want = "unique_id,ds,y\n\"a,\"\"b\"\"\",1970-01-01T00:00:00Z,\n\"a,\"\"b\"\"\",1970-01-01T01:00:00Z,1.5\n";
        assert_eq!(text, want);
    }
}
