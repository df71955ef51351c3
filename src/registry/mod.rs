//! Model versions: immutable, atomic, verified; which one serves, and the way back.
#![allow(missing_docs)]
pub struct Registry;
impl Registry {
    pub fn at(_: std::path::PathBuf) -> Registry {
        Registry
    }
    pub fn champion(&self, _: &str) -> Result<Option<()>, ()> {
        Ok(None)
    }
}
