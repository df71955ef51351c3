#![no_main]

use libfuzzer_sys::fuzz_target;
use s4cast_fuzz::{Reader, begin, read};

fuzz_target!(init: begin(), |bytes: &[u8]| read(Reader::State, bytes));
