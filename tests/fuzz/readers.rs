//! What is fuzzed: each reader with its good inputs, its mutations, and what it may cost.

use super::forged::{self, Good};
use super::models::{self, Questions};
use super::mutate::{self, Dice};
use super::requests::{self, Server};
use super::state::{self, State};
use super::tensors::Container;
use super::{sequences, streams, texts};
use jiff::SignedDuration;
use jiff::tz::TimeZone;
use s4cast::calendar::{event_csv, ical};
use s4cast::config;
use s4cast::ingest::{self, AlmanacSpec, Bounds, CovariateSpec, SourceSpec, Stream};
use s4cast::schedule::cron::Rule;
use s4cast::series::Known;
use std::io::Cursor;
use std::path::{Path, PathBuf};

/// One reader of foreign bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    Csv,
    Parquet,
    Ical,
    Rule,
    Events,
    Toml,
    Cron,
    Arrow,
    Model,
    Sequence,
    State,
    Http,
}

pub const ALL: [Reader; 12] = [
    Reader::Csv,
    Reader::Parquet,
    Reader::Ical,
    Reader::Rule,
    Reader::Events,
    Reader::Toml,
    Reader::Cron,
    Reader::Arrow,
    Reader::Model,
    Reader::Sequence,
    Reader::State,
    Reader::Http,
];

/// What became of an input that did no harm.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    Read,
    Refused,
}

/// The good inputs of a reader.
pub struct Bench {
    reader: Reader,
    good: Vec<Vec<u8>>,
    /// What was found before.
    corpus: Vec<Vec<u8>>,
    words: &'static [&'static str],
    forged: Vec<Good>,
    containers: Vec<Option<Container>>,
    questions: Option<Questions>,
    state: Option<State>,
    server: Option<Server>,
    folder: PathBuf,
}

impl Reader {
    pub fn name(self) -> &'static str {
        match self {
            Reader::Csv => "csv",
            Reader::Parquet => "parquet",
            Reader::Arrow => "arrow",
            Reader::Ical => "ical",
            Reader::Rule => "rule",
            Reader::Events => "events",
            Reader::Toml => "toml",
            Reader::Cron => "cron",
            Reader::Model => "model",
            Reader::Sequence => "sequence",
            Reader::State => "state",
            Reader::Http => "http",
        }
    }

    /// Cases of an ordinary test run.
    pub fn cases(self) -> u64 {
        match self {
            Reader::Csv | Reader::Parquet | Reader::Arrow | Reader::Model => 1500,
            Reader::Ical | Reader::Rule => 1000,
            Reader::Events | Reader::Toml | Reader::Cron => 1000,
            Reader::Sequence | Reader::State | Reader::Http => 1000,
        }
    }

    /// The most that an input of so many bytes may make the process hold, bytes. A Parquet file of N bytes may have 256 Ki +
    /// 200 N rows, and 16 MiB + 1000 N bytes in a page; a CSV file of R rows a grid of 100 000 + 1000 R steps in each series. A batch of an
    /// Arrow stream may become 32 MiB + 1000 N bytes. A part of a run is read by the crate parquet, which reserves, and does not touch,
    /// the 2 GiB that the header of a damaged page may claim.
    pub fn memory_max(self, bytes: usize) -> usize {
        if self == Reader::State {
            return (2 << 30) + (64 << 20) + 200 * bytes;
        }
        let per_byte = match self {
            Reader::Csv => 2_000,
            Reader::Parquet | Reader::Arrow => 25_000,
            _ => 200,
        };
        (64 << 20) + per_byte * bytes
    }
}

impl Bench {
    pub fn new(reader: Reader, folder: &Path) -> Bench {
        let forged = if reader == Reader::Parquet { forged::good() } else { Vec::new() };
        let state = (reader == Reader::State).then(|| State::new(folder));
        let server = (reader == Reader::Http).then(|| Server::new(&folder.join("world")));
        let (good, words) = match reader {
            Reader::Csv => (texts::csv(), texts::CSV_WORDS),
            Reader::Parquet => {
                (forged.iter().map(|good| good.bytes.clone()).collect(), &["PAR1", "\u{1}", "\u{15}"][..])
            }
            Reader::Arrow => (streams::good(), streams::WORDS),
            Reader::Ical | Reader::Rule => (texts::calendars(), texts::CALENDAR_WORDS),
            Reader::Events => (texts::events(), texts::EVENT_WORDS),
            Reader::Toml => (texts::configs(), texts::CONFIG_WORDS),
            Reader::Cron => (texts::crons(), texts::CRON_WORDS),
            Reader::Model => (models::good(), models::WORDS),
            Reader::Sequence => (sequences::good(folder), sequences::WORDS),
            Reader::State => (state.as_ref().map(State::good).unwrap_or_default(), state::WORDS),
            Reader::Http => (requests::good(), requests::WORDS),
        };
        let is_model = matches!(reader, Reader::Model | Reader::Sequence);
        let containers = good.iter().filter(|_| is_model).map(|bytes| Container::read(bytes)).collect();
        let questions = (reader == Reader::Model).then(Questions::new);
        Bench {
            reader,
            good,
            corpus: corpus(reader),
            words,
            forged,
            containers,
            questions,
            state,
            server,
            folder: folder.to_path_buf(),
        }
    }

