//! What grows, shrinks: what the core keeps of its peak once that is over.
//!
//! Each row of the table fills one thing that grows, empties it, and says how much of the heap it
//! may still hold. A test of its own, because it counts every allocation of its thread.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::BTreeSet;
use std::fs;
use std::future::{Future, pending};
use std::path::Path;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use miniss_core::call::{Endpoint, Mesh};
use miniss_core::combine::{JoinSet, parallel_for_each, when_all};
use miniss_core::doctest::executor;
use miniss_core::op::{Completion, OpTable, Operation};
use miniss_core::sync::channel::{self, Receiver, Sender};
use miniss_core::sync::{Event, broadcast};

/// Counts what the calling thread holds, and how often it allocates.
struct Counting;

thread_local! {
    static HELD: Cell<usize> = const { Cell::new(0) };
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: passes everything on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        HELD.set(HELD.get().wrapping_add(layout.size()));
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        HELD.set(HELD.get().wrapping_sub(layout.size()));
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// How much more the thread holds than before `act`, while what `act` returns is there.
fn held<T>(act: impl FnOnce() -> T) -> (usize, T) {
    let before = HELD.get();
    let kept = act();
    (HELD.get().wrapping_sub(before), kept)
}

/// As many of each thing as there are at its peak.
const PEAK: usize = 100_000;

type Values = (Sender<usize>, Receiver<usize>);

fn fill(sender: &Sender<usize>) {
    (0..PEAK).for_each(|value| sender.try_send(value).unwrap());
}

/// Takes values until `left` are left.
fn drain(receiver: &mut Receiver<usize>, left: usize) {
    while receiver.len() > left {
        receiver.try_recv().unwrap();
    }
}

/// A channel that had `PEAK` values and has `left`.
fn channel_that_was_full(left: usize) -> Values {
    let (sender, mut receiver) = channel::unbounded();
    fill(&sender);
    drain(&mut receiver, left);
    (sender, receiver)
}

/// An operation that does not fit a slot.
struct Large([u8; 320]);

impl Operation for Large {
    type Output = u8;

    fn settle(self, _: Completion) -> u8 {
        self.0[0]
    }
}

/// Polls until it is ready.
fn run<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return output;
        }
    }
}

/// What is kept of a peak, and what may be.
struct Row {
    what: &'static str,
    kept: usize,
    allowed: usize,
}

fn row<T>(what: &'static str, allowed: usize, act: impl FnOnce() -> T) -> Row {
    let (kept, _used) = held(act);
    Row { what, kept, allowed }
}

#[test]
fn what_is_kept_of_a_peak_is_bounded() {
    let table = [
        row("an unbounded channel, emptied", 5 * 1024, || channel_that_was_full(0)),
        row("one that holds a hundredth", 4 * 8 * PEAK / 100, || channel_that_was_full(PEAK / 100)),
        row("a bounded channel: its room", 8 * PEAK + 1024, || {
            let (sender, mut receiver) = channel::bounded(PEAK);
            fill(&sender);
            drain(&mut receiver, 0);
            (sender, receiver)
        }),
        row("a broadcast: its room", 8 * 1024 + 1024, || {
            let (sender, receiver) = broadcast::channel(1024);
            (0..PEAK).for_each(|value| _ = sender.send(value));
            (sender, receiver)
        }),
        // A slot may be looked up by a late completion at any time, so slots stay: 128 bytes for
        // each operation of the busiest moment, in chunks that double. Blocks go, but for 96 KiB.
        row("operations: their slots", 4 * 128 * PEAK / 10 + 96 * 1024, || {
            let table = OpTable::new();
            let keys: Vec<_> = (0..PEAK / 10).map(|_| table.insert(Large([0; 320]))).collect();
            for key in keys {
                table.complete(key.id(), Completion { result: 0, flags: 0 }, false);
                table.orphan(key);
            }
            table
        }),
        // Wakers point at headers forever, so slots stay: 64 bytes and the future's lines for each
        // task of the busiest moment, and a chunk that is not full yet.
        row("tasks: their slots", (64 + 64) * PEAK + 64 * 1024, || {
            let mut executor = executor();
            for _ in 0..PEAK {
                executor.local().spawn(async {}).unwrap().detach();
            }
            while executor.turn() {}
            executor
        }),
        row("a set of tasks, beyond their slots", (64 + 64) * PEAK + 64 * 1024, || {
            let mut executor = executor();
            let mut set = JoinSet::on(executor.local());
            (0..PEAK).for_each(|_| set.spawn(async {}));
            executor.block_on(async { while set.join_next().await.is_some() {} });
            (executor, set)
        }),
        // A thousand nodes of a size are kept for the next calls; the rest is the mesh itself.
        row("calls: some of their nodes", 1024 * 64 + 64 * 1024, || {
            let mut executor = executor();
            let mesh = Arc::new(Mesh::<_, 16>::new(1));
            let endpoint = Endpoint::open(mesh, 0, executor.local()).unwrap();
            let calls: Vec<_> = (0..PEAK / 10).map(|n| endpoint.run_on(0, move || n)).collect();
            for call in calls {
                executor.block_on(call).unwrap();
            }
            (executor, endpoint)
        }),
        row("futures that ran together", 0, || {
            let all = (0..PEAK).map(|_| async {}).collect::<Vec<_>>();
            run(when_all(all));
        }),
        // The places of those that have ended are gone; what names them is a few words each.
        row("a future for each item, of which one is left", 24 * PEAK, || {
            let may_end = Rc::new(Event::new());
            let theirs = may_end.clone();
            let each = move |number| {
                let may_end = theirs.clone();
                async move {
                    let large = [number; 32];
                    may_end.wait().await;
                    if number == 0 {
                        pending::<()>().await;
                    }
                    assert_eq!(large[31], number);
                    Ok::<(), ()>(())
                }
            };
            let mut all = Box::pin(parallel_for_each(0..PEAK, each));
            let mut poll = |times: usize| {
                let mut cx = Context::from_waker(Waker::noop());
                (0..times).for_each(|_| assert!(all.as_mut().poll(&mut cx).is_pending()));
            };
            poll(PEAK / 128 + 1);
            assert_eq!(may_end.waiters(), PEAK, "all of them run");
            may_end.set();
            poll(PEAK / 128 + 1);
            all
        }),
        row("a future for each item", 0, || {
            run(parallel_for_each(0..PEAK, async |_| Ok::<(), ()>(())))
        }),
    ];
    for Row { what, kept, allowed } in &table {
        assert!(kept <= allowed, "{what}: {kept} bytes are kept, {allowed} may be");
    }
}

