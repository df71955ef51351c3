//! Series ids as small integers: every distinct tuple of id values gets a code in order of appearance.

use super::source::ColumnOf;
use super::text_of_day;
use polars::prelude::{DataType, PlHashMap, Series, StringChunked};
use std::sync::Arc;

/// Code of a row whose id is null.
pub(super) const NO_CODE: u32 = u32::MAX;

/// Distinct values of one id column.
#[derive(Debug, Default)]
struct Interner {
    codes: PlHashMap<Arc<str>, u32>,
    values: Vec<Arc<str>>,
}

impl Interner {
    fn code(&mut self, value: &str) -> u32 {
        if let Some(&code) = self.codes.get(value) {
            return code;
        }
        let code = u32::try_from(self.values.len()).unwrap_or(NO_CODE - 1);
        let value: Arc<str> = value.into();
        self.values.push(value.clone());
        self.codes.insert(value, code);
        code
    }
}

/// Names of a category as numbers, in order of appearance.
#[derive(Debug, Default)]
pub(super) struct Names(Interner);

impl Names {
    /// The number of the name in every row; `NaN` where the cell is empty.
    pub(super) fn encode(&mut self, column: ColumnOf<'_>, rows: usize) -> Vec<f64> {
        let codes = part_codes(&Part::Column(column), &mut self.0, rows);
        codes.into_iter().map(|code| if code == NO_CODE { f64::NAN } else { f64::from(code) }).collect()
    }

    /// The names by their numbers.
    pub(super) fn values(&self) -> &[Arc<str>] {
        &self.0.values
    }
}

/// All ids seen so far.
#[derive(Debug, Default)]
pub(super) struct Keys {
    parts: Vec<Interner>,
    codes: PlHashMap<Vec<u32>, u32>,
    tuples: Vec<Vec<u32>>,
}

