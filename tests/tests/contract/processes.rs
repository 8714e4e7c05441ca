//! Child processes: their streams, their end, and what they do not inherit.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::process::ExitStatusExt;
use std::pin::pin;
use std::time::{Duration, Instant};

use miniss_linux::process::{Child, Command, Stdio};
use miniss_linux::signal::{SignalKind, signal};
use miniss_linux::time::{sleep, timeout};
use miniss_linux::topology::allowed_cpus;
use miniss_linux::{Pinning, spawn, submit_to};
use miniss_tests::census::threads_named;
use miniss_tests::deadline::SOON;
use miniss_tests::kernel;

use crate::harness::{
    alone_with_each_driver, on_each_driver, poll_and_drop, poll_once, settle, soon,
    with_each_driver,
};

fn shell(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    command
}

/// A child that lives until it is killed.
async fn sleeper() -> Child {
    soon(Command::new("sleep").arg("1000").spawn()).await.unwrap()
}

/// Waits until there is no such process, not even a zombie, and no thread that looks after any.
async fn assert_gone(process: u32) {
    let end = Instant::now() + SOON;
    let path = format!("/proc/{process}/stat");
    while fs::exists(&path).unwrap() || threads_named("miniss-reaper") > 0 {
        let stat = fs::read_to_string(&path);
        assert!(Instant::now() < end, "it is still there: {stat:?}");
        sleep(Duration::from_millis(1)).await;
    }
}

#[test]
fn output_is_all_that_a_child_has_written_and_how_it_ended() {
    on_each_driver(async || {
        let output = soon(shell("echo out; echo err >&2; cat; exit 3").output()).await.unwrap();
        assert_eq!((&output.stdout[..], &output.stderr[..]), (&b"out\n"[..], &b"err\n"[..]));
        assert_eq!(output.status.code(), Some(3));
        // More than fits into both pipes.
        let mut both = shell("head -c 300000 /dev/zero; head -c 300000 /dev/zero >&2");
        let output = soon(both.output()).await.unwrap();
        assert_eq!((output.stdout.len(), output.stderr.len()), (300_000, 300_000));
    });
}

#[test]
fn a_command_starts_one_child_after_the_other_each_as_it_was_told() {
    on_each_driver(async || {
        let mut command = shell("printf %s \"$A$B\"; pwd; exit 4");
        command.env("A", "a").env("B", "b").env_remove("B").current_dir("/");
        for _ in 0..2 {
            assert_eq!(soon(command.output()).await.unwrap().stdout, b"a/\n");
            // What was captured before is not any more.
            let mut child = soon(command.stdin(Stdio::null()).spawn()).await.unwrap();
            assert!(child.stdin.is_none() && child.stdout.is_none() && child.stderr.is_none());
            assert_eq!(soon(child.wait()).await.unwrap().code(), Some(4));
        }
        command.stdout(Stdio::null());
        assert_eq!(soon(command.output()).await.unwrap().stdout, b"");
        assert_eq!(soon(command.status()).await.unwrap().code(), Some(4));
    });
}

#[test]
fn piped_streams_go_both_ways_and_a_dropped_read_loses_nothing() {
    on_each_driver(async || {
        let mut cat = Command::new("cat");
        let mut cat = soon(cat.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()).await.unwrap();
        let (stdin, stdout) = (cat.stdin.take().unwrap(), cat.stdout.take().unwrap());
        for round in 0..20_u8 {
            assert!(poll_and_drop(stdout.recv()).is_pending());
            soon(stdin.write_all([round; 3])).await.0.unwrap();
            assert_eq!(soon(stdout.read_exact([0; 3])).await.1, [round; 3]);
        }
        drop(stdin);
        assert!(soon(stdout.recv()).await.unwrap().is_empty());
        assert!(soon(cat.wait()).await.unwrap().success());
    });
}

