//! Operations that are given up at any moment: each is done or not, and none harms another.

use std::future::Future;
use std::pin::{Pin, pin};

use miniss_linux::fs::{self, File};
use miniss_linux::time::{sleep, timeout};
use miniss_linux::{spawn, yield_now};
use miniss_tests::random::Random;
use std::time::Duration;

use super::{file_with, in_folder, pattern};
use crate::harness::{poll_and_drop, poll_once, settle, soon};

#[test]
fn a_write_that_is_dropped_is_whole_or_never_began() {
    in_folder(async |folder| {
        let mut random = Random::new();
        for round in 0..40_u8 {
            let path = folder.join(format!("{round}"));
            let file = soon(File::create_new(&path)).await.unwrap();
            give_up(&mut random, pin!(file.write_at(vec![round | 1; 10_000], 0))).await;
            soon(file.close()).await.unwrap();
            let bytes = soon(fs::read(&path)).await.unwrap();
            assert!(bytes.is_empty() || bytes == [round | 1; 10_000], "{} bytes", bytes.len());
        }
    });
}

/// Polls a future until it is dropped: at once, later, or when it has ended.
async fn give_up<F: Future>(random: &mut Random, mut future: Pin<&mut F>) {
    match random.below(4) {
        0 => {}
        1 => drop(poll_once(future)),
        2 => {
            drop(poll_once(future.as_mut()));
            yield_now().await;
        }
        _ => drop(timeout(Duration::from_micros(random.below(300)), future).await),
    }
}

#[test]
fn reads_that_are_dropped_harm_no_memory_and_no_other_read() {
    in_folder(async |folder| {
        let mut random = Random::new();
        let large: Vec<u8> = (0..1 << 20).map(pattern).collect();
        soon(fs::write(folder.join("large"), large)).await.0.unwrap();
        let file = soon(File::open(folder.join("large"))).await.unwrap();
        for _ in 0..40 {
            let offset = random.below(1 << 20);
            give_up(&mut random, pin!(file.read_at(vec![0; 64 << 10], offset))).await;
            // Memory that the dropped read may have had.
            let mine = vec![0xEE_u8; 64 << 10];
            let (result, bytes) = soon(file.read_at(Vec::with_capacity(1000), offset)).await;
            assert_eq!(result.unwrap(), bytes.len());
            let expected = (offset as usize..).map(pattern);
            assert!(bytes.iter().copied().eq(expected.take(bytes.len())));
            assert!(mine.iter().all(|byte| *byte == 0xEE));
        }
    });
}

#[test]
fn renames_and_removals_that_are_dropped_are_done_or_not() {
    in_folder(async |folder| {
        let mut random = Random::new();
        let [a, b] = ["a", "b"].map(|name| folder.join(name));
        soon(fs::write(&a, "x")).await.0.unwrap();
        for _ in 0..20 {
            give_up(&mut random, pin!(fs::rename(&a, &b))).await;
            // What has begun is waited for by nothing but its result.
            let (mut at_a, mut at_b) = (fs::exists(&a).await, fs::exists(&b).await);
            while at_a == at_b {
                settle().await;
                (at_a, at_b) = (soon(fs::exists(&a)).await, soon(fs::exists(&b)).await);
            }
            settle().await;
            if soon(fs::exists(&b)).await {
                soon(fs::rename(&b, &a)).await.unwrap();
            }
        }
    });
}

#[test]
fn calls_that_are_dropped_before_they_begin_or_later_leave_nothing() {
    in_folder(async |folder| {
        let file = file_with(folder, b"abcd").await;
        for _ in 0..20 {
            drop(poll_and_drop(file.metadata()));
            drop(poll_and_drop(file.try_lock()));
            drop(poll_and_drop(file.unlock()));
            drop(poll_and_drop(fs::canonicalize(folder)));
            drop(poll_and_drop(fs::read_dir(folder)));
            drop(poll_and_drop(fs::metadata(folder)));
            let task = spawn({
                let path = folder.join("file");
                async move { fs::read(path).await }
            });
            yield_now().await;
            task.abort();
        }
        sleep(Duration::from_millis(1)).await;
        assert_eq!(soon(fs::read(folder.join("file"))).await.unwrap(), b"abcd");
    });
}
