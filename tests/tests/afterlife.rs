//! What outlives its task or its runtime, or is used in another: it does no harm. Scenarios T5, T6,
//! T12, T19.

#![forbid(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::future::{Future, pending, poll_fn};
use std::io::{Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use miniss_linux::net::{TcpListener, TcpStream};
use miniss_linux::time::{Sleep, interval, sleep, timeout};
use miniss_linux::{JoinHandle, Runtime, ShardId, spawn, stats, yield_now};
use miniss_tests::alone::alone;
use miniss_tests::census::Census;
use miniss_tests::deadline::{SOON, deadline};
use miniss_tests::sockets::{pair, uninterrupted};

const LONG: Duration = SOON;

fn one_shard() -> Runtime {
    Runtime::builder().shards(1).build().unwrap()
}

fn poll_once<F: Future + ?Sized>(future: Pin<&mut F>) -> bool {
    future.poll(&mut Context::from_waker(Waker::noop())).is_ready()
}

#[test]
fn t5_an_abort_handle_of_a_task_that_has_ended_aborts_no_other() {
    let _deadline = deadline("stale abort handles");
    let mut stale = Vec::new();
    for _ in 0..3 {
        let runtime = one_shard();
        let taken = std::mem::take(&mut stale);
        stale = runtime.block_on(async {
            // Tasks that take the places of those that the handles were of.
            let others: Vec<_> =
                (0..1000).map(|_| spawn(sleep(Duration::from_millis(20)))).collect();
            taken.iter().for_each(miniss_linux::AbortHandle::abort);
            let ended: Vec<_> = (0..1000).map(|_| spawn(async {})).collect();
            let mut handles: Vec<_> = ended.iter().filter_map(JoinHandle::abort_handle).collect();
            for task in ended {
                task.await.unwrap();
            }
            let after: Vec<_> = (0..1000).map(|_| spawn(yield_now())).collect();
            handles.iter().for_each(miniss_linux::AbortHandle::abort);
            for task in after.into_iter().chain([spawn(yield_now())]) {
                task.await.expect("aborted by a handle of another");
            }
            handles.extend(others.iter().filter_map(JoinHandle::abort_handle));
            for task in others {
                task.await.expect("aborted by a handle of another");
            }
            handles
        });
    }
}

#[test]
fn t5_join_handles_that_outlive_their_runtime_give_what_they_have_once() {
    struct Counted(Rc<Cell<u32>>);
    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
        }
    }
    let _deadline = deadline("late join handles");
    let drops = Rc::new(Cell::new(0));
    let first = one_shard();
    let mut handles = first.block_on(async {
        let counted = || Counted(drops.clone());
        let done = |counted: Counted| spawn(async move { counted });
        let waits = |counted: Counted| {
            spawn(async move {
                pending::<()>().await;
                counted
            })
        };
        let handles = [done(counted()), waits(counted()), done(counted()), waits(counted())];
        sleep(Duration::from_millis(1)).await;
        handles.map(Some)
    });
    assert_eq!(drops.get(), 0);
    // One of each is dropped while the runtime is there but no one is in it.
    drop((handles[0].take(), handles[1].take()));
    assert_eq!(drops.get(), 1);
    drop(first);
    assert!(drops.get() >= 3, "futures live on: {}", drops.get());
    let second = one_shard();
    second.block_on(async {
        let _others: Vec<_> = (0..100).map(|_| spawn(pending::<()>())).collect();
        for handle in handles.into_iter().flatten() {
            assert!(handle.is_finished());
            handle.abort();
            let _ = timeout(LONG, handle).await.expect("it says something");
        }
    });
    drop(second);
    assert_eq!(drops.get(), 4);
}

