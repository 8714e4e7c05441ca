//! A connection with both its ends at hand, for the examples in this documentation.

#![allow(missing_docs)]
#![forbid(unsafe_code)]

use std::io;

use crate::Runtime;
use crate::net::{TcpListener, TcpStream};

/// Runs `example` on a runtime of its own, with the two ends of a connection.
pub fn connected(example: impl AsyncFnOnce(TcpStream, TcpStream) -> io::Result<()>) {
    let runtime = Runtime::builder().shards(1).build().expect("io_uring works here");
    let done = runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let stream = TcpStream::connect(listener.local_addr()?).await?;
        let (peer, _) = listener.accept().await?;
        example(stream, peer).await
    });
    done.expect("the example works");
}
