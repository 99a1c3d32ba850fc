//! The one comparison of secret-dependent bytes.
//!
//! Everything that is compared with something secret is compared here, so that the choice of crate
//! stands in one place and the timing tests cover all of it.

/// Whether `a` and `b` are equal, in a time that depends on their lengths only.
#[inline]
pub(crate) fn eq(a: &[u8], b: &[u8]) -> bool {
    constant_time_eq::constant_time_eq(a, b)
}

/// [`eq`] for a MAC, whose length is part of its type.
#[inline]
pub(crate) fn eq_32(a: &[u8; 32], b: &[u8; 32]) -> bool {
    constant_time_eq::constant_time_eq_32(a, b)
}
