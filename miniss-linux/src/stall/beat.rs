//! What a shard tells its watcher, in a cache line that no other shard writes to: a count that
//! moves with each look of its loop at the driver, and is odd while it sleeps; and in debug builds,
//! which task it polls; and the name of that task, if it has one.
//!
//! Invariant **Static or null**: what the pointers here point at is `'static`.
//!
//! A watcher that finds all shards asleep rests. A shard that wakes and a watcher that goes to rest
//! each write, fence, and then look at what the other wrote: so one of the two sees the other, and
//! no shard is awake for long while its watcher rests.

#[cfg(debug_assertions)]
use std::any::type_name;
use std::collections::BTreeMap;
use std::fmt;
use std::panic::Location;
use std::slice;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, AtomicU32, AtomicUsize, fence};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::{self, Thread};

/// The beats of all shards of a runtime.
pub(super) struct Beats {
    pub(super) shards: Box<[Beat]>,
    is_resting: AtomicBool,
    pub(super) is_over: AtomicBool,
    /// There from before the first beat.
    pub(super) watcher: OnceLock<Thread>,
    /// The names of the scheduling groups that were made, by their indices, which are the same on
    /// all shards.
    groups: Mutex<BTreeMap<usize, &'static str>>,
}

/// Tells the index of the group whose task is polled.
type GroupIndex = Box<dyn Fn() -> usize + Send + Sync>;

/// What one shard tells. Relaxed, since no other memory follows from it.
#[repr(align(128))]
pub(super) struct Beat {
    count: AtomicU32,
    thread: AtomicI32,
    group_index: OnceLock<GroupIndex>,
    spawned_at: AtomicPtr<Location<'static>>,
    name: AtomicPtr<Name>,
    label: Label,
}

/// The name that the program gave a task: two words, which are read as one.
#[derive(Debug, Default)]
struct Label {
    /// Odd while the words change.
    version: AtomicUsize,
    start: AtomicPtr<u8>,
    bytes: AtomicUsize,
}

impl Label {
    /// The shard alone sets it.
    fn set(&self, label: Option<&'static str>) {
        let label = label.unwrap_or_default();
        let version = self.version.load(Relaxed);
        self.version.store(version.wrapping_add(1), Relaxed);
        // Pairs with the fence in `read`: one that reads a word of ours then sees the version, too.
        fence(Release);
        self.start.store(label.as_ptr().cast_mut(), Relaxed);
        self.bytes.store(label.len(), Relaxed);
        // Release: pairs with the first load in `read`, which then sees both words.
        self.version.store(version.wrapping_add(2), Release);
    }

    /// Empty if there is none, or it changes just now.
    fn read(&self) -> &'static str {
        let version = self.version.load(Acquire);
        let (start, bytes) = (self.start.load(Relaxed), self.bytes.load(Relaxed));
        fence(Acquire);
        if version % 2 == 1 || version != self.version.load(Relaxed) || start.is_null() {
            return "";
        }
        // SAFETY: *Static or null*; the version is the same before and after, so both words are of
        // one `str`.
        unsafe { str::from_utf8_unchecked(slice::from_raw_parts(start, bytes)) }
    }
}

type Name = fn() -> &'static str;

#[cfg(debug_assertions)]
struct NameOf<F>(F);

#[cfg(debug_assertions)]
impl<F> NameOf<F> {
    const NAME: Name = type_name::<F>;
}

impl Beats {
    pub(super) fn new(shards: usize) -> Self {
        let shards = (0..shards).map(|_| Beat::asleep()).collect();
        let [is_resting, is_over] = [const { AtomicBool::new(false) }; 2];
        let (watcher, groups) = (OnceLock::new(), Mutex::default());
        Self { shards, is_resting, is_over, watcher, groups }
    }

    /// The watcher sleeps until a shard is awake, or all is over. It may also return for nothing.
    pub(super) fn rest(&self) {
        self.is_resting.store(true, Relaxed);
        fence(SeqCst);
        let is_over = self.is_over.load(Relaxed);
        if !is_over && self.shards.iter().all(|shard| is_asleep(shard.count())) {
            thread::park();
        }
        self.is_resting.store(false, Relaxed);
    }

