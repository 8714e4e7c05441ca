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
use crate::resp::reply;

/// Merges the replies `parts`, one for each shard and empty for those that were not asked.
/// `owners` names the shard of each key where their order matters.
pub fn merge(how: Merge, parts: &[&[u8]], owners: &[u16], out: &mut Vec<u8>) {
    if let Some(error) = parts.iter().find(|part| part.first() == Some(&b'-')) {
        out.extend_from_slice(error);
        return;
    }
    match how {
        Merge::Sum => reply::integer(out, parts.iter().map(|part| integer(part)).sum()),
        Merge::AllOk => reply::ok(out),
        Merge::Join => join(parts, out),
        Merge::InOrder => in_order(parts, owners, out),
        Merge::Walk => walk(parts, out),
        Merge::Info => {}
    }
}

/// The figures of all shards, added up.
pub fn figures(parts: &[&[u8]]) -> Figures {
    let mut sum = Figures::default();
    for part in parts.iter().filter(|part| !part.is_empty()) {
        let (_, elements) = line(part);
        let (keys, elements) = line(elements);
        let (deadlines, elements) = line(elements);
        let (expired, _) = line(elements);
        sum.keys += keys;
        sum.deadlines += deadlines;
        sum.expired += expired;
    }
    sum
}

fn integer(part: &[u8]) -> i64 {
    if part.is_empty() { 0 } else { line(part).0 }
}

/// Arrays one after the other, as one array.
fn join(parts: &[&[u8]], out: &mut Vec<u8>) {
    let arrays = || parts.iter().filter(|part| !part.is_empty()).map(|part| line(part));
    reply::array(out, arrays().map(|(len, _)| len as usize).sum());
    arrays().for_each(|(_, elements)| out.extend_from_slice(elements));
}

/// The first steps of a walk on every shard: their keys, up to the first that has more to show.
fn walk(parts: &[&[u8]], out: &mut Vec<u8>) {
    let mut cursor: &[u8] = b"$1\r\n0\r\n";
    let mut arrays = Vec::new();
    for (shard, part) in parts.iter().enumerate() {
        let (_, step) = line(part);
        let (next, keys) = step.split_at(string_len(step));
        cursor = next;
        arrays.push(keys);
        let number = parse_i64(line(next).1.strip_suffix(b"\r\n").unwrap_or_default());
        if number != Some(cursor_of_shard(shard + 1) as i64) {
            break;
        }
    }
    reply::array(out, 2);
    out.extend_from_slice(cursor);
    join(&arrays, out);
}

/// An element for each of `owners`, each time the next one of that shard's array.
fn in_order(parts: &[&[u8]], owners: &[u16], out: &mut Vec<u8>) {
    let heads = parts.iter().map(|part| if part.is_empty() { *part } else { line(part).1 });
    let mut elements: Vec<&[u8]> = heads.collect();
    reply::array(out, owners.len());
    for owner in owners {
        let from = &mut elements[usize::from(*owner)];
        let (element, rest) = from.split_at(string_len(from));
        out.extend_from_slice(element);
        *from = rest;
    }
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
        let parts: Vec<&[u8]> = parts.iter().map(|part| part.as_bytes()).collect();
        let mut out = Vec::new();
        merge(how, &parts, owners, &mut out);
        String::from_utf8(out).unwrap()
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
        let parts: [&[u8]; 3] = [b"*3\r\n:1\r\n:2\r\n:3\r\n", b"", b"*3\r\n:10\r\n:20\r\n:30\r\n"];
        assert_eq!(figures(&parts), Figures { keys: 11, deadlines: 22, expired: 33 });
    }
}
