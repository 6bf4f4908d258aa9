//! What somebody whose record was refused is told, and what is looked at beforehand.

use market::Rejection;
use protocol::receipt::{Phase, VoidReason};
use protocol::record::Envelope;

use crate::world::*;

/// The course of a bounty, as the rules' table of phases has it.
const COURSE: [Phase; 8] = [
    Phase::Open,
    Phase::TestKey,
    Phase::TestCheck,
    Phase::Reveal,
    Phase::Score,
    Phase::ScoreReveal,
    Phase::Challenge,
    Phase::Settled,
];

#[test]
fn who_comes_before_a_phase_is_told_to_wait_and_who_comes_after_it_is_not() {
    let waits = |phase, needed| {
        let rejection = Rejection::WrongPhase { phase, needed };
        rejection.next_step().starts_with("wait")
    };
    for (here, &phase) in COURSE.iter().enumerate() {
        for (there, &needed) in COURSE.iter().enumerate() {
            assert_eq!(waits(phase, needed), here < there, "{phase:?} {needed:?}");
        }
        let void = Phase::Void(VoidReason::NoQuorum);
        assert!(!waits(void, phase), "a void bounty comes to no phase");
    }
}

/// Network, validity and byte fee can be known before it is known what the records
/// before it do to the account.
#[test]
fn an_envelope_is_checked_without_its_account() {
    let world = World::new();
    let now = world.now();
    let action = transfer("bob", 1);
    let checked = |who: &str, change: fn(&mut Envelope)| {
        let mut envelope = world.envelope(who);
        change(&mut envelope);
        let tx = World::sign(who, &envelope, &action);
        let fee = world.state.check_envelope(&tx, now);
        fee.map(|fee| (fee, u128::from(tx.size_bytes)))
            .map_err(|refused| refused.code())
    };
    // Neither a gap in the nonces nor an empty account is looked at.
    for (who, change) in [
        ("alice", (|_| ()) as fn(&mut Envelope)),
        ("alice", |e| e.nonce = 7),
        ("nobody", |_| ()),
    ] {
        let (fee, bytes) = checked(who, change).expect("good");
        assert_eq!(fee, units(bytes), "one unit a byte");
    }
    let other: fn(&mut Envelope) = |e| e.network.0[0] ^= 1;
    assert_eq!(checked("alice", other), Err("other_network"));
    let late: fn(&mut Envelope) = |e| e.valid_until_ms = GENESIS_MS - 1;
    assert_eq!(checked("alice", late), Err("expired"));
    let long: fn(&mut Envelope) = |e| e.valid_until_ms = u64::MAX;
    assert_eq!(checked("alice", long), Err("valid_too_long"));
}