    /// The group whose task the shard polls; `None` if it is the main group.
    pub(super) fn group_of(&self, shard: usize) -> Option<&'static str> {
        let index = self.shards[shard].group_index.get()?();
        self.groups.lock().unwrap_or_else(PoisonError::into_inner).get(&index).copied()
    }

    fn wake_watcher(&self) {
        fence(SeqCst);
        if self.is_resting.load(Relaxed) {
            self.watcher.get().expect("it was there first").unpark();
        }
    }
}

impl Beat {
    fn asleep() -> Self {
        let (spawned_at, name) = (AtomicPtr::default(), AtomicPtr::default());
        let (count, thread) = (AtomicU32::new(1), AtomicI32::new(0));
        let (group_index, label) = (OnceLock::new(), Label::default());
        Self { count, thread, group_index, spawned_at, name, label }
    }

    pub(super) fn count(&self) -> u32 {
        self.count.load(Relaxed)
    }

    /// The shard alone counts.
    fn add(&self, more: u32) {
        self.count.store(self.count().wrapping_add(more), Relaxed);
    }

    pub(super) fn thread(&self) -> i32 {
        self.thread.load(Relaxed)
    }

    /// What the shard polls.
    pub(super) fn polled(&self) -> Polled {
        let (spawned_at, name) = (self.spawned_at.load(Relaxed), self.name.load(Relaxed));
        Polled { spawned_at, name, label: self.label.read() }
    }
}

/// Whether a shard slept at such a count.
pub(super) fn is_asleep(count: u32) -> bool {
    count % 2 == 1
}

/// The beat of one shard, as that shard has it.
#[derive(Clone)]
pub(crate) struct ShardBeat {
    beats: Arc<Beats>,
    shard: usize,
}

impl ShardBeat {
    pub(super) fn new(beats: Arc<Beats>, shard: usize) -> Self {
        Self { beats, shard }
    }

    fn beat(&self) -> &Beat {
        &self.beats.shards[self.shard]
    }

    /// A group has this name from now on, on all shards.
    pub(crate) fn name_group(&self, index: usize, name: &'static str) {
        self.beats.groups.lock().unwrap_or_else(PoisonError::into_inner).insert(index, name);
    }

    /// This thread is the shard's from now on.
    pub(crate) fn on_this_thread(&self, group_index: GroupIndex) {
        let _ = self.beat().group_index.set(group_index);
        // SAFETY: no pointers.
        self.beat().thread.store(unsafe { libc::gettid() }, Relaxed);
    }

    /// The loop goes round.
    #[inline]
    pub(crate) fn goes_on(&self) {
        self.beat().add(2);
    }

    /// It goes to sleep, or leaves the loop.
    pub(crate) fn sleeps(&self) {
        if !is_asleep(self.beat().count()) {
            self.beat().add(1);
        }
    }

    /// It is back.
    pub(crate) fn wakes(&self) {
        if is_asleep(self.beat().count()) {
            self.beat().add(1);
            self.beats.wake_watcher();
        }
    }

    /// Says which name the task has that is polled.
    pub(crate) fn set_label(&self, label: Option<&'static str>) {
        self.beat().label.set(label);
    }

    /// Says what is polled; returns what was before.
    #[cfg(debug_assertions)]
    pub(crate) fn set_polled(&self, polled: Polled) -> Polled {
        let beat = self.beat();
        let before = beat.polled();
        beat.spawned_at.store(polled.spawned_at.cast_mut(), Relaxed);
        beat.name.store(polled.name.cast_mut(), Relaxed);
        before
    }
}

/// A task that a shard polls; the main future, if both are null.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Polled {
    spawned_at: *const Location<'static>,
    name: *const Name,
    /// The name that the program gave it, or nothing.
    label: &'static str,
}

impl Polled {
    #[cfg(debug_assertions)]
    pub(super) fn new<F>(spawned_at: &'static Location<'static>) -> Self {
        Self { spawned_at, name: &NameOf::<F>::NAME, label: "" }
    }
}

impl fmt::Display for Polled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // SAFETY: *Static or null*.
        let (spawned_at, name) = unsafe { (self.spawned_at.as_ref(), self.name.as_ref()) };
        match (spawned_at.zip(name), self.label) {
            (Some((spawned_at, name)), "") => {
                write!(f, "the task `{}`, spawned at {spawned_at}", name())
            }
            (Some((spawned_at, _)), label) => {
                write!(f, "the task `{label}`, spawned at {spawned_at}")
            }
            (None, "") => f.write_str("the main future, or a task whose spawn site is not kept"),
            (None, label) => write!(f, "the task `{label}`"),
        }
    }
}
