//! What is forecast beside the plan, checked against the source and the model.

use crate::config::Key;
use crate::config::check::Check;
use crate::config::words::Wrong;
use crate::ingest::SourceSpec;
use crate::model::spec::ModelKind;
use crate::pipeline::Scenario;

impl Check<'_> {
    /// The scenarios of a job; a source or a model that is wrong is a problem already, and is not looked at.
    pub(super) fn scenarios(
        &mut self,
        key: Key,
        source: Option<&SourceSpec>,
        kind: Option<ModelKind>,
    ) -> Vec<Scenario> {
        let mut scenarios: Vec<Scenario> = Vec::new();
        for item in self.settings.get(key) {
            let mut wrongs = Vec::new();
            match item.text.parse::<Scenario>() {
                Ok(scenario) => {
                    let has_calendar = source.is_some_and(|source| !source.almanac.is_empty());
                    let problems = source.map(|source| scenario.problems(&source.covariates, has_calendar));
                    let wrong = |message| Wrong { message, help: None };
                    wrongs.extend(problems.into_iter().flatten().map(wrong));
                    if scenarios.iter().any(|other| other.name == scenario.name) {
                        let message = format!("there are two scenarios '{}'", scenario.name);
                        wrongs.push(Wrong::new(message, "give each a name of its own in front of a colon"));
                    }
                    scenarios.push(scenario);
                }
                Err(error) => wrongs.push(Wrong { message: error.to_string(), help: None }),
            }
            wrongs.into_iter().for_each(|wrong| self.problem(key, item, wrong));
        }
        if let Some(kind) = kind.filter(|kind| !kind.reads_covariates())
            && let Some(item) = self.settings.get(key).first()
        {
            let message =
                format!("model {} reads no covariates, so that no scenario changes it", kind.as_str());
            self.problem(key, item, Wrong::new(message, "choose auto or ridge, or leave the scenarios out"));
        }
        scenarios
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{Settings, job};
    use std::path::PathBuf;

    fn parse(scenarios: &str, model: &str) -> Settings {
        let text = format!(
            "[source]\ninputs = \"a.csv\"\nfuture_covariates = [\"price\", \"promo\"]\npast_covariates = \"visitors\"\n\
             [model]\nkind = \"{model}\"\nhorizon = 2\n[output]\npath = \"o.parquet\"\nscenarios = {scenarios}\n"
        );
        Settings::parse("job.toml", &text, PathBuf::new(), &|_| None)
    }

    #[test]
    fn texts_and_tables_are_read_alike() {
        let read = |scenarios: &str| job(&parse(scenarios, "auto")).expect("valid").job.scenarios;
        let list = read("[\"promo: price=-10%, promo=1\", \"dear: price=*2\"]");
        let mut table = read("{ dear = \"price=*2\", promo = \"price=-10%, promo=1\" }");
        table.sort_by(|a, b| b.name.cmp(&a.name));
        assert_eq!(list, table);
        assert_eq!(list[0].name, "promo");
        assert_eq!(read("{ \"a: b\" = \"price=1\" }")[0].name, "a: b");
        assert_eq!(read("\"price=+10%\"")[0].name, "price=+10%");
    }

    #[test]
    fn every_problem_has_its_place() {
        let messages = |scenarios: &str, model: &str| -> Vec<String> {
            let problems = job(&parse(scenarios, model)).expect_err("wrong");
            problems.all().iter().map(|problem| problem.message().to_owned()).collect()
        };
        let all = messages(
            "[\"a: visitors=2, colour=red\", \"b: price=10%\", \"c: price=1\", \"c: promo=1\"]",
            "auto",
        );
        let words = [
            "column 'visitors' is known as far as the target",
            "column 'colour' is no covariate",
            "write +10% for so much more",
            "there are two scenarios 'c'",
        ];
        assert_eq!(all.len(), 4, "{all:?}");
        assert!(all.iter().zip(words).all(|(message, words)| message.contains(words)), "{all:?}");
        assert!(messages("\"price=1\"", "ets")[0].contains("model ets reads no covariates"));
        assert!(messages("3", "auto")[0].contains("a string, a list of strings or a table of strings"));
    }
}
