use super::*;
use crate::schedule::spec::Stage;
use crate::series::shard::Shard;
use crate::store::{Address, Fault, Store, break_memory, mend_memory};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

const TTL: Duration = Duration::from_secs(30);
const SECOND: i64 = 1_000_000;

/// A store in memory and members with clocks of their own.
struct Table {
    name: String,
    store: Store,
}

struct Seat {
    desk: Arc<Desk>,
    ticks: Arc<AtomicI64>,
}

impl Table {
    fn new(name: &str) -> Table {
        let name = format!("lease-{name}");
        let address = Address::parse(&format!("memory://{name}/leases")).expect("scheme").expect("address");
        Table { store: Store::open(&address).expect("opened"), name }
    }

    fn seat(&self, state: &str, process: &str, ticks: i64) -> Seat {
        let member = Member { node: format!("node-{state}"), state: state.into(), process: process.into() };
        let ticks = Arc::new(AtomicI64::new(ticks));
        let read = ticks.clone();
        let times = Times {
            ticks: Arc::new(move || read.load(Ordering::Relaxed)),
            now: Arc::new(|| 1_700_000_000_000_000),
        };
        Seat { desk: Arc::new(Desk::new(self.store.clone(), member, TTL, times)), ticks }
    }
}

impl Seat {
    fn pass(&self, seconds: i64) {
        self.ticks.fetch_add(seconds * SECOND, Ordering::Relaxed);
    }

    fn ask(&self) -> Answer {
        self.desk.acquire(&key()).expect("the store works")
    }

    fn take(&self) -> Lease {
        match self.ask() {
            Answer::Mine(lease) => lease,
            other => panic!("{other:?}"),
        }
    }

    fn is_held_by(&self, node: &str) -> Duration {
        match self.ask() {
            Answer::Held { by, look_in } => {
                assert_eq!(by, node);
                look_in
            }
            other => panic!("{other:?}"),
        }
    }

    fn finish(&self, outcome: &str) -> Finish {
        Finish {
            by: self.desk.by(),
            attempts: 0,
            outcome: outcome.into(),
            reasons: vec!["because".into()],
            run_id: "run".into(),
            ended_at: 7,
            data: None,
        }
    }
}

fn key() -> Key {
    Key::of_slot("load", Stage::Forecast, Shard::WHOLE, 1_700_000_000_000_000)
}

#[test]
fn whoever_comes_first_works_it_and_the_others_learn_how_it_ended() {
    let table = Table::new("first");
    let (a, b) = (table.seat("a", "1", 0), table.seat("b", "1", 500));
    let lease = a.take();
    assert_eq!((lease.turn(), lease.attempts(), lease.holds()), (1, 1, true));
    let first = b.is_held_by("node-a");
    assert!(first <= Duration::from_millis(600), "short work is seen to end soon: {first:?}");
    b.pass(20);
    assert!(lease.renew());
    let later = b.is_held_by("node-a");
    assert!(later > Duration::from_secs(6) && later <= Duration::from_secs(13), "{later:?}");
    assert_eq!(lease.end(&a.finish("ok")).expect("written"), Ended::Mine);
    let Answer::Done(done) = b.ask() else { panic!("it has ended") };
    assert_eq!((done.outcome.as_str(), done.by.member.node.as_str(), done.attempts), ("ok", "node-a", 1));
    assert!(matches!(a.ask(), Answer::Done(_)));
    assert_eq!(lease.end(&a.finish("failed")).expect("asked"), Ended::Lost, "it ends once");
    let names: Vec<String> = table.store.list("").expect("listed").into_iter().map(|one| one.name).collect();
    assert_eq!(names, [key().beat(1), key().turn(1), key().turn(2)]);
}

#[test]
fn times_beyond_reason_in_a_turn_of_somebody_else_are_waited_for_and_no_more() {
    for turn in ["claim", "over"] {
        let table = Table::new(&format!("beyond-{turn}"));
        let own = if turn == "over" { "b" } else { "a" };
        let text = format!(
            r#"{{"turn":"{turn}","by":{{"node":"node-a","state":"{own}","process":"1","at":""}},"attempts":4294967295,
            "reasons":[],"ttl_s":1.8446744073709549e19,"wait_s":1.8446744073709549e19}}"#
        );
        table.store.put(&key().turn(1), text.as_bytes()).expect("put");
        let b = table.seat("b", "1", 0);
        b.is_held_by("node-a");
        b.pass(1_000_000_000);
        b.is_held_by("node-a");
    }
}

#[test]
fn a_silent_holder_is_replaced_after_its_ttl_by_the_clock_of_whoever_looks() {
    let table = Table::new("silent");
    // Their clocks have nothing to do with each other.
    let (a, b) = (table.seat("a", "1", -5 * SECOND), table.seat("b", "1", 1_000 * SECOND));
    let lease = a.take();
    b.is_held_by("node-a");
    b.pass(25);
    assert!(lease.renew());
    b.is_held_by("node-a");
    b.pass(33);
    assert!(b.is_held_by("node-a") <= Duration::from_secs(1), "an eighth more than its ttl");
    b.pass(1);
    let taken = b.take();
    assert_eq!((taken.turn(), taken.attempts()), (2, 2));
    assert!(!lease.is_lost(), "by its own clock no time has passed");
    assert!(!lease.holds() && lease.is_lost(), "but the store knows better");
    assert_eq!(lease.end(&a.finish("ok")).expect("asked"), Ended::Lost);
    assert_eq!(lease.release(&[], Duration::ZERO).expect("asked"), Ended::Lost);
    assert!(lease.renew(), "a late beat of a lost turn means nothing");
    a.is_held_by("node-b");
    assert_eq!(taken.end(&b.finish("ok")).expect("written"), Ended::Mine);
}

