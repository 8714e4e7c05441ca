//! `#[miniss_linux::main]` and `#[miniss_linux::test]`: what they run, and how often; and what a
//! test that fails says.
//!
//! A test here fails only where `MINISS_TEST_FAILS` names it, in a process that another starts.

#![forbid(unsafe_code)]

use std::cell::RefCell;
use std::env;
use std::fs;
use std::future::pending;
use std::num::ParseIntError;
use std::process::{Command, Output};
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use miniss_linux::sharded::random;
use miniss_linux::{Builder, Runtime, ShardId, spawn, submit_to};
use miniss_tests::drivers::available;

const FAILS: &str = "MINISS_TEST_FAILS";
const COMES_BACK: &str = "this run comes back with ";

fn is_to_fail(test: &str) -> bool {
    env::var(FAILS).is_ok_and(|name| name == test)
}

/// What this program says when it runs one test, which is told to fail.
fn run(test: &str, variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture", "--include-ignored"]).env(FAILS, test);
    for variable in ["MINISS_DRIVER", "MINISS_SHUFFLE", "MINISS_SEED"] {
        command.env_remove(variable);
    }
    command.envs(variables.iter().copied()).output().unwrap()
}

/// What it says on stderr about a test that has failed.
#[track_caller]
fn said_by_failure(test: &str, variables: &[(&str, &str)]) -> String {
    let output = run(test, variables);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success(), "it has passed: {said}");
    said
}

/// The variables that a failed test names.
#[track_caller]
fn variables(said: &str) -> Vec<(&str, &str)> {
    let line = said.lines().find_map(|line| line.strip_prefix(COMES_BACK));
    let line = line.unwrap_or_else(|| panic!("no line with the variables: {said}"));
    line.split(' ').map(|variable| variable.split_once('=').unwrap()).collect()
}

#[miniss_linux::main(shards = 2, name = "attribute")]
async fn named() -> Result<(), ParseIntError> {
    let name = submit_to(1, async || fs::read_to_string("/proc/thread-self/comm")).await.unwrap();
    assert_eq!(name.unwrap().trim(), "attribute-1");
    "7".parse::<u32>()?;
    "seven".parse::<u32>()?;
    unreachable!("it has returned")
}

const fn three() -> usize {
    3
}

static FIRST: AtomicU64 = AtomicU64::new(0);

fn settings() -> Builder {
    Runtime::builder().shards(7).random_seed(42)
}

#[miniss_linux::main(builder = settings(), shards = three(), driver = epoll,)]
async fn built() {
    assert_eq!(ShardId::all().len(), 3);
    FIRST.store(random(), Relaxed);
}

#[test]
fn main_runs_on_a_runtime_as_it_was_asked_for_and_gives_what_it_returns() {
    assert!(named().is_err());
    built();
    let first = settings().shards(3).build().unwrap().block_on(async { random() });
    assert_eq!(FIRST.load(Relaxed), first);
}

mod elsewhere {
    pub use miniss_linux as other;
}

#[no_implicit_prelude]
mod without_prelude {
    use crate::elsewhere;

    #[elsewhere::other::test(crate = crate::elsewhere::other, shards = 2)]
    async fn a_test_needs_no_name_from_its_surroundings() -> ::std::io::Result<()> {
        ::std::assert!(elsewhere::other::submit_to(1, async || ()).await.is_ok());
        ::std::result::Result::Ok(())
    }

    #[elsewhere::other::main(crate = "crate::elsewhere::other", shards = 1)]
    pub async fn main() {}
}

#[test]
fn main_needs_no_name_from_its_surroundings() {
    without_prelude::main();
}

#[miniss_linux::test]
async fn a_test_has_one_shard() {
    assert_eq!(ShardId::all().len(), 1);
    let task = spawn(async { Rc::new(7) });
    assert_eq!(*task.await.unwrap(), 7);
}

#[miniss_linux::test(driver = all, start_paused = true, deadline = "100 min")]
async fn an_hour_that_is_slept_takes_no_time() {
    use miniss_linux::time::{Duration, Instant, sleep};
    let (start, hour) = (Instant::now(), Duration::from_secs(3600));
    sleep(hour).await;
    assert_eq!(start.elapsed(), hour);
}

