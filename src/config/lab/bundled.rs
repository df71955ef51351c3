//! Definitions of benchmarks that come with the program; the data does not.

/// Name and text of a definition in `configs/pipelines`.
macro_rules! definitions {
    ($($name:literal),* $(,)?) => {
        /// Names of the bundled definitions.
        pub const NAMES: &[&str] = &[$($name),*];

        const TEXTS: &[&str] = &[$(include_str!(concat!("../../../configs/pipelines/", $name, ".toml"))),*];
    };
}

definitions![
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

/// The definition of that name, as TOML.
pub fn text(name: &str) -> Option<&'static str> {
    let place = NAMES.iter().position(|known| *known == name)?;
    TEXTS.get(place).copied()
}
