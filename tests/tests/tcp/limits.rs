//! More than there is room for: entries, completions, descriptors, signals. Scenarios R1, R2, R4,
//! N1.

#![forbid(unsafe_code)]

use std::cell::Cell;
use std::io::{Read, Write};
use std::net::{self, SocketAddr};
use std::rc::Rc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use miniss_linux::net::{ListenOptions, TcpListener, TcpStream};
use miniss_linux::time::{sleep, timeout};
use miniss_linux::{Budget, Driver, Runtime, ShardId, driver_stats, spawn};
use miniss_tests::alone::alone;
use miniss_tests::census::{Census, assert_rests, counted};
use miniss_tests::deadline::{SOON, deadline};
use miniss_tests::kernel;
use miniss_tests::random::Random;
use miniss_tests::sockets::{both_ends, pair};

const LONG: Duration = SOON;

#[test]
fn r1_r2_ten_thousand_operations_through_a_ring_of_a_few_entries() {
    alone("limits::r1_r2_ten_thousand_operations_through_a_ring_of_a_few_entries", || {
        for entries in [8, 4, 1] {
            // Each stream's writes start in the order of their tasks, unless that is shuffled.
            let builder = Runtime::builder().shards(1).shuffle(0);
            // However long they take, a turn has room for them.
            let budget = Budget { time_max: LONG, ..Budget::default() };
            let runtime = builder.budget(budget).ring_entries(entries).build().unwrap();
            runtime.block_on(counted(async {
                let (streams, mut peers): (Vec<_>, Vec<_>) = (0..500).map(|_| pair()).unzip();
                let streams: Vec<_> = streams.into_iter().map(Rc::new).collect();
                let write = |number: u32| {
                    let stream = streams[number as usize % 500].clone();
                    spawn(async move { stream.write_all(number.to_be_bytes().to_vec()).await.0 })
                };
                let writes: Vec<_> = (0..10_000).map(write).collect();
                for write in writes {
                    timeout(LONG, write).await.expect("each is done").unwrap().unwrap();
                }
                for (number, peer) in peers.iter_mut().enumerate() {
                    let mut bytes = [0; 80];
                    peer.read_exact(&mut bytes).unwrap();
                    for (word, at) in bytes.chunks(4).zip(0..) {
                        assert_eq!(
                            word,
                            (number as u32 + 500 * at).to_be_bytes(),
                            "{entries} entries"
                        );
                    }
                }
                // Sends complete as they are submitted: a turn's worth is more than a ring's queue
                // has room for.
                let stats = driver_stats();
                let has_ring = runtime.driver().kind() == Driver::IoUring;
                assert_eq!(stats.cq_overflows > 0, has_ring, "{stats:?}");
                assert_eq!(stats.in_flight, 0);
            }));
        }
    });
}

/// Until the driver has that many operations under way, in whatever order tasks are polled.
async fn until_in_flight(operations: usize) {
    let there = async {
        while driver_stats().in_flight != operations {
            sleep(Duration::from_micros(100)).await;
        }
    };
    timeout(LONG, there).await.expect("all are begun");
}

#[test]
fn r2_a_thousand_completions_at_once_are_all_delivered() {
    alone("limits::r2_a_thousand_completions_at_once_are_all_delivered", || {
        let runtime = Runtime::builder().shards(1).ring_entries(8).build().unwrap();
        runtime.block_on(counted(async {
            let mut peers = Vec::new();
            let mut read = |number: u32| {
                let (ours, peer) = pair();
                peers.push(peer);
                spawn(async move {
                    let (result, bytes) = ours.read_exact(vec![0; 4]).await;
                    result.unwrap();
                    assert_eq!(bytes, number.to_be_bytes());
                })
            };
            let reads: Vec<_> = (0..1000).map(&mut read).collect();
            until_in_flight(1000).await;
            // All at once, from the point of view of the shard, which does nothing meanwhile.
            for (number, peer) in peers.iter_mut().enumerate() {
                peer.write_all(&(number as u32).to_be_bytes()).unwrap();
            }
            for read in reads {
                timeout(LONG, read).await.expect("no completion is lost").unwrap();
            }
            assert_eq!(driver_stats().in_flight, 0);
        }));
    });
}

