//! The readers of `tests/fuzz` for a fuzzer that is guided by coverage. The last byte of an input chooses the settings that it
//! is read with; an input that is found can so be put into `tests/fuzz/corpus/READER` as it is.

#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "shared with a test program, of which the rest is not needed"
)]

#[path = "../../tests/fuzz/forged.rs"]
mod forged;
#[path = "../../tests/fuzz/graft.rs"]
mod graft;
#[path = "../../tests/fuzz/json.rs"]
mod json;
#[path = "../../tests/fuzz/models.rs"]
mod models;
#[path = "../../tests/fuzz/mutate.rs"]
mod mutate;
#[path = "../../tests/fuzz/readers.rs"]
mod readers;
#[path = "../../tests/fuzz/requests.rs"]
mod requests;
#[path = "../../tests/fuzz/sequences.rs"]
mod sequences;
#[path = "../../tests/fuzz/state.rs"]
mod state;
#[path = "../../tests/fuzz/streams.rs"]
mod streams;
#[path = "../../tests/fuzz/tensors.rs"]
mod tensors;
#[path = "../../tests/fuzz/texts.rs"]
mod texts;
#[path = "../../tests/fuzz/thrift.rs"]
mod thrift;
#[path = "../../tests/fuzz/world.rs"]
mod world;

pub use readers::Reader;

use mutate::Dice;
use readers::Bench;
use std::cell::OnceCell;

thread_local! {
    /// The one reader of this process, and the folder that it works in.
    static BENCH: OnceCell<(Bench, tempfile::TempDir)> = const { OnceCell::new() };
}

/// Lets the program catch the panics of libraries that damaged files cause, as it does; one that nobody catches ends the fuzzer.
pub fn begin() {
    std::panic::set_hook(Box::new(|_| {}));
}

fn with<T>(reader: Reader, work: impl FnOnce(&Bench) -> T) -> T {
    BENCH.with(|bench| {
        let (bench, _) = bench.get_or_init(|| {
            let folder = tempfile::tempdir().unwrap();
            let bench = Bench::new(reader, folder.path());
            seed(&bench);
            (bench, folder)
        });
        work(bench)
    })
}

/// Leaves the good inputs in the folder that `S4CAST_FUZZ_SEEDS` names.
fn seed(bench: &Bench) {
    let Some(folder) = std::env::var_os("S4CAST_FUZZ_SEEDS").map(std::path::PathBuf::from) else { return };
    for (at, bytes) in bench.seeds().enumerate() {
        std::fs::write(folder.join(format!("good-{at:03}")), bytes).unwrap();
    }
}

/// Gives an input to a reader.
pub fn read(reader: Reader, bytes: &[u8]) {
    with(reader, |bench| {
        let mut dice = Dice::new(0, 0, 0);
        let input = bench.settled(&mut dice, bytes);
        let _ = bench.read(&mut dice, input);
    });
}

/// Changes an input of so many bytes in its place; gives its new size.
pub fn change(reader: Reader, bytes: &mut [u8], size: usize, max_size: usize, seed: u32) -> usize {
    let mut dice = Dice::new(u64::from(seed), 0, 0);
    let changed =
        if dice.one_in(2) { with(reader, |bench| bench.changed(&mut dice, &bytes[..size])) } else { None };
    match changed.filter(|changed| changed.len() <= max_size.min(bytes.len())) {
        Some(changed) => {
            bytes[..changed.len()].copy_from_slice(&changed);
            changed.len()
        }
        None => libfuzzer_sys::fuzzer_mutate(bytes, size, max_size),
    }
}
