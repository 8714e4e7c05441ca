//! Rows of the tools for many shards, as a runtime comes: no one is told to spin.

use std::cell::Cell;
use std::future::Future;
use std::hint::black_box;
use std::io::Read;
use std::net::{SocketAddr, TcpStream as StdStream};
use std::rc::Rc;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use miniss_benches::limits::{cache_line_ping_pong, cache_lines_of_64, process_cpu};
use miniss_benches::rounds::Row;
use miniss_linux::net::{ListenOptions, Placement, TcpListener, TcpStream};
use miniss_linux::sharded::{
    Foreign, SchedulingGroup, ServiceGroup, Sharded, ShardedRef, invoke_on_all, map_reduce, mpsc,
    switch_to,
};
use miniss_linux::{
    Builder, Driver, Runtime, ShardId, run_on, shard_local, spawn, spawn_blocking, submit_to,
    yield_now,
};

/// Tasks that call at once.
const CALLERS: usize = 64;
/// Room for all of them.
static ROOMY: ServiceGroup = ServiceGroup::new("roomy", 1, CALLERS);
/// Seven of eight wait.
static NARROW: ServiceGroup = ServiceGroup::new("narrow", 1, CALLERS / 8);

/// Set where instructions are counted: no one spins then.
static IS_COUNTED: OnceLock<()> = OnceLock::new();

shard_local!(
    static LOCAL: Cell<u64> = Cell::new(0);
);

thread_local! {
    static OF_THREAD: Cell<u64> = const { Cell::new(0) };
}

/// Does it so many times and says how many nanoseconds each took.
type Tool = fn(usize) -> f64;

/// One call after the other.
const ALONE: &[(&str, Tool)] = &[
    ("a cache line each way", cache_line_ping_pong),
    ("run_on", |n| called(1, n, |_| async { run_on(1, || ()).await.unwrap() })),
    ("submit_to", |n| called(1, n, |_| async { submit_to(1, async || ()).await.unwrap() })),
    ("Sharded::invoke_on", |n| called(1, n, invoke)),
    ("ShardedRef::run_on", |n| called(1, n, run)),
    ("Foreign::invoke", |n| foreign(1, n)),
    ("ServiceGroup::submit_to", |n| called(1, n, |_| in_group(&ROOMY))),
    ("invoke_on_all, 2 shards", |n| {
        called(1, n, |_| async { drop(invoke_on_all(async || ()).await.unwrap()) })
    }),
    ("map_reduce, 2 shards", |n| called(1, n, |_| reduced())),
    ("Sharded::map, 2 shards", |n| {
        called(1, n, |parts| async move { drop(parts.map(Cell::get).await.unwrap()) })
    }),
];

/// From 64 tasks at once.
const CROWD: &[(&str, Tool)] = &[
    ("64 cache lines each way", |n| cache_lines_of_64(n / CALLERS)),
    ("run_on", |n| called(CALLERS, n, |_| async { run_on(1, || ()).await.unwrap() })),
    ("submit_to", |n| called(CALLERS, n, |_| async { submit_to(1, async || ()).await.unwrap() })),
    ("Sharded::invoke_on", |n| called(CALLERS, n, invoke)),
    ("ShardedRef::run_on", |n| called(CALLERS, n, run)),
    ("Foreign::invoke", |n| foreign(CALLERS, n)),
    ("ServiceGroup::submit_to, room for all", |n| called(CALLERS, n, |_| in_group(&ROOMY))),
    ("ServiceGroup::submit_to, room for 8", |n| called(CALLERS, n, |_| in_group(&NARROW))),
];

/// On the shard itself.
const HERE: &[(&str, Tool)] = &[
    ("thread_local, const", |n| here(n, |_| OF_THREAD.set(OF_THREAD.get() + 1))),
    ("shard_local", |n| here(n, |_| LOCAL.with(|count| count.set(count.get() + 1)))),
    ("Sharded::local", |n| {
        here(n, |parts| {
            let part = parts.local();
            part.set(part.get() + 1);
        })
    }),
    ("run_on, own shard", |n| called_here(n, || async { run_on(0, || ()).await.unwrap() })),
    ("submit_to, own shard", |n| {
        called_here(n, || async { submit_to(0, async || ()).await.unwrap() })
    }),
];

