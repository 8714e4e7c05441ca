//! How much memory a program takes, read from the section headers of its file.
//!
//! The layout is that of a 64-bit, little-endian ELF file: "ELF-64 Object File Format", version
//! 1.5.

use std::fs;
use std::path::Path;

/// Bytes in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Code and data that come from the file. What only debuggers read is not among them.
    pub loaded: u64,
    /// Memory that is zero at the start and takes no room in the file.
    pub zeroed: u64,
}

/// The size of the program in the file at `path`.
pub fn size(path: &Path) -> Size {
    let file = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    sum(&file).unwrap_or_else(|| panic!("{} is no whole ELF-64 file", path.display()))
}

fn sum(file: &[u8]) -> Option<Size> {
    const IN_MEMORY: u64 = 0x2;
    const ZEROED: u32 = 8;
    if !file.starts_with(b"\x7fELF\x02\x01") {
        return None;
    }
    let start = usize::try_from(word(file, 0x28)?).ok()?;
    let [bytes, count] = [half(file, 0x3a)?, half(file, 0x3c)?].map(usize::from);
    let mut size = Size { loaded: 0, zeroed: 0 };
    for index in 0..count {
        let section = file.get(start + index * bytes..)?;
        let (kind, flags, length) = (int(section, 4)?, word(section, 8)?, word(section, 0x20)?);
        match kind {
            _ if flags & IN_MEMORY == 0 => {}
            ZEROED => size.zeroed += length,
            _ => size.loaded += length,
        }
    }
    Some(size)
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..)?.first_chunk().copied()?))
}

fn int(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..)?.first_chunk().copied()?))
}

fn word(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..)?.first_chunk().copied()?))
}

#[test]
fn what_is_no_elf_file_or_cut_short_is_refused() {
    let own = fs::read(std::env::current_exe().expect("a test knows its own program"));
    let own = own.expect("which can be read");
    assert!(sum(&own).is_some_and(|size| size.loaded > 0 && size.loaded < own.len() as u64));
    assert_eq!(sum(&own[..own.len() / 2]).map(|size| size.loaded), None);
    assert_eq!(sum(b"#!/bin/sh\n"), None);
}
