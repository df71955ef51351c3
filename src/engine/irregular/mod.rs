//! Diagonal state-space models on observations at any times: the step of every observation enters the discretisation.
//!
//! Observation k stands a gap Δ_k after the one before it, in units of which log_dt counts one. With z_k = dt Δ_k A,
//!
//! ```text
//! x_k = e^{z_k} x_{k−1} + (e^{z_k} − 1) A⁻¹ B u_k,     y_k = 2 Re Σ_n C_n x_{k,n} + D u_k
//! ```
//!
//! which is the zero-order hold of [`s4d`](super::s4d) with Δ_k dt in place of dt, as S5 has it for irregular samples
//! (Smith et al., arXiv 2208.04933, section 6.3): u_k is held over the gap before it. The state so is an integral over time, to
//! which ten observations in one step give no more weight than one, and a gap of 0 leaves no trace: that is how shorter
//! sequences are padded. (The other form in use takes observations as impulses whose weight does not depend on the gap,
//! arXiv 2404.18508; that counts events, and a signal that is sampled twice as often looks twice as large to it.) Where all
//! gaps are 1 this is the same model as the convolution.
//!
//! The last positions of a sequence may be *queries*: they read the state at an instant and write nothing, so that what
//! one of them says does not depend on which others there are.
//!
//! A sequence costs O(L H N) in one pass forward and one back; there is no kernel, since every step has its own.

pub mod network;
pub mod scan;
pub mod step;

pub use network::IrregularNetwork;
