//! `"0-3,7"`: a set of CPUs as people and the kernel write it.
//!
//! The grammar is that of `taskset -c` and of the files under `/sys/devices/system/cpu`, without
//! strides: numbers and ranges, separated by commas. Blanks are allowed around the whole only.
#![forbid(unsafe_code)]

use std::error::Error;
use std::fmt;
use std::str::FromStr;

/// One more than the highest CPU id that is believed.
///
/// Eight times what the kernel can be built for (8192), so that a slip such as `0-99999999999`
/// is an error and does not eat the memory.
///
/// ```
/// use miniss_linux::topology::{CPUS_MAX, CpuList};
///
/// assert!(format!("0-{}", CPUS_MAX - 1).parse::<CpuList>().is_ok());
/// assert!(CPUS_MAX.to_string().parse::<CpuList>().is_err());
/// ```
pub const CPUS_MAX: usize = 65_536;

/// A set of CPU ids, ascending and without repetition.
///
/// ```
/// use miniss_linux::topology::CpuList;
///
/// let list: CpuList = "7,0-2,1".parse()?;
/// assert_eq!(list.as_slice(), [0, 1, 2, 7]);
/// assert_eq!(list.to_string(), "0-2,7");
/// # Ok::<(), miniss_linux::topology::CpuListError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CpuList(Vec<usize>);

impl CpuList {
    /// The ids, ascending.
    ///
    /// ```
    /// use miniss_linux::topology::CpuList;
    ///
    /// assert_eq!("4-5".parse::<CpuList>()?.as_slice(), [4, 5]);
    /// # Ok::<(), miniss_linux::topology::CpuListError>(())
    /// ```
    pub fn as_slice(&self) -> &[usize] {
        &self.0
    }

    /// The ids, ascending, as a `Vec`.
    ///
    /// ```
    /// use miniss_linux::topology::CpuList;
    ///
    /// assert_eq!("4-5".parse::<CpuList>()?.into_vec(), [4, 5]);
    /// # Ok::<(), miniss_linux::topology::CpuListError>(())
    /// ```
    pub fn into_vec(self) -> Vec<usize> {
        self.0
    }
}

/// Sorts, and drops repetitions.
impl FromIterator<usize> for CpuList {
    fn from_iter<I: IntoIterator<Item = usize>>(ids: I) -> Self {
        let mut ids: Vec<usize> = ids.into_iter().collect();
        ids.sort_unstable();
        ids.dedup();
        Self(ids)
    }
}

impl FromStr for CpuList {
    type Err = CpuListError;

    /// Reads a list.
    ///
    /// # Errors
    ///
    /// Says what is wrong and at which byte. An empty list is an error too: nothing can run on it.
    fn from_str(text: &str) -> Result<Self, CpuListError> {
        let list = text.trim_end();
        let at = list.len() - list.trim_start().len();
        Parser { text: list, at }.list()
    }
}

/// Runs of neighbours as ranges: what [`FromStr`] reads back to the same list.
impl fmt::Display for CpuList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut comma = "";
        for run in self.0.chunk_by(|a, b| a + 1 == *b) {
            match run {
                [single] => write!(f, "{comma}{single}")?,
                [first, .., last] => write!(f, "{comma}{first}-{last}")?,
                [] => {}
            }
            comma = ",";
        }
        Ok(())
    }
}

/// Why a text is not a [`CpuList`], and where.
///
/// ```
/// use miniss_linux::topology::{CpuList, CpuListErrorKind};
///
/// let error = "0-3,x".parse::<CpuList>().unwrap_err();
/// assert_eq!((error.at(), error.kind()), (4, CpuListErrorKind::ExpectedNumber));
/// assert_eq!(error.to_string(), "CPU list: expected a CPU number at byte 4");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CpuListError {
    kind: CpuListErrorKind,
    at: usize,
}

impl CpuListError {
    /// What is wrong.
    ///
    /// ```
    /// use miniss_linux::topology::{CpuList, CpuListErrorKind};
    ///
    /// let error = "3-1".parse::<CpuList>().unwrap_err();
    /// assert_eq!(error.kind(), CpuListErrorKind::Descending);
    /// ```
    pub fn kind(&self) -> CpuListErrorKind {
        self.kind
    }

    /// Where, in bytes from the beginning of the text, from 0.
    ///
    /// ```
    /// use miniss_linux::topology::CpuList;
    ///
    /// assert_eq!("1,3-1".parse::<CpuList>().unwrap_err().at(), 4);
    /// ```
    pub fn at(&self) -> usize {
        self.at
    }
}

impl fmt::Display for CpuListError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.kind {
            CpuListErrorKind::ExpectedNumber => "expected a CPU number",
            CpuListErrorKind::ExpectedSeparator => "expected ',' or the end",
            CpuListErrorKind::TooLarge => "no machine has a CPU of this number",
            CpuListErrorKind::Descending => "the range ends before it begins",
        };
        write!(f, "CPU list: {what} at byte {}", self.at)
    }
}

