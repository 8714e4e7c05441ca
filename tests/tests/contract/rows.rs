//! Rows of the failure catalogue that the other cases do not provoke. Each test is named by its
//! row; the page of the contract tells where all of them are.

use std::cell::Cell;
use std::io::{ErrorKind, Read, Write};
use std::net;
use std::pin::pin;
use std::process::Command;
use std::rc::Rc;
use std::time::{Duration, Instant};

use miniss_linux::diagnostics::{Event, count};
use miniss_linux::net::{Keepalive, ListenOptions, TcpListener, TcpStream};
use miniss_linux::time::{sleep, timeout};
use miniss_linux::{Builder, Driver, driver_stats, run_on, spawn, submit_to, yield_now};
use miniss_tests::census::{resident_bytes, thread_id};
use miniss_tests::kernel;
use miniss_tests::sockets::pair;
use socket2::SockRef;

use crate::harness::{
    alone_with_each_driver, beside, errno, on_each_driver, poll_and_drop, poll_once, settle, soon,
    with_each_driver,
};

/// An echo on every shard of a runtime.
fn assert_echoes(builder: Builder) {
    let runtime = builder.build().unwrap();
    let echoed = runtime.run(async || {
        let (ours, mut peer) = pair();
        peer.write_all(b"echo").unwrap();
        let bytes = soon(ours.recv()).await.unwrap();
        soon(ours.write_all(bytes)).await.0.unwrap();
        let mut received = [0; 4];
        peer.read_exact(&mut received).unwrap();
        received
    });
    assert!(echoed.iter().all(|received| received == b"echo"));
}

#[test]
fn r5_bytes_pass_through_the_smallest_buffers_in_any_pieces() {
    on_each_driver(async || {
        let (ours, mut peer) = net_pair_with_buffers(1);
        let sent: Vec<u8> = (0..20_000_u32).map(|at| (at % 251) as u8).collect();
        let bytes = sent.clone();
        let writer = spawn(async move {
            let mut done = 0;
            while done < bytes.len() {
                let part = bytes[done..].to_vec();
                let written = ours.write(part).await.0.unwrap();
                assert!(written > 0);
                done += written;
            }
        });
        let reader = beside(move || {
            let mut received = Vec::new();
            peer.read_to_end(&mut received).unwrap();
            received
        });
        assert!(reader.await == sent);
        soon(writer).await.unwrap();
    });
}

/// A Unix connection, which has no timers that small buffers would wait for.
fn net_pair_with_buffers(
    bytes: i32,
) -> (miniss_linux::net::UnixStream, std::os::unix::net::UnixStream) {
    use std::os::fd::AsFd;
    let (ours, peer) = std::os::unix::net::UnixStream::pair().unwrap();
    for end in [&ours, &peer] {
        kernel::set_option(end.as_fd(), libc::SO_SNDBUF, &bytes);
        kernel::set_option(end.as_fd(), libc::SO_RCVBUF, &bytes);
    }
    (miniss_linux::net::UnixStream::from_std(ours).unwrap(), peer)
}

#[test]
fn r14_accepts_and_receives_that_a_flood_ended_begin_again() {
    with_each_driver(|builder| {
        let runtime = builder.shards(1).ring_entries(1).build().unwrap();
        let kind = runtime.driver().kind();
        runtime.block_on(async {
            let listener = ListenOptions::new().backlog(1024).bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            assert!(poll_and_drop(listener.accept()).is_pending());
            settle().await;
            // All at once, from the point of view of the shard.
            let connect = |_| net::TcpStream::connect(address).unwrap();
            let mut clients: Vec<_> = (0..100).map(connect).collect();
            let mut streams = Vec::new();
            for _ in &clients {
                let (stream, _) = soon(listener.accept()).await.unwrap();
                assert!(poll_and_drop(stream.recv()).is_pending());
                streams.push(stream);
            }
            for round in 0..5_u8 {
                settle().await;
                for client in &mut clients {
                    client.write_all(&[round; 3]).unwrap();
                }
                for stream in &streams {
                    assert_eq!(soon(stream.recv()).await.unwrap()[..], [round; 3]);
                }
            }
            let overflows = driver_stats().cq_overflows;
            assert!(kind == Driver::Epoll || overflows > 0, "there was no flood");
        });
    });
}

