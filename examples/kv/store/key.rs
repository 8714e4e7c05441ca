//! The bytes of a key, in its entry if they are few.
//!
//! `socket ─▶ parser ─▶ route ─▶ batch ─▶ [store] ─▶ reply ─▶ socket`
//!
//! A look-up ends by comparing bytes. In a table that exceeds the caches each place it has to look
//! at is a miss; a short key costs none of its own, nor an allocation when it is added.
#![forbid(unsafe_code)]

use core::ops::Deref;

/// Bytes of a key that is kept in place: what leaves the whole at 24 bytes.
const SHORT_BYTES_MAX: usize = 22;

/// A key's bytes.
#[derive(Debug)]
pub enum Key {
    /// The first so many bytes of the row.
    Short(u8, [u8; SHORT_BYTES_MAX]),
    /// More than fit in place.
    Long(Box<[u8]>),
}

const _: () = assert!(size_of::<Key>() == 24);

impl Key {
    /// A copy of `bytes`.
    pub fn new(bytes: &[u8]) -> Self {
        let mut row = [0; SHORT_BYTES_MAX];
        match row.get_mut(..bytes.len()) {
            Some(front) => {
                front.copy_from_slice(bytes);
                Self::Short(bytes.len() as u8, row)
            }
            None => Self::Long(bytes.into()),
        }
    }
}

impl Deref for Key {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Short(len, row) => &row[..usize::from(*len)],
            Self::Long(bytes) => bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_the_bytes_it_was_made_of() {
        for len in 0..2 * SHORT_BYTES_MAX {
            let bytes: Vec<u8> = (1..=len as u8).collect();
            let key = Key::new(&bytes);
            assert_eq!(*key, *bytes);
            assert_eq!(matches!(key, Key::Short(..)), len <= SHORT_BYTES_MAX);
        }
    }
}
