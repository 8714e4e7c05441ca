//! Calls between cores: a closure travels to another core, runs there, and its result travels
//! back.
//!
//! `core A: [submit_to ─▶ lane A▸B] ─▶ doorbell ─▶ core B runs it ─▶ [lane B▸A] ─▶ waker A`
//!
//! Request and reply are one *node*. It carries the closure there and the output back, and its link
//! is what both queues are made of: so a reply always has room, and no two cores can wait for each
//! other's queues. Nodes that are to cross are chained, and a chain is what a lane carries: one
//! push publishes all calls of a turn.
//!
//! Each core has an [`Endpoint`]; its task sends what has gathered and serves what has
//! come. Being an ordinary task, it is woken like any other, from the other core too, and so needs
//! nothing of the port that tasks do not need.
//!
//! # Invariants
//!
//! - **One holder.** A node is held by exactly one of: the outbox it was put in, a chain in a
//!   lane, the core that runs it, the strays beside a port, the endpoint that takes the reply. Only
//!   the holder touches its link and body. Lane and strays pass it on with release and acquire.
//! - **The caller's corner.** `waker`, `outcome` and `abandoned` belong to the caller's core all
//!   the time.
//! - **Home again.** A node is recycled by the endpoint that made it, or destroyed when the
//!   mesh goes and nobody can be waiting.

mod call;
mod endpoint;
mod exchange;
mod fixed;
#[cfg(all(test, loom))]
mod loom;
mod mail;
mod memory;
mod mesh;
mod node;
mod queue;
#[cfg(all(test, not(loom)))]
mod tests;
mod work;

pub use call::Call;
pub use endpoint::Endpoint;
pub use fixed::FixedLane;
pub use mesh::Mesh;
pub use node::Chain;
pub use queue::Queue;
