//! The terminal console: event -> update(state) -> effects; view(state).
