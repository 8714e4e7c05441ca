//! The life of a runtime: `block_on` again and again, and its end with everything in flight.

use std::cell::{Cell, RefCell};
use std::future::{Future, pending};
use std::io::{Read, Write};
use std::net;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use miniss_linux::net::{TcpListener, TcpStream};
use miniss_linux::time::{interval, sleep};
use miniss_linux::{Driver, ShardId, driver_stats, run_on, spawn, submit_to, yield_now};
use miniss_tests::deadline::SOON;
use miniss_tests::sockets::{pair, uninterrupted};

use crate::harness::{poll_once, settle, soon, with_each_driver};

#[test]
fn a_runtime_has_the_driver_that_it_was_told_to_have() {
    with_each_driver(|builder| {
        let runtime = builder.shards(1).build().unwrap();
        let driver = runtime.driver();
        assert_ne!(driver.kind(), Driver::Auto);
        assert!(driver.to_string().starts_with(&driver.kind().to_string()), "{driver}");
        let other = miniss_linux::Runtime::builder().shards(1).driver(driver.kind());
        assert_eq!(other.build().unwrap().driver().kind(), driver.kind());
    });
}

#[test]
fn block_on_gives_the_output_again_and_again() {
    with_each_driver(|builder| {
        let runtime = builder.shards(1).build().unwrap();
        let borrowed = String::from("borrowed");
        for round in 0..10 {
            let output = runtime.block_on(async {
                settle().await;
                (borrowed.len(), round)
            });
            assert_eq!(output, (8, round));
        }
    });
}

#[test]
fn tasks_go_on_in_the_next_block_on_and_rest_between() {
    with_each_driver(|builder| {
        let runtime = builder.shards(1).build().unwrap();
        let turns = Rc::new(Cell::new(0));
        let counter = turns.clone();
        let task = runtime.spawn(async move {
            loop {
                counter.set(counter.get() + 1);
                yield_now().await;
            }
        });
        runtime.block_on(settle());
        let before = turns.get();
        assert!(before > 0);
        thread::sleep(Duration::from_millis(2));
        assert_eq!(turns.get(), before, "it ran while no one ran the shard");
        runtime.block_on(settle());
        assert!(turns.get() > before);
        task.abort();
    });
}

#[test]
fn what_comes_between_two_block_ons_is_there_in_the_second() {
    with_each_driver(|builder| {
        let runtime = builder.shards(1).build().unwrap();
        let (streams, peers) = runtime.block_on(async {
            let (first, first_peer) = pair();
            let (second, second_peer) = pair();
            (Rc::new([first, second]), [first_peer, second_peer])
        });
        let readers = [0, 1].map(|at| {
            let streams = streams.clone();
            runtime.spawn(async move {
                match at {
                    0 => streams[0].recv().await.unwrap().to_vec(),
                    _ => streams[1].read(vec![0; 8]).await.1,
                }
            })
        });
        runtime.block_on(settle());
        for mut peer in peers {
            peer.write_all(b"between").unwrap();
        }
        for reader in readers {
            assert_eq!(runtime.block_on(soon(reader)).unwrap(), b"between");
        }
    });
}

#[test]
fn a_panic_of_the_main_future_leaves_the_runtime_as_it_was() {
    with_each_driver(|builder| {
        let runtime = builder.shards(2).build().unwrap();
        let task = runtime.spawn(sleep(Duration::from_millis(2)));
        let main = AssertUnwindSafe(|| {
            runtime.block_on(async {
                yield_now().await;
                panic!("as planned")
            })
        });
        assert!(catch_unwind(main).is_err());
        runtime.block_on(soon(task)).unwrap();
        assert_eq!(runtime.block_on(async { run_on(1, || 5).await }).unwrap(), 5);
    });
}

#[test]
fn block_on_inside_of_block_on_is_a_panic_that_says_so() {
    with_each_driver(|builder| {
        let runtime = Rc::new(builder.shards(1).build().unwrap());
        let inner = runtime.clone();
        let task = runtime.spawn(async move { inner.block_on(async {}) });
        let error = runtime.block_on(task).unwrap_err();
        assert!(error.to_string().contains("block_on was called inside of a runtime"), "{error}");
    });
}

#[test]
fn run_runs_on_every_shard_and_keeps_their_order() {
    with_each_driver(|builder| {
        let runtime = builder.shards(3).build().unwrap();
        for _ in 0..3 {
            let shards = runtime.run(async || {
                settle().await;
                ShardId::current().index()
            });
            assert_eq!(shards, [0, 1, 2]);
        }
    });
}

