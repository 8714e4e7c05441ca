//! The end of the server, in order: who asks for it, and how each shard comes to it.
//!
//! `signal ─▶ [stop] ─▶ accept, socket ─▶ main`
//!
//! At the first `SIGTERM` or `SIGINT`, every shard stops accepting and closes the reading direction
//! of its connections: what clients have sent by then is answered, then they are closed. Clients
//! that have not taken their answers by the end of a grace are not waited for. The second signal
//! ends the process at once.
#![forbid(unsafe_code)]

use std::cell::RefCell;
use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::net::Shutdown;
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use miniss_linux::net::TcpStream;
use miniss_linux::sync::{AbortSource, Gate, OwnedGatePass};
use miniss_linux::time::timeout;
use miniss_linux::{Handle, ShardId, run_on};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::exit;

/// How long clients may take to fetch their answers.
const GRACE: Duration = Duration::from_secs(5);

thread_local! {
    static SHARD: Rc<Shard> = Rc::default();
}

/// What there is to end on a shard.
#[derive(Default)]
struct Shard {
    asked: AbortSource<()>,
    clients: Rc<Gate>,
    streams: RefCell<HashMap<u64, Rc<TcpStream>>>,
}

/// Has the first signal ask all shards to stop.
///
/// # Errors
///
/// What the system says.
pub fn on_signals(handle: Handle) -> io::Result<()> {
    // It takes two descriptors, and there is hardly another reason to fail.
    let refused =
        |error| format!("cannot wait for signals: {error}; raise RLIMIT_NOFILE (ulimit -n)");
    let mut signals =
        Signals::new([SIGINT, SIGTERM]).map_err(|error| io::Error::other(refused(error)))?;
    let wait = move || {
        let mut signals = signals.forever();
        signals.next();
        for shard in 0..handle.shards() {
            drop(handle.submit_to(shard, async || ask()));
        }
        // As a shell reports a program that a signal ended.
        signals.next().map(|signal| exit(128 + signal))
    };
    thread::Builder::new().name("signals".into()).spawn(wait).map(drop)
}

/// Asks this shard to stop.
fn ask() {
    SHARD.with(|shard| _ = shard.asked.abort(()));
}

/// Runs `accepting` until this shard is asked to stop, then the connections to their end. `Some`:
/// accepting came to an end of its own. However it is left, also by a panic, all shards are asked:
/// a server that accepts on some is half dead.
pub async fn until_asked<T>(accepting: impl Future<Output = T>) -> Option<T> {
    let all = AskAll;
    let shard = SHARD.with(Rc::clone);
    let ended = shard.asked.run(accepting).await.ok();
    drop(all);
    let streams: Vec<_> = shard.streams.borrow().values().cloned().collect();
    for stream in streams {
        // A client that is gone already needs no end.
        let _ = stream.shutdown(Shutdown::Read).await;
    }
    let _ = timeout(GRACE, shard.clients.close()).await;
    ended
}

struct AskAll;

impl Drop for AskAll {
    fn drop(&mut self) {
        ShardId::all().for_each(|shard| drop(run_on(shard, ask)));
    }
}

/// A client that is being served: the shard does not end before this is dropped, if it is dropped
/// in time.
pub struct Client {
    number: u64,
    _pass: Option<OwnedGatePass>,
}

impl Client {
    /// The client number `number`, whose connection is `stream`.
    pub fn new(number: u64, stream: &Rc<TcpStream>) -> Self {
        SHARD.with(|shard| {
            shard.streams.borrow_mut().insert(number, stream.clone());
            Self { number, _pass: shard.clients.enter_owned().ok() }
        })
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let stream = SHARD.try_with(|shard| shard.streams.borrow_mut().remove(&self.number));
        // Its end may run code of others.
        drop(stream);
    }
}
