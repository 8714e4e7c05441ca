//! Calls between cores: a closure travels to another core, runs there, and its result travels
//! back.
//!
//! `core A: [submit_to ─▶ lane A▸B] ─▶ unparker ─▶ core B runs it ─▶ [lane B▸A] ─▶ waker A`
//!
//! Request and reply are one *node*. It carries the closure there and the output back, and its link
//! is what both queues are made of: so a reply always has room, and no two cores can wait for each
//! other's queues. A lane carries nodes by address, and one store publishes all calls of a turn.
//!
//! A mesh lies on the heap (`Mesh`) or in a `static` ([`FixedMesh`]), and its calls with it. What
//! it is made of is the same: lanes and ports that all cores see, and for each core an exchange,
//! outboxes, and memory for nodes. On the heap there is always room for one more call; in place a
//! call may be refused, but a reply never is.
//!
//! Each core has an [`Endpoint`]; its task sends what has gathered and serves what has
//! come. A core that is awake looks at the lanes to it once a turn and wakes the task itself. One
//! that sleeps is woken from the other core, as by any other task's waker; so calls need nothing of
//! the port that tasks do not need.
//!
//! # Invariants
//!
//! - **One holder.** A node is held by exactly one of: the outbox it was put in, a lane, the core
//!   that runs it, the strays beside a port, the endpoint that takes the reply. Only the holder
//!   touches its link and body. Lane and strays pass it on with release and acquire.
//! - **The caller's corner.** `waker`, `outcome` and `abandoned` belong to the caller's core all
//!   the time, and so does the place in the list of calls that strangers await.
//! - **Home again.** A node is recycled by the endpoint that made it, or destroyed when the
//!   mesh goes and no one can be waiting; only one on the heap ever goes.

#[allow(clippy::module_inception, reason = "the type that the folder is about")]
mod call;
mod endpoint;
mod exchange;
mod fixed;
#[cfg(not(loom))]
mod fixed_mesh;
#[cfg(feature = "alloc")]
mod heap_mesh;
mod home;
#[cfg(all(test, loom))]
mod loom;
mod mail;
mod memory;
mod mesh;
mod node;
mod queue;
mod shared;
#[cfg(all(test, feature = "alloc", not(loom)))]
mod tests;
mod work;

pub use call::Call;
pub use endpoint::Endpoint;
pub use fixed::FixedLane;
#[cfg(not(loom))]
pub use fixed_mesh::FixedMesh;
#[cfg(feature = "alloc")]
pub use heap_mesh::Mesh;
pub use node::Parcel;
pub use queue::Queue;
