//! A golden file: arrays by section, tolerances, and a record of which arrays a check has used.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use ndarray::{Array, ArrayD, Dimension, IxDyn};
use s4cast::engine::real::Real;
use serde_json::Value;

/// Sections whose arrays are given to the engine or compared with it.
const SECTIONS: &[&str] = &["params", "inputs", "outputs", "grads", "final_params"];

/// What follows from the parameters: there to compare where the engine computes it, never required.
const DERIVED: &str = "derived";

/// max |got − want| ≤ atol + rtol · max |want|.
#[derive(Clone, Copy)]
pub struct Tolerance {
    /// Relative to the largest wanted value.
    pub relative: f64,
    /// Absolute.
    pub absolute: f64,
}

/// One file.
pub struct GoldenFile {
    /// File stem.
    pub name: String,
    /// What the file describes.
    pub kind: String,
    /// Sizes and conventions.
    pub config: Value,
    compare: Value,
    arrays: BTreeMap<(String, String), ArrayD<f64>>,
    used: RefCell<BTreeSet<(String, String)>>,
    /// Largest error seen so far as a share of what is allowed, per precision.
    worst: RefCell<BTreeMap<&'static str, (f64, String)>>,
}

impl GoldenFile {
    /// Reads a file.
    pub fn read(path: &Path) -> GoldenFile {
        let text = std::fs::read_to_string(path).unwrap();
        let mut json: Value = serde_json::from_str(&text).unwrap();
        let mut arrays = BTreeMap::new();
        for &section in SECTIONS.iter().chain(&[DERIVED]) {
            let Some(Value::Object(entries)) = json.get(section) else { continue };
            for (name, entry) in entries {
                arrays.insert((section.to_string(), name.clone()), array(entry));
            }
        }
        GoldenFile {
            name: path.file_stem().unwrap().to_string_lossy().into_owned(),
            kind: json["kind"].as_str().unwrap().to_string(),
            config: json["config"].take(),
            compare: json["compare"].take(),
            arrays,
            used: RefCell::default(),
            worst: RefCell::default(),
        }
    }

    /// A text of the configuration.
    pub fn text(&self, key: &str) -> &str {
        self.config[key].as_str().unwrap_or_else(|| panic!("{}: no text {key}", self.name))
    }

    /// A size of the configuration.
    pub fn size(&self, key: &str) -> usize {
        self.config[key].as_u64().unwrap_or_else(|| panic!("{}: no size {key}", self.name)) as usize
    }

    /// Names of the arrays of a section.
    pub fn names(&self, section: &str) -> Vec<String> {
        self.arrays.keys().filter(|(of, _)| of == section).map(|(_, name)| name.clone()).collect()
    }

    /// An array of the engine's float type and of the given number of axes, now counted as used.
    pub fn get<F: Real, D: Dimension>(&self, section: &str, name: &str) -> Array<F, D> {
        self.find(section, name).mapv(F::of).into_dimensionality().unwrap()
    }

    /// The array, or `None` if the file has none of that name.
    pub fn get_if_present<F: Real, D: Dimension>(&self, section: &str, name: &str) -> Option<Array<F, D>> {
        let key = (section.to_string(), name.to_string());
        self.arrays.contains_key(&key).then(|| self.get(section, name))
    }

    /// Compares what the engine got with an array of the file, which is now counted as used.
    pub fn check<F: Real, D: Dimension>(&self, section: &str, name: &str, got: &Array<F, D>) {
        self.check_within(section, name, got, self.tolerance::<F>());
    }

    /// As [`GoldenFile::check`] with a tolerance that is not the file's general one.
    pub fn check_within<F: Real, D: Dimension>(
        &self,
        section: &str,
        name: &str,
        got: &Array<F, D>,
        tolerance: Tolerance,
    ) {
        let want = self.find(section, name);
        let label = format!("{} in {}: {section}.{name}", self.name, precision::<F>());
        assert_eq!(got.shape(), want.shape(), "{label}");
        let size = want.iter().fold(0.0_f64, |size, want| size.max(want.abs()));
        let mut error = 0.0_f64;
        for (got, want) in got.iter().zip(want) {
            let difference = (got.wide() - want).abs();
            assert!(difference.is_finite(), "{label} is no number");
            error = error.max(difference);
        }
        let allowed = tolerance.absolute + tolerance.relative * size;
        assert!(error <= allowed, "{label} differs by {error:e}, {allowed:e} is allowed");
        let mut worst = self.worst.borrow_mut();
        let entry = worst.entry(precision::<F>()).or_default();
        if error / allowed > entry.0 {
            *entry = (error / allowed, name.to_string());
        }
    }

    /// The file's tolerance for a float type.
    pub fn tolerance<F: Real>(&self) -> Tolerance {
        let of = &self.compare[precision::<F>()];
        Tolerance { relative: of["rtol"].as_f64().unwrap(), absolute: of["atol"].as_f64().unwrap() }
    }

    /// Fails if an array was neither given to the engine nor compared with it.
    pub fn assert_all_used(&self) {
        let used = self.used.borrow();
        let required = self.arrays.keys().filter(|(section, _)| section != DERIVED);
        let left: Vec<_> = required.filter(|key| !used.contains(*key)).collect();
        assert!(left.is_empty(), "{}: never compared: {left:?}", self.name);
    }

    /// Largest errors as shares of what is allowed.
    pub fn margins(&self) -> String {
        let worst = self.worst.borrow();
        let of =
            |(precision, (share, name)): (&&str, &(f64, String))| format!("{precision} {share:.1e} ({name})");
        worst.iter().map(of).collect::<Vec<_>>().join(", ")
    }

    fn find(&self, section: &str, name: &str) -> &ArrayD<f64> {
        let key = (section.to_string(), name.to_string());
        let found = self.arrays.get(&key).unwrap_or_else(|| panic!("{}: no {section}.{name}", self.name));
        self.used.borrow_mut().insert(key);
        found
    }
}

/// `f64` or `f32`.
fn precision<F: Real>() -> &'static str {
    if size_of::<F>() == size_of::<f64>() { "f64" } else { "f32" }
}

/// {shape, data} as an array.
fn array(entry: &Value) -> ArrayD<f64> {
    let list = |key: &str| entry[key].as_array().unwrap();
    let shape: Vec<usize> = list("shape").iter().map(|size| size.as_u64().unwrap() as usize).collect();
    let data = list("data").iter().map(|value| value.as_f64().unwrap()).collect();
    ArrayD::from_shape_vec(IxDyn(&shape), data).unwrap()
}
