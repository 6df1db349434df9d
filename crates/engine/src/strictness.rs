//! How closely Athena's refusals are followed.

use std::sync::Arc;

use datafusion::prelude::SessionConfig;

/// Whether statements are taken that Athena refuses and the engine could answer: text compared with numbers and dates,
/// GROUP BY and HAVING by an alias, `::`, ILIKE, QUALIFY, LIMIT before OFFSET.
///
/// Strict is the default and the only way for statements that are kept; a person who explores may ask for less. A session
/// is told by [`Self::set`], the parser by [`crate::command::parse_as`], the rewriting by [`crate::rewrite::query_as`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Strictness {
    /// What Athena refuses is refused.
    #[default]
    Strict,
    /// What the engine understands is answered.
    Lenient,
}

impl Strictness {
    /// The same settings, for a session that is this strict: see [`crate::session_state`].
    #[must_use]
    pub fn set(self, config: SessionConfig) -> SessionConfig {
        config.with_extension(Arc::new(self))
    }

    /// How strict a session is.
    #[must_use]
    pub fn of(config: &SessionConfig) -> Self {
        config
            .get_extension::<Self>()
            .map_or_else(Self::default, |told| *told)
    }

    /// Whether what Athena refuses is taken.
    #[must_use]
    pub const fn is_lenient(self) -> bool {
        matches!(self, Self::Lenient)
    }
}
