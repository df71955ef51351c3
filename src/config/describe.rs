//! What is said about every setting, once: reading, suggestions, the JSON Schema and the comments of `s4cast init` follow
//! from it.

use crate::config::key::{Key, Shape, Table};

/// What is said about a setting.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    pub key: Key,
    pub table: Table,
    /// Name in the table.
    pub name: &'static str,
    /// Flag on the command line; empty where there is none.
    pub flag: &'static str,
    pub shape: Shape,
    /// What it means, in a line without a full stop.
    pub doc: &'static str,
    /// What holds where nothing is written, as TOML; empty where the doc line says it.
    pub default: &'static str,
    /// A value, as TOML; the default where there is one.
    pub example: &'static str,
    /// Whether the table of a daemon file is nothing without it.
    pub required: bool,
}

/// A row that is filled in below.
const fn row(key: Key, table: Table, name: &'static str, shape: Shape, doc: &'static str) -> Row {
    Row { key, table, name, flag: "", shape, doc, default: "", example: "", required: false }
}

impl Row {
    const fn flag(self, flag: &'static str) -> Row {
        Row { flag, ..self }
    }

    const fn default(self, default: &'static str) -> Row {
        Row { default, example: default, ..self }
    }

    const fn example(self, example: &'static str) -> Row {
        Row { example, ..self }
    }

    const fn required(self) -> Row {
        Row { required: true, ..self }
    }
}

const DUPLICATES: Shape = Shape::Choice(&["error", "first", "last", "latest", "mean", "sum"]);
const GAPS: Shape = Shape::Choice(&["mask", "null", "error", "zero", "ffill", "linear", "seasonal"]);
const SAMPLING: Shape = Shape::Choice(&["regular", "irregular"]);
const ORDER: Shape = Shape::Choice(&["sort", "error"]);
const SUSPECT: Shape = Shape::Choice(&["warn", "quarantine", "fallback"]);
const SPIKES: Shape = Shape::Choice(&["warn", "quarantine", "fallback", "mask"]);
const KINDS: Shape = Shape::Choice(&[
    "auto",
    "s4d",
    "s4",
    "sashimi",
    "ridge",
    "seasonal_naive",
    "naive",
    "ets",
    "mstl",
    "croston",
    "croston_sba",
    "tsb",
    "adida",
    "imapa",
    "counts",
    "ensemble",
]);
const PRESETS: Shape = Shape::Choice(&["fast", "balanced", "best"]);
const POINTS: Shape = Shape::Choice(&["median", "mean"]);
const MISSED: Shape = Shape::Choice(&["skip", "once", "all"]);
const OVERLAP: Shape = Shape::Choice(&["forbid", "queue", "replace"]);
const FORMATS: Shape = Shape::Choice(&["parquet", "csv"]);
const COLUMNS: Shape = Shape::Choice(&["v1", "nixtla"]);
const PROMOTIONS: Shape = Shape::Choice(&["gate", "always", "manual", "shadow"]);
const DIRECTIONS: Shape = Shape::Choice(&["both", "above", "below"]);
const READS: Shape = Shape::Choice(&["open", "token"]);
const FALLBACKS: Shape = Shape::Choice(&["seasonal_naive", "none"]);

