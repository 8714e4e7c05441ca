//! Signals: told once to each listener, wherever they hit; handlers of others; and the end of a
//! server that they begin.

use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::pin::pin;
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use miniss_linux::signal::{GracefulShutdown, Signal, SignalKind, ctrl_c, signal};
use miniss_linux::time::sleep;
use miniss_linux::{run_on, spawn, submit_to};
use miniss_tests::alone::finish;
use miniss_tests::census::{Census, counted, thread_id};
use miniss_tests::deadline::{SOON, deadline};
use miniss_tests::drivers::drivers;
use miniss_tests::kernel::{self, OtherHandler, handler_of};

use crate::harness::{
    alone_with_each_driver, beside, poll_and_drop, poll_once, settle, soon, turn,
};

const USR1: SignalKind = SignalKind::user_defined1();

/// To this thread: the handler has run when it returns.
fn send(kind: SignalKind) {
    kernel::signal_thread(thread_id(), kind.as_raw_value());
}

/// Whether a signal waits to be told.
fn is_told(signal: &Signal) -> bool {
    poll_and_drop(signal.recv()).is_ready()
}

/// Runs `case` on the one shard of a runtime, in a process of its own.
#[track_caller]
fn alone_on_each_driver(test: &str, case: impl AsyncFn()) {
    alone_with_each_driver(test, |builder| {
        builder.shards(1).build().unwrap().block_on(counted(case()));
    });
}

#[test]
fn n14_a_signal_to_any_thread_is_told_once_to_each_listener() {
    const TEST: &str = "signals::n14_a_signal_to_any_thread_is_told_once_to_each_listener";
    alone_with_each_driver(TEST, |builder| {
        let runtime = builder.shards(3).build().unwrap();
        runtime.block_on(async {
            let here = [signal(USR1).unwrap(), signal(USR1).unwrap()];
            let (tell, told) = mpsc::channel();
            let listen = |shard| {
                let tell = tell.clone();
                submit_to(shard, async move || {
                    let signal = signal(USR1).unwrap();
                    tell.send(()).unwrap();
                    for _ in 0..4 {
                        signal.recv().await.unwrap();
                        tell.send(()).unwrap();
                    }
                    settle().await;
                    assert!(!is_told(&signal));
                })
            };
            let there = [listen(1), listen(2)];
            let wait_for = async |number| {
                for _ in 0..number {
                    while told.try_recv().is_err() {
                        sleep(Duration::from_micros(100)).await;
                    }
                }
            };
            soon(wait_for(2)).await;
            let threads = [
                thread_id(),
                soon(run_on(1, thread_id)).await.unwrap(),
                soon(run_on(2, thread_id)).await.unwrap(),
                // Of a thread that is no shard.
                0,
            ];
            for thread in threads {
                match thread {
                    0 => beside(|| kernel::signal_thread(thread_id(), libc::SIGUSR1)).await,
                    thread => kernel::signal_thread(thread, libc::SIGUSR1),
                }
                for signal in &here {
                    soon(signal.recv()).await.unwrap();
                    assert!(!is_told(signal));
                }
                soon(wait_for(2)).await;
            }
            for call in there {
                soon(call).await.unwrap();
            }
        });
    });
}

#[test]
fn signals_of_one_moment_are_told_as_one_and_kinds_apart() {
    const TEST: &str = "signals::signals_of_one_moment_are_told_as_one_and_kinds_apart";
    alone_on_each_driver(TEST, async || {
        let (ones, twos) = (signal(USR1).unwrap(), signal(SignalKind::user_defined2()).unwrap());
        assert!(!is_told(&ones) && !is_told(&twos));
        (0..3).for_each(|_| send(USR1));
        soon(ones.recv()).await.unwrap();
        settle().await;
        assert!(!is_told(&ones) && !is_told(&twos));
        send(SignalKind::user_defined2());
        soon(twos.recv()).await.unwrap();
        assert!(!is_told(&ones));
    });
}