#[test]
fn r20_few_descriptors_are_enough_or_an_error_that_says_so() {
    const TEST: &str = "rows::r20_few_descriptors_are_enough_or_an_error_that_says_so";
    alone_with_each_driver(TEST, |builder| {
        kernel::limit_descriptors(64);
        let error = builder.clone().shards(64).build().unwrap_err().to_string();
        assert!(error.contains("shard") && error.contains("ulimit -n"), "{error}");
        assert_echoes(builder.clone().shards(2));
        // And what a connection says that has none.
        let runtime = builder.shards(1).build().unwrap();
        runtime.block_on(async {
            let listener = net::TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            let mut streams = Vec::new();
            let refused = loop {
                match soon(TcpStream::connect(address)).await {
                    Ok(stream) => streams.push(stream),
                    Err(error) => break error,
                }
            };
            assert_eq!(refused.raw_os_error(), Some(libc::EMFILE));
            streams.pop();
            soon(TcpStream::connect(address)).await.unwrap();
        });
        drop(runtime);
        kernel::limit_descriptors(1024);
    });
}

#[test]
fn r19_a_user_who_may_lock_nothing_has_a_runtime_or_a_clear_answer() {
    const TEST: &str = "rows::r19_a_user_who_may_lock_nothing_has_a_runtime_or_a_clear_answer";
    let lock_nothing = std::sync::Once::new();
    alone_with_each_driver(TEST, |builder| {
        lock_nothing.call_once(|| kernel::become_user_who_locks(0));
        match builder.clone().shards(2).build() {
            Ok(runtime) => drop(runtime),
            Err(error) => {
                assert!(error.to_string().contains("ulimit -l"), "{error}");
                assert_eq!(count(Event::LockedMemoryShort), 0, "there is no ring that is small");
            }
        }
        assert_echoes(builder.shards(2).driver(Driver::Auto));
    });
}

#[test]
fn r21_a_child_disturbs_no_one_and_inherits_nothing() {
    with_each_driver(|builder| {
        let runtime = builder.shards(2).build().unwrap();
        runtime.block_on(async {
            let (stream, mut peer) = pair();
            let mut read = pin!(stream.recv());
            assert!(poll_once(read.as_mut()).is_pending());
            settle().await;
            // A copy of the process that ends while operations are in flight here.
            let child = beside(|| kernel::fork_for(Duration::from_millis(5)));
            assert_eq!(child.await, 7);
            peer.write_all(b"still here").unwrap();
            assert_eq!(soon(read).await.unwrap()[..], *b"still here");
            assert_eq!(kernel::fork_for(Duration::from_millis(1)), 7);
            soon(sleep(Duration::from_millis(1))).await;
            assert_eq!(soon(submit_to(1, async || 5)).await.unwrap(), 5);
            // Another program has no ring, no set and no socket of ours.
            let open = beside(|| Command::new("ls").args(["-l", "/proc/self/fd"]).output()).await;
            let open = open.map(|output| String::from_utf8(output.stdout).unwrap());
            // A machine that boots nothing but this test has no other program.
            let is_ours = |line: &&str| line.contains("io_uring") || line.contains("eventpoll");
            let ours: Vec<_> = open.iter().flat_map(|text| text.lines()).filter(is_ours).collect();
            assert!(ours.is_empty(), "a child has inherited {ours:?}");
        });
    });
}

