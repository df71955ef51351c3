//! What a lease is of.

use crate::schedule::spec::Stage;
use crate::series::civil::{DAY, HOUR, MINUTE, SECOND, date_from_days};
use crate::series::shard::Shard;
use std::fmt;

/// A folder below the address of the leases: job, stage, date and what of that day. Days come first, so that old ones are found
/// without a list of everything.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(String);

impl Key {
    /// A slot of the schedule, by its nominal instant (microseconds UTC).
    pub fn of_slot(job: &str, stage: Stage, shard: Shard, slot: i64) -> Key {
        let of_day = slot.rem_euclid(DAY);
        let (hours, minutes, seconds) = (of_day / HOUR, of_day / MINUTE % 60, of_day / SECOND % 60);
        let micros = of_day % SECOND;
        Key::apart(job, stage, shard, slot, &format!("{hours:02}{minutes:02}{seconds:02}.{micros:06}"))
    }

    /// Work beside the schedule that several daemons would begin at instants of their own.
    pub fn apart(job: &str, stage: Stage, shard: Shard, slot: i64, what: &str) -> Key {
        Key(format!("{}/{what}", Key::day(job, stage, shard, slot.div_euclid(DAY))))
    }

    /// The folder of a day (since 1970-01-01).
    pub(super) fn day(job: &str, stage: Stage, shard: Shard, day: i64) -> String {
        let (year, month, day) = date_from_days(day);
        let shard = match shard.is_whole() {
            true => String::new(),
            false => format!("-{}-of-{}", shard.index(), shard.count()),
        };
        format!("{job}/{}{shard}/{year:04}-{month:02}-{day:02}", stage.as_str())
    }

    /// The folder.
    pub fn folder(&self) -> &str {
        &self.0
    }

    /// Name of the object of a turn.
    pub fn turn(&self, turn: u32) -> String {
        format!("{}/turn-{turn}.json", self.0)
    }

    /// Name of the object by which the holder of a turn shows that it is alive.
    pub fn beat(&self, turn: u32) -> String {
        format!("{}/beat-{turn}.json", self.0)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The turn that a name of the folder is of, if its object is of that kind.
pub(super) fn number(name: &str, kind: &str) -> Option<u32> {
    let last = name.rsplit('/').next().unwrap_or(name);
    last.strip_prefix(kind)?.strip_prefix('-')?.strip_suffix(".json")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_have_folders_by_day_and_shards_their_own() {
        let slot = "2026-11-26T07:05:09.25Z".parse::<jiff::Timestamp>().expect("instant").as_microsecond();
        let key = Key::of_slot("load", Stage::Train, Shard::WHOLE, slot);
        assert_eq!(key.folder(), "load/train/2026-11-26/070509.250000");
        assert_eq!(key.turn(3), "load/train/2026-11-26/070509.250000/turn-3.json");
        let of = |shard| {
            let shard = Shard::parse(shard).expect("a shard");
            Key::of_slot("load", Stage::Forecast, shard, slot).to_string()
        };
        assert_eq!(of("2/7"), "load/forecast-2-of-7/2026-11-26/070509.250000");
        assert_eq!(of("0/1"), "load/forecast/2026-11-26/070509.250000");
        let before = Key::of_slot("load", Stage::Score, Shard::WHOLE, -1);
        assert_eq!(before.folder(), "load/score/1969-12-31/235959.999999");
        assert_eq!(number(&key.beat(12), "beat"), Some(12));
        assert_eq!((number(&key.beat(12), "turn"), number("turn-x.json", "turn")), (None, None));
    }
}
