#![no_main]

use libfuzzer_sys::fuzz_target;
use s4cast_fuzz::{Reader, read};

fuzz_target!(|bytes: &[u8]| read(Reader::Parquet, bytes));