/// Where the values of one id column of a chunk come from.
pub(super) enum Part<'a> {
    /// A column of the file.
    Column(ColumnOf<'a>),
    /// One value for the whole file, from its path.
    Constant(Option<&'a str>),
}

impl Keys {
    /// For that many id columns.
    pub(super) fn new(columns: usize) -> Keys {
        Keys { parts: (0..columns).map(|_| Interner::default()).collect(), ..Keys::default() }
    }

    /// The code of every row; [`NO_CODE`] where a part is null or empty.
    pub(super) fn encode(&mut self, parts: &[Part<'_>], rows: usize) -> Vec<u32> {
        let mut columns: Vec<Vec<u32>> = parts
            .iter()
            .zip(&mut self.parts)
            .map(|(part, interner)| part_codes(part, interner, rows))
            .collect();
        if let [column] = &mut columns[..] {
            for run in column.chunk_by_mut(|one, other| one == other) {
                run.fill(self.tuple_code(&run[..1]));
            }
            return std::mem::take(column);
        }
        let mut tuple = vec![0; columns.len()];
        let mut last: Option<u32> = None;
        let mut coded = Vec::with_capacity(rows);
        for row in 0..rows {
            let mut same = last.is_some();
            for (value, column) in tuple.iter_mut().zip(&columns) {
                same &= *value == column[row];
                *value = column[row];
            }
            let code = match last {
                Some(code) if same => code,
                _ => self.tuple_code(&tuple),
            };
            last = Some(code);
            coded.push(code);
        }
        coded
    }

    /// The code of a series that is named by its column.
    pub(super) fn named(&mut self, name: &str) -> u32 {
        if self.parts.is_empty() {
            self.parts.push(Interner::default());
        }
        let code = self.parts[0].code(name);
        self.tuple_code(&[code])
    }

    fn tuple_code(&mut self, tuple: &[u32]) -> u32 {
        if tuple.contains(&NO_CODE) {
            return NO_CODE;
        }
        if let Some(&code) = self.codes.get(tuple) {
            return code;
        }
        let code = u32::try_from(self.tuples.len()).unwrap_or(NO_CODE - 1);
        self.tuples.push(tuple.to_vec());
        self.codes.insert(tuple.to_vec(), code);
        code
    }

    /// Whether ids come from columns or from column names.
    pub(super) fn has_columns(&self) -> bool {
        !self.parts.is_empty()
    }

    /// Number of distinct ids.
    pub(super) fn len(&self) -> usize {
        self.tuples.len()
    }

    /// The values of an id, one per id column.
    pub(super) fn values(&self, code: u32) -> Vec<String> {
        let tuple = &self.tuples[code as usize];
        tuple.iter().zip(&self.parts).map(|(&value, part)| part.values[value as usize].to_string()).collect()
    }

    /// Length of the composed id.
    pub(super) fn bytes(&self, code: usize) -> usize {
        let tuple = self.tuples[code].iter().zip(&self.parts);
        tuple.map(|(&value, part)| part.values[value as usize].len() + 1).sum::<usize>().saturating_sub(1)
    }

    /// The composed id: its values joined by `/`; `series` where there is no id column.
    pub(super) fn unique_id(&self, code: u32) -> String {
        match self.values(code) {
            values if values.is_empty() => "series".to_owned(),
            values => values.join("/"),
        }
    }
}

fn part_codes(part: &Part<'_>, interner: &mut Interner, rows: usize) -> Vec<u32> {
    match part {
        Part::Constant(None) => vec![NO_CODE; rows],
        Part::Constant(Some(value)) => vec![interner.code(value); rows],
        Part::Column(ColumnOf::Typed(series)) => column_codes(series, interner),
        Part::Column(ColumnOf::Text(column)) => coded(column.iter().map(Some), interner, text_code),
    }
}

/// The code of a text as written.
fn text_code(text: &str, interner: &mut Interner) -> u32 {
    match text.trim() {
        "" => NO_CODE,
        text => interner.code(text),
    }
}

/// Codes of texts. Equal neighbours are told by their views, which lie side by side, before their bytes are looked at.
fn view_codes(texts: &StringChunked, interner: &mut Interner) -> Vec<u32> {
    let mut codes = Vec::with_capacity(texts.len());
    for array in texts.downcast_iter() {
        let mut at = 0;
        for run in array.views().chunk_by(|one, other| one.as_u128() == other.as_u128()) {
            let code = text_code(array.value(at), interner);
            at += run.len();
            codes.resize(codes.len() + run.len(), code);
        }
    }
    codes
}

fn column_codes(series: &Series, interner: &mut Interner) -> Vec<u32> {
    if let Ok(text) = series.str() {
        return match text.null_count() {
            0 => view_codes(text, interner),
            _ => coded(text.iter(), interner, text_code),
        };
    }
    if let Ok(numbers) = series.u64() {
        return coded(numbers.iter(), interner, |number, interner| interner.code(&number.to_string()));
    }
    let physical = series.to_physical_repr();
    let dtype = series.dtype().clone();
    if matches!(dtype, DataType::Float32 | DataType::Float64) {
        let Ok(numbers) = series.cast(&DataType::Float64) else { return vec![NO_CODE; series.len()] };
        let Ok(numbers) = numbers.f64() else { return vec![NO_CODE; series.len()] };
        // Frames turn whole numbers into floats next to a missing one; 7.0 is id 7 then. Bits make NaN comparable.
        let bits = numbers.iter().map(|value| value.filter(|value| !value.is_nan()).map(f64::to_bits));
        return coded(bits, interner, |bits, interner| interner.code(&f64::from_bits(bits).to_string()));
    }
    let Ok(numbers) = physical.cast(&DataType::Int64) else { return vec![NO_CODE; series.len()] };
    let Ok(numbers) = numbers.i64() else { return vec![NO_CODE; series.len()] };
    coded(numbers.iter(), interner, |number, interner| match dtype {
        DataType::Boolean => interner.code(if number == 1 { "true" } else { "false" }),
        DataType::Date => interner.code(&text_of_day(number)),
        _ => interner.code(&number.to_string()),
    })
}

/// Codes of values, asking the interner only where the value changes.
fn coded<T: Copy + PartialEq>(
    values: impl Iterator<Item = Option<T>>,
    interner: &mut Interner,
    code: impl Fn(T, &mut Interner) -> u32,
) -> Vec<u32> {
    let mut last: Option<(T, u32)> = None;
    let mut one = |value: Option<T>| match (value, last) {
        (None, _) => NO_CODE,
        (Some(value), Some((same, code))) if same == value => code,
        (Some(value), _) => {
            let found = code(value, interner);
            last = Some((value, found));
            found
        }
    };
    values.map(&mut one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use polars::prelude::NamedFrom;

    #[test]
    fn values_of_any_type_become_text() {
        let mut keys = Keys::new(2);
        let names = Series::new("a".into(), ["x", "x", "", "y"]);
        let numbers = Series::new("b".into(), [Some(1.0), Some(2.5), Some(1.0), None]);
        let codes =
            keys.encode(&[Part::Column(ColumnOf::Typed(&names)), Part::Column(ColumnOf::Typed(&numbers))], 4);
        assert_eq!(codes, [0, 1, NO_CODE, NO_CODE]);
        assert_eq!(keys.unique_id(0), "x/1");
        assert_eq!(keys.values(1), ["x", "2.5"]);
        let large = Series::new("d".into(), [u64::MAX]);
        let mut keys = Keys::new(1);
        assert_eq!(keys.encode(&[Part::Column(ColumnOf::Typed(&large))], 1), [0]);
        assert_eq!(keys.unique_id(0), "18446744073709551615");
        let spaced = Series::new("e".into(), [" x", "x ", " "]);
        let mut keys = Keys::new(1);
        assert_eq!(keys.encode(&[Part::Column(ColumnOf::Typed(&spaced))], 3), [0, 0, NO_CODE]);
        let days = Series::new("c".into(), [0i32]).cast(&DataType::Date).unwrap();
        let mut keys = Keys::new(1);
        keys.encode(&[Part::Column(ColumnOf::Typed(&days))], 1);
        assert_eq!(keys.unique_id(0), "1970-01-01");
    }

    #[test]
    fn no_id_column_is_one_series() {
        let mut keys = Keys::new(0);
        assert_eq!(keys.encode(&[], 3), [0, 0, 0]);
        assert_eq!((keys.len(), keys.unique_id(0)), (1, "series".to_owned()));
    }
}