#[test]
fn a_dropped_wait_loses_no_signal_and_wakes_no_one_else() {
    const TEST: &str = "signals::a_dropped_wait_loses_no_signal_and_wakes_no_one_else";
    alone_on_each_driver(TEST, async || {
        let signal = signal(USR1).unwrap();
        for round in 0..20 {
            {
                let mut wait = pin!(signal.recv());
                assert!(poll_once(wait.as_mut()).is_pending());
                if round % 2 == 0 {
                    settle().await;
                }
                send(USR1);
            }
            soon(signal.recv()).await.unwrap();
            assert!(!is_told(&signal));
        }
    });
}

#[test]
fn the_last_listener_puts_back_what_the_signal_did_before() {
    const TEST: &str = "signals::the_last_listener_puts_back_what_the_signal_did_before";
    alone_on_each_driver(TEST, async || {
        for before in [libc::SIG_DFL, libc::SIG_IGN] {
            kernel::set_default(libc::SIGINT, before);
            let (first, second) = (ctrl_c_listener(), ctrl_c_listener());
            assert_ne!(handler_of(libc::SIGINT), before);
            drop(first);
            assert_ne!(handler_of(libc::SIGINT), before);
            drop(second);
            assert_eq!(handler_of(libc::SIGINT), before);
            // While it is awaited, and not before.
            let mut pressed = Box::pin(ctrl_c());
            assert_eq!(handler_of(libc::SIGINT), before);
            assert!(poll_once(pressed.as_mut()).is_pending());
            send(SignalKind::interrupt());
            soon(pressed).await.unwrap();
            assert_eq!(handler_of(libc::SIGINT), before);
        }
        kernel::set_default(libc::SIGINT, libc::SIG_DFL);
    });
}

fn ctrl_c_listener() -> Signal {
    signal(SignalKind::interrupt()).unwrap()
}

#[test]
fn a_handler_that_was_there_before_is_called_as_well() {
    const TEST: &str = "signals::a_handler_that_was_there_before_is_called_as_well";
    alone_on_each_driver(TEST, async || {
        let other = OtherHandler::install(libc::SIGUSR1);
        let theirs = handler_of(libc::SIGUSR1);
        let ours = signal(USR1).unwrap();
        send(USR1);
        soon(ours.recv()).await.unwrap();
        assert_eq!(other.count(), 1);
        drop(ours);
        assert_eq!(handler_of(libc::SIGUSR1), theirs);
        send(USR1);
        assert_eq!(other.count(), 2);
    });
}

#[test]
fn a_handler_that_came_later_stays_and_calls_ours() {
    const TEST: &str = "signals::a_handler_that_came_later_stays_and_calls_ours";
    alone_on_each_driver(TEST, async || {
        let first = signal(USR1).unwrap();
        let other = OtherHandler::install(libc::SIGUSR1);
        let theirs = handler_of(libc::SIGUSR1);
        send(USR1);
        soon(first.recv()).await.unwrap();
        assert_eq!(other.count(), 1);
        drop(first);
        assert_eq!(handler_of(libc::SIGUSR1), theirs);
        // With no listener, beneath another handler: it is that one's signal.
        send(USR1);
        assert_eq!(other.count(), 2);
        // A listener that comes back is told through it.
        let second = signal(USR1).unwrap();
        assert!(!is_told(&second));
        send(USR1);
        soon(second.recv()).await.unwrap();
        assert_eq!(other.count(), 3);
        // They put ours back when no one listens: it gives way to what was there before.
        drop(second);
        drop(other);
        kernel::set_default(libc::SIGUSR1, libc::SIG_IGN);
        let third = signal(USR1).unwrap();
        let other = OtherHandler::install(libc::SIGUSR1);
        drop((third, other));
        assert_ne!(handler_of(libc::SIGUSR1), libc::SIG_IGN);
        send(USR1);
        assert_eq!(handler_of(libc::SIGUSR1), libc::SIG_IGN);
        // And listens again when it is wanted.
        let fourth = signal(USR1).unwrap();
        send(USR1);
        soon(fourth.recv()).await.unwrap();
        drop(fourth);
        assert_eq!(handler_of(libc::SIGUSR1), libc::SIG_IGN);
        kernel::set_default(libc::SIGUSR1, libc::SIG_DFL);
    });
}