#[test]
fn a_channel_that_goes_up_and_down_allocates_seldom() {
    let (sender, mut receiver) = channel::unbounded();
    fill(&sender);
    let before = ALLOCATIONS.get();
    let mut moved = 0;
    // About each size at which it grows or shrinks, up and down by a few.
    for left in (0..PEAK).rev().step_by(7) {
        drain(&mut receiver, left);
        for _ in 0..20 {
            sender.try_send(0).unwrap();
            receiver.try_recv().unwrap();
            moved += 1;
        }
    }
    let allocated = ALLOCATIONS.get() - before;
    assert!(allocated < 40, "{allocated} times for {moved} values");
}

#[test]
fn a_bounded_channel_never_allocates_after_its_start() {
    let (sender, mut receiver) = channel::bounded(PEAK);
    let before = ALLOCATIONS.get();
    for _ in 0..3 {
        fill(&sender);
        drain(&mut receiver, 0);
    }
    assert_eq!(ALLOCATIONS.get(), before);
}

/// The files of the core in which something grows, by the row that fills it.
const GROWING: [(&str, &str); 11] = [
    ("call/heap_mesh.rs", "calls"),
    ("call/memory.rs", "calls"),
    ("combine/for_each.rs", "a future for each item"),
    ("combine/join_set.rs", "a set of tasks"),
    ("combine/when_all.rs", "futures that ran together"),
    ("combine/when_any.rs", "futures that ran together"),
    ("combine/woken.rs", "futures that ran together"),
    ("op/blocks.rs", "operations"),
    ("op/pool.rs", "operations"),
    ("sync/ends.rs", "channels, a broadcast"),
    ("task/slots.rs", "tasks"),
];

/// The files of the core that name something of the heap that grows, but for tests.
fn files_that_grow(folder: &Path, found: &mut BTreeSet<String>) {
    const GROWS: [&str; 6] =
        ["Vec::", "Vec<", "VecDeque", "alloc(layout", "alloc(Layout", "alloc::alloc("];
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let is_shipped = !FOR_TESTS.contains(&name);
        if path.is_dir() && is_shipped {
            files_that_grow(&path, found);
        } else if name.ends_with(".rs") && is_shipped {
            let text = fs::read_to_string(&path).unwrap();
            let shipped = text.split("\n#[cfg(all(test").next().unwrap();
            let mut code = shipped.lines().filter(|line| !line.trim_start().starts_with("//"));
            if code.any(|line| GROWS.iter().any(|grows| line.contains(grows))) {
                let core = Path::new(CORE);
                found.insert(path.strip_prefix(core).unwrap().to_str().unwrap().into());
            }
        }
    }
}

const FOR_TESTS: [&str; 8] =
    ["tests", "tests.rs", "model", "model.rs", "loom.rs", "shuttle.rs", "kept.rs", "probe.rs"];

const CORE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../miniss-core/src");

#[test]
fn whatever_grows_in_the_core_stands_in_the_table() {
    let mut found = BTreeSet::new();
    files_that_grow(Path::new(CORE), &mut found);
    let expected = GROWING.map(|(file, _)| file);
    assert_eq!(found.iter().map(String::as_str).collect::<Vec<_>>(), expected, "give it a row");
}
