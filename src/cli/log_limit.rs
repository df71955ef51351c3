//! A limit of the lines that one place in the program logs a minute: a fault that repeats itself fills no disk and hides no other.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tracing::callsite::Identifier;
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Filter};

const MINUTE: Duration = Duration::from_secs(60);

/// A filter that lets the first lines of every place and minute through; a clone counts the same.
#[derive(Clone)]
pub(super) struct Limit(Arc<Inner>);

struct Inner {
    /// Lines of one place and minute; 0 sets no limit.
    most: u32,
    start: Instant,
    /// By place; there are as many as the program has.
    places: Mutex<HashMap<Identifier, Place>>,
}

/// What one place has said.
#[derive(Default)]
struct Place {
    /// File and line.
    name: String,
    minute: u64,
    lines: u32,
    /// Lines that were left out since they were told of.
    left_out: u64,
}

impl Limit {
    /// A limit of so many lines; 0 sets none.
    pub fn new(most: u32) -> Limit {
        Limit(Arc::new(Inner { most, start: Instant::now(), places: Mutex::default() }))
    }

    /// Says once a minute what was left out, as long as the program runs.
    pub fn tell(&self) {
        if self.0.most == 0 {
            return;
        }
        let limit = self.clone();
        let telling = std::thread::Builder::new().name("log limit".into()).spawn(move || {
            loop {
                std::thread::sleep(MINUTE);
                let left_out = limit.left_out();
                let lines: u64 = left_out.iter().map(|(_, lines)| lines).sum();
                if lines > 0 {
                    let places = in_words(&left_out);
                    tracing::warn!(lines, places, "lines were left out of the log; see --log-limit");
                }
            }
        });
        if let Err(error) = telling {
            tracing::warn!(%error, "what is left out of the log will not be told");
        }
    }

    /// Whether a line of that place is let through in that minute.
    fn admits(&self, metadata: &Metadata<'_>, minute: u64) -> bool {
        if self.0.most == 0 {
            return true;
        }
        let mut places = self.0.places.lock().unwrap_or_else(PoisonError::into_inner);
        let place = places.entry(metadata.callsite()).or_insert_with(|| Place {
            name: format!("{}:{}", metadata.file().unwrap_or("?"), metadata.line().unwrap_or_default()),
            minute,
            ..Place::default()
        });
        if place.minute != minute {
            place.minute = minute;
            place.lines = 0;
        }
        place.lines = place.lines.saturating_add(1);
        let is_admitted = place.lines <= self.0.most;
        place.left_out += u64::from(!is_admitted);
        is_admitted
    }

    /// What was left out since the last time, most first.
    fn left_out(&self) -> Vec<(String, u64)> {
        let mut places = self.0.places.lock().unwrap_or_else(PoisonError::into_inner);
        let mut left_out: Vec<(String, u64)> = places
            .values_mut()
            .filter(|place| place.left_out > 0)
            .map(|place| (place.name.clone(), std::mem::take(&mut place.left_out)))
            .collect();
        left_out.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        left_out
    }
}

fn in_words(left_out: &[(String, u64)]) -> String {
    left_out.iter().map(|(place, lines)| format!("{place} ({lines})")).collect::<Vec<_>>().join(", ")
}

impl<S: Subscriber> Filter<S> for Limit {
    fn enabled(&self, _: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        true
    }

    fn event_enabled(&self, event: &Event<'_>, _: &Context<'_, S>) -> bool {
        self.admits(event.metadata(), self.0.start.elapsed().as_secs() / MINUTE.as_secs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};
    use tracing_subscriber::Layer;
    use tracing_subscriber::layer::SubscriberExt;

    struct Count(Arc<AtomicU32>);

    impl<S: Subscriber> Layer<S> for Count {
        fn on_event(&self, _: &Event<'_>, _: Context<'_, S>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Lines of two places that arrive, and what is left out.
    fn said(most: u32) -> (u32, Vec<u64>) {
        let (limit, count) = (Limit::new(most), Arc::new(AtomicU32::new(0)));
        let log = tracing_subscriber::registry().with(Count(count.clone()).with_filter(limit.clone()));
        tracing::subscriber::with_default(log, || {
            for round in 0..10_u32 {
                tracing::warn!(round, "one place");
                if round.is_multiple_of(2) {
                    tracing::warn!(round, "another place");
                }
            }
        });
        let left_out = limit.left_out().into_iter().map(|(_, lines)| lines).collect();
        assert!(limit.left_out().is_empty(), "it is told once");
        (count.load(Ordering::Relaxed), left_out)
    }

    #[test]
    fn every_place_has_a_limit_of_its_own_and_what_is_left_out_is_counted() {
        assert_eq!(said(3), (6, vec![7, 2]));
        assert_eq!(said(7), (12, vec![3]));
        assert_eq!(said(0), (15, vec![]));
    }

    #[test]
    fn places_are_named() {
        let left_out = [("src/a.rs:3".to_owned(), 7), ("src/b.rs:4".to_owned(), 2)];
        assert_eq!(in_words(&left_out), "src/a.rs:3 (7), src/b.rs:4 (2)");
    }
}
