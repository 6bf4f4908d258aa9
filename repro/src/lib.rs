//! The reproducible burn backend: every operation defined to the bit.
