//! Does one thing so many times, for a profiler that counts instructions: `instructions ROW TIMES`.
//! Without arguments it names the rows.
//!
//! What is done hangs on nothing but the arguments: one thread, no threads beside it, a clock that
//! is moved by hand where there is one to move. So the difference between two runs, of `n` times
//! and of `2 n`, is what `n` times cost, without start, warm-up and end.

mod calls;
mod echo;
#[path = "../../../../benches/src/port.rs"]
mod port;
mod promises;
mod runtime;
mod tasks;
mod timers;
mod wakes;

use std::process::ExitCode;

/// How many of a kind there are where one alone would be a rare case.
const CROWD: usize = 100;

/// So many that they no longer fit the first cache of a small core.
const MANY: usize = 800;

/// What it is called, and what does it so many times: a multiple of [`MANY`] and of 64.
type Row = (&'static str, fn(usize));

const ROWS: &[Row] = &[
    ("spawn", tasks::spawn),
    ("spawn-many", tasks::spawn_many),
    ("spawn-in-slab", tasks::spawn_in_slab),
    ("yield", tasks::yielding),
    ("yield-many", tasks::yielding_many),
    ("wake-local", wakes::local),
    ("wake-foreign", wakes::foreign),
    ("timer-cancel", timers::cancel),
    ("timer-fire", timers::fire),
    ("promise-first", promises::completed_first),
    ("promise-later", promises::awaited_first),
    ("run-on", calls::run_on),
    ("run-on-64", calls::run_on_64),
    ("submit-to", calls::submit_to),
    ("submit-to-64", calls::submit_to_64),
    ("linux-spawn", runtime::spawn),
    ("linux-sleep", runtime::sleep),
    ("linux-echo", echo::one),
    ("linux-echo-64", echo::crowd),
    ("linux-echo-epoll", echo::one_by_epoll),
    ("linux-echo-64-epoll", echo::crowd_by_epoll),
];

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [] => ROWS.iter().for_each(|(name, _)| println!("{name}")),
        [name, times] => {
            let row = ROWS.iter().find(|(known, _)| known == name);
            let (Some((_, row)), Ok(times)) = (row, times.parse()) else { return usage() };
            row(times);
        }
        _ => return usage(),
    }
    ExitCode::SUCCESS
}

fn usage() -> ExitCode {
    eprintln!("It takes a row and how many times. Without arguments it names the rows.");
    ExitCode::from(2)
}
