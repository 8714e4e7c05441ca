//! The result of a future as that of a promise.

#![forbid(unsafe_code)]

use core::future::Future;

use super::chain::convert;
use crate::promise::Promise;

pub(super) fn forward_to<T, E>(
    source: impl Future<Output = Result<T, E>>,
    promise: Promise<T, E>,
) -> impl Future<Output = ()> {
    convert(source, move |outcome| {
        // What comes back if no one waits any more is dropped, as the waiter would have done.
        match outcome {
            Ok(value) => drop(promise.complete(value)),
            Err(error) => drop(promise.fail(error)),
        }
    })
}
