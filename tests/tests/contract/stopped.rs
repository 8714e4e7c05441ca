//! A program that is stopped for a moment and goes on, by a shell's job control, a container engine
//! that pauses it, or a debugger: whatever was in progress goes on, too. Scenario R4.

use std::fs::OpenOptions;
use std::io::{self, Read};
use std::process::Command;
use std::time::Duration;

use miniss_linux::fs::File;
use miniss_linux::net::TcpStream;
use miniss_linux::pipe::{PipeReader, pipe};
use miniss_linux::spawn;
use miniss_linux::time::{sleep, timeout};
use miniss_tests::census::counted;
use miniss_tests::folder::Folder;
use miniss_tests::kernel::make_fifo;
use miniss_tests::sockets::pair;

use crate::harness::{alone_with_each_driver, beside, soon};

/// Long enough for the kernel's threads to be at work.
const WHILE: Duration = Duration::from_millis(50);

/// Another process stops this one, and lets it go on.
async fn stop_for_a_moment() {
    let me = std::process::id();
    let how = format!("kill -STOP {me}; sleep 0.02; kill -CONT {me}");
    let stopped = beside(move || Command::new("sh").args(["-c", &how]).status().unwrap());
    assert!(stopped.await.success());
}

/// Moves all that comes out of a pipe into a stream.
async fn move_all(reader: PipeReader, stream: TcpStream) -> io::Result<usize> {
    let mut moved = 0;
    loop {
        match reader.splice_to_stream(&stream, 4096).await? {
            0 => return Ok(moved),
            len => moved += len,
        }
    }
}

#[test]
fn r4_what_waits_while_the_program_is_stopped_goes_on() {
    const TEST: &str = "stopped::r4_what_waits_while_the_program_is_stopped_goes_on";
    /// More than a pipe and a socket hold together.
    const MUCH: usize = 16 << 20;
    alone_with_each_driver(TEST, |builder| {
        let runtime = builder.shards(1).build().unwrap();
        runtime.block_on(counted(async {
            let folder = Folder::new();
            let path = folder.path().join("fifo");
            make_fifo(&path);
            // They wait for the other end, and for the peer to read.
            let opened = spawn(File::open(path.clone()));
            let (reader, writer) = pipe().unwrap();
            let (stream, mut peer) = pair();
            let written = spawn(async move { writer.write_all(vec![b'x'; MUCH]).await.0 });
            let moved = spawn(move_all(reader, stream));
            sleep(WHILE).await;
            for _ in 0..3 {
                stop_for_a_moment().await;
            }
            // What is given up is not begun again.
            let given_up = timeout(WHILE, File::open(path.clone()));
            assert!(given_up.await.is_err(), "it waits for the other end");
            stop_for_a_moment().await;
            assert!(!opened.is_finished() && !moved.is_finished());

            let both = OpenOptions::new().read(true).write(true).open(path).unwrap();
            soon(opened).await.unwrap().unwrap().close().await.unwrap();
            drop(both);
            let received = beside(move || {
                let mut bytes = Vec::new();
                peer.read_to_end(&mut bytes).map(|_| bytes.len())
            });
            assert_eq!(received.await.unwrap(), MUCH);
            soon(written).await.unwrap().unwrap();
            assert_eq!(soon(moved).await.unwrap().unwrap(), MUCH);
        }));
    });
}
