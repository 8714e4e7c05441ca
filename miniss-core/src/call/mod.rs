//! Calls between cores: hand a closure to another core and await its output, as you would a
//! function. No lock is taken and nothing is shared: the closure moves there, the output moves
//! back.
//!
//! `core A: [submit_to ─▶ lane A▸B] ─▶ unparker ─▶ core B runs it ─▶ [lane B▸A] ─▶ waker A`
//!
//! Each core opens one [`Endpoint`] of a mesh, which lies on the heap (`Mesh`) or in a `static`
//! ([`FixedMesh`]), and its calls with it. A call is one *node*, there and back: it carries the
//! closure there and the output back, and its link is what the queues are made of. So a reply
//! always has room, and no two cores can wait for each other's queues. On the heap there is always
//! room for one more call; in place a call may be refused, but a reply never is.
//!
//! | file | what is in it |
//! |---|---|
//! | `endpoint` | what its user has of a core's end of the mesh: makes calls |
//! | `inner` | what an endpoint is inside: what is to be sent, what has come |
//! | `pump` | the task of an endpoint: serves what has come, sends what has gathered |
//! | `call` | the caller's handle, and what a call knows of the endpoint that made it |
//! | `node` | one call, there and back; a message as it travels; lists of messages |
//! | `memory` | where nodes come from: the heap, or a pool of places |
//! | `lane` | the queue of messages from one core to one other |
//! | `peer` | the other cores, as one core sees them: how to send, receive, wake and close |
//! | `heap_mesh`, `fixed_mesh` | where lanes, peers and endpoints lie |
//!
//! A core that is awake looks at the lanes to it once a turn, and its executor wakes the pump. For
//! a core that sleeps the sender wakes the pump, as any other task. So calls need nothing of the
//! reactor that tasks do not need. The pump sends all calls of a turn together: one store publishes
//! them.
//!
//! # Invariants
//!
//! - **One holder.** Exactly one of these holds a node: a list of messages, a lane, the core that
//!   runs it, the late replies of a peer, the endpoint that takes the reply. Only the holder
//!   touches its link and body. Lane and late replies pass it on with release and acquire.
//! - **Caller only.** `waker`, `outcome` and `abandoned` belong to the caller's core all the time,
//!   and so do the links of the list of calls that are awaited outside.
//! - **Back to the caller.** A node is recycled by the endpoint that made it, or destroyed when the
//!   mesh goes and no one can be waiting; only one on the heap ever goes.

#[allow(clippy::module_inception, reason = "the type that the folder is about")]
mod call;
mod endpoint;
#[cfg(not(loom))]
mod fixed_mesh;
#[cfg(feature = "alloc")]
mod heap_mesh;
mod inner;
mod lane;
#[cfg(all(test, loom))]
mod loom;
mod memory;
mod node;
mod peer;
mod pump;
#[cfg(all(test, feature = "alloc", not(loom)))]
mod tests;

pub use call::Call;
pub use endpoint::Endpoint;
#[cfg(not(loom))]
pub use fixed_mesh::FixedMesh;
#[cfg(feature = "alloc")]
pub use heap_mesh::Mesh;
