#![no_main]

use libfuzzer_sys::{fuzz_mutator, fuzz_target};
use s4cast_fuzz::{Reader, begin, change, read};

fuzz_target!(init: begin(), |bytes: &[u8]| read(Reader::Model, bytes));

// Half of the changes are of bytes, half of the parts of a container: forged sizes have to get past it.
fuzz_mutator!(|bytes: &mut [u8], size: usize, max_size: usize, seed: u32| {
    change(Reader::Model, bytes, size, max_size, seed)
});
