//! What to type: a few command lines of every command. A test reads all of them with the parser.

/// A command line and what it does.
#[derive(Clone, Copy, Debug)]
pub(super) struct Example {
    /// What it does, without a full stop.
    pub what: &'static str,
    pub command: &'static str,
}

/// Every example: page, what it does, command line.
#[rustfmt::skip]
pub(super) const EXAMPLES: &[(&str, &str, &str)] = &[
    ("s4cast", "Forecast a day of hourly data", "s4cast forecast load.csv -H 24 -o forecast.parquet"),
    ("s4cast", "Write example data, and commands to try on it", "s4cast demo"),
    ("s4cast", "Begin a config of the daemon from data, check it, run it", "s4cast init --from load.csv > daemon.toml\ns4cast validate -c daemon.toml\ns4cast serve -c daemon.toml"),
    ("s4cast-forecast", "Forecast 14 days of many series with 80 and 95 % intervals", "s4cast forecast sales.parquet --id store,item -H 14 --levels 80,95 -o forecast.parquet"),
    ("s4cast-forecast", "Train once, forecast with the saved model later", "s4cast forecast load.csv -H 24 --save-model load.safetensors -o first.parquet\ns4cast forecast load.csv --load-model load.safetensors -o next.parquet"),
    ("s4cast-forecast", "What would be at another price", "s4cast forecast sales.csv -H 14 --future-covariates price --scenario price=-10% -o forecast.parquet"),
    ("s4cast-backtest", "Score five models over ten past weeks, and write a page about it", "s4cast backtest load.csv -H 168 -W 10 --models auto,ridge,ets -o backtest.parquet --report backtest.html"),
    ("s4cast-compare", "Whether ridge is better than seasonal naive", "s4cast compare backtest.parquet:ridge backtest.parquet:seasonal_naive"),
    ("s4cast-plot", "Look at one series in the terminal", "s4cast plot forecast.parquet --history load.csv --id load"),
    ("s4cast-plot", "Draw a picture for a page", "s4cast plot forecast.parquet --history load.csv -o load.svg"),
    ("s4cast-worker", "Forecast a stream with a saved model", "s4cast worker --model load.safetensors < rows.arrows > forecasts.arrows"),
    ("s4cast-train", "A benchmark, and what it would do", "s4cast train pipeline=etth1 model=auto horizon=96 --dry-run"),
    ("s4cast-generate", "Ten sample paths of a trained network", "s4cast generate best.safetensors --input load.csv --paths 10 -o paths.parquet"),
    ("s4cast-data-check", "What would be left out of a forecast, and why", "s4cast data check sales.csv --id store,item --quality quality.parquet"),
    ("s4cast-data-show", "The head, the tail and the statistics of a series", "s4cast data show sales.csv --series 'berlin'"),
    ("s4cast-serve", "Run the daemon", "s4cast serve -c daemon.toml"),
    ("s4cast-serve", "Replay a week as fast as it goes", "s4cast serve -c daemon.toml --clock sim:2024-01-01T00:00:00Z..2024-01-08T00:00:00Z"),
    ("s4cast-score", "Compare what was forecast with what came", "s4cast score --job load -c daemon.toml"),
    ("s4cast-explain", "Why a series is forecast as it is", "s4cast explain berlin --job load -c daemon.toml"),
    ("s4cast-run", "Train a job now", "s4cast run load -c daemon.toml --stage train"),
    ("s4cast-schedule-next", "The next slots of an expression", "s4cast schedule next --cron '5 * * * *' --tz Europe/Berlin"),
    ("s4cast-schedule-list", "All schedules of a config", "s4cast schedule list -c daemon.toml"),
    ("s4cast-runs-ls", "What failed since yesterday", "s4cast runs ls -c daemon.toml --outcome failed --since 2024-01-01T00:00:00Z"),
    ("s4cast-runs-show", "Everything about one slot", "s4cast runs show 17 -c daemon.toml"),
    ("s4cast-runs-retry", "Work it again", "s4cast runs retry 17 -c daemon.toml"),
    ("s4cast-runs-export", "The ledger, for SQL", "s4cast runs export -c daemon.toml -o runs.parquet"),
    ("s4cast-top", "Watch a daemon", "s4cast top -c daemon.toml"),
    ("s4cast-top", "Whether it is well, for a script", "s4cast top -c daemon.toml --check --quiet"),
    ("s4cast-models-ls", "All versions of all jobs", "s4cast models ls -c /etc/s4cast/daemon.toml"),
    ("s4cast-models-show", "Version 3 of a job", "s4cast models show 3 --job load"),
    ("s4cast-models-promote", "Let version 3 serve", "s4cast models promote 3 --job load --reason 'less bias'"),
    ("s4cast-models-rollback", "Let the version before serve again", "s4cast models rollback --job load"),
    ("s4cast-models-pin", "Keep version 3 whatever is trained", "s4cast models pin 3 --job load"),
    ("s4cast-models-unpin", "Let the gate decide again", "s4cast models unpin 3 --job load"),
    ("s4cast-models-shadow", "Let version 4 forecast beside the one that serves", "s4cast models shadow 4 --job load"),
    ("s4cast-models-unshadow", "End that", "s4cast models unshadow --job load"),
    ("s4cast-models-verify", "Whether every model file is as it was written", "s4cast models verify --state /var/lib/s4cast/state"),
    ("s4cast-models-key", "Make the two keys that versions are signed and checked with", "s4cast models key -o signing-key.pem"),
    ("s4cast-models-sign", "Sign what is there already", "s4cast models sign --signing-key-file signing-key.pem --job load"),
    ("s4cast-models-gc", "What would be removed if five versions were kept", "s4cast models gc --keep 5 --dry-run"),
    ("s4cast-demo", "Write the example series into a folder", "s4cast demo try"),
    ("s4cast-init", "Begin a config from files", "s4cast init --from 'data/*.parquet' -H 24 > daemon.toml"),
    ("s4cast-validate", "Check a config before it goes to the server", "s4cast validate -c daemon.toml --no-environment"),
    ("s4cast-schema", "The JSON Schema of configs, for an editor", "s4cast schema > s4cast.schema.json"),
    ("s4cast-schema", "Views over what is published, in DuckDB", "s4cast schema --views out | duckdb lake.db"),
    ("s4cast-completions", "Complete in this shell from now on", "source <(s4cast completions bash)"),
    ("s4cast-completions", "Complete in every bash of this user", "s4cast completions bash > ~/.local/share/bash-completion/completions/s4cast"),
    ("s4cast-man", "Read about a command", "s4cast man models ls | man -l -"),
    ("s4cast-man", "Write all pages", "s4cast man -o ~/.local/share/man/man1"),
];

/// The examples of a page.
pub(super) fn of(page: &str) -> Vec<Example> {
    let own = EXAMPLES.iter().filter(|(name, _, _)| *name == page);
    own.map(|(_, what, command)| Example { what, command }).collect()
}
