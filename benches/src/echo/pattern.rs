//! The bytes that a connection sends: a sequence that says at which byte of which connection one
//! is, so that whatever is lost, doubled, shifted or mixed up shows.
//!
//! The sequence repeats after [`PERIOD`] bytes, a prime, so no two messages of usual sizes look
//! alike. A table holds it and the length of the greatest message again behind it: what is to be
//! sent at any position lies there in one piece, and what came back is compared with one `memcmp`.

#![forbid(unsafe_code)]

use std::sync::OnceLock;

/// After so many bytes the sequence begins again.
pub const PERIOD: u64 = 65_521;
/// The most that can be had in one piece.
pub const PIECE_BYTES_MAX: usize = 1 << 20;
/// How far apart connections begin.
const STRIDE: u64 = 9_973;

/// The `len` bytes at `position` of the sequence.
///
/// # Panics
///
/// If `len` is more than [`PIECE_BYTES_MAX`].
pub fn piece(position: u64, len: usize) -> &'static [u8] {
    static TABLE: OnceLock<Vec<u8>> = OnceLock::new();
    let start = (position % PERIOD) as usize;
    assert!(len <= PIECE_BYTES_MAX, "pieces are no longer than that");
    &TABLE.get_or_init(table)[start..start + len]
}

/// The position at which a connection begins.
pub fn start_of(connection: usize) -> u64 {
    connection as u64 * STRIDE % PERIOD
}

/// Whether `received` is what lies at `position`.
pub fn matches(position: u64, received: &[u8]) -> bool {
    let mut position = position;
    received.chunks(PIECE_BYTES_MAX).all(|chunk| {
        let expected = piece(position, chunk.len());
        position += chunk.len() as u64;
        chunk == expected
    })
}

fn table() -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    let mut table: Vec<u8> = (0..PERIOD).map(|_| next()).collect();
    while table.len() < PERIOD as usize + PIECE_BYTES_MAX {
        let missing = PERIOD as usize + PIECE_BYTES_MAX - table.len();
        table.extend_from_within(..missing.min(PERIOD as usize));
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_matches_wherever_it_is_cut() {
        let (start, sent) = (start_of(7), piece(start_of(7), 70_000));
        for cut in [0, 1, 64, 4096, 65_521, 69_999] {
            assert!(matches(start, &sent[..cut]) && matches(start + cut as u64, &sent[cut..]));
        }
        let long = [sent, sent].concat();
        assert!(!matches(start, &long), "the second half stands at another position");
    }

    #[test]
    fn what_is_lost_doubled_shifted_or_mixed_up_shows() {
        let sent = piece(start_of(3), 256);
        let mut flipped = sent.to_vec();
        flipped[255] ^= 1;
        assert!(!matches(start_of(3), &flipped));
        assert!(!matches(start_of(3), &sent[1..]), "a byte is lost");
        assert!(!matches(start_of(3) + 64, &sent[..64]), "a message came twice");
        assert!(!matches(start_of(4), sent), "that is another connection's");
    }

    #[test]
    fn the_greatest_message_lies_in_one_piece_at_every_position() {
        assert_eq!(piece(PERIOD - 1, PIECE_BYTES_MAX).len(), PIECE_BYTES_MAX);
        assert_eq!(piece(PERIOD + 5, 64), piece(5, 64));
    }
}
