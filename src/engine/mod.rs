//! The network: arrays in, arrays and gradients out.
//!
//! No series, no clock, no files, and no threads but those of [`chunked`], which share out a grid that the shape alone
//! decides. Random numbers come only from the generator that a caller hands in, and every sum has a fixed order, so the
//! same input gives the same bits.
//!
//! # Notation
//!
//! | symbol | code | meaning |
//! |---|---|---|
//! | batch | `batch` | windows computed together (B is the input matrix of the state-space model) |
//! | L | `len` | positions of a sequence; in a network these are the T tokens |
//! | H | `hidden` | width: independent state-space models side by side |
//! | N | `2 * modes` | state size, conjugates included; N/2 complex modes are stored |
//! | T | `tokens`, `horizon` | tokens of a lookback; in forecasts and losses, steps of the horizon |
//! | P | `patch` | values per token; in HiPPO, its low-rank vector |
//! | Q | `levels`, `outputs` | quantile levels per step |
//! | dt, A, B, C, D | `log_dt`, `log_neg_a`, `a_im`, … | step and matrices of a state-space model, as in the papers |
//! | Λ, P | `log_neg_a`, `a_im`; `p_re`, `p_im` | in S4, A = Λ − P P* over both halves of the conjugate pairs |
//! | C̃ | `c_re`, `c_im` of S4 | C (I − Ā^L): what S4 trains, tied to one L |
//! | K | `kernel`, `k` | impulse response of a state-space model, stored (L, H) |
//! | dX | `dx` | dLoss/dX, with the shape of X |
//!
//! # Computation
//!
//! ```text
//! tokens (batch, T, P)
//!   │ linear                                      encoder
//! x (batch, T, H) ─────────────┐
//!   │ norm                     │
//!   │ convolution with K + D   │                  K from (dt, A, B, C) once per step: s4d or dplr
//!   │ GELU, dropout            │ residual         block, repeated
//!   │ linear H → 2H, GLU       │
//! x + … (batch, T, H) ─────────┘
//!   │ norm, readout, dropout                      in place of blocks and norm there may be the levels of [`sashimi`]
//!   │ linear                                      head
//! out (rows, outputs) ── loss
//! ```
//!
//! # One layout
//!
//! An activation is (batch, L, H), row-major with H innermost and contiguous; maps over H see it as (batch · L, H) without
//! copying. Kernels are (L, H) for the same reason. Every array is in standard layout.
//!
//! # Forward, backward
//!
//! A layer is a plain struct of parameters, a `forward` that returns its output and a cache, and next to it a `backward`
//! that takes the cache and dLoss/doutput, adds to a gradient of the parameters' own type and returns dLoss/dinput. The
//! derivation stands between the two, and in full in docs/engine.md. All is generic over [`real::Real`]: f32 in
//! production, f64 in the checks.
//!
//! # Files
//!
//! | file | holds |
//! |---|---|
//! | [`real`] | the float types, fast exp and erf in f32 |
//! | [`param`] | named views of parameters for optimiser and checkpoint |
//! | [`linear`], [`norm`], [`activation`] | affine map; layer norm; GELU, GLU, dropout |
//! | [`hippo`] | HiPPO-LegS and its spectrum |
//! | [`s4d`] | diagonal state-space model: parameters, discretisation, kernel |
//! | [`dplr`] | diagonal plus low-rank state-space model (S4): parameters, Cauchy kernel, true C, step |
//! | [`ssm`] | either of the two behind one set of calls |
//! | [`convolution`] | causal convolution: direct, FFT, last position only, anti-causal |
//! | [`reverse`] | the second direction of a layer that may look ahead |
//! | [`recurrence`] | the same model one observation at a time: streaming, and the check on the convolution |
//! | [`irregular`] | diagonal models on observations at any times: scan, step, network |
//! | [`block`], [`body`] | residual block; a stack of them, or the levels of a U-net |
//! | [`network`] | encoder, body, head |
//! | [`chunked`] | the network of diagonal models for long sequences in f32, many times faster; one observation at a time |
//! | [`simd`] | one source of vector code for every instruction set |
//! | [`sashimi`] | S4 at several rates (SaShiMi), an autoregressive model of codes on it, sampling |
//! | [`embedding`], [`codes`] | a vector per code; values as codes, linear and mu-law |
//! | [`loss`], [`cross_entropy`] | pinball, squared and Huber error; cross-entropy of a softmax |
//! | [`likelihood`], [`negative_binomial`] | heads that give a distribution: counts with extra zeros, Gaussian |
//! | [`optim`] | AdamW, clipping, schedule, averaged weights |

pub mod activation;
pub mod block;
pub mod body;
pub mod chunked;
pub mod codes;
pub mod convolution;
pub mod cross_entropy;
pub mod dplr;
pub mod embedding;
pub mod hippo;
pub mod irregular;
pub mod linear;
pub mod likelihood;
pub mod loss;
pub mod negative_binomial;
pub mod network;
pub mod norm;
pub mod optim;
pub mod param;
pub mod real;
pub mod recurrence;
pub mod reverse;
pub mod s4d;
pub mod sashimi;
pub mod simd;
pub mod ssm;
