//! Whether a forecaster that was trained elsewhere is one for some data: steps, seasons, covariates.

use std::collections::BTreeMap;

use crate::model::forecaster::{Forecaster, by_frequency};
use crate::model::rate::{self, Match, Rate, Scale};
use crate::model::season;
use crate::series::{Covariate, Panel};

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
            let (group, rate) = (self.group(found.model)?, found.rate);
            let (data, series) = by_frequency.iter().find(|(frequency, _)| *frequency == found.data)?;
            let expected = rate.season(group.season);
            if rate == Rate::Same {
                return None;
            }
            if expected > 1 {
                let shows = season::detect(series, &[expected]) == expected;
                return (!shows).then(|| {
                    format!(
                        "series of step {data} do not show the season of {} steps of {} ({expected} rows) that the model repeats",
                        group.season, found.model
                    )
                });
            }
            let own = season::detect(series, &data.season_lengths());
            (own > 1)
                .then(|| format!("series of step {data} have a season of {own} rows, and the model has none"))
        };
        matches.iter().filter_map(line).collect()
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
