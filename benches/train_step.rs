//! One training step of the product's network on one thread, and the convolution direct against FFT over the length.
//!
//! `cargo bench --bench train_step [-- part of a name]`; results with machine and date are kept in RESULTS.md.

use std::hint::black_box;
use std::time::Instant;

use ndarray::{Array, Array1, Array2, Array3, Dimension, ShapeBuilder};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use s4cast::engine::convolution::{self, Plan};
use s4cast::engine::loss::Loss;
use s4cast::engine::network::{Network, NetworkGradient, NetworkSpec, Readout};
use s4cast::engine::optim::{self, AdamW, Group};
use s4cast::engine::s4d::{Discretization, Init};
use s4cast::engine::ssm::SsmKind;

/// Windows per step, and how many are computed together.
const BATCH: usize = 192;
const SLICE: usize = 16;

/// Forecast steps and quantile levels.
const HORIZON: usize = 48;
const LEVELS: [f64; 11] = [0.025, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.975];

fn main() {
    // In the product a ridge map has been fitted before the first step. Freeing its matrices makes glibc keep freed pages;
    // without that it returns the pages of every slice to the system and faults them in again, 3 ms per step.
    drop(black_box(vec![0_u8; 4 << 20]));
    println!("{:<44}{:>10}{:>10}", "", "min ms", "median ms");
    for (tokens, patch) in [(21, 24), (14, 24)] {
        let mut step = TrainStep::new(tokens, patch);
        report(&format!("train step, batch {BATCH}, {tokens} x {patch}"), 60, || step.run());
        report(&format!("forward, batch {BATCH}, {tokens} x {patch}"), 60, || step.forward());
        report(&format!("kernels of both layers, {tokens} x {patch}"), 60, || {
            black_box(step.network.kernels());
        });
        let mut gradient = NetworkGradient::zeros(&step.network.spec);
        report(&format!("their gradients, {tokens} x {patch}"), 60, || step.network.finish(&mut gradient));
    }
    for len in [14, 21, 48, 64, 96, 128, 192, 256, 384, 512, 1024] {
        for (name, plan) in [("direct", Plan::Direct), ("fft", Plan::fft(len))] {
            let (u, dy): (Array3<f32>, Array3<f32>) =
                (random((SLICE, len, 64), 1), random((SLICE, len, 64), 2));
            let (k, d): (Array2<f32>, Array1<f32>) = (random((len, 64), 3), random(64, 4));
            report(&format!("convolution {name}, both ways, L = {len}"), 10, || {
                black_box(convolution::forward(&plan, u.view(), k.view(), d.view()));
                black_box(convolution::backward(&plan, u.view(), k.view(), d.view(), dy.view()));
            });
        }
    }
}

/// Prints the fastest and the median of `repeats` runs after a tenth as many that are not counted, if the command line
/// asks for everything or for this name.
fn report(name: &str, repeats: usize, mut run: impl FnMut()) {
    let filter = std::env::args().skip(1).find(|argument| !argument.starts_with("--"));
    if filter.is_some_and(|filter| !name.contains(&filter)) {
        return;
    }
    (0..repeats.div_ceil(10)).for_each(|_| run());
    let mut seconds: Vec<f64> = (0..repeats)
        .map(|_| {
            let start = Instant::now();
            run();
            start.elapsed().as_secs_f64()
        })
        .collect();
    seconds.sort_by(f64::total_cmp);
    println!("{name:<44}{:>10.3}{:>10.3}", seconds[0] * 1e3, seconds[repeats / 2] * 1e3);
}

fn random<D: Dimension>(shape: impl ShapeBuilder<Dim = D>, seed: u64) -> Array<f32, D> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    Array::from_shape_simple_fn(shape, || rng.random_range(-1.0..1.0))
}

/// Network, optimiser and data of one step.
struct TrainStep {
    network: Network<f32>,
    optimizer: AdamW<f32>,
    groups: Vec<Group>,
    tokens: Vec<Array3<f32>>,
    targets: Vec<Array2<f32>>,
    steps: u64,
}

impl TrainStep {
    fn new(tokens: usize, patch: usize) -> TrainStep {
        let spec = NetworkSpec {
            patch,
            tokens,
            hidden: 64,
            modes: 16,
            layers: 2,
            outputs: HORIZON * LEVELS.len(),
            readout: Readout::Last,
            ssm: SsmKind::S4d,
            levels: None,
            init: Init::Lin,
            discretization: Discretization::ZeroOrderHold,
            dt: (0.01, 0.5),
            dropout: 0.1,
        };
        let mut network = Network::init(spec, &mut ChaCha8Rng::seed_from_u64(1));
        let sizes: Vec<usize> = network.params.tensors().iter().map(|tensor| tensor.values.len()).collect();
        TrainStep {
            optimizer: AdamW::new(&sizes),
            groups: vec![Group { learning_rate: 1e-3, weight_decay: 1e-2 }; sizes.len()],
            tokens: (0..BATCH / SLICE).map(|slice| random((SLICE, tokens, patch), slice as u64)).collect(),
            targets: (0..BATCH / SLICE).map(|slice| random((SLICE, HORIZON), slice as u64)).collect(),
            network,
            steps: 0,
        }
    }

    fn run(&mut self) {
        let kernels = self.network.kernels();
        let mut sum = NetworkGradient::zeros(&self.network.spec);
        for (slice, (tokens, targets)) in self.tokens.iter().zip(&self.targets).enumerate() {
            let mut rng = ChaCha8Rng::seed_from_u64(self.steps);
            rng.set_stream(slice as u64);
            let mut gradient = self.slice_gradient(&kernels, tokens, targets, &mut rng);
            sum.add(&mut gradient);
        }
        self.network.finish(&mut sum);
        let mut slices: Vec<&mut [f32]> =
            sum.params.tensors().into_iter().map(|tensor| tensor.values).collect();
        optim::clip_global_norm(&mut slices, 1.0);
        let slices: Vec<&[f32]> = slices.iter().map(|slice| &**slice).collect();
        let mut values: Vec<&mut [f32]> =
            self.network.params.tensors().into_iter().map(|tensor| tensor.values).collect();
        self.optimizer.step(&mut values, &slices, &self.groups, 1.0);
        self.steps += 1;
    }

    fn slice_gradient(
        &self,
        kernels: &[Array2<f32>],
        tokens: &Array3<f32>,
        targets: &Array2<f32>,
        rng: &mut ChaCha8Rng,
    ) -> NetworkGradient<f32> {
        let (out, cache) = self.network.forward(kernels, tokens.clone(), Some(rng));
        let outputs = out.ncols();
        let forecast = out.into_shape_with_order((SLICE, HORIZON, LEVELS.len())).expect("standard layout");
        let mut d_forecast = Array3::zeros(forecast.dim());
        Loss::Pinball { levels: LEVELS.to_vec() }.value_and_gradient(
            forecast.view(),
            targets.view(),
            Array1::ones(SLICE).view(),
            d_forecast.view_mut(),
        );
        let d_out = d_forecast.into_shape_with_order((SLICE, outputs)).expect("standard layout");
        let mut gradient = NetworkGradient::zeros(&self.network.spec);
        self.network.backward(kernels, &cache, d_out.view(), &mut gradient);
        gradient
    }

    fn forward(&self) {
        let kernels = self.network.kernels();
        for tokens in &self.tokens {
            black_box(self.network.forward(&kernels, tokens.clone(), None::<&mut ChaCha8Rng>));
        }
    }
}
