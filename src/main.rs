//! The s4cast binary.

fn main() {}
