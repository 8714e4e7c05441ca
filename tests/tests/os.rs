//! Starting and ending: settings, shards, pinning, refusals, exit statuses. Scenarios A-OS, S6 to
//! S8, S14, R16, R17, R19, R20, T3, T4, T20.

#![forbid(unsafe_code)]

use std::cell::Cell;
use std::fs;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Command, Output};
use std::rc::Rc;
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use miniss_linux::coop::unconstrained;
use miniss_linux::diagnostics::{Event, count};
use miniss_linux::fs::DirectFile;
use miniss_linux::net::TcpListener;
use miniss_linux::time::sleep;
use miniss_linux::topology::{CpuList, allowed_cpus, default_shards, unpinned};
use miniss_linux::{
    BuildError, Builder, Driver, Pinning, Runtime, ShardId, driver_stats, run_on, spawn, submit_to,
    yield_now,
};
use miniss_tests::alone::alone;
use miniss_tests::census::{Census, assert_rests, counted, resident_bytes};
use miniss_tests::deadline::deadline;
use miniss_tests::drivers::io_uring_is_refused;
use miniss_tests::folder::Folder;
use miniss_tests::kernel;
use miniss_tests::program::aborting;
use miniss_tests::sockets::{both_ends, pair};

fn exit_status(how: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_exit_status")).arg(how).output().expect("the program starts")
}

fn text_of(panic: Box<dyn std::any::Any + Send>) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| text.to_string());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).expect("a panic with a text")
}

#[test]
fn a_os_1_main_runs_once_on_shard_0_and_all_threads_end() {
    alone("a_os_1_main_runs_once_on_shard_0_and_all_threads_end", || {
        let before = Census::take();
        let runs = Cell::new(0);
        let runtime = Runtime::builder().shards(4).build().unwrap();
        let shard = runtime.block_on(async {
            runs.set(runs.get() + 1);
            ShardId::current()
        });
        assert_eq!((shard, runs.get()), (ShardId::new(0), 1));
        drop(runtime);
        before.assert_back();
    });
    assert_eq!(exit_status("default").status.code(), Some(0));
}

#[test]
fn a_shard_without_a_wait_in_nanoseconds_sleeps_also_when_no_descriptor_is_left() {
    alone("a_shard_without_a_wait_in_nanoseconds_sleeps_also_when_no_descriptor_is_left", || {
        let _deadline = deadline("no descriptor");
        kernel::refuse(libc::SYS_epoll_pwait2, libc::ENOSYS);
        let runtime = Runtime::builder().shards(1).driver(Driver::Epoll).build().unwrap();
        kernel::limit_descriptors(0);
        runtime.block_on(sleep(Duration::from_millis(20)));
    });
}

#[test]
fn t4_with_panic_abort_the_first_panic_ends_the_program_with_its_message() {
    let program = aborting("panicking");
    let run = |place| Command::new(&program).arg(place).output().expect("the program starts");
    assert_eq!(run("nowhere").status.code(), Some(0));
    for place in ["task", "call", "pool"] {
        let output = run(place);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.signal(), Some(libc::SIGABRT), "{place}: {said}");
        assert!(said.contains(&format!("planned: {place}")), "{said}");
    }
}

#[test]
fn a_os_2_the_main_future_decides_the_exit_status() {
    assert_eq!(exit_status("ready").status.code(), Some(7));
    let failed = exit_status("failed");
    assert_eq!(failed.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&failed.stderr).contains("the main future failed"));
    let panicked = exit_status("panic");
    assert_eq!(panicked.status.code(), Some(101));
    assert!(String::from_utf8_lossy(&panicked.stderr).contains("the main future panicked"));
}

#[test]
fn a_os_2_the_main_futures_of_all_shards_decide_the_exit_status() {
    assert_eq!(exit_status("each-ready").status.code(), Some(0));
    let failed = exit_status("one-failed");
    assert_eq!(failed.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&failed.stderr).contains("a main future failed"));
    let panicked = exit_status("one-panicked");
    assert_eq!(panicked.status.code(), Some(101));
    assert!(String::from_utf8_lossy(&panicked.stderr).contains("a main future panicked"));
}

