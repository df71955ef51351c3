//! The networks of a fit, and those of the champion that they may start from.

use crate::engine::network::Network;
use crate::model::control::Stopped;
use crate::model::events::{self, Taught, Teacher};
use crate::model::fit::Fit;
use crate::model::group::Group;
use crate::model::learn::{self, Learnt, Lesson};
use crate::model::mix::Stage;
use crate::model::plan::NetworkPlan;
use crate::model::select::Choice;
use crate::model::spec::ModelKind;
use crate::model::validation::Validation;
use crate::model::warm::{self, Common};

impl Fit<'_> {
    /// Every network of the plan on its map, stopped where it did best on the validation origins.
    pub(super) fn explore(
        &self,
        choice: &Choice,
        stage: &Stage,
        validation: &Validation,
    ) -> Result<Vec<Learnt>, Stopped> {
        if self.spec.kind() == ModelKind::Ridge || self.reads_events() {
            return Ok(Vec::new());
        }
        let names = self.names();
        let lesson = self.lesson(choice, stage, &names, "training");
        let stems = stage.stems.iter().enumerate();
        stems.map(|(index, stem)| lesson.explore(stem, index, validation)).collect()
    }

    /// Whether the network is one on observations: those of the whole group are at hand, and no other kind was asked for.
    fn reads_events(&self) -> bool {
        let is_asked_for = matches!(self.spec.kind(), ModelKind::Auto | ModelKind::S4d);
        is_asked_for
            && self.shape.horizon <= events::HORIZON_MAX
            && self.series.iter().all(|series| series.observations.is_some())
    }

    /// The network on observations, stopped where it did best on the validation origins.
    pub(super) fn explore_events(
        &self,
        choice: &Choice,
        stage: &Stage,
        validation: &Validation,
    ) -> Result<Option<Taught>, Stopped> {
        if !self.reads_events() {
            return Ok(None);
        }
        let weights = learn::loss_weights(&stage.work);
        self.teacher(choice, stage, &weights, "training on observations")
            .explore(&self.plan.events, validation)
    }

    pub(super) fn teacher<'b>(
        &'b self,
        choice: &Choice,
        stage: &'b Stage,
        weights: &'b [f32],
        label: &'static str,
    ) -> Teacher<'b> {
        let (work, held, space) = (&stage.work, stage.held, choice.space);
        let (terms, spec, conditions) = (self.terms(), self.spec, self.conditions);
        Teacher { work, space, terms, spec, weights, held, conditions, label }
    }

    pub(super) fn lesson<'b>(
        &'b self,
        choice: &'b Choice,
        stage: &'b Stage,
        names: &'b [&'b str],
        label: &'static str,
    ) -> Lesson<'b> {
        Lesson {
            shape: &self.shape,
            recipe: self.plan.recipe,
            networks: &self.plan.networks,
            champions: self.champions(stage),
            space: choice.space,
            work: &stage.work,
            names,
            held: stage.held,
            spec: self.spec,
            conditions: self.conditions,
            group: &self.name,
            label,
        }
    }

    /// The champion's network that each network of the plan starts from.
    pub(super) fn champions<'b>(&'b self, stage: &'b Stage) -> Vec<Option<&'b Network<f32>>> {
        let (spec, levels) = (self.spec, self.spec.quantile_levels());
        let trains_ridge = self.plan.recipe.skip_learning_rate > 0.0;
        let champion = self.champion().filter(|champion| champion.encoding.reads_like(&self.encoding));
        let common = Common { space: stage.base.space, terms: self.terms(), levels, trains_ridge };
        let shape =
            |network: &NetworkPlan| network.network(&self.shape, levels.len(), spec.parts(), spec.kind());
        let wanted = stage.stems.iter().zip(self.plan.networks.iter().map(shape));
        warm::networks(champion, &common, wanted)
    }

    /// The champion's group, if it has not seen what networks are judged by here.
    fn champion(&self) -> Option<&Group> {
        let champion = self.conditions.champion?;
        champion.extent.is_blind_to(self.series, self.tail, self.held).then_some(champion.group)
    }

    /// How many networks were not fresh, or why none, where that was asked for.
    pub(super) fn warm_note(&self, warm: usize, explored: &[Learnt]) -> Option<String> {
        self.conditions.champion.filter(|_| !explored.is_empty())?;
        Some(match self.champion() {
            Some(_) => format!("{warm} of {} networks started from those of the champion", explored.len()),
            None => "networks started afresh: those of the champion have seen what they are judged by".into(),
        })
    }

    pub(super) fn names(&self) -> Vec<&str> {
        self.series.iter().map(|series| series.unique_id.as_str()).collect()
    }
}