#[should_panic(expected = "as planned")]
#[miniss_linux::test(driver = all, seeds = 3)]
async fn a_test_may_have_to_panic() {
    panic!("as planned");
}

#[miniss_linux::test(seeds = 2)]
#[should_panic(expected = "as planned")]
async fn fails_if_a_run_does_not_panic() {
    static RUNS: AtomicUsize = AtomicUsize::new(0);
    let run = RUNS.fetch_add(1, Relaxed);
    assert!(run == 1 && is_to_fail("fails_if_a_run_does_not_panic"), "as planned");
}

#[test]
fn each_run_has_to_panic() {
    let test = "fails_if_a_run_does_not_panic";
    assert!(said_by_failure(test, &[]).contains("MINISS_SHUFFLE=2"));
}

#[miniss_linux::test]
#[ignore = "as planned"]
async fn fails_if_it_is_not_ignored() {
    panic!("it was not ignored");
}

#[test]
fn an_ignored_test_is_one_that_is_there() {
    let said = said_by_failure("fails_if_it_is_not_ignored", &[]);
    assert!(said.contains("it was not ignored"), "{said}");
}

#[miniss_linux::test(driver = all, seeds = 50)]
async fn fails_in_one_order_of_two() {
    println!("a run");
    let order = Rc::new(RefCell::new(Vec::new()));
    let note = |number: u32| {
        let order = order.clone();
        spawn(async move { order.borrow_mut().push(number) })
    };
    let (one, two) = (note(1), note(2));
    one.await.unwrap();
    two.await.unwrap();
    if is_to_fail("fails_in_one_order_of_two") {
        assert_eq!(*order.borrow(), [1, 2]);
    }
}

#[test]
fn a_failure_names_the_variables_with_which_it_comes_back() {
    let test = "fails_in_one_order_of_two";
    let said = said_by_failure(test, &[]);
    let variables = variables(&said);
    assert_eq!(variables[0].0, "MINISS_DRIVER");
    assert_eq!(variables[0].1, drivers_of_all()[0]);
    let again = said_by_failure(test, &variables);
    assert_eq!(crate::variables(&again), variables);
}

#[test]
fn a_body_is_run_with_each_seed_on_each_driver() {
    let runs = |variables: &[(&str, &str)]| {
        let mut variables = variables.to_vec();
        variables.push((FAILS, "none"));
        let output = run("fails_in_one_order_of_two", &variables);
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap().matches("a run\n").count()
    };
    assert_eq!(runs(&[]), 50 * drivers_of_all().len());
    assert_eq!(runs(&[("MINISS_DRIVER", "epoll")]), 50);
    assert_eq!(runs(&[("MINISS_SHUFFLE", "7")]), drivers_of_all().len());
}

fn drivers_of_all() -> Vec<String> {
    available().iter().map(ToString::to_string).collect()
}

#[miniss_linux::test(driver = epoll, deadline = "20 ms")]
async fn fails_at_its_deadline() {
    if is_to_fail("fails_at_its_deadline") {
        pending::<()>().await;
    }
}

#[test]
fn a_deadline_ends_a_test_that_waits_for_too_long() {
    let said = said_by_failure("fails_at_its_deadline", &[]);
    assert!(said.contains("not done after 20ms"), "{said}");
    assert_eq!(variables(&said)[0], ("MINISS_DRIVER", "epoll"));
}

#[miniss_linux::test(seeds = 2)]
async fn fails_by_an_error() -> Result<(), String> {
    if is_to_fail("fails_by_an_error") { Err("no file".into()) } else { Ok(()) }
}

#[test]
fn an_error_fails_a_test_and_is_shown() {
    let said = said_by_failure("fails_by_an_error", &[]);
    assert!(said.contains("Error: \"no file\""), "{said}");
    assert_eq!(variables(&said)[1], ("MINISS_SHUFFLE", "1"));
}
