//! Where it runs: a profile becomes a bundle of ports.
