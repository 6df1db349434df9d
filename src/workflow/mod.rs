//! Amazon States Language. Pure: no clock of its own, no I/O.