#[test]
fn a_os_3_wrong_settings_are_typed_errors_before_anything_starts() {
    alone("a_os_3_wrong_settings_are_typed_errors_before_anything_starts", || {
        let before = Census::take();
        let new = || Runtime::builder().shards(2);
        let wrong: [(Builder, &str); 14] = [
            (new().shards(0), "0 shards"),
            (new().shards(1025), "1025 shards"),
            (new().shards(usize::MAX), "shards"),
            (new().ring_entries(0), "0 ring entries"),
            (new().ring_entries(u32::MAX), "ring entries"),
            (new().recv_buffers(0, 4096), "0 receive buffers"),
            (new().recv_buffers(3, 4096), "3 receive buffers"),
            (new().recv_buffers(4, 0), "0 bytes"),
            (new().recv_buffers(4, u32::MAX), "bytes"),
            (new().shards(64).pinning(Pinning::Required), "64 shards"),
            (new().pinning(Pinning::Cpus(vec![0])), "1 CPUs were named"),
            (new().pinning(Pinning::Cpus(vec![0, 9999])), "CPU 9999"),
            (new().thread_name("a\0b"), "name"),
            (new().stack_bytes(usize::MAX), "stacks of"),
        ];
        for (builder, names) in wrong {
            let error = builder.build().expect_err(names);
            assert!(matches!(error, BuildError::InvalidConfig(_)), "{error}");
            assert!(error.to_string().contains(names), "{error} does not name {names}");
            assert_eq!(Census::take(), before, "{error}");
        }
    });
}

#[test]
fn a_os_4_s14_a_thousand_runtimes_leave_nothing_behind() {
    alone("a_os_4_s14_a_thousand_runtimes_leave_nothing_behind", || {
        let live = || {
            let runtime = Runtime::builder().shards(2).build().unwrap();
            runtime.block_on(async {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                spawn(async move { listener.accept().await.map(drop) }).detach();
                spawn(sleep(Duration::from_secs(3600))).detach();
                let (stream, mut peer) = pair();
                peer.write_all(b"x").unwrap();
                assert_eq!(stream.recv().await.unwrap()[..], *b"x");
                assert_eq!(submit_to(1, async || 5).await.unwrap(), 5);
            });
        };
        (0..100).for_each(|_| live());
        let before = Census::take();
        let grown = || {
            let bytes = resident_bytes();
            (0..1000).for_each(|_| live());
            before.assert_back();
            resident_bytes().saturating_sub(bytes)
        };
        // A leak grows each time. What grows now and then is the allocator, which gives threads
        // that meet an area of their own: it has so many, and keeps what they once took.
        let rests = (0..5).map(|_| grown()).find(|&grown| grown < 4 << 20);
        assert!(rests.is_some(), "each 1000 runtimes leave more than 4 MiB behind");
    });
}

#[test]
fn a_os_4_two_runtimes_live_at_the_same_time() {
    let _deadline = deadline("two runtimes");
    let first = Runtime::builder().shards(2).build().unwrap();
    let second = Runtime::builder().shards(3).build().unwrap();
    let from_second = second.handle();
    let answer = first.block_on(async move {
        // One shard of the other runtime answers while this one waits for it as any executor would.
        from_second.submit_to(2, async || ShardId::current().index()).await.unwrap()
    });
    assert_eq!(answer, 2);
    assert_eq!(second.block_on(async { submit_to(1, async || 5).await }).unwrap(), 5);
    drop(first);
    assert_eq!(second.block_on(async { submit_to(2, async || 6).await }).unwrap(), 6);
}

#[test]
fn t20_block_on_inside_of_a_runtime_panics_with_a_clear_message() {
    let _deadline = deadline("nested block_on");
    let runtime = Rc::new(Runtime::builder().shards(2).build().unwrap());
    let inner = runtime.clone();
    let nested = async move { inner.block_on(async {}) };
    let panic = catch_unwind(AssertUnwindSafe(|| runtime.block_on(nested))).unwrap_err();
    let text = text_of(panic);
    assert!(text.contains("block_on was called inside of a runtime"), "{text}");

    let inner = runtime.clone();
    let task = runtime.spawn(async move { inner.block_on(async {}) });
    let error = runtime.block_on(task).unwrap_err();
    assert!(error.is_panic());
    assert!(error.to_string().contains("block_on was called inside of a runtime"), "{error}");
    assert_eq!(runtime.block_on(async { submit_to(1, async || 5).await }).unwrap(), 5);
}

