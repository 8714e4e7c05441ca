//! Nothing is allocated in the steady state: not for a task, a local or a remote wake, a
//! timer, a call to another shard, nor for what is received and sent. And what waits for a message
//! has no memory for it yet.
//!
//! A test of its own, because it counts every allocation of the process's threads.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::io::{Read, Write};
use std::net::{self, Shutdown};
use std::os::unix::process::ExitStatusExt;
use std::process::{self, Command, Output};
use std::rc::Rc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use std::{env, ptr, thread};

use miniss_linux::fs::{DirectFile, File};
use miniss_linux::net::{OwnedWriteHalf, PoolBuf, TcpListener, TcpStream};
use miniss_linux::sync::Event;
use miniss_linux::sync::channel::unbounded;
use miniss_linux::time::{sleep, timeout};
use miniss_linux::{Builder, Driver, Runtime, driver_stats, run_on, spawn, submit_to, yield_now};
use miniss_tests::alone::alone;
use miniss_tests::deadline::deadline;
use miniss_tests::folder::Folder;
use miniss_tests::kernel;
use miniss_tests::sockets::pair;

/// Counts what the calling thread allocates.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
    /// What it has not given back. It may have given back what others allocated.
    static LIVE_BYTES: Cell<isize> = const { Cell::new(0) };
}

// SAFETY: passes everything on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if refuses() {
            return ptr::null_mut();
        }
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        LIVE_BYTES.set(LIVE_BYTES.get() + layout.size() as isize);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        LIVE_BYTES.set(LIVE_BYTES.get() - layout.size() as isize);
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// Allocations of all threads up to the one that is refused, that one included; zero: none is.
static REFUSED_IN: AtomicU64 = AtomicU64::new(0);
/// Whether all that follow it are refused, too.
static REFUSES_ALL: AtomicBool = AtomicBool::new(false);

fn refuses() -> bool {
    let next = |left: u64| match left {
        0 => None,
        1 if REFUSES_ALL.load(Ordering::Relaxed) => Some(1),
        left => Some(left - 1),
    };
    REFUSED_IN.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next) == Ok(1)
}

/// Longer than any of this takes on the slowest machine.
const LONG: Duration = Duration::from_secs(60);
const WARM_UP: usize = 200;
const ROUNDS: usize = 1_000;

/// How much this shard allocates for `ROUNDS` rounds, once it is warm.
async fn allocations<F: Future>(mut round: impl FnMut() -> F) -> u64 {
    for _ in 0..WARM_UP {
        round().await;
    }
    let before = ALLOCATIONS.get();
    for _ in 0..ROUNDS {
        round().await;
    }
    ALLOCATIONS.get() - before
}

fn runtime(shards: usize) -> Runtime {
    Runtime::builder().shards(shards).build().unwrap()
}

#[test]
fn the_counter_counts() {
    let counted = runtime(1).block_on(allocations(async || drop(Box::new(5))));
    assert_eq!(counted, ROUNDS as u64);
}

#[test]
fn a_task_its_wakes_and_its_end_allocate_nothing() {
    let counted = runtime(1).block_on(allocations(async || {
        let task = spawn(async {
            yield_now().await;
            [7_u64; 16]
        });
        assert_eq!(task.await.unwrap(), [7; 16]);
    }));
    assert_eq!(counted, 0);
}

#[test]
fn tasks_that_wake_each_other_allocate_nothing() {
    let events = Rc::new([Event::new(), Event::new()]);
    let counted = runtime(1).block_on(async {
        let theirs = events.clone();
        let other = spawn(async move {
            for _ in 0..WARM_UP + ROUNDS {
                theirs[0].wait().await;
                theirs[0].reset();
                theirs[1].set();
            }
        });
        let counted = allocations(async || {
            events[0].set();
            events[1].wait().await;
            events[1].reset();
        })
        .await;
        other.await.unwrap();
        counted
    });
    assert_eq!(counted, 0);
}

/// A waker that waits for another thread to wake it.
type Ask = Mutex<Option<Waker>>;

