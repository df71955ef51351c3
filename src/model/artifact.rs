//! Named tensors and one JSON description as bytes: safetensors, the form of model files and of checkpoints.

use std::collections::{BTreeMap, HashMap};

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensorError, SafeTensors, View};
use sha2::{Digest, Sha256};

use crate::series::version::refusal;

/// Key of the description in the header's metadata.
const DESCRIPTION: &str = "s4cast";

/// Why bytes are no model.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum LoadError {
    /// Not the container, or not all of it.
    #[error("no safetensors file, or a damaged one: {0}")]
    Container(String),
    /// The container of another program.
    #[error("the file says nothing about a forecaster; it was not written by s4cast")]
    NoDescription,
    /// Of another version.
    #[error("the file cannot be read: {}", refusal(*found, 1..=*known).unwrap_or_default())]
    Format {
        /// In the file.
        found: u64,
        /// The newest that can be read.
        known: u64,
    },
    /// The description cannot be parsed.
    #[error("the description of the forecaster is damaged: {0}")]
    Description(String),
    /// The description says what cannot be.
    #[error("{what} is {found}; it has to be {wanted}")]
    Value {
        /// Name of the value.
        what: &'static str,
        /// In the file.
        found: String,
        /// What would do.
        wanted: String,
    },
    /// A tensor is not there.
    #[error("tensor {0} is missing")]
    Missing(String),
    /// A tensor is of another shape or type.
    #[error("tensor {name} is {found}; it has to be {wanted}")]
    Shape {
        /// Of the tensor.
        name: String,
        /// In the file.
        found: String,
        /// By the description.
        wanted: String,
    },
    /// A weight is no number.
    #[error("tensor {name} holds {value}")]
    NotFinite {
        /// Of the tensor.
        name: String,
        /// The first such value.
        value: f32,
    },
    /// A tensor belongs to nothing.
    #[error("tensor {0} belongs to nothing in the description")]
    Extra(String),
}

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
    let metadata = HashMap::from([(DESCRIPTION.to_owned(), description.to_owned())]);
    safetensors::serialize(weights.iter().map(|weights| (&weights.name, weights)), Some(metadata))
}

/// The tensors of a file that nobody has taken yet.
pub struct Tensors<'a> {
    left: BTreeMap<String, TensorView<'a>>,
    /// Values that all tensors of the file could hold together: no allocation for them may be larger.
    values_max: usize,
}

impl<'a> Tensors<'a> {
    /// The tensors and the description. Nothing is copied but the header.
    ///
    /// # Errors
    /// If the bytes are no safetensors file or have no description.
    pub fn open(bytes: &'a [u8]) -> Result<(Tensors<'a>, String), LoadError> {
        let damaged = |error: SafeTensorError| LoadError::Container(error.to_string());
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(damaged)?;
        let metadata = header.metadata().as_ref();
        let description = metadata.and_then(|all| all.get(DESCRIPTION)).ok_or(LoadError::NoDescription)?;
        let left = SafeTensors::deserialize(bytes).map_err(damaged)?.tensors().into_iter().collect();
        Ok((Tensors { left, values_max: bytes.len() / 4 }, description.clone()))
    }

    /// Whether the file could hold that many values.
    pub fn could_hold(&self, values: u128) -> bool {
        values <= self.values_max as u128
    }

    /// Takes a tensor of that shape, row-major; every value is finite.
    ///
    /// # Errors
    /// If there is none, or not such a one.
    pub fn take(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>, LoadError> {
        let tensor = self.left.remove(name).ok_or_else(|| LoadError::Missing(name.into()))?;
        if tensor.dtype() != Dtype::F32 || tensor.shape() != shape {
            return Err(LoadError::Shape {
                name: name.into(),
                found: format!("{:?} {:?}", tensor.dtype(), tensor.shape()),
                wanted: format!("F32 {shape:?}"),
            });
        }
        let values = tensor.data().as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes));
        let values: Vec<f32> = values.collect();
        match values.iter().find(|value| !value.is_finite()) {
            Some(&value) => Err(LoadError::NotFinite { name: name.into(), value }),
            None => Ok(values),
        }
    }

    /// Every tensor has been taken.
    ///
    /// # Errors
    /// If one is left.
    pub fn finish(mut self) -> Result<(), LoadError> {
        match self.left.pop_first() {
            Some((name, _)) => Err(LoadError::Extra(name)),
            None => Ok(()),
        }
    }
}

/// Lower-case hexadecimal SHA-256.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
