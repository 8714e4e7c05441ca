//! The machine itself: how long one cache line takes to come, where the next address is in it.

#![forbid(unsafe_code)]

use std::hint::black_box;

use crate::growth::curve::Values;
use crate::growth::random::Random;
use crate::limits::nanos_per;

/// What a core fetches at once: a line and the one beside it.
const PAIR_BYTES: usize = 128;
const STEPS_MIN: usize = 2_000_000;

#[derive(Clone)]
#[repr(align(128))]
struct Pair {
    next: u32,
}

const _: () = assert!(size_of::<Pair>() == PAIR_BYTES);

/// A walk at random through so many bytes.
///
/// # Errors
///
/// None; it is the shape of a point.
pub fn measure(bytes: usize) -> Result<Values, String> {
    let order = Random::default().order(bytes / PAIR_BYTES);
    let mut pairs = vec![Pair { next: 0 }; order.len()];
    let after = order.iter().cycle().skip(1);
    for (&place, &next) in order.iter().zip(after) {
        pairs[place as usize].next = next;
    }
    let mut place = 0;
    let mut walk = |steps| (0..steps).for_each(|_| place = pairs[place as usize].next);
    walk(pairs.len());
    let steps = pairs.len().max(STEPS_MIN);
    let ns = nanos_per(steps, || walk(steps));
    black_box(place);
    Ok(vec![ns])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_walks_end() {
        assert!(measure(PAIR_BYTES).unwrap()[0] > 0.0);
        assert!(measure(100 * PAIR_BYTES).unwrap()[0] > 0.0);
    }
}
