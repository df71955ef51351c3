//! Connections to stores: one a bucket, shared by the whole process, on threads of their own.

use super::address::{Address, Scheme};
use super::failure::{self, StoreError};
use super::memory::{self, Memory};
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::http::HttpBuilder;
use object_store::local::LocalFileSystem;
use object_store::{BackoffConfig, ClientConfigKey, Error, ObjectStore, Result, RetryConfig};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

/// How long one operation may take where nothing is said.
const TIME_LIMIT: Duration = Duration::from_secs(60);

/// Threads that wait for answers.
const THREADS: usize = 2;

/// Times that one operation is tried again within its time.
const RETRIES: usize = 20;

/// How long one operation may take, all tries together: `S4CAST_STORE_TIMEOUT`, in seconds with or without an `s`.
pub fn time_limit() -> Duration {
    static LIMIT: OnceLock<Duration> = OnceLock::new();
    *LIMIT.get_or_init(|| {
        let text = std::env::var("S4CAST_STORE_TIMEOUT").unwrap_or_default();
        let seconds =
            text.trim().trim_end_matches('s').parse::<f64>().ok().filter(|s| (0.1..=86_400.0).contains(s));
        if seconds.is_none() && !text.is_empty() {
            tracing::warn!(text, "S4CAST_STORE_TIMEOUT is no number of seconds; 60s holds");
        }
        seconds.map_or(TIME_LIMIT, Duration::from_secs_f64)
    })
}

/// A connection; a clone is the same.
#[derive(Clone)]
pub(super) struct Client {
    store: Arc<dyn ObjectStore>,
    memory: Option<Memory>,
    /// Whether a part of an object can be asked for.
    pub(super) has_ranges: bool,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.store.fmt(f)
    }
}

impl Client {
    /// The connection to the store of an address.
    pub(super) fn of(at: &Address) -> std::result::Result<Client, StoreError> {
        static CLIENTS: Mutex<Option<HashMap<String, Client>>> = Mutex::new(None);
        let mut clients = CLIENTS.lock().unwrap_or_else(PoisonError::into_inner);
        let clients = clients.get_or_insert_default();
        if let Some(client) = clients.get(at.root()) {
            return Ok(client.clone());
        }
        let client = connect(at).map_err(|error| failure::of(at.clone(), error))?;
        clients.insert(at.root().into(), client.clone());
        Ok(client)
    }

    /// Asks the store, until the answer comes or the time is up.
    pub(super) fn ask<T>(&self, question: impl AsyncFnOnce(&dyn ObjectStore) -> Result<T>) -> Result<T> {
        self.ask_for(time_limit(), question)
    }

    /// As [`Client::ask`], again and again where an answer breaks off: the crate repeats requests, and not what comes of them.
    /// Stores in memory break on purpose.
    pub(super) fn ask_again<T>(
        &self,
        mut question: impl AsyncFnMut(&dyn ObjectStore) -> Result<T>,
    ) -> Result<T> {
        let mut pause = Pause::begin(self);
        loop {
            match self.ask(async |store| question(store).await) {
                Err(error) if self.memory.is_none() && failure::passes(&error) && pause.wait() => {}
                answer => return answer,
            }
        }
    }

    /// As [`Client::ask`]; `limit` is the time.
    pub(super) fn ask_for<T>(
        &self,
        limit: Duration,
        question: impl AsyncFnOnce(&dyn ObjectStore) -> Result<T>,
    ) -> Result<T> {
        let fault = self.memory.as_ref().map_or(memory::Answer::Comes, Memory::turn);
        if fault == memory::Answer::Fails {
            return Err(broken());
        }
        let answer = runtime()?.block_on(async {
            // The retries of the crate end a little earlier, and say more.
            let asked = tokio::time::timeout(limit + limit / 4, question(self.store.as_ref()));
            asked.await.unwrap_or_else(|_| Err(generic("no answer in time")))
        });
        if fault == memory::Answer::IsLost { Err(broken()) } else { answer }
    }
}

fn broken() -> Error {
    generic("broken on purpose")
}

pub(super) fn generic(reason: &'static str) -> Error {
    Error::Generic { store: "store", source: reason.into() }
}

