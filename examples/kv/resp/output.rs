//! Replies on their way out: bytes, and between them long strings that the store shares.
//!
//! `socket ─▶ parser ─▶ route ─▶ [batch] ─▶ [store] ─▶ [reply] ─▶ [socket]`
//!
//! A long string is not copied into the replies that show it: they keep a reference until they are
//! sent. A change of the key meanwhile changes a copy.
//!
//! **Room.** An output grows as far as its [charge](Charge) can cover. What does not fit is left
//! out, and the output is *over*: the request that it answers gets an error instead.
#![forbid(unsafe_code)]

use core::ops::Range;
use std::sync::Arc;
use std::vec::IntoIter;

use crate::budget::{Budget, Charge, FREE_BYTES};

/// Replies, one after the other.
#[derive(Debug)]
pub struct Output {
    bytes: Vec<u8>,
    /// How far `bytes` may grow before more is charged.
    bytes_max: usize,
    shared: Vec<Shared>,
    /// The lengths of all shared strings.
    shared_bytes: usize,
    is_over: bool,
    charge: Charge,
}

/// A string that belongs between the bytes of an output.
#[derive(Debug)]
struct Shared {
    /// How many bytes come before it.
    at: usize,
    string: Arc<Vec<u8>>,
}

/// A part of an output.
#[derive(Clone, Copy, Debug, Default)]
pub struct Part<'a> {
    bytes: &'a [u8],
    shared: &'a [Shared],
    /// Where in the output `bytes` begins.
    start: usize,
}

/// How far an output had come.
#[derive(Clone, Copy, Debug)]
pub struct Mark {
    bytes: usize,
    shared: usize,
}

impl Default for Output {
    fn default() -> Self {
        Self::new(None)
    }
}

impl Output {
    /// No replies; what they take is charged to `budget`.
    pub fn new(budget: Option<Arc<Budget>>) -> Self {
        Self {
            bytes: Vec::new(),
            bytes_max: FREE_BYTES,
            shared: Vec::new(),
            shared_bytes: 0,
            is_over: false,
            charge: Charge::new(budget),
        }
    }

    /// Charges what replies take to `budget`. There must be none yet.
    pub fn charge_to(&mut self, budget: Option<Arc<Budget>>) {
        debug_assert!(self.is_empty());
        (self.charge, self.bytes_max) = (Charge::new(budget), FREE_BYTES);
    }

    /// True if there are no replies.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// How many bytes it has of its own.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// How many bytes are to be sent, those of shared strings included.
    pub fn bytes_to_send(&self) -> usize {
        self.bytes.len() + self.shared_bytes
    }

    /// Room for bytes of its own.
    pub fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// True if something was left out.
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    /// Asks for room for `len` more bytes of its own; without it the output is over.
    #[inline]
    pub fn has_room(&mut self, len: usize) -> bool {
        self.bytes.len() + len <= self.bytes_max || self.grow(len)
    }

    #[cold]
    fn grow(&mut self, len: usize) -> bool {
        // A budget may be larger than what the system has: what that refuses is no reason to end.
        let grown = self.cover(len) && self.bytes.try_reserve(len).is_ok();
        self.is_over |= !grown;
        grown
    }

    /// Makes room for `len` more bytes of its own, even if there is none.
    pub fn force_room(&mut self, len: usize) {
        if self.bytes.len() + len > self.bytes_max {
            self.charge.force(self.held_bytes() + len);
            self.set_bytes_max();
        }
    }

    /// Charges `len` bytes more.
    fn cover(&mut self, len: usize) -> bool {
        let covered = self.charge.cover(self.held_bytes() + len);
        self.is_over |= !covered;
        self.set_bytes_max();
        covered
    }

    /// What is charged: all bytes, even shared ones, since nothing else may hold them by now.
    fn held_bytes(&self) -> usize {
        self.bytes_to_send() + self.shared.len() * size_of::<Shared>()
    }

    fn set_bytes_max(&mut self) {
        let elsewhere = self.held_bytes() - self.bytes.len();
        self.bytes_max = self.charge.covered_bytes().saturating_sub(elsewhere);
    }