#[test]
fn two_runtimes_of_a_process_are_told_both_and_end_apart() {
    const TEST: &str = "signals::two_runtimes_of_a_process_are_told_both_and_end_apart";
    alone_with_each_driver(TEST, |builder| {
        let (ready, is_ready) = mpsc::channel();
        let (end, ended) = mpsc::channel::<()>();
        let (other, tell) = (builder.clone(), ready.clone());
        let thread = thread::spawn(move || {
            other.shards(1).build().unwrap().block_on(async {
                let signal = signal(USR1).unwrap();
                ready.send(()).unwrap();
                soon(signal.recv()).await.unwrap();
                tell.send(()).unwrap();
            });
            ended.recv().unwrap();
        });
        builder.shards(1).build().unwrap().block_on(async {
            let signal = signal(USR1).unwrap();
            is_ready.recv().unwrap();
            kernel::signal_process(libc::SIGUSR1);
            soon(signal.recv()).await.unwrap();
            is_ready.recv().unwrap();
            end.send(()).unwrap();
            thread.join().unwrap();
            send(USR1);
            soon(signal.recv()).await.unwrap();
        });
        assert_eq!(handler_of(libc::SIGUSR1), libc::SIG_DFL);
    });
}

#[test]
fn a_listener_that_outlives_its_runtime_goes_in_order() {
    const TEST: &str = "signals::a_listener_that_outlives_its_runtime_goes_in_order";
    alone_with_each_driver(TEST, |builder| {
        let before = Census::take();
        let runtime = builder.shards(1).build().unwrap();
        let signal = runtime.block_on(async { signal(USR1).unwrap() });
        drop(runtime);
        send(USR1);
        drop(signal);
        before.assert_back();
        assert_eq!(handler_of(libc::SIGUSR1), libc::SIG_DFL);
    });
}

#[test]
fn listeners_that_come_and_go_while_signals_fall_lose_none_of_their_own() {
    const TEST: &str =
        "signals::listeners_that_come_and_go_while_signals_fall_lose_none_of_their_own";
    alone_with_each_driver(TEST, |builder| {
        // Between two listeners the signal does nothing.
        kernel::set_default(libc::SIGUSR1, libc::SIG_IGN);
        let runtime = builder.shards(2).build().unwrap();
        runtime.block_on(async {
            let (stop, stopped) = mpsc::channel::<()>();
            let signals = spawn(beside(move || {
                while stopped.try_recv() == Err(mpsc::TryRecvError::Empty) {
                    send(USR1);
                }
            }));
            let come_and_go = async || {
                for _ in 0..200 {
                    soon(signal(USR1).unwrap().recv()).await.unwrap();
                }
            };
            let there = submit_to(1, come_and_go);
            soon(come_and_go()).await;
            soon(there).await.unwrap();
            stop.send(()).unwrap();
            soon(signals).await.unwrap();
        });
        drop(runtime);
        assert_eq!(handler_of(libc::SIGUSR1), libc::SIG_IGN);
        kernel::set_default(libc::SIGUSR1, libc::SIG_DFL);
    });
}

#[test]
fn kinds_that_no_handler_may_take_are_refused() {
    const TEST: &str = "signals::kinds_that_no_handler_may_take_are_refused";
    alone_on_each_driver(TEST, async || {
        let none = [0, -1, 32, 65, 1000];
        let refused = [libc::SIGKILL, libc::SIGSTOP, libc::SIGSEGV, libc::SIGFPE];
        for number in refused.into_iter().chain(none) {
            let error = signal(SignalKind::from_raw(number)).unwrap_err();
            assert_eq!(error.raw_os_error(), Some(libc::EINVAL), "{number}");
        }
        let last = SignalKind::from_raw(libc::SIGRTMAX());
        let real_time = signal(last).unwrap();
        send(last);
        soon(real_time.recv()).await.unwrap();
    });
}