#[test]
fn t6_sockets_of_a_runtime_that_has_ended_say_so_and_close() {
    alone("t6_sockets_of_a_runtime_that_has_ended_say_so_and_close", || {
        let _deadline = deadline("late sockets");
        let before = Census::take();
        let first = one_shard();
        let (read_before, fresh, listener, mut peers) = first.block_on(async {
            let (read_before, mut peer) = pair();
            peer.write_all(b"some").unwrap();
            assert_eq!(read_before.recv().await.unwrap().len(), 4);
            let (fresh, other) = pair();
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            assert!(timeout(Duration::from_millis(1), listener.accept()).await.is_err());
            (read_before, fresh, listener, [peer, other])
        });
        drop(first);
        peers.iter_mut().for_each(|peer| peer.write_all(b"more").unwrap());
        let second = one_shard();
        second.block_on(async {
            for stream in [&read_before, &fresh] {
                assert!(timeout(LONG, stream.recv()).await.unwrap().is_err());
                assert!(timeout(LONG, stream.read(vec![0])).await.unwrap().0.is_err());
                assert!(timeout(LONG, stream.read_vectored([vec![0]])).await.unwrap().0.is_err());
                assert!(timeout(LONG, stream.write_all("x")).await.unwrap().0.is_err());
                drop(timeout(LONG, stream.shutdown(std::net::Shutdown::Write)).await.unwrap());
            }
            assert!(timeout(LONG, listener.accept()).await.unwrap().is_err());
            timeout(LONG, fresh.close()).await.expect("it does not wait").unwrap();
        });
        // Outside of any runtime, too.
        drop((read_before, listener, fresh, peers));
        drop(second);
        before.assert_back();
    });
}

#[test]
fn a_stream_used_in_another_runtime_of_the_thread_says_so_and_loses_nothing() {
    let _deadline =
        deadline("a_stream_used_in_another_runtime_of_the_thread_says_so_and_loses_nothing");
    let (first, second) = (one_shard(), one_shard());
    let (ours, mut peer) = first.block_on(async { pair() });
    let ours = Rc::new(ours);
    peer.write_all(b"for the first").unwrap();
    type Use = fn(Rc<TcpStream>) -> Pin<Box<dyn Future<Output = ()>>>;
    let uses: [Use; 7] = [
        |stream| Box::pin(async move { drop(stream.recv().await) }),
        |stream| Box::pin(async move { drop(stream.read(vec![0; 8]).await) }),
        |stream| Box::pin(async move { drop(stream.read_exact(vec![0; 8]).await) }),
        |stream| Box::pin(async move { drop(stream.read_vectored([vec![0; 8]]).await) }),
        |stream| Box::pin(async move { drop(stream.write_all("lost").await) }),
        |stream| Box::pin(async move { drop(stream.write_vectored_all(["lost"]).await) }),
        |stream| Box::pin(async move { drop(stream.close().await) }),
    ];
    for (number, use_it) in uses.into_iter().enumerate() {
        // In a task of the other runtime, and where no runtime runs.
        let error = second.block_on(second.spawn(use_it(ours.clone()))).unwrap_err();
        assert!(error.to_string().contains("Runtime::block_on"), "{number}: {error}");
        let outside = || poll_once(use_it(ours.clone()).as_mut());
        assert!(catch_unwind(AssertUnwindSafe(outside)).is_err(), "{number}");
    }
    first.block_on(async {
        assert_eq!(ours.recv().await.unwrap()[..], *b"for the first");
        ours.write_all("and back").await.0.unwrap();
    });
    drop((second, ours));
    let mut back = Vec::new();
    peer.read_to_end(&mut back).unwrap();
    assert_eq!(back, b"and back");
}

#[test]
fn what_was_begun_in_one_runtime_is_not_awaited_in_another() {
    let _deadline = deadline("what_was_begun_in_one_runtime_is_not_awaited_in_another");
    let (first, second) = (one_shard(), one_shard());
    let (stream, mut peer) = first.block_on(async { pair() });
    let (other, _other_peer) = first.block_on(async { pair() });
    let listener = first.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let refused = |mut future: Pin<Box<dyn Future<Output = ()> + '_>>| {
        assert!(!first.block_on(async { poll_once(future.as_mut()) }));
        let elsewhere = AssertUnwindSafe(|| second.block_on(future.as_mut()));
        assert!(catch_unwind(elsewhere).is_err());
    };
    refused(Box::pin(async { drop(stream.read(vec![0; 8]).await) }));
    refused(Box::pin(async { drop(other.recv().await) }));
    refused(Box::pin(async { drop(other.write_all(vec![0; 64 << 20]).await) }));
    refused(Box::pin(async { drop(listener.accept().await) }));
    // A read that was given up is waited for by the next, which may not be elsewhere either.
    drop(Box::pin(stream.read(vec![0; 8])));
    peer.write_all(b"here").unwrap();
    assert_eq!(first.block_on(stream.recv()).unwrap()[..], *b"here");
}

