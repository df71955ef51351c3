//! One training step of `benches/peer_torch.py`'s network, timed: [S4D, residual, layer norm] × layers between two linear
//! maps, squared error, AdamW.
//!
//! `cargo run --release --example step -- B,L,H,N LAYERS [--json] [--repeats 7] [--threads 1] [--isa avx512|avx2|portable]`
//!
//! Times are milliseconds of CPU time (of wall time with more than one thread), the smallest of the repeats.

use std::time::Instant;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rustix::time::{ClockId, clock_gettime};
use s4cast::engine::block::Placement;
use s4cast::engine::chunked::{Chunked, Shape};
use s4cast::engine::network::NetworkParams;
use s4cast::engine::optim::{AdamW, Group};
use s4cast::engine::s4d::{Discretization, Init};
use s4cast::engine::simd::Isa;
use s4cast::engine::ssm::SsmKind;

fn main() {
    let mut words = std::env::args().skip(1);
    let mut plain = Vec::new();
    let (mut json, mut repeats, mut threads, mut isa) = (false, 7, 1, Isa::detect());
    while let Some(word) = words.next() {
        let mut value = || words.next().expect("a value after the option");
        match word.as_str() {
            "--json" => json = true,
            "--repeats" => repeats = value().parse().expect("a number of repeats"),
            "--threads" => threads = value().parse().expect("a number of threads"),
            "--isa" => {
                let name = value();
                isa =
                    Isa::available().into_iter().find(|isa| isa.name() == name).expect("an instruction set");
            }
            _ => plain.push(word),
        }
    }
    let sizes: Vec<usize> = plain[0].split(',').map(|size| size.parse().expect("B,L,H,N")).collect();
    let (batch, len, hidden, state) = (sizes[0], sizes[1], sizes[2], sizes[3]);
    let layers = plain[1].parse().expect("a number of layers");
    rayon::ThreadPoolBuilder::new().num_threads(threads).build_global().expect("a thread pool");

    let shape = Shape {
        len,
        patch: 1,
        reads_codes: false,
        hidden,
        ssm: SsmKind::S4d,
        bidirectional: false,
        modes: state / 2,
        layers,
        outputs: 1,
        placement: Placement::Post,
        discretization: Discretization::ZeroOrderHold,
    };
    let mut run = Run::new(shape, batch, isa);
    let clock = if threads == 1 { processor_ms } else { wall_ms };
    let step = fastest(repeats, clock, || run.step());
    let forward = fastest(repeats, clock, || run.forward());
    let peak = peak_rss_mib();
    if json {
        println!(r#"{{"step_ms_min": {step:.2}, "forward_ms_min": {forward:.2}, "peak_rss_mib": {peak}}}"#);
    } else {
        println!("{}: step {step:.2} ms, forward {forward:.2} ms, peak {peak} MiB", isa.name());
    }
}

/// The network, its optimiser, and one batch of noise.
struct Run {
    network: Chunked,
    params: NetworkParams<f32>,
    grad: NetworkParams<f32>,
    optimizer: AdamW<f32>,
    tokens: Vec<f32>,
    target: Vec<f32>,
    out: Vec<f32>,
}

impl Run {
    fn new(shape: Shape, batch: usize, isa: Isa) -> Run {
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        let mut params = shape.init(Init::Lin, (1e-3, 0.1), &mut rng);
        let sizes: Vec<usize> = params.tensors().iter().map(|tensor| tensor.values.len()).collect();
        let grad = shape.zeros();
        let len = batch * shape.len;
        let noise = |seed: u32| {
            let value =
                |i: u32| (i.wrapping_mul(2_654_435_761).wrapping_add(seed) >> 8) as f32 / 8_388_608.0 - 1.0;
            (0..len as u32).map(value).collect()
        };
        Run {
            network: Chunked::new(shape, batch, true, isa),
            params,
            grad,
            optimizer: AdamW::new(&sizes),
            tokens: noise(1),
            target: noise(2),
            out: vec![0.0; len],
        }
    }

    fn step(&mut self) {
        let Run { network, params, grad, optimizer, tokens, target, .. } = self;
        grad.tensors().into_iter().for_each(|tensor| tensor.values.fill(0.0));
        let (len, scale) = (target.len(), 2.0 / target.len() as f32);
        let mut at = 0;
        let mut loss = |_first: usize, out: &[f32], dout: &mut [f32]| {
            for ((dout, &out), &target) in dout.iter_mut().zip(out).zip(&target[at..]) {
                *dout = scale * (out - target);
            }
            at = (at + out.len()) % len;
        };
        network.gradient(params, tokens, &mut loss, grad);
        let grads = grad.tensors();
        let grads: Vec<&[f32]> = grads.iter().map(|tensor| &*tensor.values).collect();
        let mut tensors = params.tensors();
        let mut values: Vec<&mut [f32]> = tensors.iter_mut().map(|tensor| &mut *tensor.values).collect();
        let groups = vec![Group { learning_rate: 1e-3, weight_decay: 0.01 }; values.len()];
        optimizer.step(&mut values, &grads, &groups, 1.0);
    }

    fn forward(&mut self) {
        self.network.forward(&self.params, &self.tokens, &mut self.out);
    }
}

/// The smallest of `repeats` times after one that does not count.
fn fastest(repeats: usize, clock: fn() -> f64, mut run: impl FnMut()) -> f64 {
    run();
    let time = |_| {
        let start = clock();
        run();
        clock() - start
    };
    (0..repeats).map(time).fold(f64::INFINITY, f64::min)
}

fn processor_ms() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 * 1e3 + time.tv_nsec as f64 / 1e6
}

fn wall_ms() -> f64 {
    thread_local!(static START: Instant = Instant::now());
    START.with(|start| start.elapsed().as_secs_f64() * 1e3)
}

/// Most memory that the process ever held.
fn peak_rss_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("a status of this process");
    let line = status.lines().find(|line| line.starts_with("VmHWM")).expect("a peak");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).expect("KiB") / 1024
}
