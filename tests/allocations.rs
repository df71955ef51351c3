//! The chunked network allocates when it is made, and never while it works.

use rayon::ThreadPoolBuilder;
use s4cast::engine::block::Placement;
use s4cast::engine::chunked::{Chunked, Shape, Stream};
use s4cast::engine::s4d::{Discretization, Init};
use s4cast::engine::simd::Isa;
use s4cast::engine::ssm::SsmKind;

use crate::support::arrays::generator;

#[test]
fn a_step_of_training_a_forecast_and_an_observation_allocate_nothing() {
    let shape = Shape {
        len: 100,
        patch: 2,
        reads_codes: false,
        ssm: SsmKind::S4d,
        bidirectional: false,
        hidden: 32,
        modes: 16,
        layers: 2,
        outputs: 3,
        placement: Placement::Pre,
        discretization: Discretization::ZeroOrderHold,
    };
    let params = shape.init(Init::Lin, (1e-3, 0.1), &mut generator(1));
    let mut grad = shape.zeros();
    let tokens = vec![0.5_f32; 8 * 100 * 2];
    let mut out = vec![0.0; 8 * 100 * 3];
    // All work on this thread, where it is counted.
    let pool = ThreadPoolBuilder::new().num_threads(1).use_current_thread().build().unwrap();
    pool.install(|| {
        let mut network = Chunked::new(shape.clone(), 8, true, Isa::detect());
        let mut stream = Stream::new(shape.clone(), &params, 8, Isa::detect());
        let mut loss = |_: usize, out: &[f32], dout: &mut [f32]| dout.copy_from_slice(out);
        let counted = allocation_counter::measure(|| {
            network.gradient(&params, &tokens, &mut loss, &mut grad);
            network.forward(&params, &tokens, &mut out);
            stream.step(&params, &tokens[..16], &mut out[..24]);
        });
        assert_eq!(counted.count_total, 0, "allocations");
    });
    let made = allocation_counter::measure(|| drop(Chunked::new(shape, 8, false, Isa::detect())));
    assert!(made.count_total > 0, "what is allocated is counted");
}
