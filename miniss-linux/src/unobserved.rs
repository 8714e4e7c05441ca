//! Failures that no one saw: counted, and reported to the program's hook or its logger.
//!
//! What counts as one is the core's to say ([`miniss_core::unobserved`]). Here a hook is called
//! from destructors, perhaps while a panic unwinds; so its own panics end there. Without a hook
//! they are told to the logger: see [`diagnostics`].

#![forbid(unsafe_code)]

use std::sync::{PoisonError, RwLock};

pub use miniss_core::unobserved::{Hook, Source, Unobserved, Unseen, count, report};

use crate::diagnostics::{self, Event};
use crate::guard::silently;

/// The program's hook. No code of others runs under the lock.
static HOOK: RwLock<Option<Hook>> = RwLock::new(None);

/// Calls `hook` for each failure from now on, in place of the hook before or the logger.
///
/// It runs in a destructor, on whichever thread that runs, so it must be short. If it panics, the
/// panic goes no further.
///
/// ```
/// use miniss_linux::{Future, unobserved};
/// unobserved::set_hook(|failure| eprintln!("no one saw {failure}"));
/// drop(Future::<u32, String>::failed("no file".to_owned()));
/// ```
pub fn set_hook(hook: Hook) {
    *HOOK.write().unwrap_or_else(PoisonError::into_inner) = Some(hook);
    miniss_core::unobserved::set_hook(pass_on);
}

/// Failures go to the logger, unless the program has a hook, here or in the core.
pub(crate) fn report_by_default() {
    miniss_core::unobserved::set_default_hook(pass_on);
}

fn pass_on(failure: &Unobserved) {
    let hook = *HOOK.read().unwrap_or_else(PoisonError::into_inner);
    match hook {
        Some(hook) => silently(|| hook(failure)),
        None => diagnostics::report(Event::Unobserved, format_args!("no one saw {failure}")),
    }
}
