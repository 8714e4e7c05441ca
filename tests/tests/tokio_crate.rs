//! What tokio has that needs no runtime of its own works here, its macros and its channels; and its
//! runtime works beside ours.

#![forbid(unsafe_code)]

use std::env;
use std::future::ready;
use std::process::Command;
use std::thread;

use futures::future::ready as fused;
use miniss_linux::task::JoinSet;
use miniss_linux::time::{Duration, sleep};
use miniss_linux::{CallError, Handle, Runtime, ShardId, spawn, submit_to, yield_now};
use miniss_tests::deadline::SOON;
use tokio::sync::{mpsc, oneshot};

/// How often of a thousand times each of two that are ready is to be chosen.
const FAIR: std::ops::Range<usize> = 300..700;

async fn after(millis: u64) -> u64 {
    sleep(Duration::from_millis(millis)).await;
    millis
}

async fn checked(millis: u64) -> Result<u64, u64> {
    let millis = after(millis).await;
    if millis < 100 { Ok(millis) } else { Err(millis) }
}

#[miniss_linux::test(driver = all, deadline = "120 s")]
async fn join_and_try_join_of_tokio_wait_for_all_or_for_an_error() {
    assert_eq!(tokio::join!(after(3), after(1), ready(0)), (3, 1, 0));
    assert_eq!(tokio::try_join!(checked(1), checked(2)), Ok((1, 2)));
    let never = std::future::pending::<Result<u64, u64>>();
    assert_eq!(tokio::try_join!(never, checked(100)), Err(100));
}

#[miniss_linux::test(driver = all, deadline = "120 s")]
async fn select_of_tokio_takes_what_is_first_and_drops_the_rest() {
    let first = tokio::select! {
        long = after(u64::MAX) => long,
        short = after(1) => short,
    };
    assert_eq!(first, 1);
    let (sender, mut receiver) = mpsc::channel(1);
    let sends = spawn(async move {
        for number in 0..10 {
            sender.send(number).await.unwrap();
            yield_now().await;
        }
    });
    let (mut sum, mut rounds) = (0, 0);
    loop {
        tokio::select! {
            number = receiver.recv() => match number {
                Some(number) => sum += number,
                None => break,
            },
            () = yield_now() => rounds += 1,
        }
    }
    sends.await.unwrap();
    assert_eq!(sum, 45, "after {rounds} rounds without a number");
}

#[miniss_linux::test]
async fn select_is_fair_between_those_that_are_ready_unless_it_is_told_not_to_be() {
    let (mut of_futures, mut of_tokio, mut biased) = (0, 0, 0);
    for _ in 0..1_000 {
        let (mut left, mut right) = (fused(1), fused(0));
        of_futures += futures::select! { one = left => one, zero = right => zero };
        of_tokio += tokio::select! { one = ready(1) => one, zero = ready(0) => zero };
        biased += tokio::select! { biased; one = ready(1) => one, zero = ready(0) => zero };
    }
    assert!(FAIR.contains(&of_futures), "{of_futures}");
    assert!(FAIR.contains(&of_tokio), "{of_tokio}");
    assert_eq!(biased, 1_000);
}

const SHOWS: &str = "MINISS_TEST_SHOWS";

#[miniss_linux::test]
async fn shows_its_choices() {
    if env::var_os(SHOWS).is_none() {
        return;
    }
    let mut set = JoinSet::new();
    for task in 0..8 {
        set.spawn(async move {
            let mut choices = String::new();
            for _ in 0..20 {
                let (mut left, mut right) = (fused('l'), fused('r'));
                choices.push(futures::select! { left = left => left, right = right => right });
                yield_now().await;
            }
            format!("{task}{choices}")
        });
    }
    println!("choices: {}", set.join_all().await.join(" "));
}

#[test]
fn choices_of_the_select_of_futures_come_again_with_the_order_of_tasks() {
    let choices = |shuffle: &str| {
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(["--exact", "shows_its_choices", "--nocapture"]);
        command.env(SHOWS, "1").env("MINISS_SHUFFLE", shuffle);
        let said = String::from_utf8(command.output().unwrap().stdout).unwrap();
        said.lines().find(|line| line.contains("choices: ")).expect("it shows them").to_owned()
    };
    assert_eq!(choices("7"), choices("7"));
    assert_ne!(choices("7"), choices("8"));
}

/// Shards beside a program of tokio's, and what ends them.
struct Shards {
    handle: Handle,
    end: miniss_linux::Promise<()>,
    thread: thread::JoinHandle<()>,
}

impl Shards {
    fn start(shards: usize) -> Self {
        let (sender, receiver) = std::sync::mpsc::channel();
        let (ended, end) = miniss_linux::Future::<()>::new();
        let thread = thread::spawn(move || {
            let runtime = Runtime::builder().shards(shards).build().unwrap();
            sender.send(runtime.handle()).unwrap();
            runtime.block_on(ended).unwrap();
        });
        Self { handle: receiver.recv_timeout(SOON).unwrap(), end, thread }
    }

    fn stop(self) -> Handle {
        self.end.complete(()).unwrap();
        self.thread.join().unwrap();
        self.handle
    }
}

fn tokio_runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap()
}

#[test]
fn tasks_of_tokio_call_shards_and_shards_answer_by_its_channels() {
    let shards = Shards::start(2);
    let tokio = tokio_runtime();
    let handle = shards.handle.clone();
    tokio.block_on(async {
        let calls: Vec<_> = (0..100)
            .map(|number| {
                let handle = handle.clone();
                tokio::spawn(async move {
                    let (sender, receiver) = oneshot::channel();
                    let shard = number % 2;
                    let call = handle.submit_to(shard, async move || {
                        sleep(Duration::from_millis(1)).await;
                        sender.send(number).unwrap();
                        ShardId::current().index()
                    });
                    assert_eq!(receiver.await.unwrap(), number);
                    assert_eq!(call.await.unwrap(), shard);
                })
            })
            .collect();
        for call in calls {
            call.await.unwrap();
        }
        let panics = handle.submit_to(1, async || panic!("as planned")).await;
        assert!(matches!(panics, Err(CallError::Panicked(_))));
    });
    let handle = shards.stop();
    let late = tokio.block_on(handle.submit_to(1, async || ()));
    assert!(matches!(late, Err(CallError::ShardGone(_))));
}

#[miniss_linux::test(driver = all, shards = 2, deadline = "120 s")]
async fn tasks_of_shards_wait_for_tasks_of_tokio_and_are_called_back() {
    let tokio = miniss_linux::topology::unpinned(tokio_runtime);
    for shard in ShardId::all() {
        let theirs = tokio.handle().clone();
        let work = async move || {
            let ours = Handle::current();
            let task = theirs.spawn(async move {
                tokio::time::sleep(Duration::from_millis(1)).await;
                ours.submit_to(0, async || ShardId::current().index()).await.unwrap()
            });
            // The shard goes on meanwhile.
            let (output, ()) = tokio::join!(task, sleep(Duration::from_millis(1)));
            (output.unwrap(), ShardId::current())
        };
        assert_eq!(submit_to(shard, work).await.unwrap(), (0, shard));
    }
    let panics = tokio.spawn(async { panic!("as planned") }).await.unwrap_err();
    assert!(panics.is_panic());
    tokio.shutdown_background();
}
