//! What may go to another shard and what may not, for each tool for many shards, whatever it holds.
//! The closures and outputs of calls are refused in the examples that must not compile, beside the
//! tools themselves.

use std::cell::Cell;
use std::rc::Rc;

use miniss_linux::Call;
use miniss_linux::sharded::mpsc::{Receiver, Sender};
use miniss_linux::sharded::{
    Calls, Foreign, Permit, ServiceGroup, ShardLocal, Sharded, ShardedRef,
};

/// `true` for a type with the trait, found out by which of two constants is nearer.
macro_rules! has {
    ($type:ty: $trait:ident) => {{
        #[allow(dead_code, reason = "it is the answer for types that lack the trait")]
        trait Otherwise {
            const HAS: bool = false;
        }
        impl<T> Otherwise for T {}
        struct Has<T>(std::marker::PhantomData<T>);
        #[allow(dead_code, reason = "it is the answer for types that have the trait")]
        impl<T: $trait> Has<T> {
            const HAS: bool = true;
        }
        Has::<$type>::HAS
    }};
}

/// Stays on its shard.
type Local = Rc<Cell<u32>>;

#[test]
fn s5_the_answers_are_right() {
    assert!(has!(u32: Send) && has!(u32: Sync));
    assert!(!has!(Local: Send) && !has!(Local: Sync));
}

#[test]
fn s5_what_names_a_value_of_a_shard_may_go_anywhere() {
    assert!(has!(Sharded<Local>: Send) && has!(Sharded<Local>: Sync));
    assert!(has!(ShardedRef<Local>: Send) && has!(ShardedRef<Local>: Sync));
    assert!(has!(Foreign<Local>: Send) && has!(Foreign<Local>: Sync));
    assert!(has!(ShardLocal<Local>: Send) && has!(ShardLocal<Local>: Sync));
    assert!(has!(ServiceGroup: Send) && has!(ServiceGroup: Sync));
    assert!(has!(Sender<u32>: Send) && has!(Sender<u32>: Sync) && has!(Receiver<u32>: Send));
    assert!(!has!(Sender<Local>: Send) && !has!(Receiver<Local>: Send));
}

#[test]
fn s5_calls_are_awaited_where_they_were_made() {
    assert!(!has!(Call<u32>: Send) && !has!(Call<u32>: Sync));
    assert!(!has!(Calls<u32>: Send) && !has!(Calls<u32>: Sync));
    assert!(!has!(Permit: Send) && !has!(Permit: Sync));
}
