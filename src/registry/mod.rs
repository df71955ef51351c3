//! Model versions: immutable, atomic, verified; which one serves, and the way back.
//!
//! ```text
//! STATE/models/JOB/7/weights.safetensors    a forecaster, written once
//!                    unseen.safetensors     the same before it saw the end of its data, if it has networks
//!                    manifest.json          how it came about, and the hashes of both
//!                    manifest.sig           who vouches for that, if somebody does
//!             JOB/champion.json             which version serves, which are pinned, what served before
//!             JOB/.lock                     held by whoever changes anything here; readers take no lock
//! ```
//!
//! A version appears by one rename of its whole folder and the champion changes by one rename of its file, so whatever
//! moment a process dies at, the old champion serves and no half version is visible.
//!
//! A registry may stand in an object store, which several daemons share; the folder is a copy of it then (`registry::shelf`).

mod birth;
mod champion;
mod copy;
mod error;
mod folder;
mod keep;
mod key;
mod manifest;
mod open;
mod shelf;
mod sign;
mod signature;
mod versions;

pub use birth::{Ancestor, Birth, Figures, Judgement, Score, TrialFigures, UnseenFile};
pub use champion::{Event, Promotion};
pub use error::RegistryError;
pub use keep::{Finding, Removed};
pub use key::{KeyError, Keys, PublicKey, SigningKey};
pub use manifest::Manifest;
pub use open::{Opened, open, open_remote};
pub use sign::Signed;
pub use versions::{Registry, Standing, Version};