#[test]
fn a_sleep_goes_with_whoever_awaits_it() {
    let _deadline = deadline("a_sleep_goes_with_whoever_awaits_it");
    let (first, second) = (one_shard(), one_shard());
    // Longer than a slow machine takes to poll it again, and with a waker that no one else has.
    let mut nap = Box::pin(sleep(Duration::from_secs(1)));
    let begun = poll_fn(|cx| Poll::Ready(nap.as_mut().poll(cx).is_pending()));
    assert!(first.block_on(begun));
    second.block_on(async {
        assert!(!poll_once(nap.as_mut()));
        assert_eq!(stats().timers_armed, 1);
        nap.as_mut().await;
    });
    let mut never = Box::pin(timeout(LONG, pending::<()>()));
    assert!(!first.block_on(async { poll_once(never.as_mut()) }));
    assert_eq!(first.block_on(async { stats().timers_armed }), 1);
    let outside = AssertUnwindSafe(|| {
        let waker = Waker::from(Arc::new(Unheard));
        never.as_mut().poll(&mut Context::from_waker(&waker)).is_ready()
    });
    assert!(catch_unwind(outside).is_err());
}

struct Unheard;

impl Wake for Unheard {
    fn wake(self: Arc<Self>) {}
}

#[test]
fn sockets_dropped_where_no_runtime_runs_close_at_once() {
    alone("sockets_dropped_where_no_runtime_runs_close_at_once", || {
        let _deadline = deadline("sockets_dropped_where_no_runtime_runs_close_at_once");
        let (first, second) = (one_shard(), one_shard());
        first.block_on(async { drop(pair().0.recv()) });
        let before = Census::take();
        let waiting = || {
            first.block_on(async {
                let (received, peer) = pair();
                let _ = timeout(Duration::from_millis(1), received.recv()).await;
                let (read, other) = pair();
                let _ = timeout(Duration::from_millis(1), read.read(vec![0; 8])).await;
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                let _ = timeout(Duration::from_millis(1), listener.accept()).await;
                (received, read, listener, [peer, other])
            })
        };
        let assert_closed = |mut peers: [std::net::TcpStream; 2]| {
            for peer in &mut peers {
                peer.set_read_timeout(Some(LONG)).unwrap();
                assert_eq!(uninterrupted(|| peer.read(&mut [0])).unwrap(), 0);
            }
        };
        // Between two calls of `block_on`; in another runtime; when their own has ended.
        let (received, read, listener, peers) = waiting();
        let address = listener.local_addr().unwrap();
        drop((received, read, listener));
        assert_closed(peers);
        assert!(std::net::TcpStream::connect(address).is_err());
        assert_eq!(Census::take(), before);
        let (received, read, listener, peers) = waiting();
        second.block_on(async move { drop((received, read, listener)) });
        assert_closed(peers);
        assert_eq!(Census::take(), before);

        // Operations in flight, dropped outside.
        let (stream, peer) = first.block_on(async { pair() });
        let stream = Rc::new(stream);
        let reader = stream.clone();
        let mut reading = Box::pin(async move { reader.read(vec![0; 8]).await.0 });
        let writer = stream.clone();
        let mut writing = Box::pin(async move { writer.write_all(vec![0; 64 << 20]).await.0 });
        first.block_on(async {
            assert!(!poll_once(reading.as_mut()));
            assert!(!poll_once(writing.as_mut()));
        });
        drop((reading, writing, stream));
        assert_eq!(Census::take().descriptors, before.descriptors + 1);
        drop(peer);

        // A panic out of `block_on` drops them at its very end.
        let mut peer = None;
        let panics = AssertUnwindSafe(|| {
            first.block_on(async {
                let (stream, other) = pair();
                peer = Some(other);
                let _ = timeout(Duration::from_millis(1), stream.recv()).await;
                panic!("as planned");
            })
        });
        assert!(catch_unwind(panics).is_err());
        drop(peer);
        assert_eq!(Census::take(), before);

        let (received, read, listener, peers) = waiting();
        drop(first);
        drop((received, read, listener));
        assert_closed(peers);
    });
}

