//! Rows that compare the designs of a waker.

#![forbid(unsafe_code)]

use miniss_benches::rounds::Row;
use miniss_benches::wakers::{
    Design, clone_and_drop, counted::Counted, ids::Ids, real::Real, wake_alone, wake_and_run,
    wake_parked, wake_queued, wake_remote,
};

/// A row of one measurement of all designs.
macro_rules! designs {
    ($name:literal, $unit:literal, |$design:ident| $sample:expr) => {
        designs!(@ Row::new($name, $unit), $design, $sample, Real, Ids, Counted)
    };
    (@ $row:expr, $design:ident, $sample:expr, $($each:ty),*) => {
        $row$(.with(<$each>::NAME, || {
            type $design = $each;
            $sample
        }))*
    };
}

pub fn rows() -> Vec<Row<'static>> {
    vec![
        designs!("clone and drop", "ns", |D| clone_and_drop::<D>(200)),
        designs!("wake, queued already", "ns", |D| wake_queued::<D>(200)),
        designs!("wake, parked", "ns", |D| wake_parked::<D>(200, true)),
        designs!("wake and run (only ours polls a future)", "ns", |D| wake_and_run::<D>(200, true)),
        designs!("wake, parked, the foreign way", "ns", |D| wake_parked::<D>(200, false)),
        designs!("wake, alone, the foreign way", "ns", |D| wake_alone::<D>(2_000)),
        designs!("wake from another core", "ns", |D| wake_remote::<D>(100)),
        designs!("memory per task", "bytes", |D| D::TASK_BYTES as f64),
    ]
}