/// From now on its kernel hears nothing: as if its network were gone. `false`: we may not do that.
fn silence(peer: &net::TcpStream) -> bool {
    let nothing = [socket2::SockFilter::new(libc::BPF_RET as u16 | libc::BPF_K as u16, 0, 0, 0)];
    let silenced = SockRef::from(peer).attach_filter(&nothing);
    if let Err(error) = &silenced {
        assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}");
        println!("Left out: a filter for a socket: {error}");
    }
    silenced.is_ok()
}

#[test]
fn n4_keepalive_notices_a_peer_that_went_silent() {
    on_each_driver(async || {
        let (ours, peer) = pair();
        if !silence(&peer) {
            return;
        }
        // The shortest that there is: it takes two seconds.
        let (idle, interval) = (Duration::from_secs(1), Duration::from_secs(1));
        ours.set_keepalive(Some(Keepalive { idle, interval, retries: 1 })).unwrap();
        assert_eq!(errno(soon(ours.recv()).await), libc::ETIMEDOUT);
    });
}

#[test]
fn n4_a_peer_that_went_silent_is_given_up_after_the_user_timeout() {
    on_each_driver(async || {
        let (ours, peer) = pair();
        if !silence(&peer) {
            return;
        }
        ours.set_user_timeout(Some(Duration::from_millis(300))).unwrap();
        let waits = timeout(Duration::from_millis(10), ours.recv());
        assert!(waits.await.is_err(), "a read with a deadline ends at its deadline");
        soon(ours.write_all("anyone?")).await.0.unwrap();
        assert_eq!(errno(soon(ours.recv()).await), libc::ETIMEDOUT);
        assert_eq!(errno(soon(ours.write_all("x")).await.0), libc::EPIPE);
    });
}

#[test]
fn n6_n8_idle_connections_cost_little_and_no_one_waits_for_slow_ones() {
    const TEST: &str = "rows::n6_n8_idle_connections_cost_little_and_no_one_waits_for_slow_ones";
    const CONNECTIONS: usize = 150;
    alone_with_each_driver(TEST, |builder| {
        // All buffers are touched before anything is counted.
        let runtime = builder.shards(1).recv_buffers(16, 4096).build().unwrap();
        runtime.block_on(async {
            let (listener, mut slow) = (TcpListener::bind("127.0.0.1:0").await.unwrap(), vec![]);
            let address = listener.local_addr().unwrap();
            let served = Rc::new(Cell::new(0));
            let counter = served.clone();
            let server = spawn(async move {
                loop {
                    let (stream, _) = listener.accept().await.unwrap();
                    let counter = counter.clone();
                    spawn(async move {
                        while let Ok(bytes) = stream.recv().await {
                            if bytes.is_empty() {
                                break;
                            }
                            counter.set(counter.get() + bytes.len());
                            stream.write_all(bytes).await.0.unwrap();
                        }
                    })
                    .detach();
                }
            });
            let more_slow_ones = async |slow: &mut Vec<net::TcpStream>| {
                for _ in 0..CONNECTIONS {
                    let mut client = net::TcpStream::connect(address).unwrap();
                    client.write_all(b"x").unwrap();
                    slow.push(client);
                    // One after the other: so they share the buffers.
                    while served.get() < slow.len() {
                        yield_now().await;
                    }
                }
            };
            more_slow_ones(&mut slow).await;
            let before = resident_bytes();
            more_slow_ones(&mut slow).await;
            let each = resident_bytes().saturating_sub(before) / CONNECTIONS as u64;
            assert!(each < 2048, "{each} bytes for an idle connection");
            // A good client among them is served.
            let (client, greeting) = (TcpStream::connect(address), "good");
            let client = soon(client).await.unwrap();
            soon(client.write_all(greeting)).await.0.unwrap();
            assert_eq!(soon(client.read_exact([0; 4])).await.1, *b"good");
            drop((slow, client));
            server.abort();
        });
    });
}

