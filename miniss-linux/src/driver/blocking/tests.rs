//! Threads that come and go under jobs from several sides.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{self, Duration};

use super::pool::{BlockingConfig, BlockingPool, Job};
use crate::driver::sys::now;

const PATIENCE: Duration = Duration::from_secs(120);

fn pool(threads_max: usize, keep_alive: Duration, shards: usize) -> Arc<BlockingPool> {
    let config = BlockingConfig {
        threads_max,
        keep_alive,
        thread_name: "pool-test".into(),
        stack_bytes: None,
        cpus: None,
    };
    Arc::new(BlockingPool::new(config, shards))
}

fn submit(
    pool: &Arc<BlockingPool>,
    shard: usize,
    work: impl FnOnce(Result<(), i32>) + Send + 'static,
) {
    pool.submit(shard, Job::work(work));
}

fn close(pool: &BlockingPool) {
    pool.close();
    assert_eq!(pool.wait_ended(Some(time::Instant::now() + PATIENCE)).threads, 0);
}

/// What has become of jobs.
#[derive(Default)]
struct Told {
    begun: AtomicUsize,
    refused: AtomicUsize,
    running: AtomicUsize,
    running_max: AtomicUsize,
}

impl Told {
    fn job(self: &Arc<Self>) -> Job {
        let this = self.clone();
        Job::work(move |start| this.tell(start))
    }

    fn tell(&self, start: Result<(), i32>) {
        match start {
            Ok(()) => {
                let running = self.running.fetch_add(1, SeqCst) + 1;
                self.running_max.fetch_max(running, SeqCst);
                thread::yield_now();
                self.running.fetch_sub(1, SeqCst);
                self.begun.fetch_add(1, SeqCst);
            }
            Err(errno) => {
                assert_eq!(errno, libc::ECANCELED);
                self.refused.fetch_add(1, SeqCst);
            }
        }
    }

    fn count(&self) -> usize {
        self.begun.load(SeqCst) + self.refused.load(SeqCst)
    }
}

#[test]
fn each_job_is_told_once_while_threads_come_and_go() {
    const JOBS: usize = 300;
    // Threads that end as soon as they can, and threads that stay.
    for keep_alive in [Duration::ZERO, Duration::from_micros(50), PATIENCE] {
        let (pool, told) = (pool(3, keep_alive, 4), Arc::new(Told::default()));
        thread::scope(|scope| {
            for shard in 0..4 {
                let (pool, told) = (&pool, &told);
                scope.spawn(move || {
                    for number in 0..JOBS {
                        pool.submit(shard, told.job());
                        if number % 16 == 0 {
                            thread::yield_now();
                        }
                    }
                });
            }
        });
        let end = now() + PATIENCE;
        while told.count() < 4 * JOBS && now() < end {
            thread::yield_now();
        }
        assert_eq!((told.begun.load(SeqCst), told.refused.load(SeqCst)), (4 * JOBS, 0));
        assert!((1..=3).contains(&told.running_max.load(SeqCst)));
        close(&pool);
    }
}

#[test]
fn each_job_is_told_once_although_the_pool_is_closed_meanwhile() {
    for _ in 0..20 {
        let (pool, told) = (pool(2, Duration::from_micros(50), 2), Arc::new(Told::default()));
        thread::scope(|scope| {
            for shard in 0..2 {
                let (pool, told) = (&pool, &told);
                scope.spawn(move || (0..50).for_each(|_| pool.submit(shard, told.job())));
            }
            while told.begun.load(SeqCst) == 0 {
                thread::yield_now();
            }
            close(&pool);
        });
        assert_eq!(told.count(), 100);
    }
}

#[test]
fn what_blocks_keeps_no_more_threads_than_jobs() {
    let pool = pool(8, PATIENCE, 1);
    for _ in 0..50 {
        let (done, told) = channel();
        submit(&pool, 0, move |start| done.send(start).unwrap());
        assert_eq!(told.recv().unwrap(), Ok(()));
        let end = now() + PATIENCE;
        while !format!("{pool:?}").contains("idle: 1") && now() < end {
            thread::yield_now();
        }
    }
    assert!(format!("{pool:?}").contains("threads: 1"), "an idle thread takes the next job");
    close(&pool);
}

#[test]
fn lines_take_turns_and_each_keeps_its_order() {
    let pool = pool(1, PATIENCE, 3);
    let (open, gate) = channel::<()>();
    submit(&pool, 0, move |_| _ = gate.recv());
    let (send, receive) = channel();
    let counts = [3, 1, 2];
    for (shard, count) in counts.into_iter().enumerate() {
        for number in 0..count {
            let send = send.clone();
            submit(&pool, shard, move |_| send.send((shard, number)).unwrap());
        }
    }
    drop((open, send));
    let order: Vec<_> = receive.iter().collect();
    assert_eq!(order, [(1, 0), (2, 0), (0, 0), (2, 1), (0, 1), (0, 2)]);
    close(&pool);
}

#[test]
fn a_job_that_will_not_end_is_counted_and_goes_on() {
    let pool = pool(2, PATIENCE, 1);
    let (open, gate) = channel::<()>();
    let (tell, begun) = channel();
    submit(&pool, 0, move |_| {
        tell.send(()).unwrap();
        gate.recv().unwrap();
    });
    begun.recv().unwrap();
    pool.close();
    assert_eq!(pool.wait_ended(Some(time::Instant::now())).threads, 1);
    open.send(()).unwrap();
    assert_eq!(pool.wait_ended(None).threads, 0);
}

#[test]
fn what_is_to_be_done_in_any_case_is_done_by_a_pool_that_is_closed() {
    let (pool, (tell, told)) = (pool(1, PATIENCE, 1), channel());
    let work = |tell: &std::sync::mpsc::Sender<_>| {
        let tell = tell.clone();
        Job::work(move |_| tell.send(thread::current().id()).unwrap())
    };
    let (begin, wait) = channel::<()>();
    let (tell_begun, begun) = channel();
    submit(&pool, 0, move |_| {
        tell_begun.send(()).unwrap();
        wait.recv().unwrap();
    });
    begun.recv_timeout(PATIENCE).unwrap();
    pool.submit_last(work(&tell));
    pool.close();
    assert!(told.try_recv().is_err(), "it waits for the thread");
    pool.submit_last(work(&tell));
    begin.send(()).unwrap();
    close(&pool);
    pool.submit_last(work(&tell));
    for _ in 0..3 {
        assert_ne!(told.recv_timeout(PATIENCE).unwrap(), thread::current().id());
    }
}