/// Asks to be woken, and waits for it.
async fn be_woken(ask: &Ask) {
    let mut has_asked = false;
    poll_fn(|cx| {
        let mut ask = ask.lock().unwrap();
        match std::mem::replace(&mut has_asked, true) {
            false => *ask = Some(cx.waker().clone()),
            true if ask.is_none() => return Poll::Ready(()),
            true => {}
        }
        Poll::Pending
    })
    .await;
}

/// Wakes each task that asks until all is over; says what that allocated once warm.
fn wake_all(ask: &Ask, is_over: &AtomicBool) -> u64 {
    let (mut wakes, mut before) = (0, None);
    while !is_over.load(Ordering::Relaxed) {
        let asked = ask.lock().unwrap().take();
        match asked {
            Some(waker) => waker.wake(),
            None => {
                thread::yield_now();
                continue;
            }
        }
        wakes += 1;
        if wakes == WARM_UP {
            before = Some(ALLOCATIONS.get());
        }
    }
    assert_eq!(wakes, WARM_UP + ROUNDS);
    ALLOCATIONS.get() - before.expect("it was warm long before the end")
}

#[test]
fn a_wake_from_another_thread_allocates_nothing_on_either() {
    let (ask, is_over) = (Ask::default(), AtomicBool::new(false));
    thread::scope(|scope| {
        let waking = scope.spawn(|| wake_all(&ask, &is_over));
        let counted = runtime(1).block_on(allocations(|| be_woken(&ask)));
        is_over.store(true, Ordering::Relaxed);
        assert_eq!(counted, 0, "on the shard");
        assert_eq!(waking.join().unwrap(), 0, "on the thread that wakes");
    });
}

#[test]
fn timers_allocate_nothing() {
    let counted = runtime(1).block_on(allocations(async || {
        sleep(Duration::from_micros(1)).await;
        timeout(Duration::from_secs(60), yield_now()).await.unwrap();
    }));
    assert_eq!(counted, 0);
}

#[test]
fn calls_to_another_shard_allocate_nothing_on_either() {
    let there = async || ALLOCATIONS.get();
    let runtime = runtime(2);
    runtime.block_on(async {
        let call = async || {
            assert_eq!(submit_to(1, async || 5).await.unwrap(), 5);
            assert_eq!(run_on(1, || 6).await.unwrap(), 6);
        };
        allocations(call).await;
        let before = submit_to(1, there).await.unwrap();
        assert_eq!(allocations(call).await, 0, "on the caller's shard");
        assert_eq!(submit_to(1, there).await.unwrap(), before, "on the other shard");
    });
}

/// A connection to itself: what a client writes to, and what the server has of it.
async fn connection() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (server, _) = listener.accept().await.unwrap();
    (client, server)
}

#[test]
fn reads_and_writes_of_files_allocate_nothing() {
    // A second thread of the pool would begin at a moment of its own.
    let builder = Runtime::builder().shards(1).blocking_threads(1);
    builder.build().unwrap().block_on(async {
        let folder = Folder::new();
        let file = &File::create_new(folder.path().join("file")).await.unwrap();
        let kept = &Cell::new(vec![7; 4096]);
        let counted = allocations(|| async {
            let (result, page) = file.write_at(kept.take(), 0).await;
            result.unwrap();
            let (result, page) = file.read_at(page, 0).await;
            assert_eq!(result.unwrap(), 4096);
            let (result, page) = file.write_all_at(page, 4096).await;
            result.unwrap();
            let (result, [page]) = file.read_vectored_at([page], 0).await;
            result.unwrap();
            kept.set(page);
        });
        assert_eq!(counted.await, 0);
    });
}

