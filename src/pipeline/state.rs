//! State beside the data: watermarks, leases and units of work as small objects under `_state/`.
