//! One shard accepts, and each connection is served where a [`Placement`] says.

#![forbid(unsafe_code)]

use std::fmt;
use std::future::Future;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use super::kind::StreamKind;
use super::listener::Listener;
use super::stream::Stream;
use crate::runtime::{ShardId, run_on, spawn};

/// Which shard serves a connection that was accepted by another: see
/// [`Listener::serve_on_shards`].
///
/// Without one, each shard listens for itself, with
/// [`reuse_port`](super::ListenOptions::reuse_port): the kernel then deals connections out by a
/// hash of both addresses, none has to move, and no shard is a bottleneck. That is best for many
/// clients that are alike. A placement is for few connections that differ, for shards that own
/// what a client asks for, or for a kernel that spreads badly.
#[non_exhaustive]
pub enum Placement<A = SocketAddr> {
    /// The shard that serves the fewest connections of this listener; of several, the first.
    LeastConnections,
    /// One shard after the other.
    InTurn,
    /// This shard serves all, whichever accepts.
    Fixed(ShardId),
    /// The shard whose number is what the function makes of the peer's address, modulo their
    /// count: connections that give the same are served by the same shard.
    By(fn(&A) -> u64),
}

impl Placement {
    /// By the peer's port, modulo the number of shards: a client that chooses its ports chooses its
    /// shards.
    ///
    /// ```
    /// use miniss_linux::net::Placement;
    /// let Placement::By(by) = Placement::PEER_PORT else { unreachable!() };
    /// assert_eq!(by(&"127.0.0.1:7003".parse().unwrap()), 7003);
    /// ```
    pub const PEER_PORT: Self = Self::By(|peer| peer.port().into());

    /// By a hash of the peer's IP address: all connections of a client's machine are served by one
    /// shard.
    ///
    /// ```
    /// use miniss_linux::net::Placement;
    /// let Placement::By(by) = Placement::PEER_ADDRESS else { unreachable!() };
    /// let by = |peer: &str| by(&peer.parse().unwrap());
    /// assert_eq!(by("10.0.0.1:7003"), by("10.0.0.1:7004"));
    /// assert_ne!(by("10.0.0.1:7003"), by("10.0.0.2:7003"));
    /// ```
    pub const PEER_ADDRESS: Self =
        Self::By(|peer| BuildHasherDefault::<DefaultHasher>::default().hash_one(peer.ip()));
}

impl<A> Placement<A> {
    /// The shard for the connection that was accepted after `before` others.
    fn choose(&self, peer: &A, before: usize, loads: &Loads) -> usize {
        let shards = loads.0.len();
        match self {
            Self::LeastConnections => loads.least(),
            Self::InTurn => before % shards,
            Self::Fixed(shard) => shard.index(),
            Self::By(by) => (by(peer) % shards as u64) as usize,
        }
    }
}

impl<A> Clone for Placement<A> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<A> Copy for Placement<A> {}

impl<A> fmt::Debug for Placement<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LeastConnections => f.write_str("LeastConnections"),
            Self::InTurn => f.write_str("InTurn"),
            Self::Fixed(shard) => f.debug_tuple("Fixed").field(shard).finish(),
            Self::By(_) => f.write_str("By(..)"),
        }
    }
}

impl<K: StreamKind> Listener<K> {
    /// Accepts on this shard and has each connection served on the shard that `placement` says, in
    /// a task of its own there. Returns what [`accept`](Self::accept) fails with, when it does.
    ///
    /// A connection whose shard has ended is closed.
    ///
    /// # Panics
    ///
    /// If the placement is a fixed shard that the runtime does not have.
    ///
    /// # Cancellation
    ///
    /// Dropping it loses no connection that waits to be accepted. One that is on its way to its
    /// shard may be closed. Those that have arrived are served to their end.
    ///
    /// ```
    /// use miniss_linux::net::{Placement, TcpListener, TcpStream};
    /// use miniss_linux::{Runtime, ShardId, spawn};
    ///
    /// let runtime = Runtime::builder().shards(2).build()?;
    /// runtime.block_on(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0").await?;
    ///     let address = listener.local_addr()?;
    ///     spawn(async move {
    ///         let tell_shard = async |stream: TcpStream, _| {
    ///             let _ = stream.write_all(ShardId::current().to_string()).await.0;
    ///         };
    ///         listener.serve_on_shards(Placement::InTurn, tell_shard).await
    ///     })
    ///     .detach();
    ///     for shard in ["shard 0", "shard 1"] {
    ///         let told = TcpStream::connect(address).await?.recv().await?;
    ///         assert_eq!(told[..], *shard.as_bytes());
    ///     }
    ///     Ok::<_, std::io::Error>(())
    /// })?;
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub async fn serve_on_shards<F>(&self, placement: Placement<K::Address>, serve: F) -> io::Error
    where
        F: AsyncFnOnce(Stream<K>, K::Address) + Clone + Send + 'static,
        K::Address: Send,
    {
        let loads = Loads::new(ShardId::all().len());
        if let Placement::Fixed(shard) = placement {
            shard.index_among(loads.0.len());
        }
        for before in 0_usize.. {
            let (stream, peer) = match self.accept().await {
                Ok(accepted) => accepted,
                Err(error) => return error,
            };
            let shard = placement.choose(&peer, before, &loads);
            let (serve, load) = (serve.clone(), Load::new(&loads, shard));
            if shard == ShardId::current().index() {
                spawn(serve_one(load, async move || serve(stream, peer).await)).detach();
            } else if let Ok(connection) = stream.detach().await {
                let serve = async move || {
                    if let Ok(stream) = connection.attach() {
                        serve(stream, peer).await;
                    }
                };
                // Its answer is not waited for: other connections are.
                drop(run_on(shard, move || spawn(serve_one(load, serve)).detach()));
            }
        }
        unreachable!("no machine accepts so many")
    }
}

/// Serves one connection, which counts as long.
fn serve_one(mut load: Load, serve: impl AsyncFnOnce() + 'static) -> impl Future<Output = ()> {
    load.has_begun = true;
    async move {
        serve().await;
        drop(load);
    }
}

/// How many connections each shard serves. Relaxed: the numbers are all that shards tell each
/// other here.
#[derive(Clone)]
struct Loads(Arc<[AtomicUsize]>);

/// A shard that has ended serves so many: no other has more.
const GONE: usize = usize::MAX / 2;

impl Loads {
    fn new(shards: usize) -> Self {
        Self((0..shards).map(|_| AtomicUsize::new(0)).collect())
    }

    fn least(&self) -> usize {
        let loads = self.0.iter().enumerate().map(|(shard, load)| (load.load(Relaxed), shard));
        loads.min().expect("a runtime has a shard").1
    }
}

/// A connection that counts for its shard.
struct Load {
    loads: Loads,
    shard: usize,
    has_begun: bool,
}

impl Load {
    fn new(loads: &Loads, shard: usize) -> Self {
        loads.0[shard].fetch_add(1, Relaxed);
        Self { loads: loads.clone(), shard, has_begun: false }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        let load = &self.loads.0[self.shard];
        if self.has_begun {
            load.fetch_sub(1, Relaxed);
        } else {
            // Its shard never came to it, so it has ended.
            load.store(GONE, Relaxed);
        }
    }
}