#[test]
fn r2_cancels_beyond_the_room_in_the_ring_are_not_lost() {
    alone("limits::r2_cancels_beyond_the_room_in_the_ring_are_not_lost", || {
        let runtime = Runtime::builder().shards(1).ring_entries(4).build().unwrap();
        runtime.block_on(counted(async {
            let (reads, _peers): (Vec<_>, Vec<_>) = (0..1000)
                .map(|_| {
                    let (ours, peer) = pair();
                    (spawn(async move { ours.read([0]).await.0 }), peer)
                })
                .unzip();
            until_in_flight(1000).await;
            reads.iter().for_each(miniss_linux::JoinHandle::abort);
            let all_gone = async {
                while driver_stats().in_flight > 0 {
                    sleep(Duration::from_micros(100)).await;
                }
            };
            timeout(LONG, all_gone).await.expect("every cancel is made");
        }));
    });
}

#[test]
fn r4_signals_a_thousand_times_a_second_disturb_nothing() {
    alone("limits::r4_signals_a_thousand_times_a_second_disturb_nothing", || {
        let _deadline = deadline("r4");
        let before = Census::take();
        let runtime = Runtime::builder().shards(2).build().unwrap();
        kernel::interrupt_every(Duration::from_millis(1));
        runtime.run(async || {
            let (server, client) = both_ends().await.unwrap();
            spawn(async move {
                loop {
                    match server.recv().await.unwrap() {
                        bytes if bytes.is_empty() => return,
                        bytes => server.write_all(bytes).await.0.unwrap(),
                    }
                }
            })
            .detach();
            let (start, mut rounds) = (Instant::now(), 0);
            while start.elapsed() < Duration::from_secs(2) || rounds < 100 {
                let bytes = vec![rounds as u8; 1 + rounds % 20_000];
                let (result, sent) = client.write_all(bytes).await;
                result.unwrap();
                let (result, back) = client.read_exact(vec![0; sent.len()]).await;
                result.unwrap();
                assert_eq!(back, sent);
                rounds += 1;
                if rounds % 16 == 0 {
                    sleep(Duration::from_millis(1)).await;
                }
            }
        });
        kernel::stop_interrupts();
        drop(runtime);
        before.assert_back();
    });
}

#[test]
fn n1_accepting_without_descriptors_rests_and_goes_on_when_there_are_some() {
    alone("limits::n1_accepting_without_descriptors_rests_and_goes_on_when_there_are_some", || {
        let _deadline = deadline("n1");
        let runtime = Runtime::builder().shards(1).build().unwrap();
        runtime.block_on(counted(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let clients: Vec<_> =
                (0..100).map(|_| net::TcpStream::connect(address).unwrap()).collect();
            kernel::limit_descriptors(Census::take().descriptors as u64 + 10);
            let ticks = Rc::new(Cell::new(0));
            let counter = ticks.clone();
            let ticker = spawn(async move {
                loop {
                    sleep(Duration::from_millis(50)).await;
                    counter.set(counter.get() + 1);
                }
            });
            let mut held = Vec::new();
            while let Ok(one) = timeout(Duration::from_millis(200), listener.accept()).await {
                held.push(one.unwrap());
            }
            // A limit is one of numbers, and some below are free.
            assert!((10..50).contains(&held.len()), "{} of ten or so", held.len());
            let ticks_before = ticks.get();
            let wait = async || {
                let more = timeout(Duration::from_secs(1), listener.accept()).await;
                assert!(more.is_err(), "a connection without a descriptor");
            };
            assert_rests(Duration::from_millis(100), wait).await;
            assert!(ticks.get() > ticks_before, "the shard stood still for a second");
            let mut accepted = held.len();
            while accepted < 100 {
                held.clear();
                while accepted < 100 && held.len() < 10 {
                    held.push(timeout(LONG, listener.accept()).await.unwrap().unwrap());
                    accepted += 1;
                }
            }
            ticker.abort();
            drop(clients);
        }));
    });
}