#[test]
fn t20_a_runtime_may_be_made_and_dropped_inside_of_another() {
    let _deadline = deadline("runtime in runtime");
    let outer = Runtime::builder().shards(2).build().unwrap();
    let answer = outer.block_on(async {
        let inner = Runtime::builder().shards(2).build().unwrap();
        inner.spawn(sleep(Duration::from_secs(3600))).detach();
        let handle = inner.handle();
        let answer = handle.submit_to(1, async || ShardId::current().index()).await.unwrap();
        drop(inner);
        // We are on our own shard again.
        assert_eq!(ShardId::current(), ShardId::new(0));
        sleep(Duration::from_millis(1)).await;
        answer + submit_to(1, async || 10).await.unwrap()
    });
    assert_eq!(answer, 11);
}

type NeverEnds = std::pin::Pin<Box<dyn Future<Output = ()>>>;

#[test]
fn t3_a_panic_of_the_main_future_leaves_the_runtime_usable() {
    let _deadline = deadline("a panic in main");
    let runtime = Runtime::builder().shards(2).build().unwrap();
    let task = runtime.spawn(async {
        sleep(Duration::from_millis(5)).await;
        3
    });
    let main = async {
        sleep(Duration::from_millis(1)).await;
        panic!("main is gone")
    };
    let panic = catch_unwind(AssertUnwindSafe(|| runtime.block_on::<NeverEnds>(Box::pin(main))));
    assert_eq!(text_of(panic.unwrap_err()), "main is gone");
    assert_eq!(runtime.block_on(task).unwrap(), 3);
    assert_eq!(runtime.block_on(async { run_on(1, || 4).await }).unwrap(), 4);
}

#[test]
fn s6_more_shards_than_cpus_work_and_sleep() {
    alone("s6_more_shards_than_cpus_work_and_sleep", || {
        let runtime = Runtime::builder().shards(64).build().unwrap();
        let shards = runtime.run(async || {
            let next = (ShardId::current().index() + 1) % 64;
            submit_to(next, async || ShardId::current().index()).await.unwrap()
        });
        let expected: Vec<_> = (0..64).map(|shard| (shard + 1) % 64).collect();
        assert_eq!(shards, expected);
        let rest = async || sleep(Duration::from_millis(500)).await;
        runtime.block_on(assert_rests(Duration::from_millis(100), rest));
    });
}

#[test]
fn s7_a_mask_without_cpu_0_is_kept_to() {
    alone("s7_a_mask_without_cpu_0_is_kept_to", || {
        let all = allowed_cpus().unwrap();
        let last = *all.last().unwrap();
        kernel::allow_cpus(&[last]).unwrap();
        assert_eq!(default_shards(), 1);
        assert_eq!(Runtime::new().shards(), 1);
        let two = || Runtime::builder().shards(2);
        assert!(matches!(
            two().pinning(Pinning::Required).build(),
            Err(BuildError::InvalidConfig(_))
        ));
        if last != 0 {
            let first = two().pinning(Pinning::Cpus(vec![0, last])).build();
            assert!(matches!(first, Err(BuildError::InvalidConfig(_))));
        }
        let runtime = two().pinning(Pinning::Cpus(vec![last, last])).build().unwrap();
        assert_eq!(runtime.run(async || allowed_cpus().unwrap()), [[last], [last]]);
        assert_eq!(two().build().unwrap().run(async || 1), [1, 1]);
    });
}

