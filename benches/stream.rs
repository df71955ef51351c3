//! Processor time of one more observation of every series: state-space step, mixing, norm, encoder and head.
//!
//! `cargo bench --bench stream`; results with machine and date are kept in RESULTS.md.

use std::time::Instant;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use s4cast::engine::block::Placement;
use s4cast::engine::chunked::{Shape, Stream};
use s4cast::engine::s4d::{Discretization, Init};
use s4cast::engine::simd::Isa;
use s4cast::engine::ssm::SsmKind;

fn main() {
    rayon::ThreadPoolBuilder::new().num_threads(1).build_global().expect("a thread pool");
    println!(
        "{:<28}{:>10}{:>18}{:>20}{:>14}",
        "H, N, layers", "series", "us / obs., layer", "observations / s", "KiB a series"
    );
    for (hidden, modes, layers) in [(64, 32, 1), (64, 32, 4), (64, 16, 4), (128, 32, 4)] {
        for series in [1, 16, 32, 256, 4096] {
            let mut rng = ChaCha8Rng::seed_from_u64(0);
            let shape = Shape {
                len: 1,
                patch: 1,
                reads_codes: false,
                ssm: SsmKind::S4d,
                bidirectional: false,
                hidden,
                modes,
                layers,
                outputs: 1,
                placement: Placement::Pre,
                discretization: Discretization::ZeroOrderHold,
            };
            let params = shape.init(Init::Lin, (1e-3, 0.1), &mut rng);
            let mut stream = Stream::new(shape, &params, series, Isa::detect());
            let tokens: Vec<f32> = (0..series).map(|_| rng.random_range(-1.0..1.0)).collect();
            let mut out = vec![0.0; series];
            let repeats = (20_000 / series).max(5);
            let mut fastest = f64::INFINITY;
            for _ in 0..7 {
                let start = Instant::now();
                (0..repeats).for_each(|_| stream.step(&params, &tokens, &mut out));
                fastest = fastest.min(start.elapsed().as_secs_f64() / (repeats * series) as f64);
            }
            println!(
                "{:<28}{series:>10}{:>18.3}{:>20.0}{:>14.1}",
                format!("{hidden}, {}, {layers}", 2 * modes),
                fastest * 1e6 / layers as f64,
                1.0 / fastest,
                stream.state_bytes() as f64 / 1024.0
            );
        }
    }
}
