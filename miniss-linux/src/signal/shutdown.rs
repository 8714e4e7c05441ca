//! The end of a server in order: who asks for it, and how each shard comes to it.

#![forbid(unsafe_code)]

use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use miniss_core::sync::{AbortSource, Aborted, Closed, Gate, OwnedGatePass};
use miniss_core::{Future as Told, Promise};

use super::listen::{Listener, SignalKind};
use crate::runtime::{JoinHandle, spawn};
use crate::time::{TimedOut, timeout};

/// The end of a server in order: it stops to accept, finishes what is in progress, and does not
/// wait for that longer than a grace.
///
/// Make one, and give a clone to each shard. The first `SIGINT` or `SIGTERM` asks all of them to
/// stop, and so does [`request`](Self::request). The second signal ends the process at once, with
/// the status 130 or 143 as in a shell, also if every shard is busy; the signals of one moment may
/// count as one.
///
/// ```
/// use std::net::SocketAddr;
/// use std::process::ExitCode;
/// use std::time::Duration;
/// use miniss_linux::net::{ListenOptions, TcpStream};
/// use miniss_linux::signal::GracefulShutdown;
/// use miniss_linux::{Runtime, spawn};
///
/// fn main() -> ExitCode {
///     let runtime = Runtime::builder().shards(2).build().unwrap();
///     let shutdown = GracefulShutdown::new();
///     # let asks = shutdown.clone();
///     # std::thread::spawn(move || asks.request());
///     runtime.run_to_exit(async move || serve(shutdown).await)
/// }
///
/// async fn serve(shutdown: GracefulShutdown) -> std::io::Result<()> {
///     let shutdown = shutdown.on_shard()?;
///     let address = SocketAddr::from(([127, 0, 0, 1], 7001));
///     let listener = ListenOptions::new().reuse_port(true).bind(address).await?;
///     while let Some(accepted) = shutdown.until_requested(listener.accept()).await {
///         let (client, _) = accepted?;
///         let pass = shutdown.enter();
///         spawn(async move {
///             answer(client).await;
///             drop(pass);
///         })
///         .detach();
///     }
///     drop(listener);
///     // Clients that take longer are cut off.
///     let _ = shutdown.drain(Duration::from_secs(10)).await;
///     Ok(())
/// }
/// # async fn answer(_: TcpStream) {}
/// ```
#[derive(Clone)]
pub struct GracefulShutdown {
    signals: Arc<[SignalKind]>,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    is_requested: bool,
    /// One for each shard that is to be told.
    told: Vec<Promise<()>>,
}

impl GracefulShutdown {
    /// One that `SIGINT` and `SIGTERM` begin. They do what they did before until the first shard
    /// takes [its part](Self::on_shard).
    #[allow(clippy::new_without_default, reason = "to take signals over is not a default")]
    pub fn new() -> Self {
        Self::on_signals([SignalKind::interrupt(), SignalKind::terminate()])
    }

    /// One that these signals begin; without any, only [`request`](Self::request) does.
    ///
    /// ```
    /// # use miniss_linux::{Runtime, signal::GracefulShutdown};
    /// let runtime = Runtime::builder().shards(2).build().unwrap();
    /// let shutdown = GracefulShutdown::on_signals([]);
    /// let asks = shutdown.clone();
    /// std::thread::spawn(move || asks.request());
    /// runtime.run(async move || shutdown.on_shard().unwrap().requested().await);
    /// ```
    pub fn on_signals(kinds: impl IntoIterator<Item = SignalKind>) -> Self {
        Self { signals: kinds.into_iter().collect(), shared: Arc::default() }
    }

    /// Asks every shard to stop. Any thread may ask, and only the first time counts.
    pub fn request(&self) {
        let told = {
            let mut shared = self.shared();
            shared.is_requested = true;
            std::mem::take(&mut shared.told)
        };
        // Those that are gone have no need of it.
        told.into_iter().for_each(|promise| _ = promise.complete(()));
    }

