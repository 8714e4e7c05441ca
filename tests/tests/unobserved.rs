//! Failures that no one saw are counted and reported, once each.

use miniss_linux::sharded::ServiceGroup;
use miniss_linux::unobserved::{self, Source, Unseen};
use miniss_linux::{Future, Runtime, run_on, spawn, submit_to, yield_now};
use std::sync::Mutex;

static SEEN: Mutex<Vec<Source>> = Mutex::new(Vec::new());

static GROUP: ServiceGroup = ServiceGroup::new("unobserved", 1, 1);

async fn open() -> Result<u32, &'static str> {
    Err("no file")
}

/// One test, since the hook is the program's.
#[test]
fn what_fails_unseen_is_reported_and_what_is_seen_is_not() {
    unobserved::set_hook(|failure| SEEN.lock().unwrap().push(failure.source));
    let before = unobserved::count();
    let runtime = Runtime::builder().shards(2).build().unwrap();
    runtime.block_on(async {
        assert!(spawn(async { panic!("as planned") }).await.unwrap_err().is_panic());
        run_on(1, || panic!("as planned")).await.unwrap_err();
        let aborted = spawn(std::future::pending::<()>());
        aborted.abort();
        assert!(aborted.await.unwrap_err().is_cancelled());
    });
    assert_eq!(*SEEN.lock().unwrap(), []);

    runtime.block_on(async {
        drop(spawn(async { panic!("as planned") }));
        let unasked = spawn(async { panic!("as planned") });
        drop(submit_to(1, async || panic!("as planned")));
        let permit = GROUP.reserve(1).await.unwrap();
        drop(permit.submit(async || panic!("as planned")));
        drop(GROUP.reserve(1).await.expect("the call has ended"));
        drop(spawn(async { open().await.map_err(Unseen::new) }));
        yield_now().await;
        drop(unasked);
        drop(Future::<u32, &str>::failed("no file"));
    });
    drop(runtime);
    let mut seen = std::mem::take(&mut *SEEN.lock().unwrap());
    seen.sort_by_key(|source| format!("{source:?}"));
    use Source::{Promise, Task};
    assert_eq!(seen, [Promise, Task, Task, Task, Task, Source::Unseen]);
    assert_eq!(unobserved::count() - before, 6);
}