impl Error for CpuListError {}

/// What can be wrong with a [`CpuList`].
///
/// ```
/// use miniss_linux::topology::{CpuList, CpuListErrorKind};
///
/// let error = "1;2".parse::<CpuList>().unwrap_err();
/// assert_eq!(error.kind(), CpuListErrorKind::ExpectedSeparator);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CpuListErrorKind {
    /// There is something else, or nothing, where a number should be.
    ExpectedNumber,
    /// There is something else than a comma, a range's dash or the end after a number.
    ExpectedSeparator,
    /// The number is [`CPUS_MAX`] or more.
    TooLarge,
    /// A range such as `3-1`; the position is that of its end.
    Descending,
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl Parser<'_> {
    fn list(mut self) -> Result<CpuList, CpuListError> {
        let mut present = Vec::new();
        self.item(&mut present)?;
        while self.accept(b',') {
            self.item(&mut present)?;
        }
        if self.at < self.text.len() {
            return Err(self.error_at(self.at, CpuListErrorKind::ExpectedSeparator));
        }
        Ok((0..present.len()).filter(|&id| present[id]).collect())
    }

    /// Marks a number or a range in `present`. A table and not a list of ids, since a text can
    /// repeat a large range any number of times.
    fn item(&mut self, present: &mut Vec<bool>) -> Result<(), CpuListError> {
        let first = self.number()?;
        let at = self.at + 1;
        let last = if self.accept(b'-') { self.number()? } else { first };
        if last < first {
            return Err(self.error_at(at, CpuListErrorKind::Descending));
        }
        present.resize(present.len().max(last + 1), false);
        present[first..=last].fill(true);
        Ok(())
    }

    fn number(&mut self) -> Result<usize, CpuListError> {
        let rest = &self.text.as_bytes()[self.at..];
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if digits == 0 {
            return Err(self.error_at(self.at, CpuListErrorKind::ExpectedNumber));
        }
        let number = self.text[self.at..self.at + digits].parse::<usize>();
        // With digits only, the one way to fail is to be too large for a usize.
        let Some(number) = number.ok().filter(|&number| number < CPUS_MAX) else {
            return Err(self.error_at(self.at, CpuListErrorKind::TooLarge));
        };
        self.at += digits;
        Ok(number)
    }

    fn accept(&mut self, byte: u8) -> bool {
        let found = self.text.as_bytes().get(self.at) == Some(&byte);
        self.at += usize::from(found);
        found
    }

    fn error_at(&self, at: usize, kind: CpuListErrorKind) -> CpuListError {
        CpuListError { kind, at }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::CpuListErrorKind::*;
    use super::*;

    fn parse(text: &str) -> Result<Vec<usize>, (CpuListErrorKind, usize)> {
        text.parse().map(CpuList::into_vec).map_err(|error: CpuListError| (error.kind, error.at))
    }

    #[test]
    fn lists_are_sets() {
        assert_eq!(parse("0"), Ok(vec![0]));
        assert_eq!(parse("0-3,7"), Ok(vec![0, 1, 2, 3, 7]));
        assert_eq!(parse("7,3-4,0,4-5"), Ok(vec![0, 3, 4, 5, 7]));
        assert_eq!(parse("2-2,2,002"), Ok(vec![2]));
        assert_eq!(parse(" 1-2\n"), Ok(vec![1, 2]));
        assert_eq!(parse("0-65535").unwrap().len(), CPUS_MAX);
    }

    #[test]
    fn errors_name_the_byte() {
        for (text, kind, at) in [
            ("", ExpectedNumber, 0),
            ("  ", ExpectedNumber, 0),
            (",", ExpectedNumber, 0),
            ("1,", ExpectedNumber, 2),
            ("1,,2", ExpectedNumber, 2),
            ("1-", ExpectedNumber, 2),
            ("-1", ExpectedNumber, 0),
            ("+1", ExpectedNumber, 0),
            ("all", ExpectedNumber, 0),
            ("1, 2", ExpectedNumber, 2),
            ("1-2-3", ExpectedSeparator, 3),
            ("0-8:2", ExpectedSeparator, 3),
            ("1 2", ExpectedSeparator, 1),
            ("  1 2", ExpectedSeparator, 3),
            ("1é", ExpectedSeparator, 1),
            ("é", ExpectedNumber, 0),
            ("65536", TooLarge, 0),
            ("0-99999999999999999999999", TooLarge, 2),
            ("5-3", Descending, 2),
            ("0,5-3", Descending, 4),
        ] {
            assert_eq!(parse(text), Err((kind, at)), "{text:?}");
        }
    }

    #[test]
    fn every_set_of_six_cpus_survives_the_round_trip() {
        for mask in 1..64 {
            let list: CpuList = (0..6).filter(|id| mask & 1 << id != 0).collect();
            assert_eq!(list.to_string().parse(), Ok(list));
        }
    }
}