/// With and without scheduling groups.
const GROUPS: &[(&str, Tool)] = &[
    ("spawn + join, no groups", |n| block_on(spawned(n, None))),
    ("spawn + join, main group", |n| {
        block_on(async move {
            two_groups().await;
            spawned(n, None).await
        })
    }),
    ("spawn + join, another group", |n| {
        block_on(async move {
            let [group, _] = two_groups().await;
            spawned(n, Some(group)).await
        })
    }),
    ("yield, no groups", |n| block_on(yielding(n))),
    ("yield, main group", |n| {
        block_on(async move {
            two_groups().await;
            yielding(n).await
        })
    }),
    ("switch_to", |n| {
        block_on(async move {
            let groups = two_groups().await;
            timed(n, async move |n| _ = switch_to(groups[n % 2]).await.unwrap()).await
        })
    }),
];

/// A value from shard 0 to shard 1.
const CHANNEL: &[(&str, Tool)] = &[
    ("one shard, room for 128", |n| values(default(), 0, 128, n)),
    ("room for 128, both awake", |n| values(awake(), 1, 128, n)),
    ("room for 128", |n| values(default(), 1, 128, n)),
    ("room for 1,024", |n| values(default(), 1, 1024, n)),
    ("room for 128, recv_many", |n| batches(default(), 128, n)),
    ("room for 1, both awake", |n| values(awake(), 1, 1, n)),
    ("room for 1", |n| values(default(), 1, 1, n)),
];

/// A connection that has received a byte.
const MOVES: &[(&str, Tool)] = &[
    ("a byte to it, without a move", |n| moved(n, false)),
    ("a byte to it, and a move", |n| moved(n, true)),
];

/// Who serves a connection.
const SERVE: &[(&str, Option<Placement>)] = &[
    ("reuse_port, each shard listens", None),
    ("Fixed, the shard that accepts", Some(Placement::Fixed(ShardId::new(0)))),
    ("Fixed, the other shard", Some(Placement::Fixed(ShardId::new(1)))),
    ("InTurn", Some(Placement::InTurn)),
    ("LeastConnections", Some(Placement::LeastConnections)),
    ("PEER_PORT", Some(Placement::PEER_PORT)),
    ("PEER_ADDRESS", Some(Placement::PEER_ADDRESS)),
];

pub fn rows() -> Vec<Row<'static>> {
    vec![
        row("tool, one call after the other", ALONE, 20_000),
        row("tool, 64 callers, per call", CROWD, 128_000),
        row("tool, on the shard itself", HERE, 100_000),
        row("scheduling groups", GROUPS, 100_000),
        row("channel to another shard, per value", CHANNEL, 20_000),
        row("connection to another shard", MOVES, 1_000),
        served_row("a connection, from connect to close: time", |(time, _)| time),
        served_row("a connection, from connect to close: CPU, client too", |(_, cpu)| cpu),
    ]
}

fn row(name: &'static str, tools: &[(&'static str, Tool)], count: usize) -> Row<'static> {
    let row = Row::new(name, "ns");
    tools.iter().fold(row, |row, &(name, tool)| row.with(name, move || tool(count)))
}

fn served_row(name: &'static str, figure: fn((f64, f64)) -> f64) -> Row<'static> {
    let row = Row::new(name, "us");
    SERVE
        .iter()
        .fold(row, |row, &(name, placement)| row.with(name, move || figure(served(placement, 300))))
}

/// Does nothing but this, for who counts instructions; `false` if there is no such tool.
pub fn count(name: &str, times: usize) -> bool {
    IS_COUNTED.get_or_init(|| ());
    let all = [("alone", ALONE), ("64", CROWD), ("here", HERE), ("groups", GROUPS)];
    let all = all.into_iter().chain([("channel", CHANNEL), ("move", MOVES)]);
    let mut tools = all.flat_map(|(of, tools)| tools.iter().map(move |tool| (of, tool)));
    let found = tools.find(|(of, (tool, _))| name == format!("{of}: {tool}"));
    found.map(|(_, (_, tool))| tool(times)).is_some()
}

fn default() -> Builder {
    let builder = Runtime::builder().shards(2);
    match IS_COUNTED.get() {
        None => builder,
        // valgrind does not let other threads run while one waits in a ring.
        Some(()) => builder.driver(Driver::Epoll).call_spin(Duration::ZERO),
    }
}

fn awake() -> Builder {
    default().idle_spin(Duration::from_millis(2))
}

fn block_on(work: impl Future<Output = f64>) -> f64 {
    default().build().expect("the kernel gives us rings").block_on(work)
}

/// Nanoseconds that `work` takes each time, of so many.
async fn timed(count: usize, mut work: impl AsyncFnMut(usize)) -> f64 {
    let start = Instant::now();
    for n in 0..count {
        work(n).await;
    }
    start.elapsed().as_nanos() as f64 / count as f64
}

type Parts = ShardedRef<Cell<u64>>;

/// Nanoseconds of each of `count` calls, by so many callers.
fn called<F: Future<Output = ()> + 'static>(
    callers: usize,
    count: usize,
    call: fn(Parts) -> F,
) -> f64 {
    block_on(async move {
        let parts = Sharded::start(|_| (), async |(), _| Cell::new(0)).await.unwrap();
        let service = *parts;
        let time = by_all(callers, count, move || call(service)).await;
        parts.stop().await.unwrap();
        time
    })
}