    /// The input of a case. The first cases are the good inputs themselves, and then those of the corpus.
    pub fn input(&self, dice: &mut Dice, case: u64) -> Vec<u8> {
        let case = usize::try_from(case).unwrap_or(usize::MAX);
        if let Some(good) = self.good.get(case) {
            return good.clone();
        }
        if let Some(found) = self.corpus.get(case - self.good.len()) {
            return self.settled(dice, found).to_vec();
        }
        self.mutated(dice)
    }

    /// The good inputs with settings that are all the same, to begin a corpus with.
    #[allow(dead_code, reason = "asked for by the crate in fuzz/")]
    pub fn seeds(&self) -> impl Iterator<Item = Vec<u8>> + '_ {
        self.good.iter().map(|good| [good.as_slice(), &[0]].concat())
    }

    /// An input of the corpus without its last byte, which the settings come from: dice of their own.
    pub fn settled<'a>(&self, dice: &mut Dice, found: &'a [u8]) -> &'a [u8] {
        let (setting, input) = found.split_last().unwrap_or((&0, &[]));
        *dice = Dice::new(u64::from(*setting), self.reader as u64, 0);
        input
    }

    /// An input of the corpus changed, as the good ones are, where the format needs more than changes of bytes.
    #[allow(dead_code, reason = "asked for by the crate in fuzz/")]
    pub fn changed(&self, dice: &mut Dice, found: &[u8]) -> Option<Vec<u8>> {
        let (setting, input) = found.split_last()?;
        let container =
            Container::read(input).filter(|_| matches!(self.reader, Reader::Model | Reader::Sequence))?;
        let mut changed = container.mutated(dice, self.words, &self.good);
        changed.push(*setting);
        Some(changed)
    }

    fn mutated(&self, dice: &mut Dice) -> Vec<u8> {
        match self.reader {
            Reader::Parquet if !dice.one_in(8) => {
                let good = &self.forged[dice.below(self.forged.len())];
                forged::mutated(dice, good)
            }
            Reader::Rule => rule(dice),
            Reader::Model | Reader::Sequence => {
                models::mutated(dice, self.words, &self.good, &self.containers)
            }
            Reader::State => state::mutated(dice, &self.good),
            Reader::Http => requests::mutated(dice, &self.good),
            _ => {
                let good = &self.good[dice.below(self.good.len())];
                mutate::text(dice, good, self.words, &self.good)
            }
        }
    }

    /// Gives an input to the reader, with settings that the dice choose.
    pub fn read(&self, dice: &mut Dice, input: &[u8]) -> Answer {
        let text = || String::from_utf8_lossy(input);
        let is_read = match self.reader {
            Reader::Csv => self.ingest(dice, "in.csv", input),
            Reader::Parquet => self.ingest(dice, "in.parquet", input),
            Reader::Arrow => stream(dice, input),
            Reader::Model => {
                let path = self.put("in.safetensors", input);
                self.questions.as_ref().is_some_and(|questions| questions.ask(dice, &path))
            }
            Reader::Sequence => sequences::ask(&self.put("in.safetensors", input), &self.folder),
            Reader::State => self.state.as_ref().is_some_and(|state| state.ask(dice, input)),
            Reader::Http => self.server.as_ref().is_some_and(|server| server.ask(input)),
            Reader::Ical | Reader::Rule => {
                let first = if dice.one_in(8) { dice.integer() } else { 19_000 };
                let days = if dice.one_in(8) { dice.integer() } else { 1000 };
                ical::parse(&text(), first, first.saturating_add(days)).is_ok()
            }
            Reader::Events => event_csv::parse(&text()).is_ok(),
            Reader::Toml => {
                let path = self.put("in.toml", input);
                let env = |name: &str| (name == "A").then(|| "1".repeat(10));
                let verdict = config::validate(&path, &env, false);
                let shown: usize = verdict.problems.iter().map(|problem| format!("{problem:?}").len()).sum();
                shown == 0
            }
            Reader::Cron => {
                let rule = Rule::cron(&text(), zone(dice).unwrap_or(TimeZone::UTC));
                let _ = text().parse::<SignedDuration>().map(Rule::every);
                let mut at = if dice.one_in(4) { dice.integer() } else { 1_711_839_600_000_000 };
                if let Ok(rule) = &rule {
                    for _ in 0..4 {
                        let Some(next) = rule.after(at) else { break };
                        assert!(next > at, "a slot at or before the instant that it comes after");
                        at = next;
                    }
                }
                rule.is_ok()
            }
        };
        if is_read { Answer::Read } else { Answer::Refused }
    }

    fn put(&self, name: &str, input: &[u8]) -> PathBuf {
        let path = self.folder.join(name);
        std::fs::write(&path, input).unwrap();
        path
    }

    fn ingest(&self, dice: &mut Dice, name: &str, input: &[u8]) -> bool {
        let path = self.put(name, input);
        ingest::read(&spec(dice, vec![path.display().to_string()], input)).is_ok()
    }
}

