//! The source APIs on loopback: same paths, envelopes, limits and faults as the real ones.
