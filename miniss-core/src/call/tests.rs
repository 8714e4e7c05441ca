//! What callers count on: every call ends, each output is theirs exactly once, and no full lane or
//! dead core keeps anybody waiting.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, ThreadId};

/// Runs each scenario of a module over meshes on the heap with both kinds of lane.
macro_rules! over_heap_meshes {
    ($($name:ident)*) => {$(
        #[test]
        fn $name() {
            scenarios::$name::<super::port::Heap<crate::call::FixedLane<4>>>();
            scenarios::$name::<super::port::Heap<super::port::Tight>>();
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
    home: ThreadId,
    made: AtomicUsize,
    dropped: AtomicUsize,
    dropped_abroad: AtomicUsize,
}

impl Ledger {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            home: thread::current().id(),
            made: AtomicUsize::new(0),
            dropped: AtomicUsize::new(0),
            dropped_abroad: AtomicUsize::new(0),
        })
    }

    fn token(self: &Arc<Self>) -> Token {
        self.made.fetch_add(1, Ordering::SeqCst);
        Token(self.clone())
    }

    fn dropped(&self) -> usize {
        self.dropped.load(Ordering::SeqCst)
    }

    /// Each token was dropped once, at home.
    fn settle(&self) {
        assert_eq!(self.dropped(), self.made.load(Ordering::SeqCst));
        assert_eq!(self.dropped_abroad.load(Ordering::SeqCst), 0);
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        let count = if thread::current().id() == self.0.home { 0 } else { 1 };
        self.0.dropped_abroad.fetch_add(count, Ordering::SeqCst);
        self.0.dropped.fetch_add(1, Ordering::SeqCst);
    }
}
