//! Echo servers on two cores, of which one has nine of ten connections; and what helps.

#![forbid(unsafe_code)]

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use miniss_linux::net::{Placement, TcpListener, TcpStream};
use miniss_linux::sharded::{SchedulingGroup, ServiceGroup, switch_to};
use miniss_linux::{Driver, Runtime, ShardId};

use super::rivals;
use super::servers::{Ready, Server, Settings, work};

/// They differ in who does the work of a request.
pub const SERVERS: [Server; 5] = [
    Server { name: "hot", can_spin: true, serve: hot },
    Server { name: "hot-least", can_spin: true, serve: least },
    Server { name: "hot-submit", can_spin: true, serve: submit },
    Server { name: "hot-shares", can_spin: true, serve: submit_in_group },
    Server { name: "hot-tokio", can_spin: false, serve: rivals::tokio_stealing },
];

/// The shard of the connection does it.
fn hot(settings: &Settings, ready: Ready<'_>) -> io::Result<Infallible> {
    serve(settings, ready, Placement::By(nine_of_ten), async || echo)
}

/// The shard of the connection, which is the one with fewer of them.
fn least(settings: &Settings, ready: Ready<'_>) -> io::Result<Infallible> {
    serve(settings, ready, Placement::LeastConnections, async || echo)
}

/// The hot shard gives the work of a request away where the other has room for it.
fn submit(settings: &Settings, ready: Ready<'_>) -> io::Result<Infallible> {
    serve(settings, ready, Placement::By(nine_of_ten), async || echo_by_both)
}

/// The same; and connections are in a group beside the main one, so that calls do not wait behind
/// all requests that have come.
fn submit_in_group(settings: &Settings, ready: Ready<'_>) -> io::Result<Infallible> {
    serve(settings, ready, Placement::By(nine_of_ten), async || {
        let group = SchedulingGroup::create("requests", 1000).await.expect("the first one");
        async move |stream, peer| {
            switch_to(group).await.expect("it is there");
            echo_by_both(stream, peer).await;
        }
    })
}

/// Shard 0 for all but every tenth connection.
fn nine_of_ten(_: &SocketAddr) -> u64 {
    static BEFORE: AtomicU64 = AtomicU64::new(0);
    u64::from(BEFORE.fetch_add(1, Ordering::Relaxed) % 10 == 9)
}

fn serve<F>(
    settings: &Settings,
    ready: Ready<'_>,
    placement: Placement,
    prepare: impl AsyncFnOnce() -> F,
) -> io::Result<Infallible>
where
    F: AsyncFnOnce(TcpStream, SocketAddr) + Clone + Send + 'static,
{
    let builder = Runtime::builder().shards(2).driver(Driver::IoUring);
    let runtime = builder.idle_spin(settings.idle_spin).build().map_err(io::Error::other)?;
    runtime.block_on(async {
        let listener = TcpListener::bind(settings.address).await?;
        ready(listener.local_addr()?);
        Err(listener.serve_on_shards(placement, prepare().await).await)
    })
}

async fn echo(stream: TcpStream, _: SocketAddr) {
    // A client that goes ends it.
    let _ = echo_with(stream, async || work()).await;
}

async fn echo_by_both(stream: TcpStream, _: SocketAddr) {
    let _ = echo_with(stream, work_by_both).await;
}

async fn echo_with(stream: TcpStream, mut work: impl AsyncFnMut()) -> io::Result<()> {
    stream.set_nodelay(true)?;
    loop {
        let received = stream.recv().await?;
        if received.is_empty() {
            return Ok(());
        }
        work().await;
        stream.write_all(received).await.0?;
    }
}

/// As many requests as the hot shard works off in a turn.
static AWAY: ServiceGroup = ServiceGroup::new("away", 1, 16);

async fn work_by_both() {
    let is_hot = ShardId::current().index() == 0;
    match is_hot.then(|| AWAY.try_reserve(1)).flatten() {
        Some(permit) => permit.submit(async || work()).await.expect("the shard is there"),
        None => work(),
    }
}
