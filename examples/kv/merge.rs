//! One reply out of several shards' replies.
//!
//! `socket ─▶ parser ─▶ route ─▶ batch ─▶ store ─▶ [reply] ─▶ socket`
//!
//! Each shard answers its part in the protocol of the client, and these functions read just as
//! much of it as they need: an integer, or an array of strings and nulls. If a shard answers with
//! an error, the first error is the reply.
#![forbid(unsafe_code)]

use crate::command::Merge;
use crate::command::info::Figures;
use crate::command::scan::cursor_of_shard;
use crate::resp::number::parse_i64;
use crate::resp::{Output, Part, reply};

/// Merges the replies `parts`, one for each shard and empty for those that were not asked.
/// `owners` names the shard of each key where their order matters.
pub fn merge(how: Merge, parts: &[Part<'_>], owners: &[u16], out: &mut Output) {
    if let Some(error) = parts.iter().find(|part| part.bytes().first() == Some(&b'-')) {
        out.append(*error);
        return;
    }
    let bytes = bytes_of(parts);
    match how {
        Merge::Sum => reply::integer(out, bytes.iter().map(|part| integer(part)).sum()),
        Merge::AllOk => reply::ok(out),
        Merge::Join => join(parts, out),
        Merge::InOrder => in_order(parts, owners, out),
        Merge::Walk => walk(&bytes, out),
        Merge::Info => {}
    }
}

/// The bytes of parts that share nothing.
pub fn bytes_of<'a>(parts: &[Part<'a>]) -> Vec<&'a [u8]> {
    parts.iter().map(Part::bytes).collect()
}

/// The figures of all shards, added up.
pub fn figures(parts: &[&[u8]]) -> Figures {
    let mut sums = Figures::default();
    for part in parts.iter().filter(|part| !part.is_empty()) {
        let mut elements = line(part).1;
        for sum in sums.row() {
            let (number, rest) = line(elements);
            *sum = sum.saturating_add(number);
            elements = rest;
        }
    }
    sums
}

fn integer(part: &[u8]) -> i64 {
    if part.is_empty() { 0 } else { line(part).0 }
}

