//! Networks and averages on a ridge map that was fitted: small files of the kinds that would take seconds to train.

use super::tensors::Container;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use s4cast::engine::network::{Levels, Network, NetworkSpec, Readout};
use s4cast::engine::s4d::{Discretization, Init};
use s4cast::engine::ssm::SsmKind;
use s4cast::model::events::EventMember;
use s4cast::model::member::with_covariates;
use serde_json::{Value, json};

/// The file with a network of each kind on its first map; `columns` are its encoded covariates.
pub fn networks(file: &[u8], columns: usize) -> Vec<Vec<u8>> {
    let levels = Some(Levels { pools: vec![2], expand: 2, feed_forward: 2 });
    let kinds = [
        (SsmKind::S4d, Readout::Last, None),
        (SsmKind::S4, Readout::Flatten, None),
        (SsmKind::S4d, Readout::Last, levels),
    ];
    kinds.map(|(ssm, readout, levels)| network(file, columns, ssm, readout, levels)).to_vec()
}

fn network(file: &[u8], columns: usize, ssm: SsmKind, readout: Readout, levels: Option<Levels>) -> Vec<u8> {
    let mut container = Container::read(file).unwrap();
    let (horizon, quantiles) = sizes(container.description());
    let prefix = format!("{}.member0.", frequency(container.description()));
    let member = &mut ensemble(container.description())["members"][0]["member"];
    let lookback = member["geometry"]["lookback"].as_u64().unwrap() as usize;
    let patch = lookback.div_euclid(if lookback.is_multiple_of(4) { 4 } else { 1 });
    let (patch, tokens) = match columns {
        0 => (patch, lookback / patch),
        _ => with_covariates(patch, lookback, horizon, columns),
    };
    let spec = NetworkSpec {
        patch,
        tokens,
        hidden: 4,
        modes: 2,
        layers: 1,
        outputs: horizon * quantiles,
        readout,
        ssm,
        levels,
        init: Init::Lin,
        discretization: Discretization::ZeroOrderHold,
        dt: (0.001, 0.1),
        dropout: 0.0,
    };
    member["network"] = serde_json::to_value(&spec).unwrap();
    let mut network: Network<f32> = Network::init(spec, &mut ChaCha8Rng::seed_from_u64(1));
    for tensor in network.params.tensors() {
        container.add(&format!("{prefix}{}", tensor.name), &tensor.shape, tensor.values);
    }
    container.write()
}

/// The file with a network on raw observations beside its map.
pub fn events(file: &[u8]) -> Vec<u8> {
    let mut container = Container::read(file).unwrap();
    let (horizon, quantiles) = sizes(container.description());
    let prefix = frequency(container.description());
    let spec = EventMember::shape(8, horizon, quantiles);
    let ensemble = ensemble(container.description());
    for member in ensemble["members"].as_array_mut().unwrap() {
        member["weight"] = (member["weight"].as_f64().unwrap() * 0.5).into();
    }
    ensemble["smoothing"] = (ensemble["smoothing"].as_f64().unwrap() * 0.5).into();
    ensemble["events"] = json!({ "weight": 0.5, "context": 8, "network": spec });
    let mut network: Network<f32> = Network::init(spec, &mut ChaCha8Rng::seed_from_u64(1));
    for tensor in network.params.tensors() {
        container.add(&format!("{prefix}.events.{}", tensor.name), &tensor.shape, tensor.values);
    }
    container.write()
}

/// An average of the file's forecaster with models of each series alone.
pub fn blend(file: &[u8]) -> Vec<u8> {
    let mut container = Container::read(file).unwrap();
    let description = container.description();
    description["format"] = 3.into();
    description["kind"] = "ensemble".into();
    let group = &mut description["groups"][0];
    let base = group["served"].take();
    group["model_id"] = "ensemble".into();
    group["served"] = json!({ "blend": {
        "base_id": "ridge", "base": base, "locals": ["ets", "seasonal_naive"], "shared": [0.5, 0.25, 0.25],
        "own": [[7, [1.0, 0.0, 0.0]]], "is_corrected": false, "width_floor": 0.0,
    } });
    container.write()
}

/// Horizon, and number of quantile levels.
fn sizes(description: &Value) -> (usize, usize) {
    let levels = description["quantile_levels"].as_array().unwrap().len();
    (description["horizon"].as_u64().unwrap() as usize, levels)
}

fn frequency(description: &Value) -> String {
    description["groups"][0]["frequency"].as_str().unwrap().into()
}

fn ensemble(description: &mut Value) -> &mut Value {
    &mut description["groups"][0]["served"]["ensemble"]
}