#[test]
fn direct_files_allocate_nothing_and_keep_little_of_many_buffers() {
    for driver in [Driver::Auto, Driver::Epoll] {
        let builder = Runtime::builder().shards(1).blocking_threads(1).driver(driver);
        builder.build().unwrap().block_on(async {
            let folder = Folder::new();
            let file = &DirectFile::create(folder.path().join("file")).await.unwrap();
            let counted = allocations(|| async {
                let mut pages = file.buffer(8192);
                pages.fill(7);
                let (result, _) = file.write_at(pages, 0).await;
                assert_eq!(result.unwrap(), 8192);
                let (result, _) = file.read_at(file.buffer(4096), 0).await;
                assert_eq!(result.unwrap(), 4096);
                // By way of another buffer.
                assert_eq!(file.read_at([1; 4], 3).await.1, [7; 4]);
            });
            assert_eq!(counted.await, 0);
            let before = LIVE_BYTES.get();
            let buffers: Vec<_> = (0..1000).map(|_| file.buffer(16 << 10)).collect();
            assert!(LIVE_BYTES.get() - before >= 1000 * (16 << 10) - (1 << 20));
            drop(buffers);
            let kept = LIVE_BYTES.get() - before;
            assert!(kept <= (1 << 20), "{kept} bytes");
        });
    }
}

#[test]
fn an_endpoint_in_a_static_never_goes_to_the_heap() {
    use miniss_core::call::FixedMesh;
    use miniss_core::doctest::{Unparker, executor};

    static MESH: FixedMesh<Unparker, 2, 4, 64> = FixedMesh::new();
    let (mut near, mut far) = (executor(), executor());
    let before = ALLOCATIONS.get();
    let end = MESH.open(0, near.local()).expect("its task has a slot of its own");
    let _other = MESH.open(1, far.local()).expect("and so has this one's");
    for _ in 0..ROUNDS {
        drop(end.run_on(1, || ()));
        near.turn();
        far.turn();
        near.turn();
    }
    assert_eq!(ALLOCATIONS.get() - before, 0);
    // A task that unwinds has a successor, which has a slot, too.
    for _ in 0..10 {
        drop(end.run_on(1, || panic!("as planned")));
        near.turn();
        // One turn sees that it has come, the next takes it in.
        let mut turn = || {
            let turn = std::panic::AssertUnwindSafe(|| far.turn());
            std::panic::catch_unwind(turn).is_err()
        };
        assert!((0..2).any(|_| turn()));
        near.turn();
        far.turn();
    }
    let before = ALLOCATIONS.get();
    drop(end.run_on(1, || ()));
    near.turn();
    far.turn();
    assert_eq!(ALLOCATIONS.get() - before, 0);
}

#[test]
fn receiving_and_sending_allocate_nothing() {
    for driver in [Driver::Auto, Driver::Epoll] {
        let runtime = Runtime::builder().shards(1).driver(driver).build().unwrap();
        let counted = runtime.block_on(async {
            let (client, server) = connection().await;
            let echo = spawn(async move {
                loop {
                    let received = server.recv().await.unwrap();
                    if received.is_empty() {
                        return;
                    }
                    server.write_all(received).await.0.unwrap();
                }
            });
            let counted = allocations_of_requests(&client).await;
            drop(client);
            echo.await.unwrap();
            counted
        });
        assert_eq!(counted, 0);
    }
}

#[test]
fn buffers_of_the_readers_own_and_deadlines_allocate_nothing_either() {
    let counted = runtime(1).block_on(async {
        let (client, server) = connection().await;
        let echo = spawn(async move {
            let mut buffer = Vec::with_capacity(64);
            loop {
                let result;
                let read = server.read(buffer);
                (result, buffer) = timeout(Duration::from_secs(60), read).await.unwrap();
                if result.unwrap() == 0 {
                    return;
                }
                let write = server.write_all(buffer);
                (_, buffer) = timeout(Duration::from_secs(60), write).await.unwrap();
            }
        });
        let counted = allocations_of_requests(&client).await;
        drop(client);
        echo.await.unwrap();
        counted
    });
    assert_eq!(counted, 0);
}

const REQUEST: &str = "what goes out comes back";

/// What is allocated for a request and its reply, which is the same.
async fn allocations_of_requests(client: &TcpStream) -> u64 {
    let buffer = Cell::new(vec![0; 64]);
    allocations(async || {
        client.write_all(REQUEST).await.0.unwrap();
        let (result, back) = client.read(buffer.take()).await;
        assert_eq!(&back[..result.unwrap()], REQUEST.as_bytes());
        buffer.set(back);
    })
    .await
}

const BUFFERS: usize = 64;
const BUFFER_BYTES: usize = 4096;

