//! Locks, channels and the like for the tasks of one shard: first come first served, no atomics.
//!
//! Everything here belongs to one shard and is neither `Send` nor `Sync`; for another shard there
//! is [`submit_to`](crate::submit_to), and [`mpsc`](crate::sharded::mpsc). Share one among tasks
//! with an `Rc`. A waiter may be dropped at any moment: it leaves the queue, and what it was
//! granted goes to the next one.
//!
//! ```
//! use std::rc::Rc;
//!
//! use miniss_linux::sync::Semaphore;
//! use miniss_linux::{Runtime, spawn, yield_now};
//!
//! Runtime::builder().shards(1).build().unwrap().block_on(async {
//!     // Ten tasks, two of which work at a time.
//!     let workers = Rc::new(Semaphore::new(2));
//!     let work = |number: u32| {
//!         let workers = workers.clone();
//!         spawn(async move {
//!             let _units = workers.acquire(1).await.unwrap();
//!             yield_now().await;
//!             number
//!         })
//!     };
//!     let tasks: Vec<_> = (0..10).map(work).collect();
//!     for (number, task) in tasks.into_iter().enumerate() {
//!         assert_eq!(task.await.unwrap(), number as u32);
//!     }
//! });
//! ```
//!
//! What follows goes into an async function or block of such a program. The items themselves are
//! those of `miniss-core`, whose pages have every method, and examples on the core's own executor.
//!
//! # A value: `Mutex`, `RwLock`
//!
//! Between two awaits a `RefCell` is enough; these hold what must stay as it is *over* an await.
//!
//! ```
//! # miniss_linux::Runtime::builder().shards(1).build().unwrap().block_on(async {
//! use miniss_linux::sync::{Mutex, RwLock};
//!
//! let log = Mutex::new(vec!["start"]);
//! log.lock().await.push("work");
//! assert_eq!(log.into_inner(), ["start", "work"]);
//!
//! let table = RwLock::new(7);
//! {
//!     let (one, other) = (table.read().await, table.read().await);
//!     assert_eq!(*one + *other, 14);
//! }
//! *table.write().await += 1;
//! assert_eq!(*table.read().await, 8);
//! # });
//! ```
//!
//! # A moment: `Event`, `Condvar`, `Barrier`
//!
//! ```
//! # miniss_linux::Runtime::builder().shards(1).build().unwrap().block_on(async {
//! use std::cell::Cell;
//! use std::rc::Rc;
//!
//! use miniss_linux::combine::when_all;
//! use miniss_linux::spawn;
//! use miniss_linux::sync::{Barrier, Condvar, Event};
//!
//! let ready = Rc::new(Event::new());
//! let waiting = spawn({
//!     let ready = ready.clone();
//!     async move { ready.wait().await }
//! });
//! ready.set();
//! waiting.await.unwrap();
//!
//! let (stock, changed) = (Cell::new(0), Condvar::new());
//! let take = async {
//!     changed.wait_until(|| stock.get() >= 3).await.unwrap();
//!     stock.take()
//! };
//! let bring = async {
//!     stock.set(4);
//!     changed.notify_one();
//! };
//! assert_eq!(when_all((take, bring)).await, (4, ()));
//!
//! let start = Barrier::new(2);
//! let (one, other) = when_all((start.wait(), start.wait())).await;
//! assert!(one.is_leader() != other.is_leader());
//! # });
//! ```
//!
//! # An end: `Gate`, `AbortSource`, `CancellationToken`
//!
//! A gate lets no one in after it was closed, and its closing waits for those inside. An abort
//! source asks them to hurry, and says why.
//!
//! ```
//! # miniss_linux::Runtime::builder().shards(1).build().unwrap().block_on(async {
//! use std::future::pending;
//! use std::rc::Rc;
//!
//! use miniss_linux::sync::{AbortSource, Aborted, Gate};
//! use miniss_linux::{spawn, yield_now};
//!
//! let (inside, stop) = (Rc::new(Gate::new()), Rc::new(AbortSource::new()));
//! let pass = inside.enter_owned().unwrap();
//! let request = spawn({
//!     let stop = stop.clone();
//!     async move {
//!         let _pass = pass;
//!         stop.run(pending::<()>()).await
//!     }
//! });
//! yield_now().await;
//! stop.abort(Aborted);
//! inside.close().await;
//! assert!(inside.enter().is_err());
//! assert_eq!(request.await.unwrap(), Err(Aborted));
//! # });
//! ```
//!
//! Where there is no reason to tell, a [`CancellationToken`] is the same as tasks can own it, and
//! its children are tokens, too. It stays on its shard: elsewhere, cancel a token of that shard, by
//! [`submit_to`](crate::submit_to).
//!
//! ```
//! # miniss_linux::Runtime::builder().shards(1).build().unwrap().block_on(async {
//! use miniss_linux::spawn;
//! use miniss_linux::sync::CancellationToken;
//! use miniss_linux::time::{Duration, sleep};
//!
//! let server = CancellationToken::new();
//! let request = server.child_token();
//! let work = spawn(async move {
//!     request.run_until_cancelled(sleep(Duration::MAX)).await.is_none()
//! });
//! server.cancel();
//! assert!(work.await.unwrap());
//! # });
//! ```
//!
//! # Values on their way: `channel`, `broadcast`, `watch`
//!
//! To one receiver; each of them to all receivers; the latest to all who look.
//!
//! ```
//! # miniss_linux::Runtime::builder().shards(1).build().unwrap().block_on(async {
//! use miniss_linux::spawn;
//! use miniss_linux::sync::{broadcast, channel, watch};
//!
//! let (sender, mut receiver) = channel::bounded(2);
//! spawn(async move {
//!     for number in 0..5 {
//!         // It waits while two are on their way.
//!         sender.send(number).await.unwrap();
//!     }
//! })
//! .detach();
//! let mut sum = 0;
//! while let Some(number) = receiver.recv().await {
//!     sum += number;
//! }
//! assert_eq!(sum, 10);
//!
//! let (sender, mut one) = broadcast::channel(4);
//! let mut other = sender.subscribe();
//! sender.send("news").unwrap();
//! assert_eq!((one.recv().await, other.recv().await), (Ok("news"), Ok("news")));
//!
//! let (settings, mut seen) = watch::channel(1);
//! settings.send(2).unwrap();
//! seen.changed().await.unwrap();
//! assert_eq!(*seen.borrow(), 2);
//! # });
//! ```
//!
//! # One result for many: `SharedFuture`, `Shared`
//!
//! ```
//! # miniss_linux::Runtime::builder().shards(1).build().unwrap().block_on(async {
//! use std::pin::pin;
//!
//! use miniss_linux::combine::when_all;
//! use miniss_linux::sync::{Shared, SharedFuture};
//!
//! let (address, promise) = SharedFuture::new();
//! let again = address.clone();
//! promise.complete("127.0.0.1").unwrap();
//! assert_eq!((address.wait().await, again.wait().await), (Ok("127.0.0.1"), Ok("127.0.0.1")));
//!
//! // The future itself is shared: one of those who wait polls it.
//! let lookup = pin!(Shared::new(async { 7 }));
//! assert_eq!(when_all((lookup.as_ref().wait(), lookup.as_ref().wait())).await, (7, 7));
//! # });
//! ```

#[doc(no_inline)]
pub use miniss_core::sync::*;