/// Arrays one after the other, as one array.
fn join(parts: &[Part<'_>], out: &mut Output) {
    let arrays = || parts.iter().filter(|part| !part.is_empty());
    reply::array(out, arrays().map(|part| line(part.bytes()).0 as usize).sum());
    arrays().for_each(|part| out.append(behind_head(*part)));
}

/// The first steps of a walk on every shard: their keys, up to the first that has more to show.
fn walk(parts: &[&[u8]], out: &mut Output) {
    let mut cursor: &[u8] = b"$1\r\n0\r\n";
    let mut arrays = Vec::new();
    for (shard, part) in parts.iter().enumerate() {
        let (_, step) = line(part);
        let (next, keys) = step.split_at(string_len(step));
        cursor = next;
        arrays.push(Part::plain(keys));
        let number = parse_i64(line(next).1.strip_suffix(b"\r\n").unwrap_or_default());
        if number != Some(cursor_of_shard(shard + 1) as i64) {
            break;
        }
    }
    reply::array(out, 2);
    out.append(Part::plain(cursor));
    join(&arrays, out);
}

/// An element for each of `owners`, each time the next one of that shard's array.
fn in_order(parts: &[Part<'_>], owners: &[u16], out: &mut Output) {
    let mut elements: Vec<Part<'_>> = parts.iter().map(|part| behind_head(*part)).collect();
    reply::array(out, owners.len());
    for owner in owners {
        let from = &mut elements[usize::from(*owner)];
        let (element, rest) = from.split_at(element_len(from));
        out.append(element);
        *from = rest;
    }
}

/// What follows the length of an array.
fn behind_head(part: Part<'_>) -> Part<'_> {
    part.split_at(part.bytes().len() - line(part.bytes()).1.len()).1
}

/// How many bytes the string or null at the front takes, without those that it shares.
fn element_len(part: &Part<'_>) -> usize {
    let head = part.bytes().len() - line(part.bytes()).1.len();
    if part.is_shared_at(head) { head + 2 } else { string_len(part.bytes()) }
}

/// Splits off a line and gives the number in it, zero if there is none.
fn line(bytes: &[u8]) -> (i64, &[u8]) {
    let end = bytes.iter().position(|byte| *byte == b'\r').unwrap_or(bytes.len());
    let number = parse_i64(bytes.get(1..end).unwrap_or_default()).unwrap_or(0);
    (number, bytes.get(end + 2..).unwrap_or_default())
}

/// How many bytes the string or null at the front takes.
fn string_len(bytes: &[u8]) -> usize {
    let (len, rest) = line(bytes);
    let head = bytes.len() - rest.len();
    match (bytes.first(), usize::try_from(len)) {
        (Some(b'$'), Ok(len)) => head + len + 2,
        _ => head,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(how: Merge, parts: &[&str], owners: &[u16]) -> String {
        let parts: Vec<Part<'_>> = parts.iter().map(|it| Part::plain(it.as_bytes())).collect();
        let mut out = Output::default();
        merge(how, &parts, owners, &mut out);
        String::from_utf8(out.bytes_mut().clone()).unwrap()
    }

    #[test]
    fn sums_and_statuses() {
        assert_eq!(merged(Merge::Sum, &[":3\r\n", "", ":0\r\n", ":12\r\n"], &[]), ":15\r\n");
        assert_eq!(merged(Merge::AllOk, &["+OK\r\n", "", "+OK\r\n"], &[]), "+OK\r\n");
    }

    #[test]
    fn the_first_error_is_the_reply() {
        for how in [Merge::Sum, Merge::AllOk, Merge::Join, Merge::InOrder] {
            assert_eq!(merged(how, &["", "-ERR a\r\n", "-ERR b\r\n"], &[1, 2]), "-ERR a\r\n");
        }
    }

    #[test]
    fn arrays_are_joined() {
        let parts = ["*1\r\n$1\r\na\r\n", "", "*0\r\n", "*2\r\n$2\r\n\r\n\r\n$1\r\nc\r\n"];
        let joined = "*3\r\n$1\r\na\r\n$2\r\n\r\n\r\n$1\r\nc\r\n";
        assert_eq!(merged(Merge::Join, &parts, &[]), joined);
    }

    #[test]
    fn keys_of_several_shards_come_back_in_the_order_they_were_asked_for() {
        let parts = ["*2\r\n$1\r\na\r\n$-1\r\n", "", "*3\r\n_\r\n$0\r\n\r\n$4\r\n$9\r\n\r\n"];
        let ordered = "*5\r\n_\r\n$1\r\na\r\n$0\r\n\r\n$-1\r\n$4\r\n$9\r\n\r\n";
        assert_eq!(merged(Merge::InOrder, &parts, &[2, 0, 2, 0, 2]), ordered);
    }

    #[test]
    fn long_values_that_are_shared_come_in_order_with_the_others() {
        let shared = |text: &[u8]| std::sync::Arc::new(text.to_vec());
        let (mut one, mut other) = (Output::default(), Output::default());
        reply::array(&mut one, 3);
        reply::shared(&mut one, &shared(b"long"));
        reply::bulk(&mut one, b"short");
        reply::shared(&mut one, &shared(b"longer"));
        reply::array(&mut other, 1);
        reply::shared(&mut other, &shared(b"other"));
        let parts = [one.part(0..one.len()), other.part(0..other.len())];
        let mut out = Output::default();
        merge(Merge::InOrder, &parts, &[0, 1, 0, 0], &mut out);
        let bytes = out.take_pieces().flat_map(|piece| piece.string[piece.range].to_vec());
        let expected = "*4\r\n$4\r\nlong\r\n$5\r\nother\r\n$5\r\nshort\r\n$6\r\nlonger\r\n";
        assert_eq!(String::from_utf8(bytes.collect()).unwrap(), expected);
    }

    #[test]
    fn a_walk_goes_on_in_the_first_shard_that_is_not_at_its_end() {
        let cursor = cursor_of_shard(1).to_string();
        let a = &format!("*2\r\n${}\r\n{cursor}\r\n*1\r\n$1\r\na\r\n", cursor.len());
        let b = "*2\r\n$2\r\n77\r\n*1\r\n$1\r\nb\r\n";
        let c = "*2\r\n$1\r\n0\r\n*2\r\n$1\r\nc\r\n$1\r\nd\r\n";
        let stopped = "*2\r\n$2\r\n77\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n";
        assert_eq!(merged(Merge::Walk, &[a, b, c], &[]), stopped);
        let ended = "*2\r\n$1\r\n0\r\n*3\r\n$1\r\na\r\n$1\r\nc\r\n$1\r\nd\r\n";
        assert_eq!(merged(Merge::Walk, &[a, c], &[]), ended);
    }

    #[test]
    fn figures_are_added_up() {
        let one = b"*6\r\n:1\r\n:2\r\n:3\r\n:4\r\n:5\r\n:9223372036854775807\r\n";
        let other = b"*6\r\n:10\r\n:20\r\n:30\r\n:40\r\n:50\r\n:60\r\n";
        let (keys, deadlines, left_ms, expired, hits) = (11, 22, 33, 44, 55);
        let misses = i64::MAX;
        let none = Figures::default();
        let sums = Figures { keys, deadlines, left_ms, expired, hits, misses, ..none };
        assert_eq!(figures(&[one, b"", other]), sums);
    }
}