fn builder_with_few_buffers() -> Builder {
    Runtime::builder().shards(1).recv_buffers(BUFFERS as u16, BUFFER_BYTES as u32)
}

fn runtime_with_few_buffers() -> Runtime {
    builder_with_few_buffers().build().unwrap()
}

/// A stream that has received from its peer, and its peer.
async fn receiver() -> (TcpStream, net::TcpStream) {
    let (stream, mut peer) = pair();
    peer.write_all(b"hello").unwrap();
    assert_eq!(stream.recv().await.unwrap()[..], *b"hello");
    (stream, peer)
}

/// Messages that were received and are held, each with its connection.
async fn hold_buffers(count: usize) -> Vec<(PoolBuf, TcpStream, net::TcpStream)> {
    let mut held = Vec::with_capacity(count);
    for _ in 0..count {
        let (stream, mut peer) = pair();
        peer.write_all(b"held").unwrap();
        held.push((stream.recv().await.unwrap(), stream, peer));
    }
    held
}

/// Sends until no more is taken.
async fn send_all_that_fits(peer: &mut net::TcpStream) {
    peer.set_nonblocking(true).unwrap();
    for _ in 0..10 {
        while peer.write(&[7; 1 << 20]).is_ok() {}
        sleep(Duration::from_millis(1)).await;
    }
    peer.set_nonblocking(false).unwrap();
}

/// What each of many connections takes that waits in a `recv`, and that all of them are served.
async fn bytes_per_idle_connection() -> isize {
    const CONNECTIONS: usize = 100;
    let before = LIVE_BYTES.get();
    let mut idle = Vec::with_capacity(CONNECTIONS);
    for _ in 0..CONNECTIONS {
        let (stream, peer) = pair();
        idle.push((spawn(async move { stream.recv().await.unwrap().to_vec() }), peer));
    }
    sleep(Duration::from_millis(20)).await;
    let taken = LIVE_BYTES.get() - before;
    for (task, mut peer) in idle {
        peer.write_all(b"at last").unwrap();
        assert_eq!(timeout(LONG, task).await.expect("it is served").unwrap(), b"at last");
    }
    taken / CONNECTIONS as isize
}

#[test]
fn a_connection_that_waits_takes_little_whether_or_not_a_buffer_is_free() {
    for driver in [Driver::Auto, Driver::Epoll] {
        builder_with_few_buffers().driver(driver).build().unwrap().block_on(async {
            // Tables and slabs grow.
            bytes_per_idle_connection().await;
            assert!(bytes_per_idle_connection().await <= 512);
            let _held = hold_buffers(BUFFERS).await;
            bytes_per_idle_connection().await;
            assert!(bytes_per_idle_connection().await <= 512);
        });
    }
}

#[test]
fn a_connection_that_waits_takes_little_where_too_little_memory_may_be_locked_for_buffers() {
    const TEST: &str =
        "a_connection_that_waits_takes_little_where_too_little_memory_may_be_locked_for_buffers";
    alone(TEST, || {
        // Room for the smallest ring, and for nothing else.
        kernel::become_user_who_locks(8 << 10);
        runtime(1).block_on(async {
            bytes_per_idle_connection().await;
            assert!(bytes_per_idle_connection().await <= 1024);
        });
    });
}

#[test]
fn streams_that_no_one_reads_leave_buffers_to_those_that_are_read() {
    runtime_with_few_buffers().block_on(async {
        let mut unread = Vec::new();
        // Each could take eight.
        for _ in 0..BUFFERS / 4 {
            let (stream, mut peer) = receiver().await;
            for _ in 0..12 {
                peer.write_all(&[7; BUFFER_BYTES]).unwrap();
                sleep(Duration::from_millis(1)).await;
            }
            unread.push((stream, peer));
        }
        let (client, server) = connection().await;
        let counted = allocations_of_receiving(&client, &server).await;
        assert_eq!(counted, 0, "a message was not received into a buffer of the pool");
        // What they hold, and what waits behind it, is still theirs.
        for (stream, peer) in unread {
            peer.shutdown(Shutdown::Write).unwrap();
            let (result, received) = stream.read_exact(vec![0; 12 * BUFFER_BYTES]).await;
            result.unwrap();
            assert!(received.iter().all(|&byte| byte == 7));
            assert!(stream.recv().await.unwrap().is_empty());
        }
    });
}

