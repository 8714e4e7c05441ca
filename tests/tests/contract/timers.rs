//! Timers: never early, in their order, and in no one's way.

use std::cell::{Cell, RefCell};
use std::future::pending;
use std::io::Write;
use std::pin::pin;
use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};

use miniss_linux::time::{self, interval, sleep, sleep_until, timeout, timeout_at};
use miniss_linux::{spawn, yield_now};
use miniss_tests::random::Random;
use miniss_tests::sockets::pair;

use crate::harness::{on_each_driver, poll_once, settle, soon, with_each_driver};

const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn no_sleep_is_early_whatever_its_length() {
    on_each_driver(async || {
        for nanos in [1, 999, 1_000, 1_001, 50_000, 999_999, 1_000_000, 1_000_001, 7_654_321] {
            let duration = Duration::from_nanos(nanos);
            for _ in 0..5 {
                let start = Instant::now();
                soon(sleep(duration)).await;
                assert!(start.elapsed() >= duration, "{duration:?}: {:?}", start.elapsed());
            }
        }
    });
}

#[test]
fn a_sleep_of_nothing_and_one_until_the_past_take_a_turn_and_end() {
    on_each_driver(async || {
        let past = time::Instant::now();
        settle().await;
        for mut sleep in [sleep(Duration::ZERO), sleep_until(past)].map(Box::pin) {
            assert!(poll_once(sleep.as_mut()).is_pending(), "others have no turn");
            soon(sleep).await;
        }
    });
}

#[test]
fn sleeps_end_in_the_order_of_their_deadlines() {
    on_each_driver(async || {
        let order = Rc::new(RefCell::new(Vec::new()));
        let start = time::Instant::now();
        let sleeps = [30, 10, 20, 0, 40, 10].map(|millis| {
            let order = order.clone();
            spawn(async move {
                sleep_until(start + Duration::from_millis(millis)).await;
                order.borrow_mut().push(millis);
            })
        });
        for sleep in sleeps {
            soon(sleep).await.unwrap();
        }
        assert_eq!(order.take(), [0, 10, 10, 20, 30, 40]);
    });
}

#[test]
fn of_many_sleeps_at_random_none_is_early_and_all_end() {
    on_each_driver(async || {
        let mut random = Random::new();
        let sleeps: Vec<_> = (0..1000)
            .map(|_| {
                let duration = Duration::from_micros(random.below(20_000));
                spawn(async move {
                    let start = Instant::now();
                    sleep(duration).await;
                    assert!(start.elapsed() >= duration);
                })
            })
            .collect();
        for sleep in sleeps {
            soon(sleep).await.unwrap();
        }
    });
}

#[test]
fn a_sleep_that_was_dropped_is_forgotten() {
    on_each_driver(async || {
        for settled in [false, true] {
            let mut sleeps: Vec<_> = (1..50).map(|at| Box::pin(sleep(HOUR * at))).collect();
            for sleep in &mut sleeps {
                assert!(poll_once(sleep.as_mut()).is_pending());
            }
            if settled {
                settle().await;
            }
            // The harness counts the timers that are left.
        }
    });
}

#[test]
fn the_longest_durations_never_end_and_never_panic() {
    on_each_driver(async || {
        let endless =
            [Duration::MAX, Duration::from_secs(u64::MAX), Duration::from_nanos(u64::MAX)];
        let mut sleeps = endless.map(|duration| Box::pin(sleep(duration)));
        for sleep in &mut sleeps {
            assert!(poll_once(sleep.as_mut()).is_pending());
        }
        settle().await;
        for sleep in &mut sleeps {
            assert!(poll_once(sleep.as_mut()).is_pending());
        }
        assert_eq!(soon(timeout(Duration::MAX, async { 5 })).await.unwrap(), 5);
    });
}

#[test]
fn a_sleep_far_away_does_not_keep_a_near_one() {
    on_each_driver(async || {
        let mut far = pin!(sleep(HOUR * 24 * 365));
        assert!(poll_once(far.as_mut()).is_pending());
        for _ in 0..20 {
            soon(sleep(Duration::from_micros(300))).await;
        }
        assert!(poll_once(far.as_mut()).is_pending());
    });
}

#[test]
fn a_near_sleep_ends_an_endless_wait_that_has_begun() {
    on_each_driver(async || {
        // The shard sleeps with nothing but this timer.
        let (stream, _peer) = pair();
        let mut read = pin!(stream.recv());
        assert!(poll_once(read.as_mut()).is_pending());
        settle().await;
        let start = Instant::now();
        assert!(timeout(Duration::from_millis(10), read).await.is_err());
        assert!(start.elapsed() >= Duration::from_millis(10));
    });
}