/// Begins one of everything that waits, on the shard that we are on; gives what sees its end.
async fn begin_everything() -> Vec<net::TcpStream> {
    let mut peers = Vec::new();
    let mut one = |wait: fn(TcpStream) -> Pin<Box<dyn Future<Output = ()>>>| {
        let (ours, peer) = pair();
        peers.push(peer);
        spawn(wait(ours)).detach();
    };
    one(|stream| Box::pin(async move { drop(stream.recv().await) }));
    one(|stream| Box::pin(async move { drop(stream.read(vec![0; 99]).await) }));
    one(|stream| Box::pin(async move { drop(stream.read_exact(vec![0; 99]).await) }));
    one(|stream| Box::pin(async move { drop(stream.read_vectored([[0; 9], [0; 9]]).await) }));
    one(|stream| Box::pin(async move { drop(stream.peek([0; 9]).await) }));
    one(|stream| Box::pin(async move { drop(stream.write_all(vec![0; 64 << 20]).await) }));
    one(|stream| {
        Box::pin(async move {
            drop(stream.write_vectored_all([vec![0; 32 << 20], vec![0; 32 << 20]]).await);
        })
    });
    one(|stream| {
        Box::pin(async move {
            let (_reader, _writer) = stream.into_split();
            pending().await
        })
    });
    spawn(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        drop(listener.accept().await);
    })
    .detach();
    spawn(async {
        let full = net::TcpListener::bind("127.0.0.1:0").unwrap();
        socket2::SockRef::from(&full).listen(0).unwrap();
        let mut connected = Vec::new();
        // Until one has to wait.
        loop {
            connected.push(TcpStream::connect(full.local_addr().unwrap()).await);
        }
    })
    .detach();
    spawn(sleep(Duration::from_secs(3600))).detach();
    spawn(sleep(Duration::MAX)).detach();
    spawn(async {
        let mut interval = interval(Duration::from_micros(50));
        loop {
            interval.tick().await;
        }
    })
    .detach();
    peers
}

/// The peers see that no one is there any more.
fn assert_gone(peers: Vec<net::TcpStream>) {
    for mut peer in peers {
        peer.set_read_timeout(Some(SOON)).unwrap();
        let mut bytes = vec![0; 1 << 20];
        let mut read = || uninterrupted(|| peer.read(&mut bytes));
        while read().expect("it closes, and does not wait") > 0 {}
    }
}

#[test]
fn r9_a_runtime_that_is_dropped_ends_everything_in_flight_on_every_shard() {
    with_each_driver(|builder| {
        for settled in [false, true] {
            let runtime = builder.clone().shards(2).shutdown_timeout(SOON).build().unwrap();
            let peers = runtime.run(async move || {
                let peers = begin_everything().await;
                if settled {
                    settle().await;
                    assert!(driver_stats().in_flight > 5);
                }
                peers
            });
            let dropped = std::time::Instant::now();
            drop(runtime);
            assert!(dropped.elapsed() < SOON, "the end was cut short");
            peers.into_iter().for_each(assert_gone);
        }
    });
}

#[test]
fn a_runtime_that_has_done_nothing_ends_at_once() {
    with_each_driver(|builder| {
        for shards in [1, 2, 5] {
            drop(builder.clone().shards(shards).build().unwrap());
        }
    });
}

#[test]
fn runtimes_come_and_go_and_leave_nothing_behind() {
    with_each_driver(|builder| {
        for _ in 0..20 {
            let runtime = builder.clone().shards(2).build().unwrap();
            runtime.block_on(async {
                let (stream, mut peer) = pair();
                peer.write_all(b"x").unwrap();
                assert_eq!(soon(stream.recv()).await.unwrap()[..], *b"x");
                assert_eq!(soon(submit_to(1, async || 5)).await.unwrap(), 5);
            });
        }
    });
}

#[test]
fn two_runtimes_of_one_thread_talk_to_each_other_in_turns() {
    with_each_driver(|builder| {
        let [one, two] = [0, 1].map(|_| builder.clone().shards(1).build().unwrap());
        let (ours, peer) = miniss_tests::sockets::blocking_pair();
        let ours = one.block_on(async { TcpStream::from_std(ours).unwrap() });
        let theirs = two.block_on(async { TcpStream::from_std(peer).unwrap() });
        for round in 0..10_u8 {
            one.block_on(async { soon(ours.write_all([round; 3])).await.0.unwrap() });
            two.block_on(async {
                let bytes = soon(theirs.recv()).await.unwrap();
                assert_eq!(bytes[..], [round; 3]);
                soon(theirs.write_all(bytes)).await.0.unwrap();
            });
            let (result, bytes) = one.block_on(soon(ours.read_exact([0; 3])));
            result.unwrap();
            assert_eq!(bytes, [round; 3]);
        }
        drop((theirs, two));
        assert!(one.block_on(soon(ours.recv())).unwrap().is_empty());
    });
}

