//! A file system that does not answer: what hangs there, and what goes on all the same.

use std::env;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::pin::pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use log::{LevelFilter, Log, Metadata, Record};
use miniss_linux::diagnostics::{Event, count};
use miniss_linux::fs::{self, File, OpenOptions};
use miniss_linux::time::{sleep, timeout};
use miniss_linux::{Driver, Runtime, driver_stats, spawn, spawn_blocking, submit_to};
use miniss_tests::alone::alone;
use miniss_tests::census::{Census, threads_named};
use miniss_tests::deadline::SOON;
use miniss_tests::drivers::drivers;
use miniss_tests::folder::Folder;
use miniss_tests::hung::HungFiles;
use miniss_tests::sockets::pair;

use super::in_folder;
use crate::harness::{errno, settle, soon, turn, with_each_driver};

const SERVER: &str = env!("CARGO_BIN_EXE_hung_files");

/// So long something is waited for that is not to end.
const WHILE: Duration = Duration::from_millis(10);

async fn open(path: PathBuf) -> File {
    soon(OpenOptions::new().read(true).write(true).open(path)).await.unwrap()
}

/// Polls it until so many requests hang, and then drops it.
async fn begin_and_drop<F: Future>(hung: &HungFiles, held: usize, future: F) {
    let mut future = pin!(future);
    let end = Instant::now() + SOON;
    while hung.held() < held {
        assert!(timeout(WHILE, future.as_mut()).await.is_err() && Instant::now() < end);
    }
}

/// Timers, sockets, other files and what blocks, on the shard that we are on.
async fn assert_lives(folder: PathBuf) {
    soon(sleep(Duration::from_millis(1))).await;
    let (ours, mut peer) = pair();
    peer.write_all(b"echo").unwrap();
    let bytes = soon(ours.recv()).await.unwrap();
    soon(ours.write_all(bytes)).await.0.unwrap();
    let mut received = [0; 4];
    peer.read_exact(&mut received).unwrap();
    assert_eq!(received, *b"echo");
    let path = folder.join("beside");
    soon(fs::write(&path, "beside")).await.0.unwrap();
    assert_eq!(soon(fs::read(&path)).await.unwrap(), b"beside");
    assert_eq!(soon(spawn_blocking(|| 5)).await.unwrap(), 5);
}

#[test]
fn f8_reads_and_writes_that_hang_hold_up_nothing_else() {
    in_folder(async |folder| {
        let Some(hung) = HungFiles::mount(folder, SERVER) else { return };
        let file = open(hung.path("file")).await;
        let before = driver_stats().in_flight;
        begin_and_drop(&hung, 1, file.read_at(vec![0; 8], 0)).await;
        begin_and_drop(&hung, 2, file.write_all_at("later", 0)).await;
        // It waits for the write.
        assert!(timeout(WHILE, file.sync_all()).await.is_err());
        let file = Rc::new(file);
        let reader = file.clone();
        let read = spawn(async move { errno(reader.read_exact_at(vec![7; 8], 0).await.0) });
        while hung.held() < 3 {
            settle().await;
        }
        assert!(timeout(WHILE, file.close()).await.is_err(), "what hangs keeps it open");
        assert_lives(folder.into()).await;
        assert!(driver_stats().in_flight >= before + 3);
        assert!(!read.is_finished());
        // Dropped or not, all of it ends when the disk has gone.
        drop(hung);
        assert_eq!(soon(read).await.unwrap(), libc::ECONNABORTED);
    });
}

#[test]
fn f8_an_open_a_status_and_a_close_that_hang_hold_up_nothing_else() {
    in_folder(async |folder| {
        let Some(hung) = HungFiles::mount(folder, SERVER) else { return };
        let [file, closed, dropped] =
            [open(hung.path("a")).await, open(hung.path("a")).await, open(hung.path("a")).await];
        hung.stop();
        let path = hung.path("a");
        assert!(timeout(WHILE, File::open(&path)).await.is_err(), "it hangs");
        assert!(timeout(WHILE, fs::metadata(&path)).await.is_err());
        assert!(timeout(WHILE, file.metadata()).await.is_err());
        let opened = spawn(File::open(path.clone()));
        let status = spawn(async move { file.metadata().await.map(|status| status.len()) });
        assert!(timeout(WHILE, closed.close()).await.is_err());
        drop(dropped);
        settle().await;
        assert_lives(folder.into()).await;
        // Someone sees to it, and all goes on.
        hung.go_on();
        let opened = soon(opened).await.unwrap().unwrap();
        assert_eq!(soon(status).await.unwrap().unwrap(), 1 << 20);
        soon(closed.close()).await.unwrap();
        soon(opened.close()).await.unwrap();
        let status = soon(async { fs::metadata(&path).await.map(|status| status.len()) });
        assert_eq!(status.await.unwrap(), 1 << 20);
    });
}