#[test]
fn a_read_half_that_was_dropped_gives_its_buffers_back_and_takes_no_more() {
    runtime_with_few_buffers().block_on(async {
        let mut writers = Vec::new();
        for _ in 0..BUFFERS {
            let (stream, mut peer) = receiver().await;
            send_all_that_fits(&mut peer).await;
            let (reader, writer) = stream.into_split();
            // A read is given up, too.
            let read = reader.read(vec![0; BUFFER_BYTES]);
            drop(timeout(Duration::ZERO, read).await);
            drop(reader);
            send_all_that_fits(&mut peer).await;
            writers.push((writer, peer));
        }
        while driver_stats().in_flight > 0 {
            sleep(Duration::from_millis(1)).await;
        }
        let held = hold_buffers(BUFFERS / 2).await;
        let (client, server) = connection().await;
        assert_eq!(allocations_of_receiving(&client, &server).await, 0);
        drop(held);
        for (writer, mut peer) in writers {
            writer.write_all("still here").await.0.unwrap();
            peer.read_exact(&mut [0; 10]).unwrap();
        }
    });
}

#[test]
fn read_halves_dropped_while_the_ends_of_their_reads_wait_for_room_keep_nothing() {
    let builder = Runtime::builder().shards(1).ring_entries(4);
    let builder = builder.recv_buffers(BUFFERS as u16, BUFFER_BYTES as u32);
    builder.build().unwrap().block_on(async {
        for by_recv in [true, false] {
            // Tables and slabs grow.
            drop(drop_read_halves_of_a_full_queue(by_recv).await);
            let before = LIVE_BYTES.get();
            let writers = drop_read_halves_of_a_full_queue(by_recv).await;
            let taken = (LIVE_BYTES.get() - before) / writers.len() as isize;
            assert!(taken <= 1024, "{taken} bytes for each, by_recv: {by_recv}");
        }
        let _held = hold_buffers(BUFFERS / 2).await;
        let (client, server) = connection().await;
        let counted = allocations_of_receiving(&client, &server).await;
        assert_eq!(counted, 0, "a message was not received into a buffer of the pool");
    });
}

/// Streams that were receiving when messages came for all of them, and whose reading halves were
/// dropped when the first of these were here. The queue of completions had no room for the others.
async fn drop_read_halves_of_a_full_queue(by_recv: bool) -> Vec<(OwnedWriteHalf, net::TcpStream)> {
    let (mut reads, writers): (Vec<_>, Vec<_>) = (0..BUFFERS)
        .map(|_| {
            let (stream, peer) = pair();
            let (reader, writer) = stream.into_split();
            let read = async move {
                match by_recv {
                    true => reader.recv().await.map(drop),
                    false => reader.read(vec![0; BUFFER_BYTES]).await.0.map(drop),
                }
            };
            (Box::pin(read), (writer, peer))
        })
        .unzip();
    for read in &mut reads {
        let mut context = Context::from_waker(Waker::noop());
        assert!(read.as_mut().poll(&mut context).is_pending());
    }
    yield_now().await;
    writers.iter().for_each(|(_, peer)| (&*peer).write_all(&[7; BUFFER_BYTES]).unwrap());
    yield_now().await;
    drop(reads);
    while driver_stats().in_flight > 0 {
        sleep(Duration::from_millis(1)).await;
    }
    writers
}

/// What is allocated for messages that are received by `recv`, one after the other.
async fn allocations_of_receiving(client: &TcpStream, server: &TcpStream) -> u64 {
    allocations(async || {
        client.write_all(REQUEST).await.0.unwrap();
        assert_eq!(server.recv().await.unwrap()[..], *REQUEST.as_bytes());
    })
    .await
}

/// Set in the process where an allocation is refused: which, and whether all behind it are.
const REFUSED: &str = "MINISS_TEST_REFUSED";
/// How that process ends if something was refused, and all was well; and if nothing was.
const REFUSED_WELL: i32 = 77;
const NOT_REFUSED: i32 = 78;

