//! Chance that can be had again: the seed is printed when a test fails.

/// SplitMix64.
pub(crate) struct Random {
    seed: u64,
    state: u64,
}

impl Random {
    pub(crate) fn new(seed: u64) -> Random {
        Random { seed, state: seed }
    }

    /// The seed of `ORGSEAL_SEED`, or another one each time.
    pub(crate) fn of_the_environment() -> Random {
        let given = std::env::var("ORGSEAL_SEED").ok().and_then(|text| text.parse().ok());
        let clock =
            || std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(1, |now| now.as_nanos());
        Random::new(given.unwrap_or_else(|| clock() as u64))
    }

    pub(crate) fn seed(&self) -> u64 {
        self.seed
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}