#[test]
fn f8_an_open_of_a_name_that_the_kernel_knows_hangs_alone() {
    let _turn = turn();
    alone("files::hung::f8_an_open_of_a_name_that_the_kernel_knows_hangs_alone", || {
        for driver in drivers() {
            let folder = Folder::new();
            let Some(hung) = HungFiles::mount(folder.path(), SERVER) else { return };
            // So the kernel need ask no one who might wait, before it asks for the file.
            env::set_current_dir(hung.path("")).unwrap();
            let runtime = Runtime::builder().driver(driver).shards(1).build().unwrap();
            runtime.block_on(async {
                soon(open("a".into()).await.close()).await.unwrap();
                hung.stop();
                assert!(timeout(WHILE, File::open("a")).await.is_err(), "it hangs");
                assert!(timeout(WHILE, fs::metadata("a")).await.is_err());
                assert_lives(folder.path().into()).await;
                hung.go_on();
            });
            env::set_current_dir("/").unwrap();
        }
    });
}

#[test]
fn f8_when_all_threads_of_the_pool_hang_work_waits_and_the_shards_go_on() {
    with_each_driver(|builder| {
        let before = count(Event::BlockingPoolFull);
        let folder = Folder::new();
        let Some(hung) = HungFiles::mount(folder.path(), SERVER) else { return };
        let runtime = builder.shards(2).blocking_threads(2).build().unwrap();
        runtime.block_on(async {
            let hangs = |path: PathBuf| spawn_blocking(|| std::fs::read(path).map(drop));
            let both = [hangs(hung.path("a")), hangs(hung.path("b"))];
            while hung.held() < 2 {
                settle().await;
            }
            let waits = spawn_blocking(|| 7);
            let beats = async || sleep(Duration::from_millis(1)).await;
            for shard in [0, 1] {
                soon(submit_to(shard, beats)).await.unwrap();
            }
            sleep(Duration::from_millis(1_100)).await;
            assert!(!waits.is_finished());
            // The next who asks is told that it will take long.
            let asks = spawn_blocking(|| 8);
            assert!(count(Event::BlockingPoolFull) > before);
            drop(hung);
            for hung in both {
                assert_eq!(errno(soon(hung).await.unwrap()), libc::ECONNABORTED);
            }
            assert_eq!(soon(waits).await.unwrap() + soon(asks).await.unwrap(), 15);
        });
    });
}

/// What the runtime said, of errors.
static SAID: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct Logger;

impl Log for Logger {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        SAID.lock().unwrap_or_else(PoisonError::into_inner).push(record.args().to_string());
    }

    fn flush(&self) {}
}

#[test]
fn f8_the_end_of_a_runtime_tells_what_hangs_leaks_it_and_is_bounded() {
    let _turn = turn();
    alone("files::hung::f8_the_end_of_a_runtime_tells_what_hangs_leaks_it_and_is_bounded", || {
        log::set_logger(&Logger).expect("the only one of this process");
        log::set_max_level(LevelFilter::Error);
        let is_left_out = drivers().into_iter().map(end_while_it_hangs).any(|done| !done);
        let said = SAID.lock().unwrap().join("\n");
        // Of reports that are alike, only the first is a line.
        let threads = "4 threads are still busy with what blocks";
        for what in ["1 operations of shard ", "a read of descriptor ", "/a\"", threads] {
            assert!(said.contains(what) || is_left_out, "{said}");
        }
        assert!(!said.contains("work from"), "none of it is the program's: {said}");
    });
}

/// On each of two shards, a read that no one waits for, and a file that is closed at the end: both
/// hang. `false` where there are no such files.
fn end_while_it_hangs(driver: Driver) -> bool {
    const BOUND: Duration = Duration::from_millis(200);
    let events = [Event::OperationsLeaked, Event::BlockingLeft, Event::ShardLeft];
    let (counts, folder) = (events.map(count), Folder::new());
    let before = Census::take();
    let Some(hung) = HungFiles::mount(folder.path(), SERVER).map(Arc::new) else { return false };
    let builder = Runtime::builder().driver(driver).shards(2).thread_name("counted");
    let runtime = builder.shutdown_timeout(BOUND).build().unwrap();
    let files = hung.clone();
    runtime.run(async move || {
        let path = files.path("a");
        let (read, closed) = (open(path.clone()).await, open(path).await);
        begin_and_drop(&files, 2, read.read_at(vec![0; 8], 0)).await;
        // It is closed when the shard ends.
        spawn(async move {
            let _closed = closed;
            std::future::pending::<()>().await
        })
        .detach();
    });
    hung.stop();
    let start = Instant::now();
    drop(runtime);
    // It does come to an end, which what hangs does not.
    assert!(start.elapsed() >= BOUND);
    let [operations, threads, shards] = [0, 1, 2].map(|at| count(events[at]) - counts[at]);
    // A machine that is slow may find a shard still busy with its report.
    assert_eq!((operations + shards, threads), (2, 1), "each shard, and the threads");
    // The process goes on, and what hung ends with the disk. The files that were read stay open:
    // no one may know that the reads have ended.
    drop(hung);
    let end = Instant::now() + SOON;
    while threads_named("counted") > 0 && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(1));
    }
    Census { descriptors: before.descriptors + 2, ..before }.assert_back();
    true
}
