//! Identifiers of 24 hexadecimal digits, as MongoDB makes them.
//!
//! The first eight digits are the time of creation, as in a real one. The rest is a bijection of
//! the row's number, so that a request for one identifier finds its row without an index.

use std::fmt;

use super::super::random::{Draws, Purpose, mix, unmix};

/// A 24-digit identifier. Ordered and hashed by value; [`fmt::Display`] writes the lower-case digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectId {
    seconds: u32,
    rest: u64,
}

/// What an identifier belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u64)]
pub(crate) enum Entity {
    Click = 0,
    FirstConversion = 1,
    SecondConversion = 2,
    Offer = 3,
    Advertiser = 4,
    Manager = 5,
    Category = 6,
}

impl Entity {
    const fn from_tag(tag: u64) -> Option<Self> {
        Some(match tag {
            0 => Self::Click,
            1 => Self::FirstConversion,
            2 => Self::SecondConversion,
            3 => Self::Offer,
            4 => Self::Advertiser,
            5 => Self::Manager,
            6 => Self::Category,
            _ => return None,
        })
    }
}

impl ObjectId {
    pub(crate) const fn new(seed: u64, entity: Entity, number: u64, created: i64) -> Self {
        Self {
            seconds: created as u32,
            rest: mix(Self::key(seed) ^ (number << 3 | entity as u64)),
        }
    }

    /// What the identifier belongs to and that thing's number; `None` if this seed made no such one.
    pub(crate) fn decode(self, seed: u64) -> Option<(Entity, u64)> {
        let plain = unmix(self.rest) ^ Self::key(seed);
        Entity::from_tag(plain & 7).map(|entity| (entity, plain >> 3))
    }

    /// Reads 24 hexadecimal digits.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if text.len() != 24 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let seconds = u32::from_str_radix(&text[..8], 16).ok()?;
        let rest = u64::from_str_radix(&text[8..], 16).ok()?;
        Some(Self { seconds, rest })
    }

    const fn key(seed: u64) -> u64 {
        Draws::new(seed, Purpose::Identifier, 0).bits()
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:08x}{:016x}", self.seconds, self.rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_finds_its_row_again() {
        for number in [0, 1, 77, 1_000_000, u64::from(u32::MAX)] {
            let id = ObjectId::new(42, Entity::SecondConversion, number, 1_767_668_909);
            let text = id.to_string();
            assert_eq!(text.len(), 24);
            assert_eq!(&text[..8], "695c7cad");
            assert_eq!(ObjectId::parse(&text), Some(id));
            assert_eq!(id.decode(42), Some((Entity::SecondConversion, number)));
        }
        assert_eq!(ObjectId::parse("66f1"), None);
        assert_eq!(ObjectId::parse("zzf1a0c29b1e4d00178b4567"), None);
    }
}
