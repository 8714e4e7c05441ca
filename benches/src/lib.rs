//! The library of this package is empty: its programs and tests are beside it.
