//! Sleeping, timeouts and ticks: never early, and cheap while they wait. Scenarios A-TM, T9, T10,
//! T16 to T18.
//!
//! How late a timer may be depends on the machine and who else uses it, so that is only bounded by
//! seconds.

#![forbid(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::future::{Future, pending, poll_fn, ready};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use miniss_linux::net::TcpStream;
use miniss_linux::time::{
    Duration, Instant, MissedTick, interval, interval_at, sleep, sleep_until, timeout, timeout_at,
};
use miniss_linux::{Runtime, spawn, stats, submit_to, yield_now};
use miniss_tests::census::own_cpu_time;
use miniss_tests::deadline::{SOON, deadline};
use miniss_tests::random::Random;
use miniss_tests::sockets::both_ends;

const LONG: Duration = SOON;

fn on_one_shard<T>(body: impl Future<Output = T>) -> T {
    Runtime::builder().shards(1).build().unwrap().block_on(body)
}

/// As [`on_one_shard`], where the order in which tasks are polled is what is looked at.
fn in_order<T>(body: impl Future<Output = T>) -> T {
    Runtime::builder().shards(1).shuffle(0).build().unwrap().block_on(body)
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[test]
fn a_tm_1_a_long_sleep_is_not_early_and_uses_no_cpu() {
    let _deadline = deadline("A-TM-1");
    let (elapsed, used) = on_one_shard(async {
        let (start, cpu) = (std::time::Instant::now(), own_cpu_time());
        sleep(Duration::from_secs(2)).await;
        (start.elapsed(), own_cpu_time() - cpu)
    });
    assert!(elapsed >= Duration::from_secs(2), "{elapsed:?}");
    assert!(used < millis(50), "a sleep used {used:?} of the CPU");
}

#[test]
fn a_tm_2_timers_fire_in_the_order_of_their_deadlines_and_equal_ones_as_armed() {
    let _deadline = deadline("A-TM-2");
    let fired = in_order(async {
        let fired = Rc::new(RefCell::new(Vec::new()));
        let start = Instant::now();
        let arm = |name: usize, after: u64| {
            let fired = fired.clone();
            spawn(async move {
                sleep_until(start + millis(after)).await;
                fired.borrow_mut().push(name);
            })
        };
        // Far apart: a stall while they are armed must not make one overdue.
        let mut tasks = vec![arm(30, 600), arm(10, 200), arm(20, 400)];
        tasks.extend((100..200).map(|name| arm(name, 800)));
        for task in tasks {
            task.await.unwrap();
        }
        fired.take()
    });
    let expected: Vec<_> = [10, 20, 30].into_iter().chain(100..200).collect();
    assert_eq!(fired, expected);
}

#[test]
fn a_tm_3_t17_deadlines_of_zero_and_in_the_past_take_a_turn_and_end() {
    let _deadline = deadline("A-TM-3");
    on_one_shard(async {
        let past = Instant::now();
        sleep(millis(2)).await;
        for _ in 0..100 {
            let turned = Rc::new(Cell::new(false));
            let flag = turned.clone();
            spawn(async move { flag.set(true) }).detach();
            let mut sleep = pin!(sleep(Duration::ZERO));
            let inline = sleep.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            assert!(inline.is_pending(), "a timer fired inline");
            timeout(LONG, sleep).await.unwrap();
            assert!(turned.get(), "zero did not let others run");
            timeout(LONG, sleep_until(past)).await.unwrap();
        }
        assert_eq!(timeout(Duration::ZERO, ready(5)).await, Ok(5));
        assert!(timeout(Duration::ZERO, pending::<()>()).await.is_err());
    });
}

#[test]
fn t17_the_longest_durations_never_end_and_never_panic() {
    let _deadline = deadline("T17");
    on_one_shard(async {
        let long = [Duration::MAX, Duration::from_secs(u64::MAX / 4), Duration::from_secs(1 << 33)];
        for duration in long {
            assert!(timeout(millis(2), sleep(duration)).await.is_err());
            assert!(timeout(millis(2), sleep_until(Instant::now() + duration)).await.is_err());
            assert_eq!(timeout(duration, ready(5)).await, Ok(5));
            let slow = async {
                sleep(millis(2)).await;
                6
            };
            assert_eq!(timeout(duration, slow).await, Ok(6));
            let mut ticks = interval(duration);
            ticks.tick().await;
            assert!(timeout(millis(2), ticks.tick()).await.is_err());
            let task = spawn(sleep(duration));
            yield_now().await;
            task.abort();
            assert!(task.await.unwrap_err().is_cancelled());
        }
        assert_eq!(stats().timers_armed, 0);
    });
}

#[test]
fn timers_take_and_give_the_instant_that_is_shown_here() {
    let _deadline = deadline("one Instant");
    on_one_shard(async {
        let start = Instant::now();
        let mut nap = pin!(sleep(Duration::MAX));
        assert_eq!(nap.deadline(), Instant::MAX);
        let soon = start + millis(2);
        nap.as_mut().reset(soon);
        assert_eq!(nap.deadline(), soon);
        nap.await;
        assert!(Instant::now() >= soon);

        let mut ticks = interval_at(start, millis(1));
        assert_eq!(ticks.next_tick(), start);
        for n in 0..3 {
            assert_eq!(ticks.tick().await, start + millis(n), "ticks that are past come, too");
        }
        assert_eq!(timeout_at(start, ready(5)).await, Ok(5));
        assert!(timeout_at(start, pending::<()>()).await.is_err(), "it is past");
        let timeout_then = timeout_at(soon, pending::<()>());
        assert_eq!(timeout_then.deadline(), soon);
        let never = sleep_until(Instant::MAX);
        assert!(timeout_at(Instant::now() + millis(2), never).await.is_err());
        let mut never = interval_at(Instant::MAX, Duration::from_nanos(1));
        assert!(timeout(millis(2), never.tick()).await.is_err());
    });
}

#[test]
fn instants_of_the_standard_library_convert_there_and_back() {
    let point = Instant::now();
    let theirs = std::time::Instant::from(point);
    let year = Duration::from_secs(365 * 24 * 3600);
    for (ours, theirs) in [(point + year, theirs + year), (point - millis(1), theirs - millis(1))] {
        assert_eq!((Instant::from(theirs), std::time::Instant::from(ours)), (ours, theirs));
    }
    assert_eq!(Instant::from(std::time::Instant::from(Instant::MAX)), Instant::MAX);
    assert_eq!(Instant::from(theirs + 1_000 * year), Instant::MAX, "beyond the clock's range");
    assert_eq!(Instant::from(theirs - 1_000 * year), Instant::now() - Duration::MAX);
    // Of one clock: what was read first is not later, but for the time of a look.
    let between = Instant::from(std::time::Instant::now());
    assert!(between + millis(1) > point && between < Instant::now() + millis(1));
}

#[test]
fn arithmetic_stops_at_both_ends_of_the_clock() {
    let now = Instant::now();
    assert_eq!(now + Duration::MAX, Instant::MAX);
    assert_eq!(now.checked_add(Duration::MAX), None);
    assert_eq!(now.checked_sub(Duration::MAX), None);
    assert_eq!(Instant::MAX - Duration::MAX, now - Duration::MAX);
    assert_eq!(now.duration_since(now + millis(1)), Duration::ZERO);
    assert_eq!(now.checked_duration_since(now + millis(1)), None);
    let mut point = now;
    point += millis(2);
    point -= millis(1);
    assert_eq!(point.checked_sub(millis(1)), now.checked_add(Duration::ZERO));
}

#[test]
fn t16_no_timer_of_ten_thousand_is_early_and_all_fire() {
    let _deadline = deadline("many timers");
    let mut random = Random::new();
    on_one_shard(async {
        let start = |nanos: u64| {
            spawn(async move {
                let (start, duration) = (std::time::Instant::now(), Duration::from_nanos(nanos));
                sleep(duration).await;
                start.elapsed() >= duration
            })
        };
        let tasks: Vec<_> = (0..10_000).map(|_| start(random.below(300_000_000))).collect();
        let dropped: Vec<_> = (0..10_000).map(|_| start(random.below(300_000_000))).collect();
        yield_now().await;
        dropped.iter().for_each(miniss_linux::JoinHandle::abort);
        for task in tasks {
            assert!(timeout(LONG, task).await.expect("it fires").unwrap(), "a timer was early");
        }
        drop(dropped);
        yield_now().await;
        assert_eq!(stats().timers_armed, 0);
    });
}

#[test]
fn t16_of_a_million_timers_nine_in_ten_are_dropped_and_the_others_fire() {
    let _deadline = deadline("a million timers");
    let mut random = Random::new();
    on_one_shard(async {
        let start = Instant::now();
        let stays = |index: u64| index % 10 == 3;
        let deadline = |index| {
            let later = if stays(index) { Duration::ZERO } else { LONG };
            start + later + Duration::from_nanos(random.below(3_000_000_000))
        };
        let deadlines: Vec<_> = (0..1_000_000).map(deadline).collect();
        let armed = deadlines.iter().map(|deadline| Box::pin(sleep_until(*deadline)));
        let mut sleeps: Vec<_> = armed.map(Some).collect();
        poll_fn(|cx| {
            sleeps.iter_mut().flatten().for_each(|sleep| _ = sleep.as_mut().poll(cx));
            Poll::Ready(())
        })
        .await;
        assert!(stats().timers_armed >= 900_000);
        for (index, sleep) in (0..).zip(&mut sleeps) {
            *sleep = sleep.take().filter(|_| stays(index));
        }
        assert!(stats().timers_armed <= 100_000);
        for (sleep, deadline) in sleeps.into_iter().zip(deadlines) {
            if let Some(sleep) = sleep {
                sleep.await;
                assert!(Instant::now() >= deadline, "a timer was early");
            }
        }
        assert_eq!(stats().timers_armed, 0);
    });
}

#[test]
fn a_timeout_drops_what_it_gave_up_and_gives_what_was_in_time() {
    struct Counted(Rc<Cell<u32>>);
    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
        }
    }
    let _deadline = deadline("timeouts");
    on_one_shard(async {
        let drops = Rc::new(Cell::new(0));
        for _ in 0..10 {
            let counted = Counted(drops.clone());
            let slow = async move {
                let _counted = counted;
                pending::<()>().await;
            };
            let start = std::time::Instant::now();
            assert!(timeout(millis(3), slow).await.is_err());
            assert!(start.elapsed() >= millis(3));
        }
        assert_eq!(drops.get(), 10);
        assert_eq!(timeout(LONG, async { sleep(millis(3)).await }).await, Ok(()));
        assert_eq!(stats().timers_armed, 0);
    });
}

