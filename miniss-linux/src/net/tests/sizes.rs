//! What an idle connection takes: `manual::decisions` promises it.

use std::io;

use crate::doctest::connected;
use crate::net::TcpStream;
use crate::op::connection::Connection;
use crate::op::fd::Fd;

async fn echo(stream: TcpStream) -> io::Result<()> {
    loop {
        let received = stream.recv().await?;
        if received.is_empty() {
            return Ok(());
        }
        stream.write_all(received).await.0?;
    }
}

#[test]
#[cfg(target_pointer_width = "64")]
fn an_idle_connection_takes_no_more_than_is_said() {
    const RC_BYTES: usize = 16;
    /// A task beside its future, and a slot of the table of operations.
    const HEADER_BYTES: usize = 64;
    const SLOT_BYTES: usize = 128;
    const SHARED_BYTES: usize = size_of::<Connection>() + RC_BYTES;
    const { assert!(SHARED_BYTES <= 184) };
    assert_eq!(size_of::<TcpStream>(), size_of::<usize>());
    assert!(size_of::<Fd>() <= 16);
    connected(async |stream, _peer| {
        assert!(size_of_val(&stream.write_all(Vec::new())) <= 48);
        assert!(size_of_val(&stream.recv()) <= 80);
        // A task of three lines.
        let future_bytes = size_of_val(&echo(stream));
        assert!(future_bytes <= 112);
        assert!(future_bytes + HEADER_BYTES + SLOT_BYTES + SHARED_BYTES <= 512);
        Ok(())
    });
}

#[test]
#[cfg(all(target_pointer_width = "64", any(feature = "futures-io", feature = "tokio")))]
fn a_polled_stream_takes_little_more() {
    assert!(size_of::<crate::net::PollStream<crate::net::Tcp>>() <= 144);
}