/// The threads that wait for answers.
fn runtime() -> Result<&'static Runtime> {
    static RUNTIME: OnceLock<std::result::Result<Runtime, String>> = OnceLock::new();
    let built = RUNTIME.get_or_init(|| {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let builder = builder.worker_threads(THREADS).thread_name("s4cast-store").enable_all();
        builder.build().map_err(|error| error.to_string())
    });
    built.as_ref().map_err(|reason| Error::Generic { store: "store", source: reason.clone().into() })
}

fn connect(at: &Address) -> Result<Client> {
    let url = at.root();
    let mut memory = None;
    let store: Arc<dyn ObjectStore> = match at.scheme() {
        Scheme::S3 => {
            let mut builder = AmazonS3Builder::from_env().with_url(url).with_retry(retries());
            let endpoint = [AmazonS3ConfigKey::S3Endpoint, AmazonS3ConfigKey::Endpoint];
            let is_plain = |key| builder.get_config_value(key).is_some_and(|url| url.starts_with("http://"));
            // Whoever writes http:// means it.
            if endpoint.iter().any(is_plain) {
                builder = builder.with_allow_http(true);
            }
            for (key, value) in limits() {
                builder = builder.with_config(AmazonS3ConfigKey::Client(key), value);
            }
            Arc::new(builder.build()?)
        }
        Scheme::Gs => {
            let mut builder = GoogleCloudStorageBuilder::from_env().with_url(url).with_retry(retries());
            for (key, value) in limits() {
                builder = builder.with_config(GoogleConfigKey::Client(key), value);
            }
            Arc::new(builder.build()?)
        }
        Scheme::Az => {
            let mut builder = MicrosoftAzureBuilder::from_env().with_url(url).with_retry(retries());
            for (key, value) in limits() {
                builder = builder.with_config(AzureConfigKey::Client(key), value);
            }
            Arc::new(builder.build()?)
        }
        Scheme::Http => {
            let mut builder = HttpBuilder::new().with_url(url).with_retry(retries());
            // A server that sends whole files only takes as long as it takes; every stretch of it has its own limit.
            let limits = limits().into_iter().filter(|(key, _)| *key != ClientConfigKey::Timeout);
            for (key, value) in limits.chain([(ClientConfigKey::Timeout, "1 day".into())]) {
                builder = builder.with_config(key, value);
            }
            Arc::new(builder.with_config(ClientConfigKey::AllowHttp, "true").build()?)
        }
        Scheme::File => Arc::new(LocalFileSystem::new()),
        Scheme::Memory => {
            let named = Memory::named(url);
            memory = Some(named.clone());
            named.store()
        }
    };
    Ok(Client { store, memory, has_ranges: at.scheme() != Scheme::Http })
}

/// Every try has a part of the time, so that a server that accepts and keeps silent is tried again.
fn limits() -> Vec<(ClientConfigKey, String)> {
    let seconds = |limit: Duration| format!("{}ms", limit.as_millis().max(100));
    let (connect, all) = (time_limit() / 6, time_limit() / 3);
    vec![
        (ClientConfigKey::ConnectTimeout, seconds(connect.min(Duration::from_secs(10)))),
        (ClientConfigKey::Timeout, seconds(all)),
    ]
}

fn retries() -> RetryConfig {
    let backoff = BackoffConfig {
        init_backoff: Duration::from_millis(50),
        max_backoff: (time_limit() / 6).min(Duration::from_secs(5)),
        base: 2.0,
    };
    RetryConfig { backoff, max_retries: RETRIES, retry_timeout: time_limit() }
}

/// How long something that fails in a store in memory is tried again: it breaks on purpose, and stays so.
const PATIENCE_IN_MEMORY: Duration = Duration::from_millis(100);

/// Ever longer pauses until the time is up.
pub(super) struct Pause {
    until: Instant,
    next: Duration,
}

impl Pause {
    pub(super) fn begin(client: &Client) -> Pause {
        let limit = if client.memory.is_some() { PATIENCE_IN_MEMORY } else { time_limit() };
        Pause { until: Instant::now() + limit, next: Duration::from_millis(50) }
    }

    /// Waits; false if the time is up.
    pub(super) fn wait(&mut self) -> bool {
        let left = self.until.saturating_duration_since(Instant::now());
        if left <= self.next {
            return false;
        }
        std::thread::sleep(self.next);
        self.next = (self.next * 2).min(Duration::from_secs(5));
        true
    }
}
