//! Random lives of calls between three cores on one thread, against an oracle that only counts.
//!
//! Work, destructors and wakers come back into the layer: they call, flush, close, poll, drop
//! handles, and panic. Whatever the order: each closure runs at most once and is dropped once, each
//! output is dropped once, calls start in the order in which they were made, a caller that waits is
//! woken once there is an answer, and the answer is the right one.
//!
//! `MINISS_SEED` replays.

use core::future::{Future, pending};
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use std::boxed::Box;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::Wake;
use std::vec::Vec;
use std::{format, thread, thread_local};

use super::port::*;
use crate::call::Call;
use crate::combine::yield_now;
use crate::error::{CallError, Gone};
use crate::kept::forget;
use crate::random::{random, seed};
use crate::{Budget, Executor};

const CORES: usize = 3;
const STEPS: usize = 160;
const CALLS_MAX: usize = 500;

#[test]
fn calls_live_as_the_oracle_says_whatever_the_order() {
    let mut seed = seed();
    for _ in 0..if cfg!(miri) { 1 } else { 150 } {
        live::<Heap<1>>(&mut seed);
        live::<Heap<2>>(&mut seed);
        live::<Heap<4>>(&mut seed);
        live::<Heap<8>>(&mut seed);
    }
}

/// What the oracle knows of a call.
#[derive(Debug, Default)]
struct Life {
    from: usize,
    to: usize,
    is_async: bool,
    is_endless: bool,
    began: u32,
    work_dropped: u32,
    outputs: u32,
    outputs_dropped: u32,
}

/// What it knows of a core.
#[derive(Debug, Default, Clone, Copy)]
struct Core {
    is_closed: bool,
    has_ended: bool,
}

/// A call whose handle is there.
struct Handle {
    id: usize,
    call: Call<Output>,
    /// The waker with which it was found pending, and how often that had been used by then.
    waits: Option<(Arc<Counts>, usize)>,
}

#[derive(Default)]
struct World {
    random: u64,
    lives: Vec<Life>,
    cores: [Core; CORES],
    /// The last call that began, by where from, where to, and kind.
    order: BTreeMap<(usize, usize, bool), usize>,
    handles: Vec<Handle>,
    wakers: Vec<std::sync::Weak<Counts>>,
    failures: Vec<std::string::String>,
}

type AnyEnd = Box<dyn Enter>;

thread_local! {
    static WORLD: RefCell<World> = RefCell::default();
    static ENDS: RefCell<[Option<AnyEnd>; CORES]> = const { RefCell::new([const { None }; CORES]) };
}

fn with<T>(f: impl FnOnce(&mut World) -> T) -> T {
    WORLD.with_borrow_mut(f)
}

fn life(id: usize, change: impl FnOnce(&mut Life)) {
    with(|world| change(&mut world.lives[id]));
}

fn fail(what: std::string::String) {
    with(|world| world.failures.push(what));
}

/// A number below `end`.
fn below(end: usize) -> usize {
    with(|world| (random(&mut world.random) >> 16) as usize % end)
}

/// What is done through an endpoint, whatever its lanes hold.
trait Enter {
    fn again(&self) -> AnyEnd;
    fn call(&self, from: usize);
    fn flush(&self);
    fn close(&self);
}

impl<E: Calls> Enter for E {
    fn again(&self) -> AnyEnd {
        Box::new(self.clone())
    }

    fn call(&self, from: usize) {
        let Some(new) = NewCall::draw(from) else { return };
        let NewCall { id, to, steps } = new;
        let work = Work(id);
        let call = match steps {
            None => self.run_on(to, move || {
                work.begin();
                act();
                work.end()
            }),
            Some(steps) => self.submit_to(to, async move || {
                work.begin();
                for _ in 0..steps {
                    yield_now().await;
                    act();
                }
                if with(|world| world.lives[work.0].is_endless) {
                    pending::<()>().await;
                }
                work.end()
            }),
        };
        with(|world| world.handles.push(Handle { id, call, waits: None }));
    }

    fn flush(&self) {
        Calls::flush(self);
    }

    fn close(&self) {
        with(|world| world.cores[self.me()].is_closed = true);
        Calls::close(self);
    }
}

/// A call that is to be made.
struct NewCall {
    id: usize,
    to: usize,
    /// `None`: a plain closure. Otherwise how often its task yields.
    steps: Option<usize>,
}

impl NewCall {
    fn draw(from: usize) -> Option<Self> {
        let (to, is_async, steps) = (below(CORES), below(2) == 0, below(3));
        let is_endless = is_async && below(6) == 0;
        with(|world| {
            let id = world.lives.len();
            let life = Life { from, to, is_async, is_endless, ..Life::default() };
            (id < CALLS_MAX).then(|| world.lives.push(life))?;
            Some(Self { id, to, steps: is_async.then_some(steps) })
        })
    }
}

