//! The only place that reads the wall clock.

use crate::cli::error::CliError;
use crate::config;
use crate::pipeline::Moment;
use crate::schedule::clock::Clock;
pub(super) use crate::series::civil::shown;
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// The clock that a person asks for: `system`, or `sim:START..END`.
pub(super) fn parse(text: &str) -> Result<Clock, CliError> {
    let request = |message: String| CliError::Request {
        message,
        help: Some("write system, or for example sim:2026-01-01..2026-02-01".into()),
    };
    if text == "system" {
        return Ok(Clock::System(now));
    }
    let span = text.strip_prefix("sim:").and_then(|span| span.split_once(".."));
    let Some((start, end)) = span else { return Err(request(format!("'{text}' is no clock"))) };
    let instant = |text: &str| config::instant(text, &TimeZone::UTC).map_err(request);
    let (start, end) = (instant(start)?, instant(end)?);
    match start < end {
        true => Ok(Clock::simulated(start, end)),
        false => Err(request(format!("'{text}' ends before it begins"))),
    }
}

/// The moment of a run that starts now; `as_of` (microseconds UTC) is its nominal instant where one is given.
#[expect(clippy::disallowed_methods, reason = "the command line is where time enters the program")]
pub(super) fn moment(as_of: Option<i64>) -> Moment {
    let now = Timestamp::now();
    let seconds = u64::try_from(now.as_second()).unwrap_or(0);
    let nanos = u32::try_from(now.subsec_nanosecond()).unwrap_or(0);
    let stamp = uuid::Timestamp::from_unix(uuid::NoContext, seconds, nanos);
    Moment {
        issued_at: as_of.unwrap_or(now.as_microsecond()),
        created_at: now.as_microsecond(),
        run_id: uuid::Uuid::new_v7(stamp).to_string(),
    }
}

/// The wall clock, microseconds UTC.
#[expect(clippy::disallowed_methods, reason = "the command line is where time enters the program")]
pub(super) fn now() -> i64 {
    Timestamp::now().as_microsecond()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_sort_by_time_and_keep_the_nominal_instant() {
        let (first, second) = (moment(Some(5)), moment(None));
        assert_eq!(first.issued_at, 5);
        assert_eq!(second.issued_at, second.created_at);
        assert_ne!(first.run_id, second.run_id);
        assert_eq!(first.run_id.as_bytes()[14], b'7');
        assert_eq!(shown(0), "1970-01-01T00:00:00Z");
    }
}
