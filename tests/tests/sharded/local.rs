//! Variables with a value on each shard, and the random numbers of each shard. Scenarios S12, S14.

#![forbid(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::process::Command;
use std::rc::Rc;
use std::sync::Mutex;

use miniss_linux::sharded::{invoke_on_all, random, random_below};
use miniss_linux::{BuildError, Runtime, ShardId, shard_local, spawn, submit_to};
use miniss_tests::deadline::deadline;

use super::{Log, Noted, kill, on_shard_0, runtime, until};

fn here() -> usize {
    ShardId::current().index()
}

#[test]
fn each_shard_makes_its_value_when_it_first_wants_it() {
    shard_local! {
        static HOME: Rc<usize> = Rc::new(here());
        static COUNT: Cell<usize> = Cell::new(0);
    }
    on_shard_0("a value on each shard", 3, async || {
        let homes = invoke_on_all(async || HOME.with(|home| **home)).await.unwrap();
        assert_eq!(homes, [0, 1, 2]);
        let count = async || COUNT.with(|count| count.replace(count.get() + here() + 1));
        assert_eq!(invoke_on_all(count).await.unwrap(), [0, 0, 0]);
        assert_eq!(invoke_on_all(count).await.unwrap(), [1, 2, 3]);
        assert_eq!(COUNT.try_with(Cell::get), Some(2));
    });
    assert_eq!(COUNT.try_with(Cell::get), None);
}

#[test]
fn a_value_may_use_others_and_itself_while_it_is_made_and_used() {
    shard_local! {
        static FIRST: Cell<u32> = Cell::new(SECOND.with(|second| second.get() + 1));
        static SECOND: Cell<u32> = Cell::new(5);
        static KNOWS_ITSELF: Cell<u32> = {
            if DEPTH.with(|depth| depth.replace(1)) == 0 {
                KNOWS_ITSELF.with(|inner| inner.set(inner.get() + 1));
            }
            Cell::new(10)
        };
        static DEPTH: Cell<u32> = Cell::new(0);
    }
    on_shard_0("values that use values", 1, async || {
        assert_eq!(FIRST.with(Cell::get), 6);
        // The one that was there first stays.
        assert_eq!(KNOWS_ITSELF.with(Cell::get), 11);
        let nested = FIRST.with(|first| SECOND.with(|second| first.get() * second.get()));
        assert_eq!(nested, 30);
    });
}

static LOG: Mutex<Option<Log>> = Mutex::new(None);

fn noted(what: &'static str) -> Noted {
    Noted(LOG.lock().unwrap().clone().unwrap(), what)
}

/// Uses other variables as it is dropped.
struct LastWords(Noted);

impl Drop for LastWords {
    fn drop(&mut self) {
        let earlier = EARLIER.try_with(|_| "made earlier: there");
        let later = LATER.try_with(|_| "made later: there");
        let never = NEVER.try_with(|_| "never made: there");
        let log = &self.0.0;
        log.note(earlier.unwrap_or("made earlier: gone"));
        log.note(later.unwrap_or("made later: gone"));
        log.note(never.unwrap_or("never made: gone"));
    }
}

shard_local! {
    static EARLIER: Noted = noted("first");
    static WORDS: LastWords = LastWords(noted("second"));
    static LATER: Noted = noted("third");
    static NEVER: Noted = noted("never");
}

/// Of shard 1, in the order in which it happened.
fn of_shard_1(log: &Log) -> Vec<&'static str> {
    let log = log.0.lock().unwrap();
    log.iter().filter(|entry| entry.1 == 1).map(|entry| entry.0).collect()
}

