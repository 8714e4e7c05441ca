//! miniss-core on a reactor of one's own, and two executors in one program.
//!
//! The main thread writes lines into a pipe, at leisure, and waits for them at its other end. It
//! has each line weighed by a second thread, which has an executor of the same kind. A thread with
//! nothing to do blocks in `ppoll`. The port, in `port.rs`, is all that miniss-core needs of Linux.
//!
//! `cargo run --release --example own-reactor`

mod port;

use std::fmt;
use std::io::{self, PipeReader, PipeWriter, Read, Write, pipe};
use std::process::exit;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use miniss_core::call::{Endpoint, Mesh};
use miniss_core::timer::Sleep;
use miniss_core::{Future, LocalHandle, Stats};
use port::{PollSet, Port, Unparker};

type Lanes = Mesh<Unparker, 16>;
type Core = Endpoint<Unparker, 16>;

const HELP: &str = "own-reactor: shows miniss-core on a port, and ends; it takes no arguments";
const LINES: [&str; 3] = ["one trait", "one unparker", "one loop"];
const PAUSE: Duration = Duration::from_millis(5);
/// More turns than this, for so few events, would mean that a thread spins.
const TURNS_MAX: u64 = 100;

fn main() {
    if let Some(argument) = std::env::args_os().nth(1) {
        explain(&argument.to_string_lossy());
    }
    let lanes = Arc::new(Lanes::new(2));
    let (until_told, tell) = Future::new();
    let second = thread::spawn({
        let lanes = lanes.clone();
        move || serve(lanes, until_told)
    });
    let first = run(lanes);
    tell.complete(()).expect("the second thread waits for it");
    assert_blocked("first", first);
    assert_blocked("second", second.join().expect("the second thread runs no code that panics"));
}

/// The first thread: writes lines, reads them, and asks for their lengths.
fn run(lanes: Arc<Lanes>) -> Stats {
    let poll_set = PollSet::default();
    let mut executor = Port::executor(poll_set.clone());
    let local = executor.local();
    let core = Core::open(lanes, 0, local).expect("a new executor has room");
    let (mut reader, writer) = pipe().expect("a pipe takes two descriptors");
    executor.block_on(async {
        let writing = local.spawn(write_lines(local, writer)).expect("it has room");
        for expected in LINES {
            let line = read_line(&poll_set, &mut reader).await;
            assert_eq!(line, expected);
            let length = core.run_on(1, move || line.len()).await;
            assert_eq!(length, Ok(expected.len()), "the second thread waits to be told");
            say(format_args!("{expected}: {} bytes", expected.len()));
        }
        writing.await.expect("no one aborts it");
    });
    local.stats()
}

/// A task: writes the lines, with pauses.
async fn write_lines(local: LocalHandle<Unparker>, mut writer: PipeWriter) {
    for line in LINES {
        Sleep::new(local, PAUSE).await;
        // So few bytes find room in any pipe.
        writeln!(writer, "{line}").expect("the reader is there");
    }
}

/// The next line, without its end.
async fn read_line(poll_set: &PollSet, reader: &mut PipeReader) -> String {
    let (mut line, mut byte) = (String::new(), [0]);
    loop {
        poll_set.readable(&*reader).await;
        reader.read_exact(&mut byte).expect("it is readable");
        match byte[0] {
            b'\n' => return line,
            byte => line.push(byte.into()),
        }
    }
}

/// The second thread: runs what the first asks for, until it is told to end.
fn serve(lanes: Arc<Lanes>, until_told: Future<()>) -> Stats {
    let mut executor = Port::executor(PollSet::default());
    let local = executor.local();
    let _core = Core::open(lanes, 1, local).expect("a new executor has room");
    executor.block_on(until_told).expect("the first thread tells");
    local.stats()
}

fn assert_blocked(thread: &str, stats: Stats) {
    say(format_args!("The {thread} thread went round its loop {} times.", stats.turns));
    assert!(stats.turns < TURNS_MAX, "{stats:?}");
}

fn explain(argument: &str) -> ! {
    if ["--help", "-h"].contains(&argument) {
        say(format_args!("{HELP}"));
        exit(0);
    }
    let _ = writeln!(io::stderr(), "own-reactor: {argument}: unknown option; see --help");
    exit(2)
}

/// Unlike `println!`, it does not panic when no one reads it.
fn say(text: fmt::Arguments<'_>) {
    let _ = writeln!(io::stdout(), "{text}");
}