    /// The bytes of its own, to append some that there is room for.
    #[inline]
    pub fn bytes_mut(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Appends `string` without a copy, if there is room.
    pub fn share(&mut self, string: &Arc<Vec<u8>>) {
        if self.cover(string.len() + size_of::<Shared>()) {
            self.push_shared(string);
            self.set_bytes_max();
        }
    }

    fn push_shared(&mut self, string: &Arc<Vec<u8>>) {
        self.shared.push(Shared { at: self.bytes.len(), string: string.clone() });
        self.shared_bytes += string.len();
    }

    /// Makes the bytes behind `mark` a shared string if they are more than `bytes_min`, and moves
    /// the mark behind it: a long reply that grows and is passed on is not copied again and again.
    pub fn seal(&mut self, mark: &mut Mark, bytes_min: usize) {
        debug_assert_eq!(mark.shared, self.shared.len());
        if self.bytes.len() - mark.bytes > bytes_min {
            let mut string = self.bytes.split_off(mark.bytes);
            // What is shared belongs to the reply that the byte behind it belongs to.
            let last = string.pop();
            self.push_shared(&Arc::new(string));
            *mark = self.mark();
            self.bytes.extend(last);
            self.set_bytes_max();
        }
    }

    /// Puts `bytes` at a mark.
    pub fn insert(&mut self, at: Mark, bytes: &[u8]) {
        self.bytes.splice(at.bytes..at.bytes, bytes.iter().copied());
        self.shared[at.shared..].iter_mut().for_each(|shared| shared.at += bytes.len());
    }

    /// Appends `part`, even if there is no room: it was charged for where it was made.
    #[inline]
    pub fn append(&mut self, part: Part<'_>) {
        if part.shared.is_empty() && self.bytes.len() + part.bytes.len() <= self.bytes_max {
            self.bytes.extend_from_slice(part.bytes);
        } else {
            self.append_beyond(part);
        }
    }

    /// The same for one that shares something, or for which there is no room.
    #[cold]
    fn append_beyond(&mut self, part: Part<'_>) {
        let mut rest = part;
        for shared in part.shared {
            let before;
            (before, rest) = rest.split_at(shared.at - rest.start);
            self.bytes.extend_from_slice(before.bytes);
            self.push_shared(&shared.string);
        }
        self.bytes.extend_from_slice(rest.bytes);
        self.set_bytes_max();
        self.force_room(0);
    }

    /// Moves everything from `other` to the empty output that this is.
    pub fn take_over(&mut self, other: &mut Self) {
        debug_assert!(self.is_empty());
        core::mem::swap(self, other);
    }

    /// How far it has come.
    #[inline]
    pub fn mark(&self) -> Mark {
        Mark { bytes: self.bytes.len(), shared: self.shared.len() }
    }

    /// Takes back what came after `mark`, unless that has been taken back together with more; what
    /// is charged stays so.
    pub fn truncate(&mut self, mark: Mark) {
        self.bytes.truncate(mark.bytes);
        let kept = mark.shared.min(self.shared.len());
        for shared in self.shared.drain(kept..) {
            self.shared_bytes -= shared.string.len();
        }
        self.is_over = false;
    }

    /// The part of it from one offset to another.
    #[inline]
    pub fn part(&self, range: Range<usize>) -> Part<'_> {
        let shared = if self.shared.is_empty() { &[] } else { self.shared_in(&range) };
        Part { start: range.start, bytes: &self.bytes[range], shared }
    }

    fn shared_in(&self, range: &Range<usize>) -> &[Shared] {
        let before = |end: usize| self.shared.partition_point(|shared| shared.at < end);
        &self.shared[before(range.start)..before(range.end)]
    }

    /// Empties it and keeps `kept` bytes of its room: an idle connection should be small.
    pub fn recycle(&mut self, kept: usize) {
        self.bytes.clear();
        self.bytes.shrink_to(kept);
        if !self.shared.is_empty() {
            self.shared = Vec::new();
        }
        (self.shared_bytes, self.is_over) = (0, false);
        self.charge.lower(0);
        self.bytes_max = FREE_BYTES;
    }

    /// Takes its bytes out if nothing is shared, to be sent and [put back](Self::put_bytes).
    pub fn take_bytes(&mut self) -> Option<Vec<u8>> {
        self.shared.is_empty().then(|| core::mem::take(&mut self.bytes))
    }

    /// Takes bytes back that were sent.
    pub fn put_bytes(&mut self, bytes: Vec<u8>) {
        self.bytes = bytes;
    }

    /// Takes everything out, piece by piece, to be sent; until it is [recycled](Self::recycle) it
    /// stays charged.
    pub fn take_pieces(&mut self) -> Pieces {
        let own = Arc::new(core::mem::take(&mut self.bytes));
        let shared = core::mem::take(&mut self.shared).into_iter();
        Pieces { own, taken: 0, shared, next: None }
    }
}

impl<'a> Part<'a> {
    /// `bytes` alone.
    pub fn plain(bytes: &'a [u8]) -> Self {
        Self { bytes, shared: &[], start: 0 }
    }

    /// Its bytes, without what is shared.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// True if there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Its first `len` bytes, with what is shared between them, and the rest.
    pub fn split_at(self, len: usize) -> (Self, Self) {
        let (front, back) = self.bytes.split_at(len);
        let start = self.start + len;
        let (before, behind) =
            self.shared.split_at(self.shared.partition_point(|shared| shared.at < start));
        let front = Self { bytes: front, shared: before, start: self.start };
        (front, Self { bytes: back, shared: behind, start })
    }

    /// True if a shared string comes behind its first `len` bytes.
    pub fn is_shared_at(&self, len: usize) -> bool {
        self.shared.first().is_some_and(|shared| shared.at == self.start + len)
    }
}

/// What was taken out of an output, piece by piece.
#[derive(Debug)]
pub struct Pieces {
    own: Arc<Vec<u8>>,
    /// Bytes of `own` that were taken.
    taken: usize,
    shared: IntoIter<Shared>,
    /// The shared string that comes next.
    next: Option<Arc<Vec<u8>>>,
}

