//! Receives and sends that are dropped at each moment of their life: no message is lost, none comes
//! twice, none in pieces.

use std::future::Future;
use std::os::fd::AsFd;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;
use std::thread;
use std::time::Duration;

use miniss_linux::net::DatagramSocket;
use miniss_linux::time::sleep;
use miniss_linux::{spawn, yield_now};
use miniss_tests::kernel::set_option;
use miniss_tests::random::Random;

use super::{Kind, pair};
use crate::harness::{beside, poll_once, settle, soon};

for_each_kind![
    a_receive_dropped_at_each_moment_leaves_the_message_to_the_next,
    receives_dropped_at_random_moments_lose_no_message,
    a_message_kept_for_the_next_receive_tells_its_length_and_sender,
    a_send_that_is_dropped_goes_out_whole_or_not_at_all,
    a_socket_dropped_with_a_receive_in_the_air_closes,
];

/// A way to receive a message.
type Receive<K> = fn(Rc<DatagramSocket<K>>) -> Pin<Box<dyn Future<Output = Vec<u8>>>>;

fn ways<K: Kind>() -> [Receive<K>; 4] {
    [
        |socket| {
            Box::pin(async move {
                let (result, bytes) = socket.recv(Vec::with_capacity(64)).await;
                result.unwrap();
                bytes
            })
        },
        |socket| Box::pin(async move { socket.recv_pooled().await.unwrap().1.to_vec() }),
        |socket| {
            Box::pin(async move {
                let buffers = [Vec::with_capacity(1), Vec::with_capacity(63)];
                let (result, parts) = socket.recv_from_vectored(buffers).await;
                result.unwrap();
                parts.concat()
            })
        },
        |socket| {
            Box::pin(async move {
                socket.peek([0; 1]).await.0.unwrap();
                socket.recv_with_room(64).await
            })
        },
    ]
}

trait WithRoom {
    async fn recv_with_room(&self, room: usize) -> Vec<u8>;
}

impl<K: Kind> WithRoom for DatagramSocket<K> {
    async fn recv_with_room(&self, room: usize) -> Vec<u8> {
        let (result, bytes) = self.recv(Vec::with_capacity(room)).await;
        result.unwrap();
        bytes
    }
}

async fn a_receive_dropped_at_each_moment_leaves_the_message_to_the_next<K: Kind>() {
    for receive in ways() {
        for next in ways() {
            for moment in 0..4 {
                let (ours, peer) = pair::<K>();
                let ours = Rc::new(ours);
                let mut dropped = receive(ours.clone());
                assert!(poll_once(dropped.as_mut()).is_pending());
                if moment > 0 {
                    settle().await;
                }
                if moment > 1 {
                    peer.send(b"abc").unwrap();
                }
                if moment > 2 {
                    settle().await;
                }
                drop(dropped);
                if moment <= 1 {
                    peer.send(b"abc").unwrap();
                }
                peer.send(b"def").unwrap();
                assert_eq!(soon(next(ours.clone())).await, b"abc", "{moment}");
                assert_eq!(soon(next(ours.clone())).await, b"def", "{moment}");
            }
        }
    }
}

async fn receives_dropped_at_random_moments_lose_no_message<K: Kind>() {
    const COUNT: u32 = 400;
    let mut random = Random::new();
    let (ours, peer) = pair::<K>();
    set_option(ours.as_fd(), libc::SO_RCVBUF, &(4 << 20));
    let ours = Rc::new(ours);
    let mut pauses = random.clone();
    let sender = thread::spawn(move || {
        for number in 0..COUNT {
            peer.send(&number.to_ne_bytes()).unwrap();
            if pauses.below(4) == 0 {
                thread::sleep(Duration::from_micros(pauses.below(100)));
            }
        }
        peer
    });
    let mut expected = 0_u32;
    let mut take = |bytes: Vec<u8>| {
        assert_eq!(bytes, expected.to_ne_bytes());
        expected += 1;
        expected < COUNT
    };
    loop {
        let mut receive = ways()[random.below(4) as usize](ours.clone());
        let mut received = None;
        if random.below(2) == 0 {
            for _ in 0..random.below(3) {
                if let Poll::Ready(bytes) = poll_once(receive.as_mut()) {
                    received = Some(bytes);
                    break;
                }
                match random.below(2) {
                    0 => yield_now().await,
                    _ => sleep(Duration::from_micros(random.below(50))).await,
                }
            }
        } else {
            received = Some(soon(receive).await);
        }
        if received.is_some_and(|bytes| !take(bytes)) {
            break;
        }
    }
    drop(sender.join().unwrap());
}

async fn a_message_kept_for_the_next_receive_tells_its_length_and_sender<K: Kind>() {
    let (ours, peer) = pair::<K>();
    let mut dropped = Box::pin(ours.recv_from([0; 3]));
    assert!(poll_once(dropped.as_mut()).is_pending());
    settle().await;
    peer.send(b"longer").unwrap();
    drop(dropped);
    let (result, buffer) = soon(ours.recv_from([0; 16])).await;
    let received = result.unwrap();
    // Whether the kernel had taken it for the one that was dropped is a matter of time.
    assert!(received.len == 3 || received.len == 6);
    assert_eq!((received.len_sent, &buffer[..received.len]), (6, &b"longer"[..received.len]));
    assert_eq!(format!("{:?}", received.from), format!("{:?}", ours.peer_addr().unwrap()));
}

async fn a_send_that_is_dropped_goes_out_whole_or_not_at_all<K: Kind>() {
    let (ours, peer) = pair::<K>();
    set_option(ours.as_fd(), libc::SO_SNDBUF, &(8 << 10));
    for number in 0..40_u8 {
        let mut send = Box::pin(ours.send(vec![number; 1000]));
        let _ = poll_once(send.as_mut());
        if number % 3 == 0 {
            settle().await;
        }
    }
    let reader = spawn(beside(move || {
        let (mut buffer, mut last) = ([0; 2000], None);
        while buffer[0] != 99 {
            let len = peer.recv(&mut buffer).unwrap();
            assert_eq!(len, 1000);
            assert!(buffer[1..len].iter().all(|&byte| byte == buffer[0]));
            assert!(last < Some(buffer[0]));
            last = Some(buffer[0]);
        }
        last
    }));
    assert_eq!(soon(ours.send(vec![99; 1000])).await.0.unwrap(), 1000);
    assert_eq!(soon(reader).await.unwrap(), Some(99));
}

async fn a_socket_dropped_with_a_receive_in_the_air_closes<K: Kind>() {
    for receive in ways() {
        let (ours, peer) = pair::<K>();
        let ours = Rc::new(ours);
        let mut receiving = receive(ours.clone());
        assert!(poll_once(receiving.as_mut()).is_pending());
        settle().await;
        peer.send(b"too late").unwrap();
        drop(receiving);
        drop(ours);
        settle().await;
        // The harness counts descriptors and operations.
    }
}
