//! Steps: small wishes that a play interprets against the market as it then
//! is, so that a list of steps stays meaningful when some are taken out.

/// How long to wait before the next block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// So many milliseconds, and one.
    Moment(u8),
    /// Until the first phase ends that will.
    Deadline,
    /// A little past that, at most as far as is not yet late.
    Past(u8),
    /// So late that the phase gets a fresh window.
    Late(u8),
    /// To the last moment in which the bounty that ends first can be backed, or just past it.
    Half(u8),
    /// As long as a bounty is kept after its end.
    Retention,
}

/// One wish. `who` is a person by number, `bounty` and `asset` count those that
/// there are, the rest (`mood`, `shape`) chooses among ways of doing it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Those whose turn it is in a bounty that is not over do what the phase asks of them.
    Proceed {
        /// Which of those that are not over.
        bounty: u8,
        /// How they do it.
        mood: u8,
        /// Chooses among what is left open.
        shape: u16,
    },
    /// The next block comes later.
    Wait(Wait),
    /// Posts a bounty.
    Post {
        /// Who.
        who: u8,
        /// Which kind.
        shape: u16,
        /// Terms, parents and split.
        terms: u16,
    },
    /// Backs a bounty.
    Back {
        /// Who.
        who: u8,
        /// Which.
        bounty: u8,
        /// How much.
        shape: u16,
    },
    /// Commits a submission.
    Commit {
        /// Who.
        who: u8,
        /// Where to.
        bounty: u8,
        /// Which kind.
        shape: u16,
    },
    /// The sponsor cancels.
    Cancel {
        /// Which.
        bounty: u8,
    },
    /// Somebody gives the test key away.
    Leak {
        /// Who.
        who: u8,
        /// Which.
        bounty: u8,
    },
    /// Joins the evaluators, or adds to a stake.
    Join {
        /// Who.
        who: u8,
        /// How much.
        shape: u8,
    },
    /// Leaves the evaluators.
    Leave {
        /// Who.
        who: u8,
    },
    /// Registers an asset.
    Register {
        /// Who.
        who: u8,
        /// Which kind.
        shape: u16,
        /// Terms and parents.
        terms: u16,
    },
    /// Buys a licence.
    Buy {
        /// Who.
        who: u8,
        /// Of what.
        asset: u8,
        /// Which grant, how.
        shape: u8,
    },
    /// Claims royalties.
    Claim {
        /// Which holder.
        who: u8,
        /// Of what.
        asset: u8,
    },
    /// Moves shares.
    MoveShares {
        /// Which holder.
        who: u8,
        /// To whom.
        to: u8,
        /// Of what.
        asset: u8,
        /// How many.
        shape: u8,
    },
    /// Declares the revenue of a month.
    Declare {
        /// Chooses the licence.
        license: u8,
        /// Who, if not the licensee.
        who: u8,
        /// Which month, how much, whether to wait until it is over.
        shape: u16,
    },
    /// Sends tokens.
    Send {
        /// Who.
        who: u8,
        /// To whom.
        to: u8,
        /// How much.
        shape: u8,
    },
    /// Votes on terms.
    Vote {
        /// Which holder.
        who: u8,
        /// Of what.
        asset: u8,
        /// For which terms.
        shape: u16,
    },
    /// Something that ought to be refused, or is at least odd.
    Odd {
        /// Who.
        who: u8,
        /// What.
        what: u8,
        /// Where to.
        at: u8,
        /// In which way.
        shape: u16,
    },
}

impl Step {
    /// A step from six bytes. Zeros are the plainest step; most steps are
    /// sensible next ones, so that deep states are reached.
    pub fn from_bytes(bytes: [u8; 6]) -> Self {
        let [kind, who, at, a, b, c] = bytes;
        let shape = u16::from_le_bytes([a, b]);
        match kind {
            0..=119 => Self::Proceed {
                bounty: at,
                mood: who,
                shape,
            },
            120..=129 => Self::Wait(match a % 8 {
                0 | 1 => Wait::Moment(b),
                2 | 3 => Wait::Deadline,
                4 => Wait::Past(b),
                5 => Wait::Late(b),
                6 => Wait::Half(b),
                _ if b < 100 => Wait::Retention,
                _ => Wait::Moment(b),
            }),
            130..=145 => Self::Post {
                who,
                shape,
                terms: u16::from_le_bytes([at, c]),
            },
            146..=155 => Self::Back {
                who,
                bounty: at,
                shape,
            },
            156..=165 => Self::Commit {
                who,
                bounty: at,
                shape,
            },
            166 => Self::Cancel { bounty: at },
            167 => Self::Leak { who, bounty: at },
            168..=177 => Self::Join { who, shape: a },
            178..=180 => Self::Leave { who },
            181..=192 => Self::Register {
                who,
                shape,
                terms: u16::from_le_bytes([at, c]),
            },
            193..=195 => Self::Declare {
                license: at,
                who,
                shape,
            },
            229..=231 => Self::Declare {
                license: at,
                who,
                shape,
            },
            196..=207 => Self::Buy {
                who,
                asset: at,
                shape: a,
            },
            208..=217 => Self::Claim { who, asset: at },
            218..=225 => Self::MoveShares {
                who,
                to: c,
                asset: at,
                shape: a,
            },
            226..=228 => Self::Send {
                who,
                to: at,
                shape: a,
            },
            244.. => Self::Vote {
                who,
                asset: at,
                shape,
            },
            _ => Self::Odd {
                who,
                what: c,
                at,
                shape,
            },
        }
    }

    /// So many steps from a seed.
    pub fn list(seed: u64, count: usize) -> Vec<Self> {
        let mut numbers = Numbers(seed);
        (0..count)
            .map(|_| {
                let bytes = numbers.next_number().to_le_bytes();
                let mut six = [0; 6];
                six.copy_from_slice(&bytes[..6]);
                Self::from_bytes(six)
            })
            .collect()
    }
}

/// A counter-based sequence of numbers (SplitMix64, Steele, Lea and Flood 2014).
#[derive(Clone, Debug)]
pub struct Numbers(pub u64);

impl Numbers {
    /// The next one.
    pub fn next_number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}
