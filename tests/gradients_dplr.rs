//! The backward passes of the DPLR model against central differences, scalar by scalar.

use s4cast::engine::dplr::{self, DplrParams};
use s4cast::engine::network::{Network, NetworkGradient, NetworkParams, NetworkSpec, Readout};
use s4cast::engine::s4d::{Discretization, Init};
use s4cast::engine::ssm::SsmKind;

use crate::support::arrays::{dot, generator, random, random_dplr};
use crate::support::finite_difference::check;

/// Odd and even lengths, the shortest that there are, kernels shorter than C̃ allows, and one of several blocks of nodes.
#[test]
fn kernel_of_every_parity() {
    for (longest, len) in [(1, 1), (2, 2), (3, 3), (12, 12), (13, 13), (16, 5), (17, 9), (600, 600)] {
        let params = random_dplr(2, 4, longest, 5);
        let w = random((len, 2), 6);
        let mut grad = DplrParams::zeros(2, 4, longest);
        dplr::kernel_backward(&params, w.view(), &mut grad);
        let loss = |p: &DplrParams<f64>| dot(&dplr::kernel_forward(p, len), &w);
        check(&format!("kernel of {len} of {longest}"), &params, &mut grad, |p| p.tensors(""), loss);
    }
}

/// The sign of Im Λ is free: conjugate parameters have the same kernel and conjugate gradients.
#[test]
fn kernel_with_poles_in_the_lower_half() {
    let mut params = random_dplr(2, 3, 14, 7);
    params.a_im.mapv_inplace(|a| -a);
    let w = random((14, 2), 8);
    let mut grad = DplrParams::zeros(2, 3, 14);
    dplr::kernel_backward(&params, w.view(), &mut grad);
    let loss = |p: &DplrParams<f64>| dot(&dplr::kernel_forward(p, 14), &w);
    check("kernel below the axis", &params, &mut grad, |p| p.tensors(""), loss);
}

#[test]
fn networks_of_s4_blocks() {
    for (tokens, readout) in [(5, Readout::Last), (6, Readout::Flatten), (7, Readout::Suffix(2))] {
        let spec = NetworkSpec {
            patch: 3,
            tokens,
            hidden: 4,
            modes: 2,
            layers: 2,
            outputs: 3,
            readout,
            ssm: SsmKind::S4,
            levels: None,
            init: Init::LegS,
            discretization: Discretization::Bilinear,
            dt: (0.05, 0.3),
            dropout: 0.25,
        };
        let mut network = Network::<f64>::init(spec.clone(), &mut generator(1));
        // The head starts at zero, which would hide everything below it.
        network.params.head.weight = random(network.params.head.weight.dim(), 2);
        network.params.head.bias = random(network.params.head.bias.dim(), 3);
        let input = random((2, tokens, 3), 4);
        let forward = |network: &Network<f64>| {
            let kernels = network.kernels();
            let (out, cache) = network.forward(&kernels, input.clone(), Some(&mut generator(5)));
            (out, cache, kernels)
        };
        let (out, cache, kernels) = forward(&network);
        let w = random(out.dim(), 6);
        let mut grad = NetworkGradient::zeros(&spec);
        network.backward(&kernels, &cache, w.view(), &mut grad);
        network.finish(&mut grad);
        let loss =
            |params: &NetworkParams<f64>| dot(&forward(&Network::new(spec.clone(), params.clone())).0, &w);
        let label = format!("network of s4 {readout:?}");
        check(&label, &network.params, &mut grad.params, |params| params.tensors(), loss);
    }
}
