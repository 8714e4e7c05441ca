//! What callers count on: every call ends, each output is theirs exactly once, and no full lane or
//! dead core keeps anyone waiting.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, ThreadId};

/// Runs each scenario of a module over meshes on the heap with lanes for four calls and for one.
macro_rules! over_heap_meshes {
    ($($name:ident)*) => {$(
        #[test]
        fn $name() {
            scenarios::$name::<super::port::Heap<4>>();
            scenarios::$name::<super::port::Heap<1>>();
        }
    )*};
}

/// Runs each scenario of a module over meshes on the heap, and over one in place.
macro_rules! over_all_meshes {
    ($($name:ident)*) => {
        over_heap_meshes! { $($name)* }

        mod in_place {
            use super::scenarios;

            $(
                #[test]
                fn $name() {
                    scenarios::$name::<super::super::port::Fixed>();
                }
            )*
        }
    };
}

mod budget;
mod calls;
mod ends;
mod leaving;
mod oracle;
mod panics;
mod port;
mod room;
mod unparkers;

/// Something that must be dropped exactly once, and on the thread that made its ledger.
struct Token(Arc<Ledger>);

/// Counts tokens.
struct Ledger {
    owner: ThreadId,
    made: AtomicUsize,
    dropped: AtomicUsize,
    dropped_elsewhere: AtomicUsize,
}

impl Ledger {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            owner: thread::current().id(),
            made: AtomicUsize::new(0),
            dropped: AtomicUsize::new(0),
            dropped_elsewhere: AtomicUsize::new(0),
        })
    }

    fn token(self: &Arc<Self>) -> Token {
        self.made.fetch_add(1, Ordering::SeqCst);
        Token(self.clone())
    }

    fn dropped(&self) -> usize {
        self.dropped.load(Ordering::SeqCst)
    }

    /// Each token was dropped once, on its own thread.
    fn settle(&self) {
        assert_eq!(self.dropped(), self.made.load(Ordering::SeqCst));
        assert_eq!(self.dropped_elsewhere.load(Ordering::SeqCst), 0);
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        let count = if thread::current().id() == self.0.owner { 0 } else { 1 };
        self.0.dropped_elsewhere.fetch_add(count, Ordering::SeqCst);
        self.0.dropped.fetch_add(1, Ordering::SeqCst);
    }
}
