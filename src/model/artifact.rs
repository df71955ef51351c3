//! A trained forecaster as bytes: safetensors, one tensor per parameter, the rest as JSON in the header.

use std::collections::HashMap;

use safetensors::{Dtype, SafeTensorError, View};
use sha2::{Digest, Sha256};

/// One tensor on its way to a file, row-major.
pub struct Weights {
    /// Name in the file.
    pub name: String,
    /// Shape.
    pub shape: Vec<usize>,
    /// Values.
    pub values: Vec<f32>,
}

impl View for &Weights {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> std::borrow::Cow<'_, [u8]> {
        self.values.iter().flat_map(|value| value.to_le_bytes()).collect()
    }

    fn data_len(&self) -> usize {
        4 * self.values.len()
    }
}

/// The file's content: deterministic, as tensors are sorted and the header has one metadata key.
pub fn to_bytes(weights: &[Weights], description: &str) -> Result<Vec<u8>, SafeTensorError> {
    let metadata = HashMap::from([("s4cast".to_owned(), description.to_owned())]);
    safetensors::serialize(weights.iter().map(|weights| (&weights.name, weights)), Some(metadata))
}

/// Lower-case hexadecimal SHA-256.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
