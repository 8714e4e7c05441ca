//! More connections than the program accepts.

use super::*;
use crate::net::TcpListener;

#[test]
fn connections_that_no_one_accepts_yet_wait_in_the_kernel_and_none_is_lost() {
    const CONNECTIONS: usize = 600;
    builder().build().unwrap().block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        // The accept is under way from here on, and no one takes what it brings.
        poll_once(pin!(listener.accept()));
        let peers = std::thread::spawn(move || {
            let connect = |_| std::net::TcpStream::connect(address).unwrap();
            (0..CONNECTIONS).map(connect).collect::<Vec<_>>()
        });
        while !peers.is_finished() {
            sleep(Duration::from_millis(1)).await;
        }
        let mut streams = Vec::new();
        for _ in 0..CONNECTIONS {
            streams.push(patiently(listener.accept()).await.unwrap());
        }
        drop(peers.join().unwrap());
    });
}