#[test]
fn s12_values_are_dropped_on_their_shard_after_its_tasks_the_last_one_first() {
    let _deadline = deadline("S12");
    for is_killed in [false, true] {
        let (log, runtime) = (Log::default(), runtime(2));
        *LOG.lock().unwrap() = Some(log.clone());
        runtime.block_on(async {
            let task = Noted(log.clone(), "task");
            let use_all = async move || {
                EARLIER.with(|_| ());
                WORDS.with(|_| ());
                LATER.with(|_| ());
                spawn(async move {
                    std::future::pending::<()>().await;
                    drop(task);
                })
                .detach();
            };
            submit_to(1, use_all).await.unwrap();
            if is_killed {
                kill(1).await;
                until(|| log.shards_of("first") == [1]).await;
            }
        });
        drop(runtime);
        let order = [
            "task",
            "third",
            "made earlier: there",
            "made later: gone",
            "never made: gone",
            "second",
            "first",
        ];
        assert_eq!(of_shard_1(&log), order);
    }
}

#[test]
fn s14_runtimes_on_one_thread_have_values_of_their_own() {
    shard_local!(
        static NUMBERS: RefCell<Vec<u32>> = RefCell::default();
    );
    let _deadline = deadline("S14");
    let (one, other) = (runtime(1), runtime(1));
    let push = async |number| {
        NUMBERS.with(|numbers| {
            numbers.borrow_mut().push(number);
            numbers.borrow().clone()
        })
    };
    assert_eq!(one.block_on(push(1)), [1]);
    assert_eq!(other.block_on(push(2)), [2]);
    assert_eq!(one.block_on(push(3)), [1, 3]);
    drop(one);
    assert_eq!(other.block_on(push(4)), [2, 4]);
}

/// Some numbers of each shard.
fn numbers(runtime: &Runtime) -> Vec<Vec<u64>> {
    runtime.run(async || (0..100).map(|_| random()).collect())
}

#[test]
fn a_seed_gives_the_same_numbers_again_and_others_to_each_shard() {
    let _deadline = deadline("random numbers");
    let seeded = |shards, seed| {
        let builder = Runtime::builder().shards(shards);
        numbers(&builder.random_seed(seed).build().unwrap())
    };
    let of_seven = seeded(3, 7);
    assert_eq!(seeded(3, 7), of_seven);
    // A shard has the same numbers whatever the others are.
    assert_eq!(seeded(2, 7), of_seven[..2]);
    let all: BTreeSet<_> = of_seven.iter().chain(&seeded(3, 8)).flatten().copied().collect();
    assert_eq!(all.len(), 600);

    let runtime = runtime(2);
    let unseeded = numbers(&runtime);
    assert_eq!(seeded(2, runtime.random_seed()), unseeded);
}

#[test]
fn numbers_below_an_end_are_below_it_and_zero_is_an_error_of_the_program() {
    on_shard_0("random_below", 1, async || {
        assert!((0..1000).all(|_| random_below(10) < 10));
        let zero = spawn(async { random_below(0) }).await.unwrap_err();
        assert!(zero.to_string().contains("no number below zero"), "{zero}");
    });
}

#[test]
fn the_environment_names_a_seed() {
    const TEST: &str = "local::the_environment_names_a_seed";
    let seed = |text| {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", TEST]).env("MINISS_SEED", text).env("MINISS_TEST_SEED", text);
        command.status().unwrap().success()
    };
    match std::env::var("MINISS_TEST_SEED") {
        Ok(text) if text == "12" => {
            assert_eq!(Runtime::builder().shards(1).build().unwrap().random_seed(), 12);
            let builder = Runtime::builder().shards(1).random_seed(13);
            assert_eq!(builder.build().unwrap().random_seed(), 13);
        }
        Ok(text) => {
            let error = Runtime::builder().shards(1).build().unwrap_err();
            let wrong = format!("MINISS_SEED={text:?}; a number from 0 to 2^64 - 1 works");
            assert!(matches!(error, BuildError::InvalidConfig(what) if what == wrong));
        }
        Err(_) => {
            let _deadline = deadline("the environment names a seed");
            assert!(seed("12"));
            assert!(seed("twelve"));
        }
    }
}
