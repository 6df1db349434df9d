//! Numbers that look random and are a pure function of where they are drawn.
//!
//! Row 123,456 of a day must come out the same whether the rows before it were made or not, so
//! there is no generator whose state walks through the rows: every row starts its own short
//! sequence from (seed, purpose, row). The mixing function is SplitMix64's finaliser, a bijection
//! on 64 bits, whose inverse turns an identifier back into the row it belongs to.

/// What a sequence of draws is for. Two purposes never share numbers for the same row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u64)]
pub(crate) enum Purpose {
    /// Where and when a click lands in its day.
    ClickTime = 1,
    /// Offer, affiliate and country of a click: what filters look at.
    ClickKey = 2,
    /// The other attributes of a click.
    ClickText = 3,
    /// How a click is spelled on the wire.
    ClickDrift = 4,
    /// Whether and when a click converts.
    Conversion = 5,
    /// Life of a conversion: its status changes and amounts.
    ConversionLife = 6,
    /// How a conversion is spelled on the wire.
    ConversionDrift = 7,
    /// An offer.
    Offer = 8,
    /// An affiliate.
    Affiliate = 9,
    /// An advertiser.
    Advertiser = 10,
    /// The number of clicks of a day.
    Day = 12,
    /// Whether a fault strikes a request.
    Fault = 13,
    /// Identifiers.
    Identifier = 14,
    /// Which conversion a late status change takes.
    LateStatus = 15,
    /// When a Marketo lead was created.
    MarketoLead = 31,
    /// The other attributes of a Marketo lead.
    MarketoLeadText = 32,
    /// Whose a Marketo activity is.
    MarketoActivity = 33,
    /// When a Marketo activity happened, and of what type it is.
    MarketoActivityTime = 34,
    /// The other attributes of a Marketo activity.
    MarketoActivityText = 35,
    /// How many groups of sessions a day of a website has.
    GoogleDay = 41,
    /// A group of sessions.
    GoogleCell = 42,
}

const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// SplitMix64's finaliser: a bijection that spreads every input bit over the output.
pub(crate) const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// The inverse of [`mix`].
pub(crate) const fn unmix(mut z: u64) -> u64 {
    z = z ^ (z >> 31) ^ (z >> 62);
    z = z.wrapping_mul(0x3196_42B2_D24D_8EC3);
    z = z ^ (z >> 27) ^ (z >> 54);
    z = z.wrapping_mul(0x96DE_1B17_3F11_9089);
    z ^ (z >> 30) ^ (z >> 60)
}

/// A short sequence of draws that belongs to one row and one purpose.
#[derive(Debug, Clone)]
pub(crate) struct Draws(u64);

impl Draws {
    /// Starts the sequence of `row` for `purpose` under `seed`.
    pub(crate) const fn new(seed: u64, purpose: Purpose, row: u64) -> Self {
        let start = mix(seed.wrapping_add(GOLDEN.wrapping_mul(purpose as u64)));
        Self(mix(start ^ row.wrapping_mul(0xD6E8_FEB8_6659_FD93)))
    }

    /// The next 64 bits.
    pub(crate) const fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN);
        mix(self.0)
    }

    /// A number in `0..bound`; 0 if `bound` is 0.
    pub(crate) const fn below(&mut self, bound: u64) -> u64 {
        ((self.bits() as u128 * bound as u128) >> 64) as u64
    }

    /// A number in `low..=high`.
    pub(crate) const fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high.saturating_sub(low) + 1)
    }

    /// True in `per_mille` of a thousand draws.
    pub(crate) const fn chance(&mut self, per_mille: u64) -> bool {
        self.below(1000) < per_mille
    }

    /// An index in `0..length` in which low ones are much more frequent, as popular offers and
    /// browsers are. 0 if `length` is 0.
    pub(crate) const fn popular(&mut self, length: usize) -> usize {
        // The product of two draws, in integers so that every machine agrees.
        let first = self.bits() >> 32;
        let second = self.bits() >> 32;
        let product = (first * second) >> 32;
        ((product * length as u64) >> 32) as usize
    }

    /// One of `items` by value, all equally likely; `items` must not be empty.
    pub(crate) fn one_of<T: Copy>(&mut self, items: &[T]) -> T {
        *self.pick(items)
    }

    /// One of `items`, all equally likely.
    ///
    /// `items` must not be empty; all callers pass compiled-in lists.
    pub(crate) fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        let index = self.below(items.len() as u64) as usize;
        &items[index]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unmix_undoes_mix() {
        for value in [0, 1, 2, 0xFFFF_FFFF, u64::MAX, GOLDEN, 1 << 63] {
            assert_eq!(unmix(mix(value)), value);
        }
        for step in 0..10_000_u64 {
            let value = step.wrapping_mul(0xA076_1D64_78BD_642F);
            assert_eq!(unmix(mix(value)), value);
        }
    }

    #[test]
    fn rows_and_purposes_draw_apart() {
        let first = Draws::new(7, Purpose::ClickKey, 0).bits();
        assert_eq!(first, Draws::new(7, Purpose::ClickKey, 0).bits());
        assert_ne!(first, Draws::new(7, Purpose::ClickKey, 1).bits());
        assert_ne!(first, Draws::new(7, Purpose::ClickText, 0).bits());
        assert_ne!(first, Draws::new(8, Purpose::ClickKey, 0).bits());
    }

    #[test]
    fn draws_stay_in_their_bounds_and_reach_them() {
        let mut draws = Draws::new(1, Purpose::Day, 1);
        let mut seen = [0_u32; 6];
        for _ in 0..6_000 {
            seen[draws.below(6) as usize] += 1;
            assert!((10..=12).contains(&draws.between(10, 12)));
            assert!(draws.popular(5) < 5);
        }
        assert!(
            seen.iter().all(|&count| (800..1_200).contains(&count)),
            "{seen:?}"
        );
        assert_eq!(draws.below(0), 0);
        assert_eq!(draws.popular(0), 0);
    }

    #[test]
    fn popular_prefers_the_first() {
        let mut draws = Draws::new(1, Purpose::Day, 2);
        let low = (0..10_000).filter(|_| draws.popular(100) < 25).count();
        // The product of two uniform draws is under 1/4 in 1/4 (1 + ln 4), about 60 %.
        assert!((5_500..6_500).contains(&low), "{low}");
    }
}
