pub mod error;
pub mod feature { pub fn known() -> String { String::new() } }
pub mod holiday;