#[test]
fn t12_timers_are_dropped_and_polled_anywhere() {
    let _deadline = deadline("late timers");
    let (first, second) = (one_shard(), one_shard());
    let arm = |runtime: &Runtime| -> Vec<Pin<Box<Sleep>>> {
        runtime.block_on(async {
            let mut sleeps: Vec<_> =
                (0..30).map(|at| Box::pin(sleep(Duration::from_millis(at)))).collect();
            sleeps.iter_mut().for_each(|sleep| assert!(!poll_once(sleep.as_mut())));
            sleeps
        })
    };
    // Dropped outside of any runtime, and inside of the wrong one.
    drop(arm(&first).split_off(7));
    let sleeps = arm(&first);
    second.block_on(async {
        drop(sleeps);
        sleep(Duration::from_millis(1)).await;
    });
    assert_eq!(first.block_on(async { stats().timers_armed }), 0);
    // Armed in one and awaited in the other, while the first works.
    let mut sleeps = arm(&first);
    let last = sleeps.pop().unwrap();
    first.block_on(sleep(Duration::from_millis(40)));
    second.block_on(async move { timeout(LONG, last).await.expect("it has fired") });
    drop(sleeps);
    // Armed in one that ends; it can be dropped, and another runtime is unharmed.
    let sleeps = arm(&first);
    drop(first);
    second.block_on(async {
        let mut ticks = interval(Duration::from_millis(1));
        for _ in 0..5 {
            timeout(LONG, ticks.tick()).await.unwrap();
        }
        drop(sleeps);
        assert_eq!(stats().timers_armed, 0);
    });
}

#[test]
fn t19_destructors_of_thread_locals_may_use_what_is_left_of_a_runtime() {
    struct Late(RefCell<Vec<Box<dyn FnOnce()>>>);
    impl Drop for Late {
        fn drop(&mut self) {
            self.0.take().into_iter().for_each(|act| act());
        }
    }
    thread_local! {
        static LATE: Late = const { Late(RefCell::new(Vec::new())) };
    }
    fn late(act: impl FnOnce() + 'static) {
        LATE.with(|late| late.0.borrow_mut().push(Box::new(act)));
    }
    let _deadline = deadline("thread-local destructors");
    let thread = thread::spawn(|| {
        LATE.with(|_| {});
        let runtime = Runtime::builder().shards(2).build().unwrap();
        runtime.block_on(async {
            let task = spawn(pending::<()>());
            let abort = task.abort_handle().unwrap();
            let (stream, _peer) = pair();
            late(move || abort.abort());
            late(move || drop(task));
            late(move || drop::<TcpStream>(stream));
            late(|| assert_eq!(ShardId::try_current(), None));
            std::future::poll_fn(|cx| {
                let waker = cx.waker().clone();
                late(move || waker.wake());
                std::task::Poll::Ready(())
            })
            .await;
        });
        late(move || {
            // The runtime itself works and ends in there.
            assert_eq!(runtime.block_on(async { 5 }), 5);
            drop(runtime);
        });
    });
    thread.join().unwrap();
}

#[test]
fn a_runtime_full_of_everything_ends_in_order() {
    alone("a_runtime_full_of_everything_ends_in_order", || {
        let before = Census::take();
        let runtime = Runtime::builder().shards(2).shutdown_timeout(SOON).build().unwrap();
        let handle = runtime.handle();
        let peers = runtime.run(async || {
            let mut peers = Vec::new();
            for number in 0..100 {
                let (ours, peer) = pair();
                peers.push(peer);
                spawn(async move {
                    match number % 4 {
                        0 => drop(ours.recv().await),
                        1 => drop(ours.read(vec![0; 100]).await),
                        2 => drop(ours.write_all(vec![1; 16 << 20]).await),
                        _ => drop(ours.read_vectored([vec![0; 9], vec![0; 9]]).await),
                    }
                })
                .detach();
                spawn(sleep(Duration::from_secs(number))).detach();
                spawn(async {
                    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                    listener.accept().await.map(drop)
                })
                .detach();
            }
            sleep(Duration::from_millis(5)).await;
            peers
        });
        let foreign = thread::spawn(move || {
            handle.submit_to(1, async || pending::<()>().await).wait().unwrap_err()
        });
        thread::sleep(Duration::from_millis(20));
        let start = Instant::now();
        drop(runtime);
        assert!(start.elapsed() < SOON, "the end was cut short");
        foreign.join().unwrap();
        drop(peers);
        before.assert_back();
    });
}
