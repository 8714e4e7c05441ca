//! What the servers of HTTP and the like share: their options, and how each shard listens, accepts
//! and stops.
#![forbid(unsafe_code)]

use std::error::Error;
use std::fmt;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::num::{NonZeroU64, NonZeroUsize};
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use clap::Args;
use miniss_linux::net::{ListenOptions, TcpListener, TcpStream};
use miniss_linux::signal::{GracefulShutdown, ShardShutdown};
use miniss_linux::{BuildError, Builder, Driver, Runtime, ShardId, spawn};

/// How long requests in progress may take when the server is told to stop.
const GRACE: Duration = Duration::from_secs(10);

/// What the user asks for.
#[derive(Debug, Args)]
pub struct Settings {
    /// Where to listen, IP:PORT
    #[arg(long = "addr", value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    address: String,
    /// How many shards accept
    #[arg(long, value_name = "N", default_value = "1")]
    shards: NonZeroUsize,
    /// auto, io-uring or epoll; without it, what MINISS_DRIVER says, or auto
    #[arg(long)]
    driver: Option<Driver>,
    /// How long a client may take to send the head of a request, also of its next one
    #[arg(long, value_name = "MS", default_value = "10000")]
    patience_ms: NonZeroU64,
}

impl Settings {
    fn runtime(&self) -> Result<Runtime, BuildError> {
        let builder = Runtime::builder().shards(self.shards.get());
        self.driver.into_iter().fold(builder, Builder::driver).build()
    }
}

/// What is told to those who serve a connection.
pub struct Shard {
    /// How long a client may take to send the head of a request, also of its next one.
    pub patience: Duration,
    /// Asks for the end.
    pub shutdown: ShardShutdown,
}

/// Runs a server to its end, with `serve` for each connection. `client` is what to try, with the
/// word ADDRESS in it.
pub fn run<F>(name: &'static str, client: &'static str, settings: &Settings, serve: F) -> ExitCode
where
    F: AsyncFn(TcpStream, &Shard) + Clone + Send + Sync + 'static,
{
    match listen_everywhere(name, client, settings, serve) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(name, &*error);
            ExitCode::FAILURE
        }
    }
}

/// Serves on every shard until the process is told to stop, by a signal.
fn listen_everywhere<F>(
    name: &'static str,
    client: &'static str,
    settings: &Settings,
    serve: F,
) -> Result<(), Box<dyn Error>>
where
    F: AsyncFn(TcpStream, &Shard) + Clone + Send + Sync + 'static,
{
    let runtime = settings.runtime()?;
    if let Some(refusal) = runtime.driver().refusal() {
        complain(name, refusal);
    }
    let refused = |error: io::Error| format!("cannot listen on {}: {error}", settings.address);
    // Every shard listens on the same port number, which another program could share, too. So one
    // asks for it alone first; that also makes a free port of 0.
    let claim = async { TcpListener::bind(&settings.address).await?.local_addr() };
    let address = runtime.block_on(claim).map_err(refused)?;
    let patience = Duration::from_millis(settings.patience_ms.get());
    let (shutdown, driver) = (GracefulShutdown::new(), runtime.driver().kind());
    let outcomes = runtime.run(move || {
        let (shutdown, serve) = (shutdown.clone(), serve.clone());
        async move {
            // However this ends, it asks the other shards to stop, too.
            let shard = Rc::new(Shard { patience, shutdown: shutdown.on_shard()? });
            let listener = ListenOptions::new().reuse_port(true).bind(address).await?;
            announce(name, client, address, driver);
            accept_all(listener, shard, serve).await
        }
    });
    for outcome in outcomes {
        outcome.map_err(refused)?;
    }
    Ok(())
}

/// Tells the user where the server listens, once every shard does.
fn announce(name: &str, client: &str, address: SocketAddr, driver: Driver) {
    static LISTENING: AtomicUsize = AtomicUsize::new(0);
    let shards = ShardId::all().len();
    // Relaxed: the count is all that is told.
    if LISTENING.fetch_add(1, Relaxed) + 1 == shards {
        let plural = if shards == 1 { "" } else { "s" };
        say(format_args!(
            "{name}: listening on {address}, {shards} shard{plural}, {driver}\n\
             Try: {}",
            client.replace("ADDRESS", &address.to_string())
        ));
    }
}

/// Accepts until the end is asked for, and then waits for the requests in progress.
async fn accept_all<F>(listener: TcpListener, shard: Rc<Shard>, serve: F) -> io::Result<()>
where
    F: AsyncFn(TcpStream, &Shard) + Clone + 'static,
{
    while let Some(accepted) = shard.shutdown.until_requested(listener.accept()).await {
        let (stream, _) = accepted?;
        let (pass, shard, serve) = (shard.shutdown.enter(), shard.clone(), serve.clone());
        let task = async move {
            // A client that is gone already is met by the first read.
            let _ = stream.set_nodelay(true);
            serve(stream, &shard).await;
            drop(pass);
        };
        spawn(task).detach();
    }
    drop(listener);
    // Clients that take longer are cut off.
    let _ = shard.shutdown.drain(GRACE).await;
    Ok(())
}

/// Unlike `println!`, it does not panic when no one reads it.
fn say(text: fmt::Arguments<'_>) {
    let _ = writeln!(io::stdout(), "{text}");
}

/// As [`say`], on standard error.
pub fn complain(name: &str, error: &dyn Error) {
    let _ = writeln!(io::stderr(), "{name}: {error}");
}