    /// Whether the end was asked for.
    pub fn is_requested(&self) -> bool {
        self.shared().is_requested
    }

    /// This shard's part in it. It listens to the signals from now on. If the end was asked for
    /// before, so it is here.
    ///
    /// A shard takes one and keeps it until it has drained, because [its drop](ShardShutdown) asks
    /// all shards to stop. Tasks share it: take none for each client.
    ///
    /// # Errors
    ///
    /// As for [`signal`](super::signal). Then all shards are asked to stop: a server that lacks
    /// some of its shards is half dead.
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    pub fn on_shard(&self) -> io::Result<ShardShutdown> {
        let listener = Listener::new(&self.signals, true).inspect_err(|_| self.request())?;
        let listener = Rc::new(listener);
        let requested = Rc::new(AbortSource::new());
        let watch = spawn(watch(self.clone(), self.told(), listener.clone(), requested.clone()));
        if self.is_requested() {
            requested.abort(Aborted);
        }
        let shutdown = self.clone();
        Ok(ShardShutdown { shutdown, requested, inside: Rc::default(), watch, _listener: listener })
    }

    /// Comes to be when the end is asked for.
    fn told(&self) -> Told<()> {
        let mut shared = self.shared();
        if shared.is_requested {
            return Told::ready(());
        }
        let (told, promise) = Told::new();
        shared.told.retain(|other| !other.is_abandoned());
        shared.told.push(promise);
        told
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        // A thread that panicked under the lock left nothing half done.
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for GracefulShutdown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GracefulShutdown")
            .field("signals", &self.signals)
            .field("requested", &self.is_requested())
            .finish()
    }
}