// One row a setting, in the order of `Key`: it is a table.
#[rustfmt::skip]
pub(super) static ROWS: [Row; 136] = [
    row(Key::Inputs, Table::Source, "inputs", Shape::Paths, "CSV or Parquet files, globs or folders").flag("INPUT").example("[\"data/*.parquet\"]"),
    row(Key::Id, Table::Source, "id", Shape::Texts, "Id columns; left out, they are found by their values").flag("--id").example("[\"unique_id\"]"),
    row(Key::Time, Table::Source, "time", Shape::Text, "Time column; left out, it is found by its values").flag("--time").example("\"ds\""),
    row(Key::Target, Table::Source, "target", Shape::Text, "Target column; left out, it is found by its values").flag("--target").example("\"y\""),
    row(Key::Freq, Table::Source, "freq", Shape::Text, "Frequency, such as 15m, 1h, 1d, 1w, B, MS, ME; left out, it is inferred per series").flag("--freq").example("\"1h\""),
    row(Key::Sampling, Table::Source, "sampling", SAMPLING, "Whether time stamps stand on a grid; irregular ones are read as they are, and freq is the step of the forecasts").flag("--sampling").default("\"regular\""),
    row(Key::Tz, Table::Source, "tz", Shape::Text, "Zone of times without an offset, and of civil days").flag("--tz").default("\"UTC\""),
    row(Key::Duplicates, Table::Source, "duplicates", DUPLICATES, "Repeated timestamps of a series").flag("--duplicates").default("\"error\""),
    row(Key::Gaps, Table::Source, "gaps", GAPS, "Holes in the time grid: missing (null is another word for mask), an error, zeros, or filled; what is filled is never scored").flag("--gaps").default("\"mask\""),
    row(Key::Order, Table::Source, "order", ORDER, "Rows out of order").flag("--order").default("\"sort\""),
    row(Key::MaxBadSeries, Table::Source, "max_bad_series", Shape::IntegerOrText, "Bad series that are left out before the job fails: a share or a number").flag("--max-bad-series").default("\"25%\""),
    row(Key::AsOf, Table::Source, "as_of", Shape::Instant, "Pretends that it is this time, for one-shot jobs: of later rows only what is known in advance is read").flag("--as-of").example("2024-01-31T00:00:00Z"),
    row(Key::LatencyOffset, Table::Source, "latency_offset", Shape::Duration, "How long after its end a period is complete; left out, every row counts").example("\"30m\""),
    row(Key::StaleAfter, Table::Source, "stale_after", Shape::Duration, "Age of its last value from which on a series is stale; left out, none is").example("\"2d\""),
    row(Key::OnStale, Table::Source, "on_stale", SUSPECT, "What becomes of a stale series").default("\"warn\""),
    row(Key::FlatSteps, Table::Source, "flat_steps", Shape::Integer, "Equal values at its end from which on a series is flat; left out, none is").example("48"),
    row(Key::OnFlat, Table::Source, "on_flat", SUSPECT, "What becomes of a flat series").default("\"warn\""),
    row(Key::SpikeThreshold, Table::Source, "spike_threshold", Shape::Number, "Robust deviations from season and level from which on a value is a spike; left out, none is").example("8"),
    row(Key::OnSpike, Table::Source, "on_spike", SPIKES, "What becomes of a series with spikes in its last season; mask: spikes anywhere count as missing").default("\"warn\""),
    row(Key::ShiftSteps, Table::Source, "shift_steps", Shape::Integer, "Steps of the last window, whose level is held against the windows before it; left out, none is").example("48"),
    row(Key::ShiftThreshold, Table::Source, "shift_threshold", Shape::Number, "Robust deviations from which on the level moved").default("3.5"),
    row(Key::OnShift, Table::Source, "on_shift", SUSPECT, "What becomes of a series whose level moved").default("\"warn\""),
    row(Key::PastCovariates, Table::Source, "past_covariates", Shape::Texts, "Columns that are known as far as the target: a temperature").flag("--past-covariates").example("[\"temperature\"]"),
    row(Key::FutureCovariates, Table::Source, "future_covariates", Shape::Texts, "Columns that are known in advance, in rows without a target: a price, a holiday").flag("--future-covariates").example("[\"price\", \"holiday\"]"),
    row(Key::StaticCovariates, Table::Source, "static_covariates", Shape::Texts, "Columns with one value per series: a region").flag("--static-covariates").example("[\"region\"]"),
    row(Key::Categories, Table::Source, "categories", Shape::Texts, "Those of these columns whose numbers are names; text is names anyway").flag("--categories").example("[\"store_type\"]"),
    row(Key::MissingCovariates, Table::Source, "missing_covariates", Shape::Pairs("="), "Known columns that lack values of the horizon: error, last, seasonal or forecast, for all or as COLUMN=POLICY").flag("--missing-covariates").default("[\"error\"]"),
    row(Key::Hierarchy, Table::Source, "hierarchy", Shape::Texts, "Sums that are forecast with the series: total, and levels, each some id columns joined by /").flag("--hierarchy").example("[\"region\", \"region/store\"]"),
    row(Key::Reconcile, Table::Source, "reconcile", Shape::Text, "How forecasts of a hierarchy are made to add up").flag("--reconcile").default("\"wls_var\""),
    row(Key::Calendar, Table::Source, "calendar", Shape::Texts, "Cycles of the calendar as covariates: auto, minute, hour, weekday, monthday, month, week, year").flag("--calendar").example("[\"auto\"]"),
    row(Key::Holidays, Table::Source, "holidays", Shape::Texts, "Public holidays as covariates, by country; US=names has one column for each holiday").flag("--holidays").example("[\"DE\"]"),
    row(Key::Events, Table::Source, "events", Shape::Paths, "Files of events as covariates: iCal, or CSV with columns ds and event").flag("--events").example("[\"sales.ics\"]"),
    row(Key::DaysBefore, Table::Source, "days_before", Shape::Integer, "Days before a holiday or event that have columns of their own").flag("--days-before").default("0"),
    row(Key::DaysAfter, Table::Source, "days_after", Shape::Integer, "Days after it").flag("--days-after").default("0"),
    row(Key::MaxBytes, Table::Source, "max_bytes", Shape::IntegerOrText, "Bytes that the files may have together; more are refused before a row is read; left out, any number").flag("--max-bytes").example("\"2GiB\""),
    row(Key::MaxRows, Table::Source, "max_rows", Shape::Integer, "Rows that the files may have together, of wide files times their columns; more are refused, of Parquet before a row is read; left out, any number").flag("--max-rows").example("50000000"),
    row(Key::Kind, Table::Model, "kind", KINDS, "Forecaster").flag("--model").default("\"auto\""),
    row(Key::Horizon, Table::Model, "horizon", Shape::Integer, "Steps to forecast").flag("--horizon").example("24").required(),
    row(Key::Levels, Table::Model, "levels", Shape::Numbers, "Coverage of the intervals in percent; the first one is that of yhat_lower and yhat_upper").flag("--levels").default("[80, 95]"),
    row(Key::SeasonLength, Table::Model, "season_length", Shape::Integer, "Season length in steps; left out, it is detected").flag("--season-length").example("24"),
    row(Key::Seed, Table::Model, "seed", Shape::Integer, "Seed of every random number").flag("--seed").default("1"),
    row(Key::Budget, Table::Model, "budget", Shape::Duration, "Wall-clock limit of training: the best model so far is used; left out, there is none").flag("--budget").example("\"60s\""),
    row(Key::Preset, Table::Model, "preset", PRESETS, "How much work a fit is worth").flag("--preset").default("\"balanced\""),
    row(Key::Point, Table::Model, "point", POINTS, "What the point forecast is").flag("--point").default("\"median\""),
    row(Key::Min, Table::Model, "min", Shape::Number, "Least value of a forecast, its intervals included; left out, there is none").flag("--min").example("0"),
    row(Key::Max, Table::Model, "max", Shape::Number, "Largest value of a forecast, its intervals included; left out, there is none").flag("--max").example("100"),
    row(Key::Integer, Table::Model, "integer", Shape::Flag, "Whether forecasts and their intervals are rounded to whole numbers").flag("--integer").default("false"),
    row(Key::NonNegative, Table::Model, "non_negative", Shape::Flag, "The same as min = 0").flag("--non-negative").default("false"),
    row(Key::Threads, Table::Model, "threads", Shape::Integer, "Worker threads; left out, one per core").flag("--threads").example("2"),
    row(Key::MaxMemory, Table::Model, "max_memory", Shape::IntegerOrText, "Memory that the job may take: what is estimated to take more is refused before it begins; left out, nine tenths of what the machine or its control group has").flag("--max-memory").example("\"4GiB\""),
    row(Key::Output, Table::Output, "path", Shape::Path, "Where the forecasts go, as Parquet").flag("--output").example("\"forecast.parquet\""),
    row(Key::SaveModel, Table::Output, "save_model", Shape::Path, "Where the trained weights go").flag("--save-model").example("\"model.safetensors\""),
    row(Key::Quality, Table::Output, "quality", Shape::Path, "Where the quality report of every series goes").flag("--quality").example("\"quality.parquet\""),
    row(Key::State, Table::Daemon, "state", Shape::Path, "State folder: the ledger, the models, the lock").default("\"state\""),
    row(Key::Workers, Table::Daemon, "workers", Shape::Integer, "Forecast and score slots that run at a time; one training runs beside them").default("2"),
    row(Key::DaemonThreads, Table::Daemon, "threads", Shape::Integer, "Worker threads; left out, one per core").example("2"),
    row(Key::DrainLimit, Table::Daemon, "drain_limit", Shape::Duration, "How long a shutdown waits for running slots").default("\"60s\""),
    row(Key::Reload, Table::Daemon, "reload", Shape::DurationOr("off"), "How often this file is looked at; \"off\" waits for SIGHUP").default("\"30s\""),
    row(Key::LedgerRetention, Table::Daemon, "ledger_retention", Shape::Duration, "How long ended slots stay in the ledger; left out, for ever").example("\"400d\""),
    row(Key::Models, Table::Daemon, "models", Shape::Text, "Store of the models, which daemons may share; left out, the state folder holds them").example("\"s3://bucket/models\""),
    row(Key::Leases, Table::Daemon, "leases", Shape::Text, "Store by which several daemons with the same jobs agree who works a slot; left out, this one works all").example("\"s3://bucket/leases\""),
    row(Key::Node, Table::Daemon, "node", Shape::Text, "Name of this daemon among them; left out, that of the machine").example("\"forecast-1\""),
    row(Key::LeaseTtl, Table::Daemon, "lease_ttl", Shape::Duration, "How long a daemon that has fallen silent keeps a slot").default("\"30s\""),
    row(Key::Shard, Table::Daemon, "shard", Shape::Text, "The share of the series that this daemon works on, i/N from 0/N; left out, S4CAST_SHARD or all").example("\"0/4\""),
    row(Key::ShardTimeout, Table::Daemon, "shard_timeout", Shape::Duration, "How long a shard waits for the others, whose parts make a run whole").default("\"10m\""),
    row(Key::SigningKey, Table::Daemon, "signing_key", Shape::Secret, "Where the Ed25519 key stands that signs new model versions; left out, they are not signed").example("{ env = \"S4CAST_SIGNING_KEY\" }"),
    row(Key::TrustedKeys, Table::Daemon, "trusted_keys", Shape::Texts, "Public keys: a model version that none of them signed is not used; left out, signatures are not asked for").example("[\"ed25519:PUAXw+hDiVqStwqnTRt+vJyYLM8uxJaMwM1V8Sr0Zgw=\"]"),
    row(Key::DaemonMaxMemory, Table::Daemon, "max_memory", Shape::IntegerOrText, "Memory that the daemon may take: a slot that is estimated to take more than is free of it waits, or fails; left out, nine tenths of what the machine or its control group has").example("\"4GiB\""),
    row(Key::MinFree, Table::Daemon, "min_free", Shape::IntegerOrText, "Free space of the disks that a slot writes to, below which it is not begun").default("\"256MiB\""),
    row(Key::AllowPaths, Table::Daemon, "allow_paths", Shape::Paths, "Folders and addresses below which everything that this file names has to lie; left out, anything may be named").example("[\"/srv/s4cast\", \"s3://bucket/forecasts\"]"),
    row(Key::AllowExec, Table::Daemon, "allow_exec", Shape::Flag, "Whether commands may be sources; left out, they may where there is no allow_paths").example("true"),
    row(Key::Listen, Table::Http, "listen", Shape::Text, "Address and port; one that others can reach needs TLS, and a token or certificates of clients").default("\"127.0.0.1:8091\""),
    row(Key::Token, Table::Http, "token", Shape::Secret, "Where the token stands that a request has to show; left out, nobody may write").example("{ env = \"S4CAST_TOKEN\" }"),
    row(Key::Hosts, Table::Http, "hosts", Shape::Texts, "Names that requests may have in Host beside localhost and addresses; checked where the address is loopback").example("[\"forecasts.example.org\"]"),
    row(Key::Tls, Table::Http, "tls", Shape::Inline(Table::Tls), "Certificates of the address; left out, it speaks plain HTTP").example("{ cert = \"tls.crt\", key = \"tls.key\" }"),
    row(Key::Plaintext, Table::Http, "plaintext", Shape::Flag, "Whether an address that others can reach may do without TLS, because a proxy in front of it speaks TLS").default("false"),
    row(Key::Reads, Table::Http, "reads", READS, "Who may read: whoever reaches the address, or whoever shows the token; left out, open on loopback and where clients have certificates, otherwise token").example("\"token\""),
    row(Key::ReadOnly, Table::Http, "read_only", Shape::Flag, "Whether nothing can be changed over HTTP, token or not").default("false"),
    row(Key::RateLimit, Table::Http, "rate_limit", Shape::Integer, "Requests per second of one peer, three times as many at once; behind a proxy all peers are one, and 0 sets no limit; left out, 100, and none on loopback").example("100"),
    row(Key::Connections, Table::Http, "connections", Shape::Integer, "Connections at a time; further ones wait").default("256"),
    row(Key::TlsCert, Table::Tls, "cert", Shape::Path, "Certificate of this machine, followed by those between it and a root").example("\"tls.crt\"").required(),
    row(Key::TlsKey, Table::Tls, "key", Shape::Path, "Its private key").example("\"tls.key\"").required(),
    row(Key::TlsClientCa, Table::Tls, "client_ca", Shape::Path, "Authorities that have to have signed the certificate of every client; left out, clients need none").example("\"clients.crt\""),
    row(Key::SecretEnv, Table::Secret, "env", Shape::Text, "Environment variable that holds it").example("\"S4CAST_TOKEN\""),
    row(Key::SecretFile, Table::Secret, "file", Shape::Path, "File that holds it").example("\"/run/secrets/token\""),
    row(Key::ScheduleName, Table::Schedule, "schedule", Shape::Name(Table::Schedule), "Name of a schedule, in place of all other keys").example("\"nightly\""),
    row(Key::Cron, Table::Schedule, "cron", Shape::Text, "Minute, hour, day, month, weekday (seconds may stand first), or @daily and the like").example("\"30 2 * * *\""),
    row(Key::Every, Table::Schedule, "every", Shape::Duration, "Interval, in place of cron").example("\"15m\""),
    row(Key::ScheduleTz, Table::Schedule, "tz", Shape::Text, "Zone of the cron expression").default("\"UTC\""),
    row(Key::Missed, Table::Schedule, "missed", MISSED, "Slots that passed while the daemon was down: none of them runs, the latest one, or all").default("\"once\""),
    row(Key::MaxLateness, Table::Schedule, "max_lateness", Shape::Duration, "Lateness from which on a slot counts as missed; left out, there is no limit").example("\"6h\""),
    row(Key::Overlap, Table::Schedule, "overlap", OVERLAP, "A slot that is due while the one before still runs: skipped, waiting, or in its place").default("\"forbid\""),
    row(Key::Jitter, Table::Schedule, "jitter", Shape::Duration, "Largest delay of a start, the same every time").default("\"0s\""),
    row(Key::Attempts, Table::Schedule, "attempts", Shape::Integer, "Attempts in all; only failures that may pass by themselves are tried again").default("3"),
    row(Key::Backoff, Table::Schedule, "backoff", Shape::Duration, "Wait before the second attempt; it doubles with each further one").default("\"30s\""),
    row(Key::SinkPath, Table::Sink, "path", Shape::Path, "Folder, or the address of one in a store").example("\"out\"").required(),
    row(Key::Format, Table::Sink, "format", FORMATS, "File format").default("\"parquet\""),
    row(Key::Columns, Table::Sink, "columns", COLUMNS, "Names of the columns: schema v1, or as Nixtla's libraries write them").default("\"v1\""),
    row(Key::Retention, Table::Sink, "retention", Shape::Duration, "Age from which on runs are removed; left out, all are kept").example("\"400d\""),
    row(Key::Grace, Table::Sink, "grace", Shape::Duration, "How long a run that is to be removed stays readable after it was superseded").default("\"1h\""),
    row(Key::JobSource, Table::Job, "source", Shape::Name(Table::Source), "Name of the source").example("\"load\"").required(),
    row(Key::JobModel, Table::Job, "model", Shape::Name(Table::Model), "Name of the model").example("\"day\"").required(),
    row(Key::JobSink, Table::Job, "sink", Shape::Name(Table::Sink), "Name of the sink").example("\"lake\"").required(),
    row(Key::Train, Table::Job, "train", Shape::Timing, "When to fit a model; left out, every forecast slot fits one").example("{ schedule = \"nightly\" }"),
    row(Key::Forecast, Table::Job, "forecast", Shape::Timing, "When to forecast").example("{ every = \"15m\" }").required(),
    row(Key::Score, Table::Job, "score", Shape::Timing, "When to compare forecasts with what came true; left out, never").example("{ cron = \"0 6 * * *\" }"),
    row(Key::Fallback, Table::Job, "fallback", FALLBACKS, "What stands in where no trained model serves; with \"none\" the slot fails").default("\"seasonal_naive\""),
    row(Key::OnNewData, Table::Job, "on_new_data", Shape::Flag, "Whether new or changed files start a forecast between slots").default("false"),
    row(Key::KeepVersions, Table::Job, "keep_versions", Shape::Integer, "Model versions to keep beside the one that serves and the pinned ones").default("10"),
    row(Key::JobMaxBadSeries, Table::Job, "max_bad_series", Shape::IntegerOrText, "Bad series that are left out before a slot fails; wins over the source's").example("\"5%\""),
    row(Key::Promotion, Table::Job, "promotion", PROMOTIONS, "New versions that may serve: no worse on unseen values than what serves, all, those that a person promotes, or no worse in shadow as well").default("\"gate\""),
    row(Key::Segment, Table::Job, "segment", Shape::Text, "Id column by whose values forecasts are scored, too").example("\"region\""),
    row(Key::Retrain, Table::Job, "retrain", Shape::Inline(Table::Retrain), "What makes a training due beside its schedule; looked at by score").example("{ age = \"30d\", error_drift = 1.5 }"),
    row(Key::Anomaly, Table::Job, "anomaly", Shape::Inline(Table::Anomaly), "Which values that come are anomalies; looked for by score").example("{ level = 95 }"),
    row(Key::RetrainAge, Table::Retrain, "age", Shape::Duration, "Age of the model that serves").example("\"30d\""),
    row(Key::RetrainNewRows, Table::Retrain, "new_rows", Shape::Integer, "Values later than those that it was trained on").example("10000"),
    row(Key::RetrainErrorDrift, Table::Retrain, "error_drift", Shape::Number, "Its MASE as a multiple of what it was when it was trained").example("1.5"),
    row(Key::RetrainCoverageDrift, Table::Retrain, "coverage_drift", Shape::Number, "Distance of the coverage of its first level from that level, in percentage points").example("10"),
    row(Key::RetrainCoolDown, Table::Retrain, "cool_down", Shape::Duration, "Least time from one training to the next").default("\"24h\""),
    row(Key::AnomalyLevel, Table::Anomaly, "level", Shape::Number, "Level of the interval that values are held against, one of the model's; left out, the widest").example("95"),
    row(Key::AnomalyDirection, Table::Anomaly, "direction", DIRECTIONS, "Side of the forecast").default("\"both\""),
    row(Key::AnomalyDistance, Table::Anomaly, "least_distance", Shape::Number, "Least distance from the forecast, in units of the target").default("0"),
    row(Key::AnomalyShare, Table::Anomaly, "least_share", Shape::Number, "Least distance from the forecast as a share of it: 0.1 is a tenth").default("0"),
    row(Key::AnomalyRange, Table::Anomaly, "range", Shape::Numbers, "Values that may occur at all; others are anomalies, whatever was forecast").example("[0, 100]"),
    row(Key::Adaptive, Table::Job, "adaptive", Shape::Flag, "Whether intervals are corrected by what those of past runs missed").default("true"),
    row(Key::WarmStart, Table::Job, "warm_start", Shape::Flag, "Whether training starts from the networks of the version that serves, for 30 % of the steps; every sixth starts afresh").default("true"),
    row(Key::ShadowRuns, Table::Job, "shadow_runs", Shape::Integer, "Forecasts of a version in shadow that have to come true before it serves or goes; fewer than from one training to the next").default("7"),
    row(Key::Scenarios, Table::Output, "scenarios", Shape::Pairs(": "), "What is forecast beside the plan: other values of columns known in advance, over the horizon").flag("--scenario").example("[\"promo: price=-10%, promo=1\"]"),
    row(Key::JobScenarios, Table::Job, "scenarios", Shape::Pairs(": "), "What every run forecasts beside the plan: other values of columns known in advance, over the horizon").example("{ promo = \"price=-10%, promo=1\" }"),
    row(Key::Exec, Table::Source, "exec", Shape::Command, "Command, in place of inputs, that prints the data as CSV, Parquet or Arrow IPC; no shell reads it").flag("--exec").example("[\"duckdb\", \"-csv\", \"-c\", \"FROM sales\"]"),
    row(Key::ExecTimeout, Table::Source, "exec_timeout", Shape::Duration, "How long the command may take").flag("--exec-timeout").default("\"5m\""),
    row(Key::ExecMaxBytes, Table::Source, "exec_max_bytes", Shape::Integer, "How many bytes the command may print").default("4294967296"),
    row(Key::HierarchyCovariates, Table::Source, "hierarchy_covariates", Shape::Pairs("="), "What numbers of the series are to their sums: mean or sum, for all or as COLUMN=WORD; of names most have it").flag("--hierarchy-covariates").default("[\"mean\"]"),
    row(Key::LoadModel, Table::Model, "load_model", Shape::Path, "A saved model in place of a training, as save_model wrote it, or the folder of a version; settings that are written have to be its own").flag("--load-model").example("\"model.safetensors\""),
    row(Key::SamplingScale, Table::Model, "sampling_scale", Shape::NumberOrText, "Step of the data in steps of a loaded model, such as 0.25 or 1/4, or auto: that of the frequencies; left out, they are the same").flag("--sampling-scale").example("\"auto\""),
    row(Key::ModelTrustedKeys, Table::Model, "trusted_keys", Shape::Texts, "Public keys: a loaded model has to be the folder of a version that one of them signed; left out, signatures are not asked for").flag("--trusted-key").example("[\"ed25519:PUAXw+hDiVqStwqnTRt+vJyYLM8uxJaMwM1V8Sr0Zgw=\"]"),
];