async fn by_all<C, F>(callers: usize, count: usize, call: C) -> f64
where
    C: Fn() -> F + Clone + 'static,
    F: Future<Output = ()> + 'static,
{
    call().await;
    if callers == 1 {
        return timed(count, async |_| call().await).await;
    }
    let caller = |call: C| spawn(timed(count / callers, async move |_| call().await));
    let start = Instant::now();
    let tasks: Vec<_> = (0..callers).map(|_| caller(call.clone())).collect();
    for task in tasks {
        task.await.unwrap();
    }
    start.elapsed().as_nanos() as f64 / count as f64
}

async fn invoke(parts: Parts) {
    parts.invoke_on(1, async |part| part.set(part.get() + 1)).await.unwrap();
}

async fn run(parts: Parts) {
    parts.run_on(1, |part| part.set(part.get() + 1)).await.unwrap();
}

async fn in_group(group: &'static ServiceGroup) {
    group.submit_to(1, async || ()).await.unwrap();
}

async fn reduced() {
    let sum = map_reduce(ShardId::all(), || 1, 0, |sum, one| sum + one).await;
    assert_eq!(sum.unwrap(), 2);
}

fn foreign(callers: usize, count: usize) -> f64 {
    block_on(async move {
        let make = async || Foreign::new(Rc::new(Cell::new(0_u64)));
        let value = Rc::new(submit_to(1, make).await.unwrap());
        let call = move || {
            let value = value.clone();
            async move { value.invoke(async |value| value.set(value.get() + 1)).await.unwrap() }
        };
        by_all(callers, count, call).await
    })
}

/// Nanoseconds of what needs no wait.
fn here(count: usize, work: fn(Parts)) -> f64 {
    block_on(async move {
        let parts = Sharded::start(|_| (), async |(), _| Cell::new(0)).await.unwrap();
        let service = black_box(*parts);
        let start = Instant::now();
        for _ in 0..count {
            work(black_box(service));
        }
        let time = start.elapsed().as_nanos() as f64 / count as f64;
        parts.stop().await.unwrap();
        time
    })
}

fn called_here<F: Future<Output = ()> + 'static>(count: usize, call: fn() -> F) -> f64 {
    block_on(by_all(1, count, call))
}

async fn two_groups() -> [SchedulingGroup; 2] {
    [
        SchedulingGroup::create("first", 1000).await.unwrap(),
        SchedulingGroup::create("second", 1000).await.unwrap(),
    ]
}

/// Spawns and joins trivial tasks in batches, in a group if there is one.
async fn spawned(count: usize, group: Option<SchedulingGroup>) -> f64 {
    const BATCH: usize = 1_000;
    let task = |n| spawn(async move { black_box(n) });
    let start = Instant::now();
    let mut tasks = Vec::with_capacity(BATCH);
    for _ in 0..count / BATCH {
        tasks.extend((0..BATCH).map(|n| match group {
            None => task(n),
            Some(group) => group.with(|| task(n)).unwrap(),
        }));
        for task in tasks.drain(..) {
            task.await.unwrap();
        }
    }
    start.elapsed().as_nanos() as f64 / count as f64
}

