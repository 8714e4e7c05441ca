//! The size of an `async fn`'s future, without naming its type.
//!
//! The type of an `async fn`'s future has no name, but the function has: the compiler finds the
//! future through the function's `Fn` implementation, and a `const fn` tells its size. So a
//! `static` can be declared that is just large enough.

#![forbid(unsafe_code)]

use core::future::Future;

/// A function of up to eight arguments that returns a future: what an `async fn` is.
///
/// `Arguments` is the tuple of its arguments; the compiler finds it out.
///
/// See [`future_bytes`] for an example.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an async fn of up to eight arguments",
    label = "name the function and do not call it: `task_slab!(blink)`"
)]
pub trait TaskFn<Arguments> {
    /// The future that the function returns.
    type Future: Future;
}

macro_rules! task_fn {
    ($($argument:ident)*) => {
        impl<Function, Fut, $($argument),*> TaskFn<($($argument,)*)> for Function
        where
            Function: Fn($($argument),*) -> Fut,
            Fut: Future,
        {
            type Future = Fut;
        }
    };
}

task_fn!();
task_fn!(A);
task_fn!(A B);
task_fn!(A B C);
task_fn!(A B C D);
task_fn!(A B C D E);
task_fn!(A B C D E F);
task_fn!(A B C D E F G);
task_fn!(A B C D E F G H);

/// How many bytes a task slot needs for the future that `function` returns, or its output.
///
/// ```
/// use miniss_core::{TaskSlab, future_bytes};
///
/// async fn sum(a: u64, b: u64) -> u64 {
///     a + b
/// }
///
/// static SLAB: TaskSlab<{ future_bytes(&sum) }, 4> = TaskSlab::new();
/// # let executor = miniss_core::doctest::executor();
/// # let _ = executor.local().spawn_in(&SLAB, sum(1, 2)).unwrap();
/// ```
pub const fn future_bytes<Function: TaskFn<Arguments>, Arguments>(_function: &Function) -> usize {
    let future = size_of::<Function::Future>();
    let output = size_of::<<Function::Future as Future>::Output>();
    if future > output { future } else { output }
}

/// Declares a [`TaskSlab`](crate::TaskSlab) for the futures of an `async fn`, just large enough,
/// and gives a `&'static` to it. One slot, or as many as are said.
///
/// Each place in the program where it stands has a slab of its own; executed again, it is the same
/// one, which belongs to the first executor that spawns in it: on a second core it is
/// [`InUse`](crate::error::SpawnError::InUse). It cannot stand where the function depends on a
/// generic parameter or on `Self`: declare a `TaskSlab` of a fixed size there.
///
/// ```
/// use miniss_core::task_slab;
/// # use miniss_core::{doctest::executor, error::SpawnError};
///
/// async fn blink(times: u32) -> u32 {
///     times
/// }
///
/// let mut executor = executor();
/// let local = executor.local();
/// let blinking = local.spawn_in(task_slab!(blink), blink(3)).unwrap();
/// assert_eq!(executor.block_on(blinking), Ok(3));
///
/// let two = task_slab!(blink, 2);
/// let _first = local.spawn_in(two, blink(1)).unwrap();
/// let _second = local.spawn_in(two, blink(2)).unwrap();
/// assert_eq!(local.spawn_in(two, blink(3)).unwrap_err(), SpawnError::NoRoom);
/// ```
#[macro_export]
macro_rules! task_slab {
    ($function:expr $(,)?) => {
        $crate::task_slab!($function, 1)
    };
    ($function:expr, $slots:expr $(,)?) => {{
        static TASK_SLAB_OF_THIS_PLACE: $crate::TaskSlab<
            { $crate::future_bytes(&$function) },
            { $slots },
        > = $crate::TaskSlab::new();
        &TASK_SLAB_OF_THIS_PLACE
    }};
}
