//! Words: what each term of ours means, here and in miniss-linux. Each has one meaning.
//!
//! Words that are not here mean what they mean in Rust: future, waker, poll, pin.
//!
//! # Where code runs
//!
//! - **core**: what runs one executor: a processor core, or a thread that stands for one.
//! - **shard**: a core of miniss-linux: a thread, its executor and its ring.
//! - **executor** (`Executor`): the loop that polls the tasks of one core.
//! - **executor cell** (`ExecutorCell`): the part of an executor that wakers and handles may point
//!   to forever.
//! - **owner** (`OwnerState`): the core whose executor uses a cell. *Owner only* stands beside what
//!   no other core touches.
//! - **local**, **remote**: from the owner's core; from anywhere else, which is another core, a
//!   thread without an executor, or an interrupt handler.
//! - **turn** (`Executor::turn`): once round the loop: poll what is ready, ask the reactor, fire
//!   timers, take in remote wakes. Tasks that have a share of a core's time in common are a
//!   *scheduling group*, and its part of a turn is a *slice*.
//! - **budget** (`Budget`): what a turn, or one poll of a task, may do before others are served.
//!
//! # Tasks
//!
//! - **task** (`JoinHandle`): a future that an executor polls until it ends.
//! - **header** (`Header`): the 64 bytes with which the memory of each task begins. Wakers and
//!   queues point to it.
//! - **slot**: memory for one task, or for one operation. When that has ended, the next one of its
//!   kind gets it.
//! - **slab** (`TaskSlab`): slots for tasks in a `static`. Slots from the heap come in *chunks*.
//! - **run queue**: the tasks that are ready, first in, first out.
//! - **inbox** (`Inbox`): where remote wakes put headers for the owner.
//!
//! # The world outside
//!
//! - **reactor** (`Reactor`): what an executor asks for events, and what sleeps when there is
//!   nothing to do.
//! - **park** (`Reactor::park`): to sleep until an event, a deadline or an unpark.
//! - **unpark** (`Unpark`): to end a park, from anywhere. The *unparker* is the value that does it.
//! - **port**: a reactor with its unparker, for one machine, kernel or simulation. What TCP calls a
//!   port is a *port number*.
//! - **driver** (`Driver`): the kernel interface that miniss-linux stands on, io_uring or epoll,
//!   and the part of it that hands operations to the kernel. A *backend* speaks one such interface.
//! - **ring**: an io_uring.
//! - **blocking pool** (`spawn_blocking`): the threads of a runtime that do what would block its
//!   shards. What waits for one of them is a *job*, in the *line* of its shard.
//!
//! # Operations
//!
//! - **operation** (`Operation`): what the kernel or a device is asked to do, with the memory that
//!   it uses. It lives in an `OpTable`. Its *request* is what it asks for, as plain data.
//! - **completion** (`Completion`): an answer to an operation. The *terminal* one is the last.
//! - **orphan**: an operation whose future was dropped before its terminal completion.
//!
//! # Calls
//!
//! - **mesh** (`Mesh`): everything between the cores of a program that call each other.
//! - **lane** (`Lane`): the queue of calls from one core to another.
//! - **endpoint** (`Endpoint`): one core's side of a mesh. The other cores are its *peers*.
//! - **pump** (`Pump`): the task of an endpoint, which sends and receives its calls.
//! - **node** (`Node`): what a list or a lane links: a field of a waiting future, or the memory of
//!   a call, which travels as a *message*.

#![forbid(unsafe_code)]