/// Some bytes of a string.
#[derive(Debug)]
pub struct Piece {
    /// The string.
    pub string: Arc<Vec<u8>>,
    /// Which of its bytes.
    pub range: Range<usize>,
}

impl Iterator for Pieces {
    type Item = Piece;

    fn next(&mut self) -> Option<Piece> {
        if let Some(string) = self.next.take() {
            return Some(Piece { range: 0..string.len(), string });
        }
        let shared = self.shared.next();
        let end = shared.as_ref().map_or(self.own.len(), |shared| shared.at);
        let range = self.taken..end;
        self.next = shared.map(|shared| shared.string);
        self.taken = end;
        let ended = range.is_empty() && self.next.is_none();
        (!ended).then(|| Piece { string: self.own.clone(), range })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn string(text: &str) -> Arc<Vec<u8>> {
        Arc::new(text.as_bytes().to_vec())
    }

    fn mixed() -> Output {
        let mut output = Output::default();
        for (own, shared) in [("a", "BCD"), ("e", "FG"), ("hi", "J")] {
            output.bytes_mut().extend_from_slice(own.as_bytes());
            output.share(&string(shared));
        }
        output.bytes_mut().push(b'k');
        output
    }

    fn sent(mut output: Output) -> String {
        let pieces = output.take_pieces();
        let bytes = pieces.flat_map(|piece| piece.string[piece.range].to_vec()).collect();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn shared_strings_are_sent_where_they_belong() {
        let output = mixed();
        assert_eq!((output.len(), output.bytes_to_send()), (5, 11));
        assert_eq!(sent(output), "aBCDeFGhiJk");
    }

    #[test]
    fn what_is_sealed_stays_where_it_is_and_belongs_to_the_reply_that_ends_behind_it() {
        let mut output = Output::default();
        output.bytes_mut().extend_from_slice(b"before,");
        let (start, mut mark) = (output.mark(), output.mark());
        for text in ["a", "bcdef", "", "ghijk", "lmnop"] {
            output.bytes_mut().extend_from_slice(text.as_bytes());
            output.seal(&mut mark, 4);
        }
        output.insert(start, b"head:");
        let end = output.len();
        output.bytes_mut().extend_from_slice(b",behind");
        assert!(output.len() < 7 + 5 + 4 + 7);
        let mut reply = Output::default();
        reply.append(output.part(7..end));
        assert_eq!(sent(reply), "head:abcdefghijklmnop");
        assert_eq!(sent(output), "before,head:abcdefghijklmnop,behind");
    }

    #[test]
    fn parts_take_what_is_shared_between_their_bytes_along() {
        let from = mixed();
        for cut in 0..=from.len() {
            let mut output = Output::default();
            output.append(from.part(0..cut));
            output.append(from.part(cut..from.len()));
            assert_eq!(sent(output), "aBCDeFGhiJk");
            let (front, back) = from.part(0..from.len()).split_at(cut);
            let mut output = Output::default();
            [front, back].into_iter().for_each(|part| output.append(part));
            assert_eq!(sent(output), "aBCDeFGhiJk");
        }
    }

    #[test]
    fn what_came_after_a_mark_is_taken_back() {
        let mut output = mixed();
        let mark = output.mark();
        output.share(&string("lost"));
        output.bytes_mut().push(b'!');
        output.truncate(mark);
        assert_eq!(output.bytes_to_send(), 11);
        assert_eq!(sent(output), "aBCDeFGhiJk");
    }

    #[test]
    fn an_output_is_over_where_its_budget_ends_and_good_again_behind() {
        let budget = Arc::new(Budget::new(1 << 20, None));
        let mut output = Output::new(Some(budget.clone()));
        assert!(output.has_room(1 << 20) && !output.has_room(2 << 20) && output.is_over());
        output.truncate(output.mark());
        assert!(!output.is_over());
        output.recycle(0);
        assert!(budget.charge(1 << 20), "all was given back");
    }

    #[test]
    fn what_is_sent_leaves_little_room_behind() {
        let mut output = Output::default();
        for _ in 0..1000 {
            output.bytes_mut().extend_from_slice(&[0; 1000]);
            output.share(&string("shared"));
        }
        output.recycle(1000);
        assert!(output.capacity() <= 1000 && output.shared.capacity() == 0);
    }

    #[test]
    fn a_shared_string_takes_no_room_of_the_output_s_own() {
        let mut output = Output::new(Some(Arc::new(Budget::new(1 << 30, None))));
        output.share(&Arc::new(vec![0; 10 << 20]));
        assert!(!output.is_over() && output.capacity() == 0);
    }

    #[test]
    fn shared_strings_count_with_all_their_bytes() {
        let long = Arc::new(vec![0; 700 << 10]);
        let budget = Arc::new(Budget::new(1 << 20, None));
        let mut output = Output::new(Some(budget.clone()));
        output.share(&long);
        assert!(!output.is_over());
        output.share(&long);
        assert!(output.is_over());
        assert_eq!(output.bytes_to_send(), 700 << 10);
    }
}