#[test]
fn n1_a_server_that_stops_accepting_leaves_connections_in_the_backlog() {
    alone("limits::n1_a_server_that_stops_accepting_leaves_connections_in_the_backlog", || {
        let runtime = Runtime::builder().shards(1).build().unwrap();
        runtime.block_on(counted(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let connect = |_| net::TcpStream::connect(address).unwrap();
            let mut clients = vec![connect(0)];
            let first = listener.accept().await.unwrap();
            let before = Census::take().descriptors;
            for _ in 0..18 {
                clients.extend((0..50).map(connect));
                sleep(Duration::from_millis(1)).await;
            }
            let ahead = Census::take().descriptors - before - 900;
            assert!(ahead < 450, "{ahead} were accepted that no one asked for");
            for _ in 0..900 {
                timeout(LONG, listener.accept()).await.unwrap().unwrap();
            }
            drop(first);
        }));
    });
}

#[test]
fn both_shards_accept_from_one_port() {
    let _deadline = deadline("reuse_port");
    let runtime = Runtime::builder().shards(2).build().unwrap();
    // Where the first listens, how many do, and whether they are still wanted.
    static ADDRESS: OnceLock<SocketAddr> = OnceLock::new();
    static LISTENING: AtomicUsize = AtomicUsize::new(0);
    static DONE: AtomicBool = AtomicBool::new(false);
    let clients = thread::spawn(move || {
        while LISTENING.load(SeqCst) < 2 {
            thread::sleep(Duration::from_millis(1));
        }
        for _ in 0..200 {
            let mut client = net::TcpStream::connect(ADDRESS.get().unwrap()).unwrap();
            assert_eq!(client.read(&mut [0]).unwrap(), 1);
        }
        DONE.store(true, SeqCst);
    });
    let accepted = runtime.run(async move || {
        while ShardId::current().index() > 0 && ADDRESS.get().is_none() {
            sleep(Duration::from_millis(1)).await;
        }
        let address = ADDRESS.get().copied().unwrap_or(([127, 0, 0, 1], 0).into());
        let listener = ListenOptions::new().reuse_port(true).bind(address).await.unwrap();
        ADDRESS.get_or_init(|| listener.local_addr().unwrap());
        LISTENING.fetch_add(1, SeqCst);
        let mut accepted = 0_usize;
        while !DONE.load(SeqCst) {
            if let Ok(connection) = timeout(Duration::from_millis(10), listener.accept()).await {
                let (stream, _) = connection.unwrap();
                stream.write_all([ShardId::current().index() as u8]).await.0.unwrap();
                accepted += 1;
            }
        }
        accepted
    });
    clients.join().unwrap();
    assert!(accepted.iter().all(|&count| count > 20), "{accepted:?}");
    assert!(accepted.iter().sum::<usize>() >= 200, "{accepted:?}");
}

#[test]
fn a_storm_of_connections_is_served_completely() {
    let _deadline = deadline("connect storm");
    let seed = Random::new();
    let runtime = Runtime::builder().shards(2).ring_entries(16).build().unwrap();
    let served = runtime.run(async move || {
        let mut random = seed.clone();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let client = |bytes: Vec<u8>| async move {
            let stream = TcpStream::connect(address).await.unwrap();
            let (result, bytes) = stream.write_all(bytes).await;
            result.unwrap();
            let (result, back) = stream.read_exact(vec![0; bytes.len()]).await;
            result.unwrap();
            assert_eq!(back, bytes);
        };
        let start = |_| {
            let len = 1 + random.below(3000) as usize;
            spawn(client(random.bytes(len)))
        };
        let clients: Vec<_> = (0..1000).map(start).collect();
        spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                spawn(async move {
                    loop {
                        match stream.recv().await.unwrap() {
                            bytes if bytes.is_empty() => return,
                            bytes => stream.write_all(bytes).await.0.unwrap(),
                        }
                    }
                })
                .detach();
            }
        })
        .detach();
        let mut served = 0;
        for client in clients {
            timeout(LONG, client).await.expect("each is served").unwrap();
            served += 1;
        }
        served
    });
    assert_eq!(served, [1000, 1000]);
}