#[test]
fn s7_shards_stay_on_their_cpus_and_the_caller_gets_its_mask_back() {
    alone("s7_shards_stay_on_their_cpus_and_the_caller_gets_its_mask_back", || {
        let all = allowed_cpus().unwrap();
        let shards = all.len();
        let pinnings = [Pinning::Auto, Pinning::Required, Pinning::Cpus(all.clone())];
        for pinning in pinnings.into_iter().filter(|_| shards > 1) {
            let runtime = Runtime::builder().shards(shards).pinning(pinning).build().unwrap();
            let masks = runtime.run(async || allowed_cpus().unwrap());
            assert_eq!(masks, all.iter().map(|&cpu| vec![cpu]).collect::<Vec<_>>());
            assert_eq!(allowed_cpus().unwrap(), all);
        }
        let runtime = Runtime::builder().shards(shards).pinning(Pinning::None).build().unwrap();
        assert_eq!(runtime.run(async || allowed_cpus().unwrap()), vec![all.clone(); shards]);
    });
}

#[test]
fn s7_what_a_shard_starts_unpinned_may_run_anywhere() {
    fn child_cpus() -> Vec<usize> {
        let output = Command::new("cat").arg("/proc/self/status").output().unwrap();
        let status = String::from_utf8(output.stdout).unwrap();
        let (_, rest) = status.split_once("Cpus_allowed_list:").unwrap();
        rest.lines().next().unwrap().parse::<CpuList>().unwrap().into_vec()
    }
    fn thread_cpus() -> Vec<usize> {
        std::thread::spawn(|| allowed_cpus().unwrap()).join().unwrap()
    }
    alone("s7_what_a_shard_starts_unpinned_may_run_anywhere", || {
        let all = allowed_cpus().unwrap();
        assert_eq!(unpinned(child_cpus), all, "where there is no shard");
        for pinning in [Pinning::Auto, Pinning::None] {
            let runtime = Runtime::builder().shards(all.len()).pinning(pinning).build().unwrap();
            let expected = all.clone();
            runtime.run(async move || {
                let ours = allowed_cpus().unwrap();
                assert_eq!(thread_cpus(), ours, "as Linux has it");
                assert_eq!(unpinned(thread_cpus), expected);
                assert_eq!(unpinned(child_cpus), expected);
                assert!(catch_unwind(|| unpinned(|| panic!("as planned"))).is_err());
                assert_eq!(allowed_cpus().unwrap(), ours, "the shard stays where it is");
            });
        }
    });
}

#[test]
fn s8_where_pinning_is_refused_auto_goes_on_and_required_says_so() {
    alone("s8_where_pinning_is_refused_auto_goes_on_and_required_says_so", || {
        kernel::refuse(libc::SYS_sched_setaffinity, libc::EPERM);
        let before = Census::take();
        let two = || Runtime::builder().shards(2);
        assert_eq!(two().build().unwrap().run(async || 1), [1, 1]);
        before.assert_back();
        let cpus = allowed_cpus().unwrap();
        for pinning in [Pinning::Required, Pinning::Cpus(cpus.clone())] {
            if cpus.len() < 2 {
                continue;
            }
            let error = two().pinning(pinning).build().unwrap_err();
            assert!(matches!(error, BuildError::Start { .. }), "{error:?}");
            assert!(error.to_string().contains("shard 0: pinning it to its CPU"), "{error}");
            before.assert_back();
        }
    });
}

#[test]
fn shards_have_the_names_that_were_asked_for() {
    let runtime = Runtime::builder().shards(3).thread_name("worker").build().unwrap();
    let names = runtime.run(async || {
        let name = std::thread::current().name().map(str::to_owned);
        (name, std::fs::read_to_string("/proc/thread-self/comm").unwrap())
    });
    for (shard, (name, kernels_name)) in names.into_iter().enumerate().skip(1) {
        assert_eq!(name.unwrap(), format!("worker-{shard}"));
        assert_eq!(kernels_name.trim(), format!("worker-{shard}"));
    }
}

