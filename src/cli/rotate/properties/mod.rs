//! Random rotations: nobody who sends what the file let them send is ever refused.

mod plan;
mod text;

/// In seconds.
const HOUR: u64 = 3600;
