//! SaShiMi (Goel et al., arXiv 2202.09729): S4 at several rates, and an autoregressive model of quantised values on it.
//!
//! ```text
//! codes (batch, L)                                  token t − 1 at position t
//!   │ embedding
//! x (batch, L, H) ──────────────────────────┐
//!   │ down: p frames to one, H → expand H   │ skip
//! (batch, L/p, expand H) ────────┐          │
//!   │ down                       │ skip     │        … one level per pool
//!   │ pairs (S4, feed-forward)   │          │        the coarsest level
//!   + ───────────────────────────┘          │
//!   │ up: one frame to p, a frame later     │
//!   + ──────────────────────────────────────┘ = s
//!   │ pairs, + s
//!   │ norm
//! (batch, L, H)
//!   │ linear
//! logits (batch · L, codes) ── cross-entropy with token t
//! ```
//!
//! Level i has L / (p_1 … p_i) positions of width H · expand^i. Nothing looks ahead: a coarse frame is complete only with
//! the last of its p fine ones, and what it says reaches those of the next frame.
//!
//! | file | holds |
//! |---|---|
//! | [`spec`] | shape: levels, widths, number of parameters |
//! | [`pool`] | p frames to one and back |
//! | [`feed_forward`] | residual feed-forward layer |
//! | [`pair`] | S4 block and feed-forward layer, repeated on one level |
//! | [`backbone`] | the levels: forward, backward |
//! | [`step`] | the same one observation at a time |
//! | [`autoregressive`] | embedding, backbone, logits |
//! | [`sample`] | temperature, nucleus, paths that continue a prefix |

pub mod autoregressive;
pub mod backbone;
pub mod feed_forward;
pub mod pair;
pub mod pool;
pub mod sample;
pub mod spec;
pub mod step;
