//! A fitted base, the networks on it, and how often each part of them counts in a forecast.

use crate::model::ensemble::Ensemble;
use crate::model::events::Taught;
use crate::model::learn::Learnt;
use crate::model::member::Member;
use crate::model::select::Choice;
use crate::model::work::WorkSeries;

/// The group in work space with the ridge maps fitted to everything but the last `held` steps.
pub struct Stage {
    /// The series.
    pub work: Vec<WorkSeries>,
    /// The base of the forecasts.
    pub base: Ensemble,
    /// The map that each network stands on.
    pub stems: Vec<Member>,
    /// Last steps that nothing was fitted to.
    pub held: usize,
}

impl Stage {
    /// The parts as often as the mix says; what it leaves out is left out.
    pub fn mix(&self, learnt: &[Learnt], events: Option<&Taught>, mix: &Mix) -> Ensemble {
        let maps = self.base.members.iter().zip(&mix.maps).map(|((member, _), times)| (member, *times));
        let networks = learnt.iter().zip(&mix.networks).map(|(learnt, times)| (&learnt.member, *times));
        let members = maps.chain(networks).filter(|(_, times)| *times > 0);
        let members = members.map(|(member, times)| (member.clone(), times)).collect();
        let Ensemble { space, terms, ref levels, .. } = self.base;
        let events = events.filter(|_| mix.events > 0).map(|taught| (taught.member.clone(), mix.events));
        Ensemble::counted(space, members, mix.smoothing, events, terms, levels)
    }
}

/// How often every part of a forecast counts.
#[derive(Clone, Debug)]
pub struct Mix {
    /// Maps of the base.
    pub maps: Vec<usize>,
    /// Exponential smoothing.
    pub smoothing: usize,
    /// Networks.
    pub networks: Vec<usize>,
    /// The network on observations.
    pub events: usize,
}

impl Mix {
    /// The base as it was chosen, without networks.
    pub fn base(choice: &Choice, networks: usize) -> Mix {
        let maps = choice.base.iter().map(|(_, times)| *times).collect();
        Mix { maps, smoothing: choice.smoothing, networks: vec![0; networks], events: 0 }
    }

    /// None of the parts.
    pub fn none(&self) -> Mix {
        let (maps, networks) = (vec![0; self.maps.len()], vec![0; self.networks.len()]);
        Mix { maps, smoothing: 0, networks, events: 0 }
    }

    /// One map, that many times.
    pub fn only_map(&self, index: usize, times: usize) -> Mix {
        let mut only = self.none();
        only.maps[index] = times;
        only
    }

    /// Parts that many times each.
    pub fn sum(parts: &[Mix], times: &[usize]) -> Mix {
        let mut sum = parts[0].none();
        for (part, times) in parts.iter().zip(times) {
            sum.maps.iter_mut().zip(&part.maps).for_each(|(to, from)| *to += times * from);
            sum.networks.iter_mut().zip(&part.networks).for_each(|(to, from)| *to += times * from);
            sum.smoothing += times * part.smoothing;
            sum.events += times * part.events;
        }
        sum
    }

    /// Share of the networks.
    pub fn share(&self) -> f64 {
        let networks = self.events + self.networks.iter().sum::<usize>();
        let all = networks + self.smoothing + self.maps.iter().sum::<usize>();
        networks as f64 / all.max(1) as f64
    }
}