/// A kernel that refuses `call` with `errno`: who wants io_uring and nothing else has a typed error
/// that names `remedy`; all others run on epoll, and can see why. Neither costs anything.
fn refused(call: libc::c_long, errno: i32, remedy: &str) {
    if io_uring_is_refused() {
        return;
    }
    let before = Census::take();
    kernel::refuse(call, errno);
    for _ in 0..100 {
        for shards in [1, 2] {
            let error = rings(shards).build().unwrap_err();
            let BuildError::Driver { shard, error: driver } = &error else { panic!("{error:?}") };
            assert_eq!((shard.index(), driver.errno()), (0, Some(errno)));
            assert!(error.to_string().contains(remedy), "{error}");
        }
    }
    before.assert_back();
    for shards in [1, 2] {
        let runtime = Runtime::builder().shards(shards).driver(Driver::Auto).build().unwrap();
        assert_eq!(runtime.driver().kind(), Driver::Epoll);
        assert_eq!(runtime.driver().refusal().unwrap().errno(), Some(errno));
        assert!(runtime.driver().to_string().contains(remedy), "{}", runtime.driver());
        assert!(echo_everywhere(&runtime).iter().all(Result::is_ok));
    }
    assert_eq!(count(Event::DriverFallback), 2);
    before.assert_back();
}

#[test]
fn r16_io_uring_is_refused_where_a_filter_or_a_setting_says_so_and_nowhere_else() {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let setting = fs::read_to_string("/proc/sys/kernel/io_uring_disabled").unwrap_or_default();
    if status.contains("\nSeccomp:\t0\n") && setting.trim() == "0" {
        assert!(!io_uring_is_refused(), "tests are left out that could run");
    }
}

/// The kernel says so when it has no room for completions, and we never let it come to that.
#[test]
fn r3_enters_that_are_refused_for_now_are_made_again() {
    alone("r3_enters_that_are_refused_for_now_are_made_again", || {
        if io_uring_is_refused() {
            return;
        }
        let before = Census::take();
        let runtime = rings(1).build().unwrap();
        for errno in [libc::EBUSY, libc::EAGAIN] {
            kernel::refuse_enters_that_do_not_wait(errno);
            runtime.block_on(counted(async {
                for number in 0..100_u8 {
                    let (server, client) = both_ends().await.unwrap();
                    let echo = spawn(async move {
                        let received = server.recv().await?;
                        server.write_all(received).await.0
                    });
                    // As long as a task is ready, the shard does not wait when it enters.
                    for _ in 0..3 {
                        yield_now().await;
                    }
                    client.write_all([number; 100]).await.0.unwrap();
                    let (result, back) = client.read_exact([0; 100]).await;
                    result.unwrap();
                    assert_eq!(back, [number; 100]);
                    echo.await.unwrap().unwrap();
                }
            }));
        }
        drop(runtime);
        before.assert_back();
    });
}

/// A runtime on io_uring, whatever the environment says: for what is true of rings alone.
fn rings(shards: usize) -> Builder {
    Runtime::builder().shards(shards).driver(Driver::IoUring)
}

#[test]
fn r16_setup_refused_with_eperm() {
    alone("r16_setup_refused_with_eperm", || {
        refused(libc::SYS_io_uring_setup, libc::EPERM, "seccomp");
    });
}

#[test]
fn r16_setup_refused_with_enosys() {
    alone("r16_setup_refused_with_enosys", || {
        refused(libc::SYS_io_uring_setup, libc::ENOSYS, "Linux 5.19");
    });
}

#[test]
fn r16_setup_refused_with_einval_as_an_old_kernel_would() {
    alone("r16_setup_refused_with_einval_as_an_old_kernel_would", || {
        refused(libc::SYS_io_uring_setup, libc::EINVAL, "Linux 5.19");
    });
}

#[test]
fn r17_enter_refused() {
    alone("r17_enter_refused", || {
        refused(libc::SYS_io_uring_enter, libc::EPERM, "seccomp");
    });
}

#[test]
fn r17_register_refused() {
    alone("r17_register_refused", || {
        refused(libc::SYS_io_uring_register, libc::EACCES, "seccomp");
    });
}

