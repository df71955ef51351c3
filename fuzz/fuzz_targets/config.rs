#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = s4cast::config::validate(std::path::Path::new(std::str::from_utf8(bytes).unwrap_or("")), &|_| None, false);
});