#[test]
fn a_runtime_is_made_and_dropped_inside_of_another() {
    with_each_driver(|builder| {
        let outer = builder.clone().shards(1).build().unwrap();
        outer.block_on(async {
            let inner = builder.clone().shards(2).build().unwrap();
            inner.spawn(sleep(Duration::from_secs(3600))).detach();
            let call = inner.handle().submit_to(1, async || {
                let (stream, mut peer) = pair();
                peer.write_all(b"x").unwrap();
                stream.recv().await.unwrap().len()
            });
            assert_eq!(soon(call).await.unwrap(), 1);
            drop(inner);
            settle().await;
        });
    });
}

#[test]
fn sockets_that_outlive_their_runtime_say_so_and_close() {
    with_each_driver(|builder| {
        let runtime = builder.clone().shards(1).build().unwrap();
        let (stream, listener, mut peer) = runtime.block_on(async {
            let (stream, peer) = pair();
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            assert!(poll_once(Box::pin(listener.accept()).as_mut()).is_pending());
            assert!(poll_once(Box::pin(stream.recv()).as_mut()).is_pending());
            settle().await;
            (stream, listener, peer)
        });
        drop(runtime);
        let next = builder.clone().shards(1).build().unwrap();
        next.block_on(async {
            assert!(soon(stream.recv()).await.is_err());
            assert!(soon(stream.read([0; 8])).await.0.is_err());
            assert!(soon(stream.write_all("x")).await.0.is_err());
            assert!(soon(listener.accept()).await.is_err());
        });
        drop(next);
        drop((stream, listener));
        assert_eq!(peer.read(&mut [0]).unwrap(), 0);
    });
}

#[test]
fn sockets_dropped_where_no_runtime_runs_close_at_once() {
    with_each_driver(|builder| {
        let runtime = builder.shards(1).build().unwrap();
        let (stream, listener, mut peer) = runtime.block_on(async {
            let (stream, peer) = pair();
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            assert!(poll_once(Box::pin(listener.accept()).as_mut()).is_pending());
            assert!(poll_once(Box::pin(stream.recv()).as_mut()).is_pending());
            settle().await;
            (stream, listener, peer)
        });
        let address = listener.local_addr().unwrap();
        drop((stream, listener));
        peer.set_read_timeout(Some(SOON)).unwrap();
        assert_eq!(uninterrupted(|| peer.read(&mut [0])).unwrap(), 0);
        assert!(net::TcpStream::connect(address).is_err());
        runtime.block_on(settle());
    });
}

#[test]
fn received_buffers_outlive_their_runtime() {
    with_each_driver(|builder| {
        let runtime = builder.shards(1).recv_buffers(2, 64).build().unwrap();
        let mut kept = runtime.block_on(async {
            let (stream, mut peer) = pair();
            peer.write_all(b"kept").unwrap();
            soon(stream.recv()).await.unwrap()
        });
        drop(runtime);
        kept[0] = b'K';
        assert_eq!(kept[..], *b"Kept");
    });
}

#[test]
fn futures_are_dropped_on_their_own_shard_when_the_runtime_ends() {
    struct AtHome(thread::ThreadId, std::sync::mpsc::Sender<bool>);
    impl Drop for AtHome {
        fn drop(&mut self) {
            self.1.send(thread::current().id() == self.0).unwrap();
        }
    }
    with_each_driver(|builder| {
        let (sender, receiver) = std::sync::mpsc::channel();
        let runtime = builder.shards(2).build().unwrap();
        runtime.run(async move || {
            let at_home = AtHome(thread::current().id(), sender.clone());
            spawn(async move {
                let _at_home = at_home;
                pending::<()>().await;
            })
            .detach();
            yield_now().await;
        });
        drop(runtime);
        assert_eq!(receiver.iter().collect::<Vec<_>>(), [true, true]);
    });
}

#[test]
fn the_smallest_of_everything_gets_everything_done() {
    with_each_driver(|builder| {
        let small = builder.shards(1).ring_entries(1).recv_buffers(1, 1);
        let runtime = small.build().unwrap();
        runtime.block_on(async {
            let received = Rc::new(RefCell::new(0));
            let tasks: Vec<_> = (0..50_u8)
                .map(|number| {
                    let ((stream, mut peer), received) = (pair(), received.clone());
                    peer.write_all(&[number; 20]).unwrap();
                    spawn(async move {
                        let mut left = 20;
                        while left > 0 {
                            let bytes = stream.recv().await.unwrap();
                            assert!(bytes.iter().all(|&byte| byte == number));
                            left -= bytes.len();
                            *received.borrow_mut() += bytes.len();
                        }
                        stream.write_all([number]).await.0.unwrap();
                        peer
                    })
                })
                .collect();
            for (task, number) in tasks.into_iter().zip(0..) {
                let mut byte = [0];
                soon(task).await.unwrap().read_exact(&mut byte).unwrap();
                assert_eq!(byte, [number]);
            }
            assert_eq!(received.take(), 1000);
        });
    });
}
