//! Benchmark protocols: `s4cast train pipeline=… model=…`.
