//! An address that is served, and a client that says exactly what a test says.

use s4cast::pipeline::Sources;
use s4cast::registry::Registry;
use s4cast::schedule::metrics::Metrics;
use s4cast::schedule::status::Shared;
use s4cast::serve::{self, Access, App, Held, Journal, Limits, RawServe, ServeSpec, Tls, Token};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, oneshot};

/// Soon enough for a test that waits for it, and late enough for a machine that is busy.
pub const SOON: Duration = Duration::from_millis(250);

/// Never, as far as a test is concerned.
pub const NEVER: Duration = Duration::from_secs(3600);

/// A request that every daemon answers, on a connection that goes on.
pub const VERSION: &str = "GET /version HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// Limits that do not end anything while a test looks.
pub fn patient() -> Limits {
    Limits { head: NEVER, body: NEVER, idle: NEVER, handshake: NEVER, answer: NEVER, ..Limits::default() }
}

/// An address with the token `sesame`.
pub fn raw() -> RawServe {
    RawServe { token: Token::new("sesame"), ..RawServe::at("127.0.0.1:0".parse().unwrap()) }
}

/// An address that is served until it is dropped.
pub struct Served {
    pub address: SocketAddr,
    pub tls: Option<Tls>,
    stop: Option<oneshot::Sender<()>>,
    _runtime: Runtime,
    pub folder: tempfile::TempDir,
}

impl Served {
    pub fn new(limits: Limits) -> Served {
        Served::of(raw(), limits)
    }

    pub fn of(raw: RawServe, limits: Limits) -> Served {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let spec = ServeSpec::new(raw).unwrap();
        let tls = spec.tls().map(|files| Tls::open(files).unwrap());
        let (requests, _) = mpsc::channel(1);
        let app = App {
            status: Shared::default(),
            metrics: Arc::new(Metrics::new()),
            requests,
            state: folder.path().join("state"),
            registry: Registry::alone(folder.path().join("state/models")).unwrap(),
            access: Arc::new(Access::new(&spec, limits)),
            now: Arc::new(|| 0),
            sources: Sources::default(),
            journal: Journal::default(),
            held: Held::default(),
        };
        let listener = runtime.block_on(tokio::net::TcpListener::bind(spec.listen())).unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let stopped = async move {
            let _ = stopped.await;
        };
        runtime.spawn(serve::run(listener, app, tls.clone(), stopped));
        Served { address, tls, stop: Some(stop), _runtime: runtime, folder }
    }

    pub fn stop(&mut self) {
        self.stop.take();
    }

    pub fn connect(&self) -> Client {
        Client::over(TcpStream::connect(self.address).unwrap())
    }

    /// The answer to these bytes on a connection of their own; nothing more is said after them.
    pub fn ask(&self, bytes: impl AsRef<[u8]>) -> Answer {
        let mut client = self.connect();
        client.say(bytes);
        client.0.shutdown(std::net::Shutdown::Write).unwrap();
        client.answer().expect("an answer")
    }

    /// As [`Served::ask`], of a path with further lines of a head.
    pub fn get(&self, path: &str, lines: &str) -> Answer {
        self.ask(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n"))
    }

    pub fn post(&self, path: &str, lines: &str, body: &str) -> Answer {
        let length = body.len();
        self.ask(format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\n{lines}\r\n{body}"
        ))
    }
}

/// A client that says exactly what it is told to.
pub struct Client(pub TcpStream);

/// One answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    /// In lower case.
    pub head: String,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Client {
    fn over(stream: TcpStream) -> Client {
        // A test that hangs fails.
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        Client(stream)
    }

    /// Says something, to whoever still listens.
    pub fn say(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.0.write_all(bytes.as_ref()).is_ok()
    }

    pub fn answer(&mut self) -> Option<Answer> {
        read_answer(&mut self.0)
    }

    /// Whether the other side ends the connection without another word.
    pub fn ends(&mut self) -> bool {
        match self.0.read(&mut [0; 64]) {
            Ok(bytes) => bytes == 0,
            Err(error) => error.kind() != ErrorKind::WouldBlock,
        }
    }

    /// Whether nothing comes for a while.
    pub fn is_silent(&mut self) -> bool {
        self.0.set_read_timeout(Some(SOON * 2)).unwrap();
        let silent = matches!(self.0.peek(&mut [0]), Err(error) if error.kind() == ErrorKind::WouldBlock);
        self.0.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        silent
    }
}

/// The next answer of a stream, of which no byte more is read; `None` where it ends.
pub fn read_answer(stream: &mut impl Read) -> Option<Answer> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap().to_lowercase();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let mut answer = Answer { status, head, body: Vec::new() };
    let length = answer.header("content-length").map_or(0, |length| length.parse().unwrap());
    answer.body = vec![0; length];
    stream.read_exact(&mut answer.body).ok()?;
    Some(answer)
}