#[test]
fn n9_a_storm_of_connects_to_a_full_backlog_ends_one_way_or_the_other() {
    on_each_driver(async || {
        let listener = ListenOptions::new().backlog(1).bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connects: Vec<_> = (0..64)
            .map(|_| spawn(timeout(Duration::from_millis(50), TcpStream::connect(address))))
            .collect();
        let (mut connected, mut waited) = (Vec::new(), 0);
        for connect in connects {
            match soon(connect).await.unwrap() {
                Ok(stream) => connected.push(stream.unwrap()),
                Err(_) => waited += 1,
            }
        }
        assert!(waited > 0, "all 64 fit into a backlog of 1");
        for _ in &connected {
            soon(listener.accept()).await.unwrap();
        }
    });
}

#[test]
fn n10_a_shard_that_stops_listening_leaves_its_port_to_the_others() {
    with_each_driver(|builder| {
        let runtime = builder.shards(2).build().unwrap();
        runtime.block_on(async {
            let shared = ListenOptions::new().reuse_port(true);
            let ours = shared.bind("127.0.0.1:0").await.unwrap();
            let address = ours.local_addr().unwrap();
            let (stop, stopped) = std::sync::mpsc::channel::<()>();
            let stopped = std::sync::Mutex::new(stopped);
            let theirs = submit_to(1, async move || {
                let shared = ListenOptions::new().reuse_port(true);
                let listener = shared.bind(address).await.unwrap();
                assert!(poll_and_drop(listener.accept()).is_pending());
                while stopped.lock().unwrap().try_recv().is_err() {
                    settle().await;
                }
            });
            soon(run_on(1, || {})).await.unwrap();
            // Some come to the shard that stops, and no one there takes them.
            let connect = |_| net::TcpStream::connect(address).unwrap();
            let early: Vec<_> = (0..32).map(connect).collect();
            settle().await;
            stop.send(()).unwrap();
            soon(theirs).await.unwrap();
            // The accept in flight is cancelled before the socket is closed.
            soon(submit_to(1, async || settle().await)).await.unwrap();
            let late: Vec<_> = (0..32).map(connect).collect();
            let mut accepted = Vec::new();
            while late.iter().any(|one| !accepted.contains(&one.local_addr().unwrap())) {
                accepted.push(soon(ours.accept()).await.unwrap().1);
            }
            for mut client in early {
                if accepted.contains(&client.local_addr().unwrap()) {
                    continue;
                }
                let end = beside(move || client.read(&mut [0])).await;
                assert!(end.as_ref().map_or(true, |&len| len == 0), "{end:?}");
            }
        });
    });
}

#[test]
fn n14_a_signal_to_a_shard_that_sleeps_ends_no_sleep_and_no_read() {
    const TEST: &str = "rows::n14_a_signal_to_a_shard_that_sleeps_ends_no_sleep_and_no_read";
    alone_with_each_driver(TEST, |builder| {
        kernel::interrupt_every(Duration::from_millis(900));
        let runtime = builder.shards(2).build().unwrap();
        runtime.block_on(async {
            let threads = [thread_id(), soon(run_on(1, thread_id)).await.unwrap()];
            let wait = async || {
                let (start, length) = (Instant::now(), Duration::from_millis(20));
                let (stream, mut peer) = pair();
                let mut read = pin!(stream.recv());
                assert!(timeout(length, read.as_mut()).await.is_err());
                assert!(start.elapsed() >= length);
                peer.write_all(b"x").unwrap();
                assert_eq!(soon(read).await.unwrap().len(), 1);
            };
            let there = submit_to(1, wait);
            let signals = spawn(beside(move || {
                for _ in 0..20 {
                    threads.into_iter().for_each(kernel::interrupt);
                    std::thread::sleep(Duration::from_millis(1));
                }
            }));
            soon(wait()).await;
            soon(there).await.unwrap();
            soon(signals).await.unwrap();
        });
        kernel::stop_interrupts();
    });
}
