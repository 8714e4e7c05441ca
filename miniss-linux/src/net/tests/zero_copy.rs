//! Writes without a copy: the same bytes as with one, and a buffer that stays until it is no longer
//! read.

use super::*;
use crate::driver::tests::kinds;
use crate::net::ZERO_COPY_MIN;
use std::io::Read;
use std::rc::Rc;

#[test]
fn what_is_written_without_a_copy_arrives_and_the_buffer_comes_back() {
    for driver in kinds() {
        builder().driver(driver).build().unwrap().block_on(async {
            for len in [0, 1, ZERO_COPY_MIN, 3 * ZERO_COPY_MIN + 7, 4 << 20] {
                let (stream, mut peer) = pair();
                let bytes: Vec<u8> = (0..len).map(|n| (n % 251) as u8).collect();
                let expected = bytes.clone();
                let reader = std::thread::spawn(move || {
                    let mut received = Vec::new();
                    peer.read_to_end(&mut received).unwrap();
                    received
                });
                let (result, back) = patiently(stream.write_all_zero_copy(bytes)).await;
                result.unwrap();
                assert_eq!(back, expected);
                stream.shutdown(std::net::Shutdown::Write).await.unwrap();
                assert!(reader.join().unwrap() == expected, "{driver}, {len} bytes");
            }
        });
    }
}

#[test]
fn writes_of_both_kinds_keep_their_order() {
    for driver in kinds() {
        builder().driver(driver).build().unwrap().block_on(async {
            let (stream, mut peer) = pair();
            let stream = Rc::new(stream);
            let writes: Vec<_> = (0..20_u8)
                .map(|n| {
                    let stream = stream.clone();
                    spawn(async move {
                        let bytes = vec![n; ZERO_COPY_MIN];
                        match n % 2 {
                            0 => stream.write_all_zero_copy(bytes).await.0.unwrap(),
                            _ => stream.write_all(bytes).await.0.unwrap(),
                        }
                    })
                })
                .collect();
            let reader = std::thread::spawn(move || {
                let mut received = vec![0; 20 * ZERO_COPY_MIN];
                peer.read_exact(&mut received).unwrap();
                received
            });
            for write in writes {
                patiently(write).await.unwrap();
            }
            let received = reader.join().unwrap();
            let mut order: Vec<u8> = received.chunks(ZERO_COPY_MIN).map(|piece| piece[0]).collect();
            assert!(
                received.chunks(ZERO_COPY_MIN).all(|piece| piece.iter().all(|&b| b == piece[0]))
            );
            order.sort_unstable();
            assert!(order.into_iter().eq(0..20), "one is missing");
        });
    }
}

#[test]
fn a_unix_socket_which_cannot_do_without_a_copy_is_written_to_all_the_same() {
    for driver in kinds() {
        builder().driver(driver).build().unwrap().block_on(async {
            let (ours, theirs) = crate::net::UnixStream::pair().unwrap();
            let bytes = vec![5; 4 * ZERO_COPY_MIN];
            let reader =
                spawn(async move { theirs.read_exact(vec![0; 4 * ZERO_COPY_MIN]).await.1 });
            patiently(ours.write_all_zero_copy(bytes.clone())).await.0.unwrap();
            assert!(patiently(reader).await.unwrap() == bytes);
        });
    }
}

#[test]
fn one_that_is_given_up_tells_how_much_went_out_and_lets_the_next_begin() {
    for driver in kinds() {
        builder().driver(driver).build().unwrap().block_on(async {
            let (stream, mut peer) = pair();
            let len = 16 << 20;
            let mut write = Box::pin(stream.write_all_zero_copy(vec![1; len]));
            poll_once(write.as_mut());
            sleep(A_WHILE).await;
            drop(write);
            let went_out = patiently(stream.cancelled_write_bytes()).await;
            assert!(went_out < len, "the peer has read nothing");
            let reader = std::thread::spawn(move || {
                let mut received = Vec::new();
                peer.read_to_end(&mut received).unwrap();
                received
            });
            patiently(stream.write_all("behind")).await.0.unwrap();
            stream.shutdown(std::net::Shutdown::Write).await.unwrap();
            let received = reader.join().unwrap();
            assert_eq!(received.len(), went_out + 6);
            assert!(received.ends_with(b"behind"));
        });
    }
}
