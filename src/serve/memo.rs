//! What was read of a file and is asked for again and again, until the file is another one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Values that are remembered before all are forgotten.
const HELD_MAX: usize = 512;

/// What is remembered under one name: of which file, and what.
type Entry<T> = Arc<Mutex<Option<(String, Arc<T>)>>>;

/// Values by name, each as good as the stamp of what it was read of.
pub(super) struct Memo<T>(Mutex<HashMap<String, Entry<T>>>);

impl<T> Default for Memo<T> {
    fn default() -> Memo<T> {
        Memo(Mutex::default())
    }
}

impl<T> Memo<T> {
    /// The value of that name; read where none is remembered, or one with another stamp. Of several who ask at a time, one
    /// reads and the others wait. An error is not remembered.
    pub(super) fn get<E>(
        &self,
        name: &str,
        stamp: &str,
        read: impl FnOnce() -> Result<T, E>,
    ) -> Result<Arc<T>, E> {
        let entry = self.entry(name);
        let mut entry = entry.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, value)) = entry.as_ref().filter(|(of, _)| of == stamp) {
            return Ok(value.clone());
        }
        let value = Arc::new(read()?);
        *entry = Some((stamp.into(), value.clone()));
        Ok(value)
    }

    fn entry(&self, name: &str) -> Entry<T> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= HELD_MAX && !all.contains_key(name) {
            all.clear();
        }
        all.entry(name.into()).or_default().clone()
    }
}

/// Size and time of a file; empty where there is none.
pub(super) fn stamp(path: &std::path::Path) -> String {
    path.metadata().map_or_else(
        |_| String::new(),
        |found| format!("{} {:?}", found.len(), found.modified().unwrap_or(std::time::UNIX_EPOCH)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_read_again_with_another_stamp_alone() {
        let memo = Memo::default();
        let get = |stamp: &str, value: i32| memo.get("a", stamp, || Ok::<i32, ()>(value)).map(|found| *found);
        assert_eq!([get("1", 1), get("1", 2), get("2", 3)], [Ok(1), Ok(1), Ok(3)]);
        assert_eq!(memo.get("a", "3", || Err::<i32, &str>("broken")), Err("broken"));
        assert_eq!(get("2", 4), Ok(3), "an error takes nothing away");
        for number in 0..HELD_MAX + 5 {
            drop(memo.get(&number.to_string(), "", || Ok::<i32, ()>(0)));
        }
        assert!(memo.0.lock().expect("sound").len() <= HELD_MAX);
    }
}