#[test]
fn a_timeout_gives_what_is_in_time_and_drops_what_is_not() {
    struct Dropped(Rc<Cell<bool>>);
    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.set(true);
        }
    }
    on_each_driver(async || {
        assert_eq!(soon(timeout(Duration::ZERO, async { 5 })).await.unwrap(), 5);
        assert_eq!(soon(timeout(HOUR, async { 5 })).await.unwrap(), 5);
        let dropped = Rc::new(Cell::new(false));
        let holds = Dropped(dropped.clone());
        let mut late = pin!(timeout(Duration::from_millis(1), async move {
            let _holds = holds;
            pending::<()>().await;
        }));
        assert!(soon(late.as_mut()).await.is_err());
        assert!(dropped.get(), "the future lives on");
        assert!(soon(timeout_at(time::Instant::now(), pending::<()>())).await.is_err());
    });
}

#[test]
fn a_timeout_of_a_read_loses_no_byte() {
    on_each_driver(async || {
        let (stream, mut peer) = pair();
        for round in 0..10_u8 {
            let limit = Duration::from_micros(u64::from(round) * 100);
            assert!(timeout(limit, stream.read([0; 8])).await.is_err());
            assert!(timeout(limit, stream.recv()).await.is_err());
            peer.write_all(&[round]).unwrap();
            let (result, bytes) = soon(stream.read([0; 8])).await;
            assert_eq!((result.unwrap(), bytes[0]), (1, round));
        }
    });
}

#[test]
fn a_sleep_can_be_set_earlier_and_later() {
    on_each_driver(async || {
        let mut sleep = pin!(sleep(HOUR));
        assert!(poll_once(sleep.as_mut()).is_pending());
        let start = Instant::now();
        for millis in [5, 1, 10] {
            sleep.as_mut().reset(time::Instant::now() + Duration::from_millis(millis));
            let before = Instant::now();
            soon(sleep.as_mut()).await;
            assert!(before.elapsed() < HOUR);
            assert!(start.elapsed() >= Duration::from_millis(millis));
        }
        sleep.as_mut().reset(time::Instant::now() + HOUR);
        settle().await;
        assert!(poll_once(sleep.as_mut()).is_pending());
    });
}

#[test]
fn an_interval_never_ticks_early() {
    on_each_driver(async || {
        let period = Duration::from_millis(2);
        let start = Instant::now();
        let mut interval = interval(period);
        for tick in 0..10 {
            soon(interval.tick()).await;
            assert!(start.elapsed() >= period * tick, "tick {tick} at {:?}", start.elapsed());
        }
    });
}

#[test]
fn timers_that_fell_due_while_a_task_kept_the_shard_end_right_after_it() {
    on_each_driver(async || {
        let done = Rc::new(Cell::new(0));
        let sleeps = [1, 2, 3].map(|millis| {
            let done = done.clone();
            spawn(async move {
                sleep(Duration::from_millis(millis)).await;
                done.set(done.get() + 1);
            })
        });
        yield_now().await;
        thread::sleep(Duration::from_millis(20));
        let turns = async {
            let mut turns = 0;
            while done.get() < 3 {
                yield_now().await;
                turns += 1;
            }
            turns
        };
        let turns = soon(turns).await;
        // Each fires in the first turn or two; where a shuffle polls in other orders, a bit later.
        assert!(turns < 100, "{turns} turns");
        for sleep in sleeps {
            soon(sleep).await.unwrap();
        }
    });
}

#[test]
fn a_busy_socket_keeps_no_timer_and_timers_keep_no_socket() {
    on_each_driver(async || {
        let (stream, peer) = pair();
        let other = miniss_linux::net::TcpStream::from_std(peer).unwrap();
        let echo = spawn(async move {
            loop {
                match stream.recv().await.unwrap() {
                    bytes if bytes.is_empty() => return,
                    bytes => stream.write_all(bytes).await.0.unwrap(),
                }
            }
        });
        let ticks = Rc::new(Cell::new(0));
        let counter = ticks.clone();
        let ticker = spawn(async move {
            loop {
                sleep(Duration::from_micros(200)).await;
                counter.set(counter.get() + 1);
            }
        });
        let mut rounds = 0;
        while ticks.get() < 20 || rounds < 20 {
            soon(other.write_all("ping")).await.0.unwrap();
            assert_eq!(soon(other.read_exact([0; 4])).await.1, *b"ping");
            rounds += 1;
        }
        ticker.abort();
        drop(other);
        soon(echo).await.unwrap();
    });
}

#[test]
fn a_sleep_goes_on_from_one_block_on_to_the_next() {
    with_each_driver(|builder| {
        let runtime = builder.shards(1).build().unwrap();
        let start = Instant::now();
        let duration = Duration::from_millis(20);
        let sleeper = runtime.spawn(sleep(duration));
        runtime.block_on(yield_now());
        // It falls due while no one runs the shard, or later.
        thread::sleep(Duration::from_millis(10));
        runtime.block_on(soon(sleeper)).unwrap();
        assert!(start.elapsed() >= duration);
    });
}
