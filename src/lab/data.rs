//! The files of a benchmark to one panel.

use crate::ingest::{self, BadSeriesLimit, Ingested, SourceSpec, Watch};
use crate::lab::missing::MissingFile;
use crate::lab::run::LabError;
use crate::lab::spec::{Kind, Pipeline};
use crate::series::Panel;
use jiff::tz::TimeZone;
use std::path::{Path, PathBuf};

/// Everything that a benchmark has, test part included.
pub(super) struct Loaded {
    pub panel: Panel,
    /// Steps of each series in the training file, where the test part has a file of its own.
    pub trained: Option<Vec<usize>>,
    pub files: Vec<String>,
    pub rows: usize,
    pub fingerprint: String,
}

/// Reads a benchmark. Nothing is left out of one: a series that cannot be used is an error.
pub(super) fn load(pipeline: &Pipeline, folder: Option<&Path>, watch: &Watch) -> Result<Loaded, LabError> {
    let file = find(pipeline, &pipeline.data.files, folder)?;
    let train = read(pipeline, &[&file], watch)?;
    let Kind::OneOrigin { test_file: Some(test_file) } = &pipeline.kind else {
        let Ingested { panel, files, rows, fingerprint, .. } = train;
        return Ok(Loaded { panel, trained: None, files, rows, fingerprint });
    };
    let test_file = find(pipeline, std::slice::from_ref(test_file), folder)?;
    let both = read(pipeline, &[&file, &test_file], watch)?;
    let trained = lengths(&train.panel, &both.panel).map_err(LabError::Data)?;
    let Ingested { panel, files, rows, fingerprint, .. } = both;
    Ok(Loaded { panel, trained: Some(trained), files, rows, fingerprint })
}

/// The first of some files that is there.
fn find(pipeline: &Pipeline, names: &[String], folder: Option<&Path>) -> Result<PathBuf, LabError> {
    let missing = || MissingFile {
        pipeline: pipeline.name.clone(),
        files: names.join(" or "),
        folder: folder.map(Path::to_path_buf),
        source_line: pipeline.data.source.clone(),
    };
    let folder = folder.ok_or_else(missing)?;
    let found = names.iter().map(|name| folder.join(name)).find(|path| path.is_file());
    Ok(found.ok_or_else(missing)?)
}

fn read(pipeline: &Pipeline, files: &[&PathBuf], watch: &Watch) -> Result<Ingested, LabError> {
    let data = &pipeline.data;
    let inputs = files.iter().map(|file| file.display().to_string()).collect();
    let spec = SourceSpec {
        id: data.id.clone(),
        time: data.time.clone(),
        target: data.target.clone(),
        frequency: data.freq,
        zone: Some(TimeZone::UTC),
        max_bad_series: BadSeriesLimit::Count(0),
        ..SourceSpec::new(inputs)
    };
    Ok(ingest::read_watched(&spec, watch)?)
}

/// Steps of each series that the training file has; the test file has to continue all of them and none else.
fn lengths(train: &Panel, both: &Panel) -> Result<Vec<usize>, Vec<String>> {
    let ids = |panel: &Panel| panel.series.iter().map(|one| one.unique_id.clone()).collect::<Vec<_>>();
    if ids(train) != ids(both) {
        let known = ids(train);
        let strange = ids(both).into_iter().filter(|id| !known.contains(id));
        let message = |id| format!("series {id} is in the test file, but not in the training file");
        return Err(strange.map(message).collect());
    }
    let (mut lengths, mut problems) = (Vec::new(), Vec::new());
    for (train, both) in train.series.iter().zip(&both.series) {
        let continues = both.times.starts_with(&train.times) && both.frequency == train.frequency;
        if !continues || both.times.len() == train.times.len() {
            problems.push(format!("series {}: the test file does not continue it", train.unique_id));
        }
        lengths.push(train.times.len());
    }
    if problems.is_empty() { Ok(lengths) } else { Err(problems) }
}
