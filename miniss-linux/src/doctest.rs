//! What the examples in this documentation are run with: a connection with both its ends at hand,
//! or a folder of their own.

#![allow(missing_docs)]
#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, fs, io, process};

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

/// Runs `example` on a runtime of its own, with a folder that is gone afterwards.
pub fn in_folder(example: impl AsyncFnOnce(PathBuf) -> io::Result<()>) {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let folder = env::temp_dir().join(format!("miniss-doc-{}-{number}", process::id()));
    fs::create_dir(&folder).expect("a folder for the example");
    let runtime = Runtime::builder().shards(1).build().expect("a runtime");
    let done = runtime.block_on(example(folder.clone()));
    fs::remove_dir_all(&folder).expect("the folder is ours");
    done.expect("the example works");
}