#[test]
fn an_end_is_told_as_often_as_it_is_asked_for() {
    on_each_driver(async || {
        let mut cat = soon(Command::new("cat").stdin(Stdio::piped()).spawn()).await.unwrap();
        let stdin = cat.stdin.take().unwrap();
        let id = cat.id().unwrap();
        for _ in 0..10 {
            assert!(timeout(Duration::from_millis(1), cat.wait()).await.is_err());
        }
        assert!(cat.try_wait().unwrap().is_none());
        {
            let mut wait = pin!(cat.wait());
            assert!(poll_once(wait.as_mut()).is_pending());
            settle().await;
            drop(stdin);
            assert!(soon(wait).await.unwrap().success());
        }
        assert!(soon(cat.wait()).await.unwrap().success());
        assert!(cat.try_wait().unwrap().unwrap().success());
        assert_eq!(cat.id(), None);
        cat.start_kill().unwrap();
        assert_gone(id).await;
        // The wait closes what the child reads, if it is still here.
        let mut cat = soon(Command::new("cat").stdin(Stdio::piped()).spawn()).await.unwrap();
        assert!(soon(cat.wait()).await.unwrap().success());
    });
}

#[test]
fn a_child_is_killed_or_told_a_signal() {
    on_each_driver(async || {
        let mut child = sleeper().await;
        soon(child.kill()).await.unwrap();
        assert_eq!(child.try_wait().unwrap().unwrap().signal(), Some(libc::SIGKILL));
        let mut child = sleeper().await;
        child.start_kill().unwrap();
        assert_eq!(soon(child.wait()).await.unwrap().signal(), Some(libc::SIGKILL));
        let mut child = sleeper().await;
        child.send_signal(SignalKind::terminate()).unwrap();
        assert_eq!(soon(child.wait()).await.unwrap().signal(), Some(libc::SIGTERM));
        child.send_signal(SignalKind::terminate()).unwrap();
        let mut child = sleeper().await;
        let none = child.send_signal(SignalKind::from_raw(1000)).unwrap_err();
        assert_eq!(none.raw_os_error(), Some(libc::EINVAL));
        soon(child.kill()).await.unwrap();
    });
}

#[test]
fn a_dropped_child_goes_on_unless_it_is_to_be_killed_and_is_reaped() {
    on_each_driver(async || {
        let mut ids = Vec::new();
        for _ in 0..3 {
            let child = sleeper().await;
            ids.push(child.id().unwrap());
            drop(child);
        }
        settle().await;
        for &id in &ids {
            let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap();
            assert!(!stat.contains(" Z "), "{stat}");
            kernel::signal_number(id, libc::SIGKILL);
        }
        let mut killed = Command::new("sleep");
        let killed = soon(killed.arg("1000").kill_on_drop(true).spawn()).await.unwrap();
        ids.push(killed.id().unwrap());
        drop(killed);
        // One that has ended by itself.
        let ended = soon(Command::new("true").spawn()).await.unwrap();
        ids.push(ended.id().unwrap());
        sleep(Duration::from_millis(20)).await;
        drop(ended);
        for id in ids {
            assert_gone(id).await;
        }
    });
}

#[test]
fn a_spawn_that_is_dropped_leaves_a_command_whole_and_no_zombie() {
    on_each_driver(async || {
        let mut command = Command::new("true");
        for round in 0..20 {
            let mut spawn = Box::pin(command.spawn());
            // The thread may be done by the time this looks.
            let _ = poll_once(spawn.as_mut());
            if round % 2 == 0 {
                settle().await;
            }
            drop(spawn);
        }
        assert!(soon(command.status()).await.unwrap().success());
        assert_no_children().await;
    });
}

/// Waits until this process has no child.
async fn assert_no_children() {
    let end = Instant::now() + SOON;
    while kernel::has_children() || threads_named("miniss-reaper") > 0 {
        assert!(Instant::now() < end, "a child is left");
        sleep(Duration::from_millis(1)).await;
    }
}

#[test]
fn a_program_that_cannot_run_is_an_error_and_leaves_nothing() {
    on_each_driver(async || {
        let missing = soon(Command::new("/no/such/program").spawn()).await.unwrap_err();
        assert_eq!(missing.kind(), ErrorKind::NotFound);
        let folder = soon(Command::new("/").output()).await.unwrap_err();
        assert_eq!(folder.kind(), ErrorKind::PermissionDenied);
        let nowhere = soon(Command::new("true").current_dir("/no/such").status()).await;
        assert_eq!(nowhere.unwrap_err().kind(), ErrorKind::NotFound);
    });
}

