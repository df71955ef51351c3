//! Where one file holds the columns that play a part.

use super::columns::Assignment;
use super::files::data;
use super::source::{ColumnType, Source};
use super::spec::IngestError;

/// Places of the wanted columns in one file; indices count the columns of the frame unless said otherwise.
pub(super) struct Wanted {
    /// Columns of the file, ascending.
    pub(super) columns: Vec<usize>,
    pub(super) id: Vec<Place>,
    pub(super) time: usize,
    pub(super) targets: Vec<usize>,
}

/// Where an id stands.
pub(super) enum Place {
    /// Index into the frame.
    Frame(usize),
    /// Index into the columns of the path.
    Path(usize),
}

impl Wanted {
    /// Finds the columns of the roles in a file.
    pub(super) fn new(source: &Source, assignment: &Assignment) -> Result<Wanted, IngestError> {
        let roles = &assignment.roles;
        let in_file = |name: &String| source.columns.iter().position(|(column, _)| column == name);
        let in_path = |name: &String| source.file.hive.iter().position(|(column, _)| column == name);
        let missing = |name: &String| {
            let names: Vec<&str> = source.columns.iter().map(|(name, _)| name.as_str()).collect();
            let file = &source.file.name;
            data(format!(
                "{file}: no column '{name}', which the other files have; its columns are {}",
                names.join(", ")
            ))
        };
        let time = in_file(&roles.time).ok_or_else(|| missing(&roles.time))?;
        let targets = roles
            .targets
            .iter()
            .map(|name| in_file(name).ok_or_else(|| missing(name)))
            .collect::<Result<Vec<_>, _>>()?;
        let id_columns: Vec<Option<usize>> = roles.id.iter().map(in_file).collect();
        let mut columns: Vec<usize> =
            id_columns.iter().flatten().chain([&time]).chain(&targets).copied().collect();
        columns.sort_unstable();
        columns.dedup();
        for &at in &columns {
            if let (name, ColumnType::Unusable(dtype)) = &source.columns[at] {
                let file = &source.file.name;
                return Err(data(format!(
                    "{file}: column '{name}' ({dtype}) cannot be read; write it as text, number or time"
                )));
            }
        }
        let frame = |at: usize| columns.partition_point(|&column| column < at);
        let id = roles.id.iter().zip(&id_columns).map(|(name, at)| match (at, in_path(name)) {
            (Some(at), _) => Ok(Place::Frame(frame(*at))),
            (None, Some(at)) => Ok(Place::Path(at)),
            (None, None) => Err(missing(name)),
        });
        let id = id.collect::<Result<Vec<_>, _>>()?;
        let (time, targets) = (frame(time), targets.into_iter().map(frame).collect());
        Ok(Wanted { id, time, targets, columns })
    }
}
