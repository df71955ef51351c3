//! Networks that training starts from in place of fresh ones: those of a champion, where they fit.

use crate::engine::network::{Network, NetworkSpec};
use crate::model::ensemble::Ensemble;
use crate::model::exam::Terms;
use crate::model::group::Group;
use crate::model::member::Member;
use crate::model::train::Recipe;
use crate::model::work::Space;

/// Share of the steps of a fresh network that one of the champion's is trained for.
const SHARE: f64 = 0.3;

/// What a network has to share with one that it starts from, beside what is asked of it alone.
pub struct Common<'a> {
    /// Work space.
    pub space: Space,
    /// Horizon, season length and what the point forecast is.
    pub terms: Terms,
    /// Quantile levels (Q).
    pub levels: &'a [f64],
    /// Whether ridge maps are trained with the networks.
    pub trains_ridge: bool,
}

/// The champion's network for each of some networks to be trained on these maps; `None` where it has none of that shape
/// on such a map. No network is taken twice, so that members which differ only in their seeds stay different.
pub fn networks<'a>(
    champion: Option<&'a Group>,
    common: &Common,
    wanted: impl Iterator<Item = (&'a Member, NetworkSpec)>,
) -> Vec<Option<&'a Network<f32>>> {
    let mut left: Vec<&Member> = champion.and_then(|group| members(group, common)).unwrap_or_default();
    let mut take = |(stem, spec): (&Member, NetworkSpec)| {
        let fits = |member: &&Member| {
            member.network.as_ref().is_some_and(|network| network.spec == spec)
                && member.geometry == stem.geometry
                && (common.trains_ridge || is_map(member) == is_map(stem))
        };
        let position = left.iter().position(fits)?;
        left.remove(position).network.as_ref()
    };
    wanted.map(&mut take).collect()
}

/// Members of the champion if it forecasts in the same terms; `None` if it does not.
fn members<'a>(group: &'a Group, common: &Common) -> Option<Vec<&'a Member>> {
    let Ensemble { space, members, terms, levels, .. } = group.ensemble()?;
    let is_alike = *space == common.space && *terms == common.terms && levels == common.levels;
    is_alike.then(|| members.iter().map(|(member, _)| member).collect())
}

/// Whether a member has more of a ridge map than one that is shrunk to nothing.
fn is_map(member: &Member) -> bool {
    member.skip.iter().any(|weight| weight.abs() > 1e-5)
}

/// The recipe for a network that is not fresh; `steps_min` are taught in any case.
pub fn shortened(recipe: Recipe, steps_min: usize) -> Recipe {
    let share = (recipe.steps as f64 * SHARE).round() as usize;
    Recipe { steps: share.max(steps_min).min(recipe.steps), ..recipe }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::s4d::{Discretization, Init};
    use crate::engine::{network::Readout, ssm::SsmKind};
    use crate::model::group::Served;
    use crate::model::spec::Point;
    use crate::model::windows::{Anchor, Geometry};
    use crate::series::Frequency;
    use ndarray::Array2;
    use rand::SeedableRng;

    const TERMS: Terms = Terms { horizon: 2, season: 1, point: Point::Median };

    fn spec(hidden: usize) -> NetworkSpec {
        NetworkSpec {
            patch: 2,
            tokens: 3,
            hidden,
            modes: 2,
            layers: 1,
            outputs: 2,
            readout: Readout::Last,
            ssm: SsmKind::S4d,
            levels: None,
            init: Init::Lin,
            discretization: Discretization::ZeroOrderHold,
            dt: (0.01, 0.5),
            dropout: 0.0,
        }
    }

    /// A member with a map of that weight and a network of that seed.
    fn member(weight: f32, seed: u64) -> Member {
        let geometry = Geometry { lookback: 6, horizon: 2, anchor: Anchor::Mean(1) };
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
        let network = Some(Network::init(spec(4), &mut rng));
        let (skip, offsets) = (Array2::from_elem((6, 2), weight), Array2::zeros((2, 1)));
        Member { geometry, skip, effects: Array2::zeros((geometry.horizon, 0)), columns: 0, offsets, network }
    }

    #[test]
    fn every_network_is_taken_once_and_by_one_on_such_a_map() {
        let members = vec![(member(0.5, 1), 1), (member(0.0, 2), 1), (member(0.5, 3), 1)];
        let ensemble = Ensemble::counted(Space::Log, members, 0, None, TERMS, &[0.5]);
        let group = Group {
            frequency: Frequency::Days { days: 1 },
            season: 1,
            encoding: Default::default(),
            served: Served::Ensemble(Box::new(ensemble)),
            model_id: "s4d",
        };
        let (on, off) = (member(0.2, 0), member(0.0, 0));
        let taken = |space: Space, trains_ridge: bool, wanted: &[(&Member, usize)]| {
            let common = Common { space, terms: TERMS, levels: &[0.5], trains_ridge };
            let wanted = wanted.iter().map(|(stem, hidden)| (*stem, spec(*hidden)));
            let found = networks(Some(&group), &common, wanted.collect::<Vec<_>>().into_iter());
            let seed = |network: &Network<f32>| {
                let weights = |seed: u64| member(0.0, seed).network.map(|one| one.params.encoder.weight);
                (1..=3).find(|&seed| weights(seed).as_ref() == Some(&network.params.encoder.weight))
            };
            found.into_iter().map(|network| network.and_then(seed)).collect::<Vec<_>>()
        };
        let wanted = [(&off, 4), (&on, 4), (&on, 5), (&on, 4), (&on, 4)];
        assert_eq!(taken(Space::Log, false, &wanted), [Some(2), Some(1), None, Some(3), None]);
        assert_eq!(taken(Space::Log, true, &wanted), [Some(1), Some(2), None, Some(3), None]);
        assert_eq!(taken(Space::Scaled, false, &wanted), [None; 5]);
    }
}
