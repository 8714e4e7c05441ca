//! Calls from core 0 to core 1 and back.

#![forbid(unsafe_code)]

use std::future::Future;
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};

use crate::compare::sample::{Meter, Sample};
use crate::rivals::{Place, Rival};

/// What the callers do.
#[derive(Debug, Clone, Copy)]
pub struct Calls {
    /// Calls of each caller, one after the other.
    pub count: usize,
    /// How many call at once; a single one is the main task.
    pub callers: usize,
    /// How long an idle side looks for work before it sleeps, if it is told to.
    pub spin: Duration,
    /// How long to sleep before each call, which does not count.
    pub pause: Duration,
}

/// Long enough that no one falls asleep between two calls.
const SPIN: Duration = Duration::from_millis(2);
/// Long enough that everyone is asleep, whatever was learnt from the calls before.
pub const PAUSE: Duration = Duration::from_millis(1);

impl Calls {
    /// One caller; who can spin does.
    pub fn awake(count: usize) -> Self {
        Self { spin: SPIN, ..Self::untold(count) }
    }

    /// One caller; no one is told to spin.
    pub fn untold(count: usize) -> Self {
        Self { count, callers: 1, spin: Duration::ZERO, pause: Duration::ZERO }
    }

    /// One caller; both sides are asleep before each call.
    pub fn asleep(count: usize) -> Self {
        Self { pause: PAUSE, ..Self::untold(count) }
    }

    /// 64 callers at once.
    pub fn of_64(count: usize, spin: bool) -> Self {
        let spin = if spin { SPIN } else { Duration::ZERO };
        Self { callers: 64, spin, ..Self::untold(count) }
    }
}

/// Awaits what `call` makes, in all callers, after a few calls that do not count.
pub async fn call_and_time<R, C, F>(calls: Calls, call: C) -> Sample
where
    R: Rival,
    C: Fn() -> F + Clone + 'static,
    F: Future<Output = ()> + 'static,
{
    for _ in 0..20 {
        call().await;
    }
    let meter = Meter::start();
    if !calls.pause.is_zero() {
        let called = after_pauses::<R, _>(calls, call).await;
        let value = called.as_nanos() as f64 / calls.count as f64;
        return Sample { value, ..meter.stop(calls.count) };
    }
    if calls.callers == 1 {
        caller(calls.count, call).await;
    } else {
        let spawn = |_| R::spawn(caller(calls.count, call.clone()));
        let callers: Vec<_> = (0..calls.callers).map(spawn).collect();
        for caller in callers {
            caller.await;
        }
    }
    meter.stop(calls.count * calls.callers)
}

async fn caller<F: Future>(count: usize, call: impl Fn() -> F) {
    for _ in 0..count {
        call().await;
    }
}

/// How long the calls take, without the pauses between them.
async fn after_pauses<R: Rival, F: Future>(calls: Calls, call: impl Fn() -> F) -> Duration {
    let mut called = Duration::ZERO;
    for _ in 0..calls.count {
        R::sleep(calls.pause).await;
        let start = Instant::now();
        call().await;
        called += start.elapsed();
    }
    called
}

/// Over tokio's channels, which work on every runtime: a bounded `mpsc` for the requests, each with
/// a `oneshot` for its reply.
pub fn over_channels<R: Rival>(calls: Calls) -> Sample {
    let (requests, requested) = mpsc::channel(calls.callers.max(2));
    let server = thread::spawn(move || {
        R::block_on(Place { cpu: 1, spin: calls.spin }, serve(requested));
    });
    let call = move || {
        let requests = requests.clone();
        async move {
            let (reply, replied) = oneshot::channel();
            requests.send(reply).await.expect("the server is there");
            replied.await.expect("the server replies");
        }
    };
    let place = Place { cpu: 0, spin: calls.spin };
    let sample = R::block_on(place, call_and_time::<R, _, _>(calls, call));
    server.join().expect("the server does not panic");
    sample
}

async fn serve(mut requested: mpsc::Receiver<oneshot::Sender<()>>) {
    while let Some(reply) = requested.recv().await {
        reply.send(()).expect("the caller waits");
    }
}

/// One caller; who can spin does.
pub fn awake<R: Rival>(count: usize) -> Sample {
    R::calls(Calls::awake(count))
}

/// One caller; no one is told to spin.
pub fn untold<R: Rival>(count: usize) -> Sample {
    R::calls(Calls::untold(count))
}

/// One caller; both sides are asleep before each call.
pub fn asleep<R: Rival>(count: usize) -> Sample {
    R::calls(Calls::asleep(count))
}

/// 64 callers, as the runtime comes.
pub fn of_64<R: Rival>(count: usize) -> Sample {
    R::calls(Calls::of_64(count, false))
}

/// 64 callers; who can spin does.
pub fn of_64_spinning<R: Rival>(count: usize) -> Sample {
    R::calls(Calls::of_64(count, true))
}