/// The task of a shard that waits for the first signal, or for another shard.
async fn watch(
    shutdown: GracefulShutdown,
    mut told: Told<()>,
    listener: Rc<Listener>,
    requested: Rc<AbortSource>,
) {
    let mut signal = pin!(listener.recv());
    // A shard that can no longer listen could not be told to stop, so it stops.
    poll_fn(|cx| {
        let is_told = Pin::new(&mut told).poll(cx).is_ready();
        if is_told || signal.as_mut().poll(cx).is_ready() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    shutdown.request();
    requested.abort(Aborted);
}

/// The part of a shard in a [`GracefulShutdown`]. It stays on its shard.
///
/// Dropping it, also by a panic, asks all shards to stop: a server that accepts on some shards is
/// half dead.
///
/// Tasks of the shard share it by an `Rc`. Where one shard accepts for all, a service has a part on
/// each, and its stop lets the clients end:
///
/// ```
/// use miniss_linux::net::{Placement, TcpListener, TcpStream};
/// use miniss_linux::sharded::{Service, Sharded};
/// use miniss_linux::signal::{GracefulShutdown, ShardShutdown};
/// use miniss_linux::time::Duration;
///
/// struct Clients(ShardShutdown);
///
/// impl Service for Clients {
///     async fn stop(&self) {
///         let _ = self.0.drain(Duration::from_secs(10)).await;
///     }
/// }
///
/// async fn serve(stream: TcpStream, here: &ShardShutdown) {
///     let _pass = here.enter();
///     let _ = stream.write_all("hello").await;
///     let _ = here.until_requested(stream.recv()).await;
///     let _ = stream.write_all("bye").await;
/// }
///
/// # use miniss_linux::{Runtime, spawn};
/// # let runtime = Runtime::builder().shards(2).build()?;
/// # runtime.block_on(async {
/// let shutdown = GracefulShutdown::new();
/// let part = async |shutdown: GracefulShutdown, _| shutdown.on_shard().map(Clients);
/// let clients = Sharded::try_start(|_| shutdown.clone(), part).await?;
/// let all = *clients;
///
/// let listener = TcpListener::bind("127.0.0.1:0").await?;
/// # let address = listener.local_addr()?;
/// # let client = spawn(async move {
/// #     let stream = TcpStream::connect(address).await?;
/// #     assert_eq!(stream.recv().await?[..], *b"hello");
/// #     shutdown.request();
/// #     stream.recv().await
/// # });
/// let serve = async move |stream, _| serve(stream, &all.local().0).await;
/// let accepts = listener.serve_on_shards(Placement::InTurn, serve);
/// let failed = clients.local().0.until_requested(accepts).await;
/// clients.stop().await?;
/// # assert_eq!(client.await??[..], *b"bye");
/// # assert!(failed.is_none());
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
pub struct ShardShutdown {
    shutdown: GracefulShutdown,
    requested: Rc<AbortSource>,
    inside: Rc<Gate>,
    watch: JoinHandle<()>,
    /// The second signal ends the process for as long as this is here.
    _listener: Rc<Listener>,
}

impl ShardShutdown {
    /// Waits until the end is asked for.
    ///
    /// # Cancellation
    ///
    /// Cancel safe.
    pub async fn requested(&self) {
        self.requested.aborted().await;
    }

    /// The output of `work`, or `None` if the end is asked for first: then `work` is dropped. If it
    /// was asked for before, `work` does not begin.
    ///
    /// # Cancellation
    ///
    /// Dropping it drops `work`.
    ///
    /// ```
    /// # use miniss_linux::{Runtime, signal::GracefulShutdown};
    /// # use std::future::pending;
    /// # let runtime = Runtime::builder().shards(1).build().unwrap();
    /// runtime.block_on(async {
    ///     let shutdown = GracefulShutdown::new();
    ///     let here = shutdown.on_shard().unwrap();
    ///     assert_eq!(here.until_requested(async { 5 }).await, Some(5));
    ///     shutdown.request();
    ///     assert_eq!(here.until_requested(pending::<()>()).await, None);
    /// });
    /// ```
    pub async fn until_requested<F: Future>(&self, work: F) -> Option<F::Output> {
        self.requested.run(work).await.ok()
    }

    /// Asks every shard to stop, as [`GracefulShutdown::request`].
    pub fn request(&self) {
        self.shutdown.request();
    }

    /// Someone is being served: [`drain`](Self::drain) waits until the pass is dropped.
    ///
    /// # Errors
    ///
    /// [`Closed`] once the shard drains.
    pub fn enter(&self) -> Result<OwnedGatePass, Closed> {
        self.inside.enter_owned()
    }

    /// Lets no one in any more and waits until each pass was dropped, for `grace` at most. It asks
    /// all shards to stop, if no one has.
    ///
    /// # Errors
    ///
    /// [`TimedOut`] if someone is still being served then. Their tasks go on until the end of the
    /// runtime.
    ///
    /// # Cancellation
    ///
    /// What it has asked for stays; it may be awaited again.
    ///
    /// ```
    /// # use miniss_linux::{Runtime, signal::GracefulShutdown, spawn};
    /// # use miniss_linux::time::{Duration, sleep};
    /// # let runtime = Runtime::builder().shards(1).build().unwrap();
    /// runtime.block_on(async {
    ///     let shutdown = GracefulShutdown::new().on_shard().unwrap();
    ///     let pass = shutdown.enter().unwrap();
    ///     spawn(async move {
    ///         sleep(Duration::from_millis(5)).await;
    ///         drop(pass);
    ///     })
    ///     .detach();
    ///     assert_eq!(shutdown.drain(Duration::from_secs(10)).await, Ok(()));
    ///     assert!(shutdown.enter().is_err());
    /// });
    /// ```
    pub async fn drain(&self, grace: Duration) -> Result<(), TimedOut> {
        self.shutdown.request();
        timeout(grace, self.inside.close()).await
    }
}

impl Drop for ShardShutdown {
    fn drop(&mut self) {
        self.watch.abort();
        self.shutdown.request();
    }
}

impl fmt::Debug for ShardShutdown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ShardShutdown")
            .field("requested", &self.requested.is_aborted())
            .field("inside", &self.inside)
            .finish_non_exhaustive()
    }
}