#[test]
fn n13_the_first_signal_asks_every_shard_to_stop_and_passes_are_waited_for() {
    const TEST: &str =
        "signals::n13_the_first_signal_asks_every_shard_to_stop_and_passes_are_waited_for";
    alone_with_each_driver(TEST, |builder| {
        for kind in [SignalKind::terminate(), SignalKind::interrupt()] {
            let runtime = builder.clone().shards(3).build().unwrap();
            let shutdown = GracefulShutdown::new();
            let (ready, is_ready) = mpsc::channel();
            let sends = thread::spawn(move || {
                (0..3).for_each(|_| is_ready.recv().unwrap());
                kernel::signal_process(kind.as_raw_value());
            });
            let finished = runtime.run(async move || {
                let here = shutdown.on_shard().unwrap();
                let (pass, done) = (here.enter().unwrap(), Rc::new(std::cell::Cell::new(false)));
                let is_done = done.clone();
                spawn(async move {
                    sleep(Duration::from_millis(20)).await;
                    done.set(true);
                    drop(pass);
                })
                .detach();
                ready.send(()).unwrap();
                let accepting = here.until_requested(std::future::pending::<()>());
                assert_eq!(soon(accepting).await, None);
                soon(here.drain(SOON)).await.unwrap();
                assert!(here.enter().is_err() && shutdown.is_requested());
                is_done.get()
            });
            assert_eq!(finished, [true; 3]);
            sends.join().unwrap();
        }
        assert_eq!(handler_of(libc::SIGTERM), libc::SIG_DFL);
    });
}

#[test]
fn n13_what_does_not_end_within_the_grace_is_not_waited_for() {
    const TEST: &str = "signals::n13_what_does_not_end_within_the_grace_is_not_waited_for";
    alone_on_each_driver(TEST, async || {
        let here = GracefulShutdown::on_signals([]).on_shard().unwrap();
        let _pass = here.enter().unwrap();
        let start = Instant::now();
        assert!(soon(here.drain(Duration::from_millis(20))).await.is_err());
        assert!(start.elapsed() >= Duration::from_millis(20));
        soon(here.requested()).await;
    });
}

#[test]
fn a_shard_that_gives_up_asks_the_others_to_stop_also_those_that_come_late() {
    const TEST: &str =
        "signals::a_shard_that_gives_up_asks_the_others_to_stop_also_those_that_come_late";
    alone_with_each_driver(TEST, |builder| {
        let runtime = builder.shards(2).build().unwrap();
        let shutdown = GracefulShutdown::new();
        runtime.block_on(async {
            let here = shutdown.on_shard().unwrap();
            let theirs = shutdown.clone();
            let there = submit_to(1, async move || {
                let _part = theirs.on_shard().unwrap();
                panic!("on purpose");
            });
            assert!(soon(there).await.is_err());
            soon(here.requested()).await;
            let late = shutdown.on_shard().unwrap();
            assert_eq!(late.until_requested(async {}).await, None);
        });
    });
}

#[test]
fn a_shard_that_cannot_take_part_asks_the_others_to_stop() {
    const TEST: &str = "signals::a_shard_that_cannot_take_part_asks_the_others_to_stop";
    alone_on_each_driver(TEST, async || {
        let shutdown = GracefulShutdown::on_signals([SignalKind::from_raw(libc::SIGKILL)]);
        assert!(!shutdown.is_requested());
        assert!(shutdown.on_shard().is_err() && shutdown.is_requested());
    });
}

#[test]
fn n13_a_second_signal_ends_the_process_at_once_also_if_every_shard_is_busy() {
    let _turn = turn();
    let _deadline = deadline("n13_a_second_signal_ends_the_process_at_once");
    for driver in drivers() {
        for (second, status) in [(libc::SIGTERM, 143), (libc::SIGINT, 130)] {
            let mut program = Command::new(env!("CARGO_BIN_EXE_exit_status"));
            program.arg("busy").env("MINISS_DRIVER", driver.to_string()).stdout(Stdio::piped());
            let mut child = program.spawn().unwrap();
            let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
            (0..4).for_each(|_| assert_eq!(said.next().unwrap().unwrap(), "busy"));
            kernel::signal_child(&child, libc::SIGTERM);
            kernel::wait_until_signals_are_taken(&child);
            thread::sleep(Duration::from_millis(10));
            assert!(child.try_wait().unwrap().is_none(), "the first signal only asks");
            kernel::signal_child(&child, second);
            let ended = finish(child, SOON).expect("it ends at once");
            assert_eq!((ended.code(), ended.signal()), (Some(status), None));
        }
    }
}
