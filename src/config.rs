//! TOML job files to checked specs; no layer below sees TOML.
