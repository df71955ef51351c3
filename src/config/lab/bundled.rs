//! Definitions of benchmarks that come with the program; the data does not.

/// A name, and the text of the file of that name.
type Named = (&'static str, &'static str);

/// Names and texts of some files in a folder of `configs`.
macro_rules! texts {
    ($folder:literal, $($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../../configs/", $folder, "/", $name, ".toml")))),*]
    };
}

/// Benchmarks of forecasts.
pub const BENCHMARKS: &[Named] = texts![
    "pipeline",
    "etth1",
    "etth2",
    "ettm1",
    "ettm1_head",
    "exchange",
    "national_illness",
    "m4_hourly",
    "m4_weekly",
    "m3_monthly",
    "bike_sharing",
    "m5_subset",
    "walmart_weekly",
    "stallion",
    "australia_tourism",
    "air_quality_valencia",
    "epf_np_pjm",
    "ili",
];

/// Sequence tasks.
pub const SEQUENCES: &[Named] =
    texts!["pipeline", "mnist", "speech_commands", "text", "audio", "m4_hourly_paths"];

/// Networks of sequence tasks.
pub const NETWORKS: &[Named] = texts!["model", "s4d", "s4", "sashimi"];

/// Names of all that `pipeline=` may name.
pub fn pipelines() -> impl Iterator<Item = &'static str> {
    BENCHMARKS.iter().chain(SEQUENCES).map(|(name, _)| *name)
}

/// The text of that name.
pub fn text(all: &[Named], name: &str) -> Option<&'static str> {
    all.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}
