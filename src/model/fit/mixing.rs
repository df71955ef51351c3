//! Which parts count, and those that do trained again on everything.

use ndarray::{Array2, Axis};

use crate::model::control::Stopped;
use crate::model::ensemble::Ensemble;
use crate::model::events::Taught;
use crate::model::fit::Fit;
use crate::model::gate;
use crate::model::greedy;
use crate::model::learn::{self, Learnt};
use crate::model::mix::{Mix, Stage};
use crate::model::select::Choice;
use crate::model::spec::Parts;
use crate::model::validation::Validation;

impl Fit<'_> {
    /// How often every part counts: the base alone, or a greedy mix of its maps and the networks that the gate let
    /// through.
    pub(super) fn weigh(
        &self,
        choice: &Choice,
        stage: &Stage,
        explored: &[Learnt],
        events: Option<&Taught>,
        validation: &Validation,
    ) -> Mix {
        let base = Mix::base(choice, explored.len());
        let is_trained = |learnt: &Learnt| usize::from(learnt.member.network.is_some());
        let trained: Vec<usize> = explored.iter().map(is_trained).collect();
        let networks = Mix { networks: trained, events: usize::from(events.is_some()), ..base.none() };
        if networks.share() == 0.0 {
            return base;
        }
        if self.spec.parts() == Parts::NetworkAlone || validation.is_empty() {
            return networks;
        }
        let (series, origins) = validation.windows(&stage.work);
        // One by one, networks would be picked for their luck on the origins that they were stopped by.
        let unit = networks.events + networks.networks.iter().sum::<usize>();
        let mut parts = vec![networks.clone()];
        parts.extend((0..choice.base.len()).map(|index| base.only_map(index, unit)));
        parts.extend((choice.smoothing > 0).then(|| Mix { smoothing: unit, ..base.none() }));
        let points: Vec<Array2<f32>> = parts
            .iter()
            .map(|part| stage.mix(explored, events, part))
            .map(|ensemble| {
                ensemble.work_forecast(&series, origins).index_axis_move(Axis(2), ensemble.median())
            })
            .map(|points| points.mapv(|point| point as f32))
            .collect();
        let points: Vec<&Array2<f32>> = points.iter().collect();
        let (_, times) = greedy::choose(&points, validation, choice.space, &stage.work);
        let mixed = Mix::sum(&parts, &times);
        if self.spec.kind().is_network() {
            return if mixed.share() > 0.0 { mixed } else { networks };
        }
        let ensemble = stage.mix(explored, events, &mixed);
        let is_panel = self.plan.is_panel;
        let passes = mixed.share() > 0.0
            && gate::lets_through(&stage.base, &ensemble, validation, &stage.work, is_panel);
        if passes { mixed } else { base }
    }

    /// The judged ensemble trained again on everything, or as it is with the reasons that prevented that.
    pub(super) fn serve(
        &self,
        choice: &Choice,
        explored: &[Learnt],
        events: Option<&Taught>,
        mix: &Mix,
        judged: &Ensemble,
    ) -> Result<(Ensemble, Vec<String>), Stopped> {
        let out_of_time =
            || format!("the budget ended before the last {} steps of each series were learnt", self.held);
        let Some(full) = (!self.conditions.is_over()).then(|| self.stage(choice, 0)).flatten() else {
            return Ok((judged.clone(), vec![out_of_time()]));
        };
        let mut learnt = Vec::new();
        if mix.share() > 0.0 {
            let names = self.names();
            let lesson = self.lesson(choice, &full, &names, "training on everything");
            for (index, (stem, explored)) in full.stems.iter().zip(explored).enumerate() {
                let is_served = mix.networks[index] > 0;
                learnt.push(if is_served { lesson.repeat(stem, index, explored)? } else { explored.clone() });
            }
        }
        if learnt.iter().any(|learnt| learnt.is_cut) {
            return Ok((judged.clone(), vec![out_of_time()]));
        }
        if learnt.iter().zip(explored).any(|(learnt, explored)| learnt.steps < explored.steps) {
            return Ok((judged.clone(), learnt.into_iter().flat_map(|learnt| learnt.notes).collect()));
        }
        let mut taught = None;
        if let Some(explored) = events.filter(|_| mix.events > 0) {
            let weights = learn::loss_weights(&full.work);
            let teacher = self.teacher(choice, &full, &weights, "training on everything");
            taught = teacher.repeat(&self.plan.events, explored)?;
            if taught.as_ref().is_none_or(|taught| taught.steps < explored.steps) {
                let diverged =
                    || vec!["training on everything diverged: the model as it was judged serves".into()];
                let is_cut = taught.is_some_and(|taught| taught.is_cut);
                return Ok((judged.clone(), if is_cut { vec![out_of_time()] } else { diverged() }));
            }
        }
        let served = full.mix(&learnt, taught.as_ref(), mix);
        Ok((Ensemble { conformal: judged.conformal.clone(), ..served }, Vec::new()))
    }
}
