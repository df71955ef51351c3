//! Stores in memory, by name, and how they break: what tests and drills use in place of a provider.

use object_store::ObjectStore;
use object_store::memory::InMemory;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// How a store in memory breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing is done, and an error comes.
    Fails,
    /// What was asked for is done, and an error comes in place of the answer.
    LosesAnswer,
}

/// What becomes of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Comes,
    Fails,
    IsLost,
}

/// When a store breaks.
#[derive(Clone, Copy, Debug)]
struct Plan {
    fault: Fault,
    /// Operations that still work before.
    after: u64,
    /// Operations that break then.
    times: u64,
}

/// A store in memory; a clone is the same.
#[derive(Clone)]
pub(super) struct Memory {
    store: Arc<InMemory>,
    plan: Arc<Mutex<Option<Plan>>>,
}

impl Memory {
    /// The store of a name, of which there is one in a process.
    pub(super) fn named(name: &str) -> Memory {
        static NAMED: Mutex<Option<HashMap<String, Memory>>> = Mutex::new(None);
        let mut named = NAMED.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Memory { store: Arc::new(InMemory::new()), plan: Arc::default() };
        named.get_or_insert_default().entry(name.into()).or_insert_with(new).clone()
    }

    pub(super) fn store(&self) -> Arc<dyn ObjectStore> {
        self.store.clone()
    }

    /// One operation: what becomes of it.
    pub(super) fn turn(&self) -> Answer {
        let mut held = self.plan.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(plan) = held.as_mut() else { return Answer::Comes };
        if plan.after > 0 {
            plan.after -= 1;
            return Answer::Comes;
        }
        let fault = plan.fault;
        plan.times = plan.times.saturating_sub(1);
        if plan.times == 0 {
            *held = None;
        }
        match fault {
            Fault::Fails => Answer::Fails,
            Fault::LosesAnswer => Answer::IsLost,
        }
    }
}

/// Lets the store `memory://NAME` work for `after` operations and break for the next `times`.
pub fn break_memory(name: &str, fault: Fault, after: u64, times: u64) {
    plan(name, (times > 0).then_some(Plan { fault, after, times }));
}

/// Lets the store `memory://NAME` work again.
pub fn mend_memory(name: &str) {
    plan(name, None);
}

fn plan(name: &str, plan: Option<Plan>) {
    let memory = Memory::named(&format!("memory://{name}"));
    *memory.plan.lock().unwrap_or_else(PoisonError::into_inner) = plan;
}
