//! Rows of pinned places, in each of which a future runs.
//!
//! # Invariants
//!
//! - **A row is pinned whole.** The elements of a pinned slice are pinned: they are only reached
//!   through this module, which never moves one, and slices and arrays have no `Drop`.

use core::pin::Pin;

/// The seats of a row, one after the other.
pub(super) fn each<T>(row: Pin<&mut [T]>) -> impl Iterator<Item = Pin<&mut T>> {
    // SAFETY: "A row is pinned whole": the slice is only walked, nothing is moved.
    let row = unsafe { row.get_unchecked_mut() };
    // SAFETY: "A row is pinned whole": so its elements are pinned.
    row.iter_mut().map(|seat| unsafe { Pin::new_unchecked(seat) })
}

/// One seat of a row.
pub(super) fn nth<T>(row: Pin<&mut [T]>, index: usize) -> Pin<&mut T> {
    // SAFETY: "A row is pinned whole": an element is reached, and nothing is moved.
    unsafe { row.map_unchecked_mut(|row| &mut row[index]) }
}

/// An array of seats as a row.
pub(super) fn row<T, const N: usize>(seats: Pin<&mut [T; N]>) -> Pin<&mut [T]> {
    // SAFETY: "A row is pinned whole": an array and the slice of it are the same place.
    unsafe { seats.map_unchecked_mut(|seats| seats.as_mut_slice()) }
}
