//! Whether a forecaster that was trained elsewhere is one for some data: steps, seasons, covariates.

use std::collections::BTreeMap;

use crate::model::forecaster::{Forecaster, by_frequency};
use crate::model::rate::{self, Match, Rate, Scale};
use crate::model::sampling::phase;
use crate::model::season;
use crate::series::{Covariate, Frequency, Panel, Series};

impl Forecaster {
    /// Which of its frequencies forecasts each frequency of a panel, in the order of their names. Without a scale, only
    /// frequencies that it was trained on are forecast.
    ///
    /// # Errors
    /// A line for each frequency that cannot be.
    pub fn matches(&self, panel: &Panel, scale: Option<Scale>) -> Result<Vec<Match>, Vec<String>> {
        let (mut matches, mut problems) = (Vec::new(), Vec::new());
        for (frequency, series) in by_frequency(panel) {
            match rate::matched(self.groups(), self.spec().horizon(), frequency, scale) {
                Ok(found) => matches.push(found),
                Err(why) => problems.push(format!(
                    "{} series of step {frequency}, such as '{}', {why}",
                    series.len(),
                    series[0].unique_id
                )),
            }
        }
        if problems.is_empty() { Ok(matches) } else { Err(problems) }
    }

    /// Where data of another step does not show the season that the model repeats, or has one and the model has none, one line
    /// each: the length of a season is the same time in both, or the one is no other sampling of the other.
    pub fn odd_seasons(&self, panel: &Panel, matches: &[Match]) -> Vec<String> {
        let by_frequency = by_frequency(panel);
        let line = |found: &Match| {
            let (group, rate, data) = (self.group(found.model)?, found.rate, found.data);
            let (_, series) = by_frequency.iter().find(|(frequency, _)| *frequency == data)?;
            // At the step of the model the question is the one that its training asked.
            let phases: Vec<Series> = match rate {
                Rate::Finer(rows) => series.iter().map(|one| phase(one, found.model, rows, 0)).collect(),
                Rate::Same | Rate::Coarser(_) => Vec::new(),
            };
            let (expected, usual, series) = match rate {
                Rate::Same => return None,
                Rate::Finer(_) => (group.season, found.model.season_lengths(), phases.iter().collect()),
                Rate::Coarser(_) => (rate.season(group.season), data.season_lengths(), series.clone()),
            };
            if expected > 1 {
                let shows = season::detect(&series, &[expected]) == expected;
                let (steps, rows) = (group.season, rate.season(group.season));
                return (!shows).then(|| {
                    format!(
                        "series of step {data} do not show the season of {steps} steps of {} ({rows} rows) that the model repeats",
                        found.model
                    )
                });
            }
            let own = match rate {
                Rate::Finer(rows) => rows * season::detect(&series, &usual),
                Rate::Same | Rate::Coarser(_) => season::detect(&series, &usual),
            };
            (group.season <= 1 && own > rate.rows(1).max(1))
                .then(|| format!("series of step {data} have a season of {own} rows, and the model has none"))
        };
        matches.iter().filter_map(line).collect()
    }

    /// The frequencies that it was trained on.
    pub fn frequencies(&self) -> Vec<Frequency> {
        self.groups().iter().map(|group| group.frequency).collect()
    }

    /// Season lengths in steps, by frequency as people write it.
    pub fn seasons(&self) -> BTreeMap<String, usize> {
        self.groups().iter().map(|group| (group.frequency.to_string(), group.season)).collect()
    }

    /// Why the covariates of a panel are not those that it was trained on, one line each.
    pub fn unmet_covariates(&self, covariates: &[Covariate]) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        for line in self.groups().iter().flat_map(|group| group.encoding.unmet(covariates)) {
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
        lines
    }

    /// Names of a panel's covariates that none of its groups reads.
    pub fn unread_covariates<'a>(&self, covariates: &'a [Covariate]) -> Vec<&'a str> {
        let mut unread: Vec<&str> = covariates.iter().map(|covariate| covariate.name.as_str()).collect();
        for group in self.groups() {
            let own: Vec<&str> = group.encoding.unread(covariates).collect();
            unread.retain(|name| own.contains(name));
        }
        unread
    }
}