/// Is in the closure of a call.
struct Work(usize);

impl Work {
    fn begin(&self) {
        with(|world| {
            let life = &mut world.lives[self.0];
            life.began += 1;
            let key = (life.from, life.to, life.is_async);
            if life.from == life.to {
                return;
            }
            if let Some(before) = world.order.insert(key, self.0)
                && before > self.0
            {
                world.failures.push(format!("{} began after {before}", self.0));
            }
        });
    }

    /// It is done: from here on nothing of the call's own may panic.
    fn end(self) -> Output {
        let id = self.0;
        drop(self);
        life(id, |life| life.outputs += 1);
        Output(id)
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        life(self.0, |life| life.work_dropped += 1);
        act();
    }
}

/// What a call brings back.
struct Output(usize);

impl Drop for Output {
    fn drop(&mut self) {
        life(self.0, |life| life.outputs_dropped += 1);
        act();
    }
}

/// A waker that counts, and does something.
struct Counts(AtomicUsize);

impl Counts {
    fn new() -> Arc<Self> {
        let counts = Arc::new(Self(AtomicUsize::new(0)));
        with(|world| world.wakers.push(Arc::downgrade(&counts)));
        counts
    }
}

impl Wake for Counts {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Relaxed);
        act();
    }
}

impl Drop for Counts {
    fn drop(&mut self) {
        act();
    }
}

/// What the planned panics carry. They say nothing: there are thousands of them.
struct Planned;

/// Foreign code in the middle of things: mostly nothing.
fn act() {
    if thread::panicking() {
        return;
    }
    let core = below(CORES);
    match below(40) {
        0 | 1 => enter(core, |end| end.call(core)),
        2 => enter(core, |end| end.flush()),
        3 => drop_handle(),
        4 => poll_handle(),
        5 => resume_unwind(Box::new(Planned)),
        6 if below(30) == 0 => enter(core, |end| end.close()),
        _ => {}
    }
}

/// Does something at an endpoint, if that is there, with nothing borrowed.
fn enter(core: usize, f: impl FnOnce(&dyn Enter)) {
    let end = ENDS.with_borrow(|ends| ends[core].as_ref().map(|end| end.again()));
    if let Some(end) = end {
        f(&*end);
    }
}

fn take_handle() -> Option<Handle> {
    let count = with(|world| world.handles.len());
    let choice = below(count.max(1));
    (count > 0).then(|| with(|world| world.handles.swap_remove(choice)))
}

fn drop_handle() {
    drop(take_handle());
}

fn poll_handle() {
    let Some(mut handle) = take_handle() else { return };
    let counts = Counts::new();
    let waker = Waker::from(counts.clone());
    let poll = Pin::new(&mut handle.call).poll(&mut Context::from_waker(&waker));
    match poll {
        Poll::Ready(answer) => handle.check(answer),
        Poll::Pending => {
            handle.waits = Some((counts.clone(), counts.0.load(Relaxed)));
            with(|world| world.handles.push(handle));
        }
    }
}

impl Handle {
    /// Whether the answer is one that there may be.
    fn check(self, answer: Result<Output, CallError>) {
        let id = self.id;
        let why = with(|world| {
            let (life, cores) = (&world.lives[id], &world.cores);
            let (from, to) = (cores[life.from], cores[life.to]);
            match &answer {
                Ok(output) if output.0 != id => Some("it is another call's"),
                Ok(_) if life.outputs != 1 => Some("there is no output"),
                Ok(_) => None,
                Err(error) if *error != Gone => Some("there is always room"),
                Err(_) if from.has_ended || from.is_closed && life.from == life.to => None,
                Err(_) if life.outputs > 0 => Some("an output was lost"),
                Err(_) if to.is_closed || to.has_ended => None,
                Err(_) if life.began == 1 && life.work_dropped == 1 => None,
                Err(_) => Some("the other core is there, and nothing has panicked"),
            }
        });
        if let Some(why) = why {
            fail(format!("call {id} was answered wrongly: {why}"));
        }
        drop(answer);
    }

    /// Now that nothing moves any more: it has its answer, and a caller that waited was told.
    fn settle(mut self) {
        let woken = self.waits.take().map(|(counts, before)| counts.0.load(Relaxed) > before);
        let poll = Pin::new(&mut self.call).poll(&mut Context::from_waker(Waker::noop()));
        let id = self.id;
        match poll {
            Poll::Ready(answer) => {
                if woken == Some(false) {
                    fail(format!("the waker of call {id} was not woken"));
                }
                self.check(answer);
            }
            Poll::Pending => with(|world| {
                let life = &world.lives[id];
                let runs = life.is_endless && life.began == 1 && life.work_dropped == 0;
                if !runs {
                    world.failures.push(format!("call {id} has no answer: {life:?}"));
                }
            }),
        }
    }
}

