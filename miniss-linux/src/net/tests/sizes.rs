//! What an idle connection takes: `manual::decisions` promises it.

use std::io;

use crate::doctest::connected;
use crate::net::TcpStream;
use crate::net::connection::Connection;
use crate::net::fd::Fd;

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
    assert!(size_of::<Connection>() + RC_BYTES <= 160);
    assert_eq!(size_of::<TcpStream>(), size_of::<usize>());
    assert!(size_of::<Fd>() <= 16);
    connected(async |stream, _peer| {
        assert!(size_of_val(&stream.write_all(Vec::new())) <= 56);
        assert!(size_of_val(&stream.recv()) <= 80);
        // With its header, a task of three lines.
        assert!(size_of_val(&echo(stream)) <= 128);
        Ok(())
    });
}
