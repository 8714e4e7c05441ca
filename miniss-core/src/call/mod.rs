//! Calls between cores. Hand a closure to another core and await its output, as you would call a
//! function: nothing is shared and no lock is taken, for the closure moves there and the output
//! moves back.
//!
//! `core A: [submit_to ─▶ lane A▸B] ─▶ unparker ─▶ core B runs it ─▶ [lane B▸A] ─▶ waker A`
//!
//! - `endpoint`: one core's end of the mesh, with which it makes calls.
//! - `inner`: the state of an endpoint: messages to be sent, messages that have come.
//! - `pump`: the task of an endpoint: it serves the messages that have come, then sends those of
//!   this turn in one batch.
//! - `call`: the future that the caller holds, and its counted reference to the endpoint.
//! - `node`: the memory of one call; a *message*, which owns a node on its way; lists of messages.
//! - `memory`: where nodes come from, the heap or a pool of places.
//! - `lane`: the queue of messages from one core to one other.
//! - `peer`: the other cores as one core sees them: send to one, receive from it, wake it, close
//!   one's own side.
//! - `heap_mesh`, `fixed_mesh`: all lanes, peers and endpoints, on the heap or in a `static`.
//!
//! Each core opens one [`Endpoint`] of a `Mesh` or a [`FixedMesh`]. A call is one *node*: it
//! carries the closure there and the output back. Queues that grow are lists of nodes, linked by a
//! field of the node. So a reply always has room, and no two cores can wait for each other's
//! queues. In a `Mesh` there is always room for one more call. A [`FixedMesh`] may refuse a call,
//! but never a reply.
//!
//! The pump sends all calls of a turn together: one store to each lane publishes them. A core that
//! is awake looks once a turn at the lanes that lead to it, and wakes its own pump. If the other
//! core sleeps, the sender wakes that core's pump: a remote wake like that of any task. So calls
//! need no help from the reactor.
//!
//! A node has the [group](crate::SchedulingGroup) of the task that made the call, too. Where that
//! group is known on the other core, the task of an [async](Endpoint::submit_to) call is in it;
//! elsewhere in the main group. What [`run_on`](Endpoint::run_on) runs, the pump does.
//!
//! # Invariants
//!
//! - **One holder.** Exactly one of these holds the node of a call under way: a list of messages, a
//!   lane, the core that runs it, a peer's *late replies* (a core that ended left them there, for
//!   the lane was full), the endpoint that takes the reply. Only the holder touches the link and
//!   the body of the node. Lane and late replies pass it on with release and acquire.
//! - **Caller only.** The fields `waker`, `outcome` and `abandoned` of a node belong to the
//!   caller's core all the time, and so do the links of the list of calls that are awaited outside
//!   of the caller's executor.
//! - **Back to the caller.** A node is recycled by the endpoint that made it. A node on the heap
//!   may also be destroyed when the mesh goes and no one can be waiting; one in a `static` never
//!   is.

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
#[cfg(all(test, shuttle))]
mod shuttle;
#[cfg(all(test, feature = "alloc", not(any(loom, shuttle))))]
mod tests;

pub use call::Call;
pub use endpoint::Endpoint;
#[cfg(not(loom))]
pub use fixed_mesh::FixedMesh;
#[cfg(feature = "alloc")]
pub use heap_mesh::Mesh;
