//! Column names of schema v1: `[a-z0-9_]` only, never starting with a digit, so that every SQL dialect reads them
//! without quotes.

/// Names that schema v1 itself uses or reserves, quantile columns aside.
const CORE: [&str; 14] = [
    "unique_id",
    "ds",
    "ds_end",
    "ds_local",
    "horizon",
    "yhat",
    "yhat_lower",
    "yhat_upper",
    "y",
    "cutoff",
    "issued_at",
    "created_at",
    "status",
    "scenario",
];

/// Columns that name the run and the model, and the partition columns that live in paths.
const PROVENANCE: [&str; 6] = ["run_id", "model_id", "model_version", "weights", "job", "issued_date"];

/// Words that an id column may well be called and that SQL does not read as a name.
const SQL_WORDS: [&str; 22] = [
    "all",
    "case",
    "column",
    "date",
    "desc",
    "end",
    "from",
    "group",
    "index",
    "interval",
    "join",
    "key",
    "limit",
    "offset",
    "order",
    "select",
    "table",
    "time",
    "timestamp",
    "user",
    "value",
    "where",
];

/// Name of a quantile column: percent, two digits before the decimal point, `_` for the point.
///
/// `level` lies in (0, 1): 0.1 is `p10`, 0.025 is `p02_5`, 0.975 is `p97_5`.
pub fn quantile_name(level: f64) -> String {
    let percent = format!("{:.7}", level * 100.0);
    let (whole, fraction) = percent.split_once('.').unwrap_or((&percent, ""));
    match fraction.trim_end_matches('0') {
        "" => format!("p{whole:0>2}"),
        fraction => format!("p{whole:0>2}_{fraction}"),
    }
}

/// Level of a quantile column of that name; `None` for any other name.
pub(super) fn quantile_level(name: &str) -> Option<f64> {
    let percent: f64 =
        name.strip_prefix('p').filter(|_| like_quantile(name))?.replacen('_', ".", 1).parse().ok()?;
    // Levels have six digits; dividing would give neighbours of them.
    let level = format!("{:.9}", percent / 100.0).parse().ok()?;
    (0.0 < level && level < 1.0).then_some(level)
}

/// Where the id columns are published: (index into `id_columns`, column name).
///
/// A single id column that is called `unique_id` already is the composed id and is not written twice.
pub fn id_names(id_columns: &[String]) -> Vec<(usize, String)> {
    id_names_beside(id_columns, &[])
}

/// As [`id_names`], in a file that uses further names.
pub(super) fn id_names_beside(id_columns: &[String], others: &[&str]) -> Vec<(usize, String)> {
    if id_columns.len() == 1 && legal(&id_columns[0]) == "unique_id" {
        return Vec::new();
    }
    let mut names: Vec<(usize, String)> = Vec::new();
    for (index, column) in id_columns.iter().enumerate() {
        let base = legal(column);
        let free = |name: &String| {
            !taken(name) && !others.contains(&name.as_str()) && names.iter().all(|(_, used)| used != name)
        };
        let name = std::iter::once(base.clone())
            .chain((2_usize..).map(|number| format!("{base}_{number}")))
            .find(free)
            .unwrap_or(base);
        names.push((index, name));
    }
    names
}

/// Whether schema v1 uses the name; everything that looks like a quantile column counts.
fn taken(name: &str) -> bool {
    like_quantile(name) || CORE.contains(&name) || PROVENANCE.contains(&name)
}

/// `p`, two digits, and a fraction or nothing. A number appended to another name never makes one of these.
pub(super) fn like_quantile(name: &str) -> bool {
    let Some(rest) = name.strip_prefix('p') else { return false };
    let (whole, fraction) = rest.split_at(rest.len().min(2));
    whole.len() == 2
        && whole.bytes().all(|byte| byte.is_ascii_digit())
        && fraction.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_')
}

/// The nearest legal name.
fn legal(column: &str) -> String {
    let mut name = String::new();
    for letter in column.chars().map(|letter| letter.to_ascii_lowercase()) {
        if letter.is_ascii_lowercase() || letter.is_ascii_digit() {
            name.push(letter);
        } else if !name.is_empty() && !name.ends_with('_') {
            name.push('_');
        }
    }
    let name = name.trim_end_matches('_');
    match name.bytes().next() {
        None => "id".into(),
        Some(byte) if byte.is_ascii_digit() || like_quantile(name) => format!("id_{name}"),
        Some(_) if SQL_WORDS.contains(&name) => format!("{name}_id"),
        Some(_) => name.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn names(columns: &[&str]) -> Vec<String> {
        let columns: Vec<String> = columns.iter().map(|&column| column.into()).collect();
        id_names(&columns).into_iter().map(|(_, name)| name).collect()
    }

    #[test]
    fn quantile_names_are_percent_with_two_digits() {
        let cases = [
            (0.1, "p10"),
            (0.025, "p02_5"),
            (0.975, "p97_5"),
            (0.05, "p05"),
            (0.005, "p00_5"),
            (0.9995, "p99_95"),
            (0.29, "p29"),
        ];
        for (level, name) in cases {
            assert_eq!(quantile_name(level), name);
            assert_eq!(quantile_level(name), Some(level));
        }
        for name in ["p1", "p", "p00", "p10_x", "p1_0", "price"] {
            assert_eq!(quantile_level(name), None, "{name}");
        }
    }

    #[test]
    fn id_columns_keep_their_names_where_they_can() {
        assert_eq!(names(&["Site", "Meter No."]), ["site", "meter_no"]);
        assert_eq!(names(&["unique_id"]), Vec::<String>::new());
        assert_eq!(names(&["unique_id", "ds"]), ["unique_id_2", "ds_2"]);
        assert_eq!(names(&["a b", "a-b", "A_B"]), ["a_b", "a_b_2", "a_b_3"]);
        let beside = id_names_beside(&["model".into(), "h".into()], &["model"]);
        assert_eq!(beside, [(0, "model_2".to_owned()), (1, "h".to_owned())]);
        assert_eq!(names(&["p10", "2nd", "group", "äö"]), ["id_p10", "id_2nd", "group_id", "id"]);
    }

    proptest! {
        #[test]
        fn every_name_is_legal_and_used_once(columns in proptest::collection::vec("[pd0-9 _]{0,4}|.{0,12}", 0..6)) {
            let names = id_names(&columns);
            for (place, (_, name)) in names.iter().enumerate() {
                prop_assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'));
                prop_assert!(name.starts_with(|c: char| c.is_ascii_lowercase()));
                prop_assert!(!taken(name));
                prop_assert!(names[..place].iter().all(|(_, earlier)| earlier != name));
            }
        }

        #[test]
        fn quantile_names_are_legal_and_distinct(a in 1_u32..9_999, b in 1_u32..9_999) {
            let [x, y] = [a, b].map(|level| quantile_name(f64::from(level) / 10_000.0));
            prop_assert!(taken(&x), "{} must be reserved", x);
            prop_assert_eq!(a == b, x == y);
        }
    }
}