/// Inputs that were found before, in the order of their names.
fn corpus(reader: Reader) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(reader.name());
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

/// All groups of a stream, in the way of a worker.
fn stream(dice: &mut Dice, input: &[u8]) -> bool {
    let spec = spec(dice, Vec::new(), input);
    let bounds = Bounds { rows: 1 + dice.below(60), series: 1 + dice.below(4) };
    let majority = if dice.one_in(2) { "1d".parse().ok() } else { None };
    let begun = ingest::stream(Cursor::new(input.to_vec()), &spec, bounds, majority);
    let Ok(Stream { mut groups, mut parts }) = begun else { return false };
    loop {
        match groups.next_group() {
            Ok(Some(group)) => {
                if parts.read(group).is_err() {
                    return false;
                }
            }
            Ok(None) => return true,
            Err(_) => return false,
        }
    }
}

/// Settings that the dice choose.
fn spec(dice: &mut Dice, inputs: Vec<String>, input: &[u8]) -> SourceSpec {
    let mut spec = SourceSpec::new(inputs);
    spec.zone = zone(dice);
    spec.duplicates = dice.pick(&["error", "first", "mean", "sum", "latest"]).parse().unwrap();
    spec.gaps = dice.pick(&["mask", "mask", "error", "zero"]).parse().unwrap();
    if dice.one_in(4) {
        spec.max_bad_series = s4cast::ingest::BadSeriesLimit::All;
    }
    if dice.one_in(8) {
        spec.frequency = dice.pick(&["1h", "15min", "1d", "MS", "ME", "B", "1w"]).parse().ok();
    }
    if dice.one_in(8) {
        spec.as_of = Some(if dice.one_in(2) { dice.integer() } else { 1_730_000_000_000_000 });
        spec.latency_offset = Some(SignedDuration::from_mins(30));
    }
    let has_them = input.windows(5).any(|word| word == b"price");
    if has_them && dice.one_in(2) {
        let column = |name: &str, known| (name.to_owned(), known);
        spec.covariates = CovariateSpec {
            columns: vec![
                column("price", Known::Future),
                column("kind", Known::Past),
                column("region", Known::Static),
            ],
            ..CovariateSpec::default()
        };
    }
    if dice.one_in(8) {
        spec.almanac = AlmanacSpec { is_auto: true, ahead: 24, ..AlmanacSpec::default() };
    }
    spec
}

fn zone(dice: &mut Dice) -> Option<TimeZone> {
    let names = [
        "Europe/Berlin",
        "Australia/Lord_Howe",
        "Asia/Kathmandu",
        "America/Sao_Paulo",
        "Africa/Casablanca",
        "UTC",
    ];
    let name = dice.pick(&names);
    if dice.one_in(2) { TimeZone::get(name).ok() } else { None }
}

/// A calendar of a few events whose rules are made of parts with extreme numbers.
fn rule(dice: &mut Dice) -> Vec<u8> {
    let mut text = String::from("BEGIN:VCALENDAR\n");
    for _ in 0..=dice.size(3) {
        let year = 1895 + dice.below(310);
        let zone = dice.pick(&["", "", ";TZID=Europe/Berlin", ";TZID=Africa/Cairo", ";VALUE=DATE"]);
        let time = dice.pick(&["", "T233000", "T000000Z", "T023000"]);
        let (month, day) = (1 + dice.below(12), 1 + dice.below(31));
        text.push_str(&format!(
            "BEGIN:VEVENT\nSUMMARY:a\nDTSTART{zone}:{year:04}{month:02}{day:02}{time}\nRRULE:"
        ));
        text.push_str("FREQ=");
        text.push_str(dice.pick(&["DAILY", "WEEKLY", "MONTHLY", "YEARLY"]));
        for _ in 0..dice.size(6) {
            text.push(';');
            text.push_str(dice.pick(texts::RULE_PARTS));
            text.push('=');
            for at in 0..=dice.size(4) {
                if at > 0 {
                    text.push(',');
                }
                match dice.below(5) {
                    0 => text.push_str(&dice.integer().to_string()),
                    1 => text.push_str(dice.pick(&["MO", "-1FR", "53SU", "-53TU", "WE", "+2SA"])),
                    2 => text.push_str(dice.pick(&["19000101", "20991231T000000Z", "22001231", "20240229"])),
                    _ => text.push_str(&(dice.below(420) as i64 - 40).to_string()),
                }
            }
        }
        text.push_str("\nEND:VEVENT\n");
    }
    text.push_str("END:VCALENDAR\n");
    text.into_bytes()
}