#[test]
fn an_interval_ticks_on_time_and_deals_with_missed_ticks_as_told() {
    let _deadline = deadline("intervals");
    on_one_shard(async {
        let period = millis(5);
        let start = Instant::now();
        let mut ticks = interval(period);
        for number in 0..5 {
            ticks.tick().await;
            assert!(start.elapsed() >= period * number, "tick {number} was early");
        }
        for missed in [MissedTick::Burst, MissedTick::Delay, MissedTick::Skip] {
            let mut ticks = interval(period).with_missed_tick(missed);
            ticks.tick().await;
            std::thread::sleep(period * 5 + period / 2);
            let late = std::time::Instant::now();
            for _ in 0..3 {
                timeout(LONG, ticks.tick()).await.unwrap();
            }
            match missed {
                MissedTick::Burst => {}
                // One is overdue; the others keep their distance, or the beat.
                _ => assert!(late.elapsed() >= period, "{missed:?} {:?}", late.elapsed()),
            }
        }
    });
}

/// A future that is never done and always ready to run.
async fn spin() {
    std::future::poll_fn(|cx| {
        cx.waker().wake_by_ref();
        Poll::<()>::Pending
    })
    .await;
}

#[test]
fn t9_tasks_that_wake_themselves_forever_starve_neither_timers_nor_sockets_nor_calls() {
    let _deadline = deadline("T9");
    let runtime = Runtime::builder().shards(2).build().unwrap();
    runtime.block_on(async {
        let spinners: Vec<_> = (0..10).map(|_| spawn(spin())).collect();
        let yielding = spawn(async {
            loop {
                yield_now().await;
            }
        });
        let (server, client) = both_ends().await.unwrap();
        let echo = spawn(async move {
            while let Ok(bytes) = server.recv().await {
                if bytes.is_empty() {
                    return;
                }
                server.write_all(bytes).await.0.unwrap();
            }
        });
        for number in 0..200_u8 {
            timeout(LONG, sleep(millis(1))).await.expect("timers fire");
            let back = timeout(LONG, exchange(&client, number)).await.expect("sockets work");
            assert_eq!(back, number);
            let call = timeout(LONG, submit_to(1, async move || number)).await;
            assert_eq!(call.expect("calls come back").unwrap(), number);
        }
        spinners.iter().for_each(miniss_linux::JoinHandle::abort);
        for spinner in spinners {
            assert!(spinner.await.unwrap_err().is_cancelled());
        }
        yielding.abort();
        drop(client);
        echo.await.unwrap();
    });
}

async fn exchange(client: &TcpStream, number: u8) -> u8 {
    client.write_all([number]).await.0.unwrap();
    let (result, back) = client.read_exact([0]).await;
    result.unwrap();
    back[0]
}

#[test]
fn t10_a_pair_of_tasks_that_are_always_ready_starves_no_timer() {
    let _deadline = deadline("T10");
    on_one_shard(async {
        let (server, client) = both_ends().await.unwrap();
        let writer = spawn(async move {
            loop {
                client.write_all(vec![1; 4096]).await.0.unwrap();
            }
        });
        let reader = spawn(async move {
            loop {
                server.recv().await.unwrap();
            }
        });
        for _ in 0..100 {
            timeout(LONG, sleep(millis(1))).await.expect("timers fire");
        }
        writer.abort();
        reader.abort();
    });
}

#[test]
fn t18_a_timer_that_fell_due_during_a_long_poll_fires_right_after() {
    let _deadline = deadline("T18");
    on_one_shard(async {
        let task = spawn(sleep(millis(5)));
        yield_now().await;
        std::thread::sleep(millis(30));
        timeout(LONG, task).await.expect("it fires").unwrap();
    });
}