/// Does something, whatever unwinds.
fn try_to(f: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(f))
        && !payload.is::<Planned>()
    {
        resume_unwind(payload);
    }
}

/// Keeps what a life that has failed leaves behind: its destructors need what is gone by then.
struct Failed;

impl Drop for Failed {
    fn drop(&mut self) {
        forget((WORLD.take(), ENDS.take()));
    }
}

/// A random life of three cores, and its end.
fn live<N: Net>(seed: &mut u64) {
    let start = random(seed);
    WORLD.set(World { random: start | 1, ..World::default() });
    let mesh = N::new(CORES);
    let mut executors: Vec<_> = (0..CORES).map(|_| Some(restless())).collect();
    for (me, executor) in executors.iter().flatten().enumerate() {
        let end: AnyEnd = Box::new(mesh.open(me, executor.local()));
        ENDS.with_borrow_mut(|ends| ends[me] = Some(end));
    }
    let failed = Failed;
    for _ in 0..STEPS {
        try_to(|| step(&mut executors));
    }
    // What is under way comes to its end.
    executors.iter_mut().flatten().for_each(|executor| executor.set_budget(Budget::default()));
    let mut idle_rounds = 0;
    while idle_rounds < 10 {
        let is_busy = executors.iter_mut().flatten().fold(false, |busy, one| turn(one) | busy);
        idle_rounds = if is_busy { 0 } else { idle_rounds + 1 };
    }
    let handles = with(|world| core::mem::take(&mut world.handles));
    handles.into_iter().for_each(|handle| try_to(|| handle.settle()));
    // And then all goes, in any order.
    let mut rest: Vec<Box<dyn FnOnce()>> = Vec::new();
    for core in 0..CORES {
        let executor = executors[core].take();
        rest.push(Box::new(move || end(core, executor)));
        rest.push(Box::new(move || drop(ENDS.with_borrow_mut(|ends| ends[core].take()))));
    }
    rest.push(Box::new(|| {
        while with(|world| !world.handles.is_empty()) {
            drop_handle()
        }
    }));
    rest.push(Box::new(move || drop(mesh)));
    while !rest.is_empty() {
        let choice = below(rest.len());
        try_to(rest.swap_remove(choice));
    }
    // Destructors may have made calls until the very end.
    while with(|world| !world.handles.is_empty()) {
        try_to(drop_handle);
    }
    core::mem::forget(failed);
    settle(start);
}

fn step(executors: &mut [Option<Executor<Port>>]) {
    let core = below(CORES);
    let executor = &mut executors[core];
    match below(32) {
        0..8 => enter(core, |end| end.call(core)),
        8..20 => executor.iter_mut().for_each(|executor| _ = turn(executor)),
        20 | 21 => poll_handle(),
        22 => drop_handle(),
        23 => enter(core, |end| end.flush()),
        24 => executor.iter_mut().for_each(|executor| executor.block_on(yield_now())),
        25 | 26 => executor.iter().for_each(await_in),
        27 => executor.iter_mut().for_each(|executor| {
            let polls_max = [1, 3, 256][below(3)];
            executor.set_budget(Budget { polls_max, ..Budget::default() });
        }),
        28 if below(8) == 0 => enter(core, |end| end.close()),
        29 if below(8) == 0 => end(core, executor.take()),
        _ => {}
    }
}

/// Whether it has more to do.
fn turn(executor: &mut Executor<Port>) -> bool {
    let mut is_busy = true;
    try_to(|| is_busy = executor.turn());
    is_busy
}

/// A task of some core awaits some call, of this core or another.
fn await_in(executor: &Executor<Port>) {
    let Some(handle) = take_handle() else { return };
    let Handle { id, call, .. } = handle;
    let task = async move {
        let mut call = call;
        let answer = (&mut call).await;
        Handle { id, call, waits: None }.check(answer);
    };
    drop(executor.local().spawn(task));
}

fn end(core: usize, executor: Option<Executor<Port>>) {
    if executor.is_some() {
        with(|world| world.cores[core].has_ended = true);
        drop(executor);
    }
}

/// Everything is gone: the counts must be right.
fn settle(start: u64) {
    let world = WORLD.take();
    for (id, life) in world.lives.iter().enumerate() {
        let is_right = life.began <= 1
            && life.work_dropped == 1
            && life.outputs <= life.began
            && life.outputs_dropped == life.outputs;
        assert!(is_right, "life {start}: call {id}: {life:?}");
    }
    assert!(world.failures.is_empty(), "life {start}: {:#?}", world.failures);
    let kept = world.wakers.iter().filter(|waker| waker.strong_count() > 0).count();
    assert_eq!(kept, 0, "life {start}: wakers that were never dropped");
}