#[test]
fn r20_too_few_descriptors_name_shard_and_remedy_and_leak_nothing() {
    alone("r20_too_few_descriptors_name_shard_and_remedy_and_leak_nothing", || {
        // Threads that the runtime starts must not find descriptors that were opened for counting.
        drop(Runtime::builder().shards(4).build().unwrap());
        let before = Census::take();
        let mut refusals = 0;
        for more in 0.. {
            kernel::limit_descriptors(before.descriptors as u64 + more);
            let built = Runtime::builder().shards(4).build().map(|runtime| runtime.shards());
            kernel::limit_descriptors(1024);
            before.assert_back();
            let Err(error) = built else { break };
            let text = error.to_string();
            assert!(text.contains("cannot start shard"), "{text}");
            assert!(text.contains("ulimit -n"), "{text}");
            refusals += 1;
        }
        // 4 shards need two each, of which some may have numbers that were free below the limit.
        assert!(refusals >= 4, "{refusals} refusals for 4 shards");
        assert_eq!(Runtime::builder().shards(4).build().unwrap().run(async || 1), [1; 4]);
    });
}

/// One echo on every shard.
fn echo_everywhere(runtime: &Runtime) -> Vec<std::io::Result<Vec<u8>>> {
    runtime.run(|| async {
        let (server, client) = both_ends().await?;
        client.write_all("hello").await.0?;
        let received = server.recv().await?;
        Ok(received.to_vec())
    })
}

/// How often shard 0 enters the kernel to hand over so many operations of one turn.
fn enters_to_hand_over(operations: usize, runtime: &Runtime) -> u64 {
    // However slow the machine, none of them gives way before it has begun.
    runtime.block_on(unconstrained(async {
        let pairs: Vec<_> = (0..operations).map(|_| pair()).collect();
        // What the runtime itself had to hand over is gone.
        sleep(Duration::from_millis(1)).await;
        let before = driver_stats();
        let mut reads: Vec<_> =
            pairs.iter().map(|(stream, _)| Box::pin(stream.read([0; 8]))).collect();
        for read in &mut reads {
            let mut context = Context::from_waker(Waker::noop());
            assert!(read.as_mut().poll(&mut context).is_pending());
        }
        while driver_stats().submitted < before.submitted + operations as u64 {
            yield_now().await;
        }
        driver_stats().enters - before.enters
    }))
}

#[test]
fn operations_of_a_turn_are_handed_over_at_once() {
    let _deadline = deadline("handed over at once");
    if io_uring_is_refused() {
        return;
    }
    let runtime = rings(1).build().unwrap();
    assert_eq!(enters_to_hand_over(100, &runtime), 1);
    let runtime = rings(1).ring_entries(8).build().unwrap();
    assert_eq!(enters_to_hand_over(100, &runtime), 13);
}

/// A runtime on rings, as soon as the kernel has freed those of the last one. A full machine takes
/// longer to do that than the runtime waits by itself.
fn rings_when_freed(shards: usize) -> Runtime {
    let end = Instant::now() + Duration::from_secs(100);
    loop {
        match rings(shards).build() {
            Ok(runtime) => return runtime,
            Err(BuildError::Driver { error, .. })
                if error.errno() == Some(libc::ENOMEM) && Instant::now() < end =>
            {
                // What was made in vain is to be freed, too.
                std::thread::sleep(Duration::from_secs(2));
            }
            Err(error) => panic!("{error}"),
        }
    }
}

/// The runtimes of two shards that are made one after the other all echo.
fn echoes_again_and_again() {
    for _ in 0..5 {
        let runtime = rings_when_freed(2);
        for received in echo_everywhere(&runtime) {
            assert_eq!(received.unwrap(), b"hello");
        }
    }
}

/// Runs `body` as a user of its own who may lock `bytes`, where there are rings: epoll locks no
/// memory. It must leave the process as it was. The kernel counts what all processes of a user
/// lock, so it takes one who has no other.
#[track_caller]
fn alone_who_may_lock(bytes: u64, test: &str, body: impl FnOnce()) {
    if io_uring_is_refused() {
        return;
    }
    if !kernel::is_privileged() {
        return println!("Left out: we may not become another user.");
    }
    alone(test, || {
        kernel::become_user_who_locks(bytes);
        Census::around(body);
    });
}