#[test]
fn where_a_pidfd_is_refused_an_end_is_told_all_the_same() {
    const TEST: &str = "processes::where_a_pidfd_is_refused_an_end_is_told_all_the_same";
    let refuse = std::sync::Once::new();
    alone_with_each_driver(TEST, |builder| {
        refuse.call_once(|| kernel::refuse(libc::SYS_pidfd_open, libc::EPERM));
        builder.shards(1).build().unwrap().block_on(async {
            assert_eq!(soon(shell("exit 5").status()).await.unwrap().code(), Some(5));
            let mut child = sleeper().await;
            assert!(timeout(Duration::from_millis(5), child.wait()).await.is_err());
            soon(child.kill()).await.unwrap();
            let dropped = soon(shell("exit 6").spawn()).await.unwrap();
            let id = dropped.id().unwrap();
            drop(dropped);
            assert_gone(id).await;
        });
    });
}

#[test]
fn a_child_inherits_no_cpu_no_blocked_signal_and_no_descriptor() {
    const TEST: &str = "processes::a_child_inherits_no_cpu_no_blocked_signal_and_no_descriptor";
    alone_with_each_driver(TEST, |builder| {
        let cpus = allowed_cpus().unwrap();
        let mut list = std::process::Command::new("ls");
        let inherited_by_us = list.arg("/proc/self/fd").output().unwrap().stdout;
        kernel::block(libc::SIGUSR2);
        let runtime = builder.shards(1).pinning(Pinning::Cpus(vec![cpus[0]])).build().unwrap();
        runtime.block_on(async {
            assert_eq!(allowed_cpus().unwrap(), [cpus[0]]);
            let _signal = signal(SignalKind::user_defined1()).unwrap();
            let mut other = sleeper().await;
            let mut wait = Box::pin(other.wait());
            assert!(poll_once(wait.as_mut()).is_pending());
            let status = soon(Command::new("cat").arg("/proc/self/status").output()).await;
            let status = String::from_utf8(status.unwrap().stdout).unwrap();
            let of = |name: &str| {
                let line = status.lines().find(|line| line.starts_with(name)).unwrap();
                line.split_whitespace().nth(1).unwrap().to_owned()
            };
            assert_eq!(of("SigBlk:"), "0000000000000000");
            let allowed = of("Cpus_allowed:").replace(',', "");
            let count: u32 = allowed.chars().map(|c| c.to_digit(16).unwrap().count_ones()).sum();
            assert_eq!(count as usize, cpus.len());
            let open = soon(Command::new("ls").arg("/proc/self/fd").output()).await.unwrap();
            assert_eq!(open.stdout, inherited_by_us);
            drop(wait);
            soon(other.kill()).await.unwrap();
        });
    });
}

#[test]
fn children_of_several_shards_are_told_apart() {
    with_each_driver(|builder| {
        let runtime = builder.shards(2).build().unwrap();
        runtime.block_on(async {
            let start = async || {
                let run = |number: i32| async move {
                    let status = shell(&format!("exit {number}")).status().await;
                    assert_eq!(status.unwrap().code(), Some(number));
                };
                let tasks: Vec<_> = (0..15).map(|number| spawn(run(number))).collect();
                for task in tasks {
                    soon(task).await.unwrap();
                }
            };
            let there = submit_to(1, start);
            soon(start()).await;
            soon(there).await.unwrap();
            assert_no_children().await;
        });
    });
}

#[test]
fn children_outlive_their_runtime_and_are_reaped_after_it() {
    with_each_driver(|builder| {
        let runtime = builder.clone().shards(1).build().unwrap();
        let ids = runtime.block_on(async {
            let mut killed = Command::new("sleep");
            killed.arg("1000").kill_on_drop(true);
            let (killed, goes_on) = (soon(killed.spawn()).await.unwrap(), sleeper().await);
            let ids = [killed.id().unwrap(), goes_on.id().unwrap()];
            spawn(async move {
                let (mut killed, mut goes_on) = (killed, goes_on);
                _ = killed.wait().await;
                _ = goes_on.wait().await;
            })
            .detach();
            settle().await;
            ids
        });
        drop(runtime);
        kernel::signal_number(ids[1], libc::SIGKILL);
        builder.shards(1).build().unwrap().block_on(async {
            for id in ids {
                assert_gone(id).await;
            }
        });
    });
}
