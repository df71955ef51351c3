//! Files of tensors with a description (safetensors): read into their parts, changed, written again with a right header, so
//! that forged sizes get past the container.

use super::json;
use super::mutate::{self, Dice};
use serde_json::{Map, Value};

/// Values that a tensor of a changed file has at most.
const VALUES_MAX: u64 = 40_000;

/// A good file in its parts.
#[derive(Clone)]
pub struct Container {
    /// Names to type, shape and offsets.
    header: Map<String, Value>,
    /// The description in the header's metadata.
    description: Value,
    data: Vec<u8>,
}

impl Container {
    /// The parts of a file, where it has them.
    pub fn read(bytes: &[u8]) -> Option<Container> {
        let (length, rest) = bytes.split_first_chunk()?;
        let (header, data) = rest.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
        let mut header: Map<String, Value> = serde_json::from_slice(header).ok()?;
        let metadata = header.remove("__metadata__")?;
        let description = serde_json::from_str(metadata["s4cast"].as_str()?).ok()?;
        Some(Container { header, description, data: data.to_vec() })
    }

    /// What is no tensor.
    pub fn description(&mut self) -> &mut Value {
        &mut self.description
    }

    /// Adds a tensor.
    pub fn add(&mut self, name: &str, shape: &[usize], values: &[f32]) {
        let begin = self.data.len();
        self.data.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        let offsets = [begin, self.data.len()];
        let tensor = serde_json::json!({ "dtype": "F32", "shape": shape, "data_offsets": offsets });
        self.header.insert(name.into(), tensor);
    }

    /// The file.
    pub fn write(&self) -> Vec<u8> {
        let mut header = self.header.clone();
        header.insert("__metadata__".into(), serde_json::json!({ "s4cast": self.description.to_string() }));
        let text = Value::Object(header).to_string();
        [&(text.len() as u64).to_le_bytes(), text.as_bytes(), &self.data].concat()
    }

    /// The file changed in a few places.
    pub fn mutated(mut self, dice: &mut Dice, words: &[&str], others: &[Vec<u8>]) -> Vec<u8> {
        for _ in 0..=dice.size(4) {
            match dice.below(12) {
                0..=4 => json::change(dice, &mut self.description, words),
                5 | 6 => self.forge(dice),
                7 => {
                    let mut header = Value::Object(std::mem::take(&mut self.header));
                    json::change(
                        dice,
                        &mut header,
                        &["F32", "F64", "BF16", "U8", "I64", "BOOL", "shape", "dtype"],
                    );
                    self.header = header.as_object().cloned().unwrap_or_default();
                }
                8 | 9 => self.weights(dice),
                10 => self.fit(dice),
                _ => return mutate::text(dice, &self.write(), words, others),
            }
        }
        if !dice.one_in(4) {
            self.fit(dice);
        }
        self.write()
    }

    /// Another number in the place of one, wherever it stands.
    fn forge(&mut self, dice: &mut Dice) {
        let Some(old) = json::integer(dice, &mut self.description) else { return };
        let new = match dice.below(4) {
            0 => old.wrapping_add(1),
            1 => old.saturating_sub(1),
            2 => 1 + dice.size(300) as u64,
            _ => dice.integer().unsigned_abs(),
        };
        json::replace(&mut self.description, old, new);
        let mut header = Value::Object(std::mem::take(&mut self.header));
        json::replace(&mut header, old, new);
        self.header = header.as_object().cloned().unwrap_or_default();
    }

    /// Other values in a stretch of the tensors.
    fn weights(&mut self, dice: &mut Dice) {
        const VALUES: [f32; 10] =
            [0.0, -0.0, f32::MAX, f32::MIN, f32::MIN_POSITIVE, 1e-45, 1e20, -1e20, f32::NAN, f32::INFINITY];
        if dice.one_in(3) {
            return mutate::flip(dice, &mut self.data);
        }
        let most = if dice.one_in(4) { VALUES.len() } else { VALUES.len() - 2 };
        let value = VALUES[dice.below(most)];
        let range = mutate::range(dice, self.data.len() / 4);
        self.data.as_chunks_mut::<4>().0[range].fill(value.to_le_bytes());
    }

    /// Gives every tensor the offsets that its shape asks for, and as many values.
    fn fit(&mut self, dice: &mut Dice) {
        let bounds = |tensor: &Value| {
            let end =
                |at: usize| tensor["data_offsets"][at].as_u64().and_then(|end| usize::try_from(end).ok());
            Some(end(0)?..end(1)?)
        };
        let (mut data, size) = (Vec::new(), self.data.len());
        let filler = if dice.one_in(2) { 0 } else { dice.next() as u8 & 0x3f };
        for tensor in self.header.values_mut() {
            let own = bounds(tensor).unwrap_or_default();
            let shape = tensor["shape"].as_array().cloned().unwrap_or_default();
            let sizes = shape.iter().map(|size| size.as_u64());
            let values = sizes.into_iter().try_fold(1u64, |all, size| all.checked_mul(size?));
            let Some(values) = values.filter(|values| *values <= VALUES_MAX) else { continue };
            let old = self
                .data
                .get(own.start.min(size)..own.end.clamp(own.start.min(size), size))
                .unwrap_or_default();
            let mut new = old.to_vec();
            new.resize(4 * values as usize, filler);
            let Some(members) = tensor.as_object_mut() else { continue };
            members.insert("data_offsets".into(), serde_json::json!([data.len(), data.len() + new.len()]));
            data.extend(new);
        }
        self.data = data;
    }
}