#[test]
fn r19_little_locked_memory_is_shared_among_the_shards() {
    alone_who_may_lock(64 << 10, "r19_little_locked_memory_is_shared_among_the_shards", || {
        let runtime = rings(2).build().unwrap();
        assert!(echo_everywhere(&runtime).iter().all(Result::is_ok));
        assert_eq!(count(Event::LockedMemoryShort), 1, "one of them has less than its share");
        assert_eq!(enters_to_hand_over(100, &runtime), 1, "a ring is smaller than it need be");
        drop(runtime);
        echoes_again_and_again();
    });
}

#[test]
fn r19_a_runtime_takes_what_another_has_left() {
    alone_who_may_lock(64 << 10, "r19_a_runtime_takes_what_another_has_left", || {
        let first = rings(1).build().unwrap();
        let second = rings(1).build().unwrap();
        assert_eq!(count(Event::LockedMemoryShort), 1, "the second ring is not as asked for");
        for runtime in [first, second] {
            assert!(echo_everywhere(&runtime).iter().all(Result::is_ok));
            assert_eq!(enters_to_hand_over(100, &runtime), 1, "a ring is smaller than it need be");
        }
    });
}

#[test]
fn r19_enough_locked_memory_is_nothing_to_report() {
    alone_who_may_lock(8 << 20, "r19_enough_locked_memory_is_nothing_to_report", || {
        let runtime = rings(2).build().unwrap();
        assert!(echo_everywhere(&runtime).iter().all(Result::is_ok));
        assert_eq!(count(Event::LockedMemoryShort), 0);
    });
}

/// Writes and reads by all the buffers that a pool has, and says how much memory the kernel then
/// keeps in place for that.
fn pinned_by_direct_files(runtime: &Runtime) -> u64 {
    let before = pinned_bytes();
    runtime.block_on(async {
        let folder = Folder::new();
        let file = DirectFile::create(folder.path().join("file")).await.unwrap();
        let buffers: Vec<_> = (0..40).map(|_| file.buffer(256 << 10)).collect();
        let pinned = pinned_bytes() - before;
        for mut buffer in buffers {
            buffer.fill(b'x');
            let (result, mut buffer) = file.write_all_at(buffer, 0).await;
            result.unwrap();
            buffer.fill(0);
            let (result, buffer) = file.read_exact_at(buffer, 0).await;
            result.unwrap();
            assert!(buffer.iter().all(|byte| *byte == b'x'));
        }
        pinned
    })
}

/// What the kernel does not move, of this process.
fn pinned_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmPin:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() << 10
}

#[test]
fn r19_buffers_of_direct_files_take_some_of_the_locked_memory_and_leave_most() {
    let name = "r19_buffers_of_direct_files_take_some_of_the_locked_memory_and_leave_most";
    alone_who_may_lock(8 << 20, name, || {
        let runtime = rings(2).build().unwrap();
        let pinned = pinned_by_direct_files(&runtime);
        assert!((256 << 10..=1 << 20).contains(&pinned), "{pinned} bytes");
        assert!(echo_everywhere(&runtime).iter().all(Result::is_ok));
        assert_eq!(count(Event::LockedMemoryShort), 0);
    });
}

#[test]
fn r19_direct_files_do_without_locked_memory() {
    alone_who_may_lock(64 << 10, "r19_direct_files_do_without_locked_memory", || {
        let runtime = rings(1).build().unwrap();
        let reported = count(Event::LockedMemoryShort);
        assert_eq!(pinned_by_direct_files(&runtime), 0);
        assert_eq!(count(Event::LockedMemoryShort), reported, "it is nothing to report");
    });
}

#[test]
fn r19_locked_memory_for_the_smallest_rings_alone_is_enough() {
    alone_who_may_lock(
        16 << 10,
        "r19_locked_memory_for_the_smallest_rings_alone_is_enough",
        echoes_again_and_again,
    );
}

#[test]
fn r19_too_little_locked_memory_is_an_error_with_the_remedy() {
    alone_who_may_lock(8 << 10, "r19_too_little_locked_memory_is_an_error_with_the_remedy", || {
        let error = rings(2).build().unwrap_err();
        assert!(error.to_string().contains("RLIMIT_MEMLOCK"), "{error}");
        let runtime = rings_when_freed(1);
        assert_eq!(echo_everywhere(&runtime).pop().unwrap().unwrap(), b"hello");
    });
}
