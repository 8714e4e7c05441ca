//! Rows of what operations allocate in the steady state.

#![forbid(unsafe_code)]

use super::net::subject;
use super::{Role, Row, Work};
use crate::compare::target::Bound::Itself;
use crate::compare::target::Target;
use crate::compare::work::allocations;
use crate::echo::servers::SERVERS;
use crate::rivals::Rival;
use crate::rivals::compio::Compio;
use crate::rivals::glommio::Glommio;
use crate::rivals::miniss::Miniss;
use crate::rivals::monoio::Monoio;
use crate::rivals::smol::Smol;
use crate::rivals::tokio::Tokio;

/// These rows.
pub fn rows() -> Vec<Row> {
    vec![
        echo(),
        row("alloc-sleep", "a sleep to its end", allocations::sleep::<Miniss>)
            .peers(200, peers!(allocations::sleep)),
        row("alloc-wake", "a wake and a poll", allocations::wake::<Miniss>)
            .peers(200, peers!(allocations::wake)),
        row("alloc-call", "a call to another core and reply", allocations::call::<Miniss>)
            .peers(200, peers!(allocations::call)),
    ]
}

fn echo() -> Row {
    let row = empty("alloc-echo", "a receive and a send");
    SERVERS.into_iter().fold(row, |row, server| {
        let (role, name) = subject(server);
        row.with_run(role, name, 1_000, move |job| Ok(allocations::echo(server, job.size)))
    })
}

fn row(name: &'static str, what: &'static str, ours: Work) -> Row {
    empty(name, what).with(Role::Ours, Miniss::NAME, 200, ours)
}

/// A count is the same in each round, or something is wrong that a few rounds show.
fn empty(name: &'static str, what: &'static str) -> Row {
    let row = Row::new(name, what).measure("allocations in the steady state");
    row.unit("", 1.0).target(Target::at_most(Itself(0.0))).rounds_max(3)
}