/// What asks for memory in many ways; how much of it was not done for want of memory.
async fn ask_for_memory() -> usize {
    let mut not_done = 0;
    let mut check = |is_done: bool| not_done += usize::from(!is_done);
    let tasks = (0..40).map(|number| {
        spawn(async move {
            sleep(Duration::from_micros(number)).await;
            [number; 16]
        })
    });
    for (number, task) in tasks.collect::<Vec<_>>().into_iter().enumerate() {
        check(task.await.is_ok_and(|output| output == [number as u64; 16]));
    }
    let large = spawn(async {
        let bytes = [7_u8; 5_000];
        yield_now().await;
        bytes
    });
    check(large.await.is_ok_and(|bytes| bytes == [7; 5_000]));
    for _ in 0..20 {
        let call = submit_to(1, async || {
            yield_now().await;
            vec![7; 100]
        });
        check(call.await.is_ok_and(|bytes| bytes == [7; 100]));
        check(run_on(1, || Box::new([7; 100])).await.is_ok_and(|bytes| *bytes == [7; 100]));
    }
    let (sender, mut receiver) = unbounded();
    for number in 0..1_000 {
        sender.send(number).await.expect("the receiver is there");
    }
    for number in 0..1_000 {
        assert_eq!(receiver.recv().await, Some(number));
    }
    let (stream, mut peer) = pair();
    check(stream.write_all(vec![7; 100]).await.0.is_ok());
    peer.write_all(&[8; 100]).expect("the peer is there");
    check(stream.recv().await.is_ok_and(|bytes| bytes.starts_with(&[8])));
    not_done
}

/// Refuses an allocation in this process, and tells how that went by the status.
fn refuse(which: u64, all: bool) -> i32 {
    let runtime = runtime(2);
    let refused = runtime.block_on(async {
        REFUSES_ALL.store(all, Ordering::Relaxed);
        REFUSED_IN.store(which, Ordering::Relaxed);
        let not_done = ask_for_memory().await;
        let was_refused = matches!(REFUSED_IN.swap(0, Ordering::Relaxed), 0 | 1);
        assert!(was_refused || not_done == 0);
        // Whatever was not done has left all as it was.
        assert_eq!(ask_for_memory().await, 0);
        was_refused
    });
    drop(runtime);
    if refused { REFUSED_WELL } else { NOT_REFUSED }
}

/// How a process ends in which an allocation is refused.
fn end_of(which: u64, all: bool) -> Output {
    let program = env::current_exe().expect("a test knows its own program");
    let mut child = Command::new(program);
    child.args(["--exact", "t21_an_allocation_that_fails_ends_the_program_or_one_task"]);
    child.args(["--nocapture", "--test-threads=1"]);
    child.env(REFUSED, format!("{which} {all}")).env_remove("RUST_BACKTRACE");
    child.output().expect("the test's own program starts")
}

/// Whatever allocation it is that fails, the program ends as Rust has it end, or a task, a call or
/// an operation is not done and says so. Nothing else happens.
#[test]
fn t21_an_allocation_that_fails_ends_the_program_or_one_task() {
    let _deadline = deadline("T21");
    if let Ok(refused) = env::var(REFUSED) {
        let (which, all) = refused.split_once(' ').expect("two words");
        process::exit(refuse(which.parse().unwrap(), all == "true"));
    }
    for all in [false, true] {
        let (mut ended, mut went_on) = (0, 0);
        for which in (1..).step_by(if all { 7 } else { 1 }) {
            let output = end_of(which, all);
            match (output.status.code(), output.status.signal()) {
                (Some(REFUSED_WELL), _) => went_on += 1,
                (Some(NOT_REFUSED), _) => break,
                (None, Some(libc::SIGABRT)) => {
                    let said = String::from_utf8_lossy(&output.stderr);
                    assert!(said.contains("memory allocation of "), "{which}: {said}");
                    ended += 1;
                }
                _ => panic!("allocation {which} of {all}: {output:?}"),
            }
        }
        assert!(ended > 0 && (all || went_on > 0), "{ended} ended, {went_on} went on");
    }
}