#[test]
fn a_holder_that_cannot_renew_counts_itself_out() {
    let table = Table::new("alone");
    let a = table.seat("a", "1", 0);
    let lease = a.take();
    a.pass(29);
    assert!(lease.holds());
    break_memory(&table.name, Fault::Fails, 0, 1);
    assert!(!lease.renew());
    a.pass(1);
    assert!(lease.is_lost() && !lease.holds());
    // Nobody has taken over, so the end is still its to write: the chain says so, not the clock.
    assert_eq!(lease.end(&a.finish("ok")).expect("written"), Ended::Mine);
}

#[test]
fn a_store_that_does_not_answer_gives_no_leave_to_publish() {
    let table = Table::new("dumb");
    let a = table.seat("a", "1", 0);
    let lease = a.take();
    break_memory(&table.name, Fault::Fails, 0, 1);
    assert!(!lease.holds());
    mend_memory(&table.name);
    assert!(lease.is_lost(), "the work that was told to stop stops");
    break_memory(&table.name, Fault::Fails, 0, 1);
    assert!(matches!(a.desk.acquire(&key()), Err(LeaseError::Store(_))));
    assert_eq!(a.take().turn(), 2, "its own lease is taken over at once");
}

#[test]
fn what_an_earlier_process_of_the_same_state_directory_held_is_free() {
    let table = Table::new("crash");
    let (a, b) = (table.seat("a", "1", 0), table.seat("b", "1", 0));
    a.take();
    b.is_held_by("node-a");
    let again = table.seat("a", "2", 0).take();
    assert_eq!((again.turn(), again.attempts()), (2, 2));
    b.pass(40);
    b.is_held_by("node-a");
    b.pass(34);
    assert_eq!(b.take().turn(), 3);
}

#[test]
fn a_slot_that_was_let_go_waits_for_the_others_first() {
    let table = Table::new("over");
    let (a, b) = (table.seat("a", "1", 0), table.seat("b", "1", 0));
    let lease = a.take();
    assert_eq!(lease.release(&["no disk".into()], Duration::from_secs(10)).expect("written"), Ended::Mine);
    a.pass(5);
    assert_eq!(a.is_held_by("node-a"), Duration::from_secs(20), "half a ttl more, since it let go");
    assert_eq!(b.is_held_by("node-a"), Duration::from_secs(10));
    a.pass(15);
    b.pass(10);
    a.is_held_by("node-a");
    let second = b.take();
    assert_eq!((second.turn(), second.attempts()), (3, 2));
    second.release(&[], Duration::ZERO).expect("written");
    assert_eq!(b.take().turn(), 5, "a shutdown is no failure");
}

#[test]
fn lost_answers_are_found_out() {
    let table = Table::new("lost");
    let (a, b) = (table.seat("a", "1", 0), table.seat("b", "1", 0));
    // The list comes, the answer to the claim does not.
    break_memory(&table.name, Fault::LosesAnswer, 1, 1);
    let lease = a.take();
    assert_eq!(lease.turn(), 1);
    break_memory(&table.name, Fault::LosesAnswer, 0, 1);
    assert_eq!(lease.end(&a.finish("ok")).expect("written"), Ended::Mine);
    assert!(matches!(b.ask(), Answer::Done(_)));
}

#[test]
fn what_is_no_turn_is_left_alone() {
    let table = Table::new("foreign");
    table.store.put(&key().turn(1), b"{\"turn\":\"truce\"}").expect("put");
    let error = table.seat("a", "1", 0).desk.acquire(&key()).expect_err("unknown").to_string();
    assert!(error.contains("turn-1.json") && error.contains("newer"), "{error}");
}

/// Operations of the store that some work takes.
fn operations(name: &str, work: impl Fn(&Table)) -> u64 {
    for count in 0.. {
        let table = Table::new(&format!("{name}-{count}"));
        break_memory(&table.name, Fault::Fails, count, 1);
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| work(&table)));
        // The first operation after exactly so many fails.
        let is_next = table.store.head("x").is_err();
        if outcome.is_ok() && is_next {
            return count;
        }
    }
    unreachable!("the count goes on")
}

#[test]
fn a_slot_costs_four_operations_and_two_for_everyone_who_comes_later() {
    let worked = |table: &Table| {
        let a = table.seat("a", "1", 0);
        let lease = a.take();
        assert!(lease.holds());
        assert_eq!(lease.end(&a.finish("ok")).expect("written"), Ended::Mine);
    };
    // A list, the claim, the question before the commit, the end.
    assert_eq!(operations("own", worked), 4);
    let seen = |table: &Table| {
        worked(table);
        assert!(matches!(table.seat("b", "1", 0).ask(), Answer::Done(_)));
    };
    assert_eq!(operations("seen", seen), 6);
    // Who meets a holder reads its claim once, then looks with one list at a time.
    let watched = |table: &Table| {
        let (a, b) = (table.seat("a", "1", 0), table.seat("b", "1", 0));
        let lease = a.take();
        b.is_held_by("node-a");
        b.is_held_by("node-a");
        assert_eq!(lease.end(&a.finish("ok")).expect("written"), Ended::Mine);
        assert!(matches!(b.ask(), Answer::Done(_)));
    };
    assert_eq!(operations("watched", watched), 3 + 2 + 1 + 2);
}