/// A hundred tasks that give way in turn.
async fn yielding(count: usize) -> f64 {
    const TASKS: usize = 100;
    let task = || spawn(timed(count / TASKS, async |_| yield_now().await));
    let start = Instant::now();
    let tasks: Vec<_> = (0..TASKS).map(|_| task()).collect();
    for task in tasks {
        task.await.unwrap();
    }
    start.elapsed().as_nanos() as f64 / count as f64
}

fn values(builder: Builder, to: usize, room: usize, count: usize) -> f64 {
    sent(builder, to, room, count, async |mut receiver| {
        while let Some(value) = receiver.recv().await {
            black_box(value);
        }
    })
}

fn batches(builder: Builder, room: usize, count: usize) -> f64 {
    sent(builder, 1, room, count, async move |mut receiver| {
        let mut values = Vec::with_capacity(room);
        while receiver.recv_many(&mut values, room).await > 0 {
            black_box(&mut values).clear();
        }
    })
}

fn sent(
    builder: Builder,
    to: usize,
    room: usize,
    count: usize,
    receive: impl AsyncFnOnce(mpsc::Receiver<u64>) + Send + 'static,
) -> f64 {
    builder.build().expect("the kernel gives us rings").block_on(async move {
        let (sender, receiver) = mpsc::bounded(room);
        let received = submit_to(to, async move || receive(receiver).await);
        let start = Instant::now();
        for n in 0..count as u64 {
            sender.send(n).await.unwrap();
        }
        drop(sender);
        received.await.unwrap();
        start.elapsed().as_nanos() as f64 / count as f64
    })
}

/// A connection is sent a byte, which is received on this shard and on the other by turns, or
/// always on this.
fn moved(count: usize, is_moved: bool) -> f64 {
    block_on(async move {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let peer = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let mut stream = listener.accept().await.unwrap().0;
        let start = Instant::now();
        for _ in 0..count / 2 {
            stream = receive(stream, &peer).await;
            peer.write_all("x").await.0.unwrap();
            if is_moved {
                let connection = stream.detach().await.unwrap();
                let there = submit_to(1, async move || {
                    let stream = connection.attach().unwrap();
                    stream.recv().await.unwrap();
                    stream.detach().await.unwrap()
                });
                stream = there.await.unwrap().attach().unwrap();
            } else {
                stream.recv().await.unwrap();
            }
        }
        start.elapsed().as_nanos() as f64 / count as f64
    })
}

async fn receive(stream: TcpStream, peer: &TcpStream) -> TcpStream {
    peer.write_all("x").await.0.unwrap();
    stream.recv().await.unwrap();
    stream
}

/// Microseconds, and those of CPU time, of a connection that is told one byte: one after the other,
/// by a thread beside the shards.
fn served(placement: Option<Placement>, count: usize) -> (f64, f64) {
    default().build().expect("the kernel gives us rings").block_on(async move {
        let address = match placement {
            Some(placement) => serve(placement).await,
            None => serve_on_each().await,
        };
        spawn_blocking(move || connected(address, count)).await.unwrap()
    })
}

fn connected(address: SocketAddr, count: usize) -> (f64, f64) {
    let (start, cpu) = (Instant::now(), process_cpu());
    for _ in 0..count {
        let mut told = Vec::new();
        StdStream::connect(address).unwrap().read_to_end(&mut told).unwrap();
        assert_eq!(told, b"x");
    }
    let micros = |time: Duration| time.as_secs_f64() * 1e6 / count as f64;
    (micros(start.elapsed()), micros(process_cpu() - cpu))
}

async fn tell(stream: TcpStream, _: SocketAddr) {
    stream.write_all("x").await.0.unwrap();
}

async fn serve(placement: Placement) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    spawn(async move { listener.serve_on_shards(placement, tell).await }).detach();
    address
}

/// Each shard has a listener of its own on one address.
async fn serve_on_each() -> SocketAddr {
    let options = ListenOptions::new().reuse_port(true);
    let first = options.bind("127.0.0.1:0").await.unwrap();
    let address = first.local_addr().unwrap();
    spawn(accept_all(first)).detach();
    let second = async move || {
        let listener = options.bind(address).await.unwrap();
        spawn(accept_all(listener)).detach();
    };
    submit_to(1, second).await.unwrap();
    address
}

async fn accept_all(listener: TcpListener) {
    loop {
        let (stream, peer) = listener.accept().await.unwrap();
        spawn(tell(stream, peer)).detach();
    }
}
