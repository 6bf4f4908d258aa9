//! Random play on the market and the model, and what it must reach.

mod against;

use std::collections::BTreeSet;

use against::{play, shrink, story};
use opinion::{Coverage, Setup, Step};
use proptest::prelude::*;

fn steps() -> impl Strategy<Value = Vec<Step>> {
    proptest::collection::vec(any::<[u8; 6]>().prop_map(Step::from_bytes), 1..250)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn market_and_model_say_the_same(number: u16, steps in steps()) {
        let setup = Setup::from_number(number);
        if let Err(difference) = play(setup, &steps) {
            let told = story(setup, &steps).join("\n");
            return Err(TestCaseError::fail(format!("{difference}\n{told}")));
        }
    }
}

/// What 300 plays have seen, and some floods.
fn seen() -> Coverage {
    let mut seen = Coverage::default();
    for seed in 0..300 {
        let played = play(Setup::from_seed(seed), &Step::list(seed, 250));
        seen.add(&played.unwrap_or_else(|difference| panic!("seed {seed}: {difference}")));
    }
    for seed in 0..4 {
        seen.add(&flooded(seed));
    }
    seen
}

/// What a word of the page's table stands for. Play has no other fault of the tags than that they are none.
const WORDS: [(&str, &[&str]); 3] = [
    ("*phase*", &["unknown_bounty", "wrong_phase", "phase_over"]),
    (
        "*terms*",
        &["no_license", "payment_mode", "terms_not_canonical"],
    ),
    (
        "*parents*",
        &[
            "parents",
            "unknown_asset",
            "training_not_granted",
            "training_fee_not_yet",
            "training_monthly_fee_not_yet",
            "derivation_not_granted",
            "derivation_fee_not_yet",
            "derivation_monthly_fee_not_yet",
            "terms_not_passed_on",
            "too_many_ancestors",
            "royalties_above_all",
        ],
    ),
];

/// Faults that so few plays do not meet: seldom ones, and sums that no account can pay. Most have a test in `market`.
const RARE: &[&str] = &[
    "left out: overflow",
    "refused: attest-test-set: not_asked",
    "refused: attest-test-set: phase_over",
    "refused: back-bounty: full",
    "refused: back-bounty: overflow",
    "refused: buy-license: overflow",
    "refused: commit-attestations: phase_over",
    "refused: commit-submission: full",
    "refused: commit-submission: too_many_ancestors",
    "refused: join-evaluators: overflow",
    "refused: leave-evaluators: seats_at_work",
    "refused: post-bounty: too_many_ancestors",
    "refused: register-asset: too_many_ancestors",
];

/// The faults of each record as `docs/rules.md` lists them.
fn listed() -> BTreeSet<String> {
    let page = include_str!("../../docs/rules.md");
    let (_, section) = page
        .split_once("## Which fault a receipt names")
        .expect("the section");
    let (section, _) = section.split_once("\n## ").expect("one behind it");
    let mut all = BTreeSet::new();
    for row in section.lines().filter(|line| line.starts_with("| `")) {
        let mut cells = row.trim_matches('|').split('|');
        let record = cells.next().expect("a record").trim().trim_matches('`');
        let faults = cells.next().expect("its faults");
        let quoted = faults.split('`').skip(1).step_by(2);
        let words = WORDS.into_iter().filter(|(word, _)| faults.contains(word));
        let codes = quoted.chain(words.flat_map(|(_, codes)| codes.iter().copied()));
        all.extend(codes.map(|code| format!("refused: {record}: {code}")));
    }
    let (_, last) = section.rsplit_once("|\n").expect("a table");
    let codes = last.split('`').skip(1).step_by(2);
    all.extend(codes.map(|code| format!("left out: {code}")));
    all
}

#[test]
fn play_reaches_all_that_can_happen_and_the_faults_that_the_page_lists_and_no_other() {
    let (seen, listed) = (seen(), listed());
    assert_eq!(seen.missing(), Vec::<String>::new(), "\n{seen}");
    let is_fault = |name: &&String| name.starts_with("refused: ") || name.starts_with("left out: ");
    let met: BTreeSet<String> = seen.0.keys().filter(is_fault).cloned().collect();
    let unlisted: Vec<&String> = met.difference(&listed).collect();
    assert_eq!(unlisted, Vec::<&String>::new());
    let unmet: Vec<&str> = listed.difference(&met).map(String::as_str).collect();
    assert_eq!(unmet, RARE);
}

/// A bounty with more submissions than a batch has room for in one part, and a block's budget for all.
fn flooded(seed: u64) -> Coverage {
    let flood = [510, 1_400][usize::from(seed.is_multiple_of(4))];
    let setup = Setup {
        flood,
        evaluators: 7,
        crowd: 0,
        ..Setup::from_seed(seed)
    };
    play(setup, &Step::list(seed, 150))
        .unwrap_or_else(|difference| panic!("seed {seed}: {difference}"))
}

#[test]
fn a_flood_ends_over_many_blocks_as_it_would_at_once() {
    let mut seen = Coverage::default();
    for seed in (100..110).chain([124, 128, 136]) {
        let flooded = flooded(seed);
        let ended = flooded
            .0
            .keys()
            .any(|name| name.starts_with("phase: Settled") || name.starts_with("phase: Void"));
        assert!(ended, "seed {seed} comes to an end\n{flooded}");
        seen.add(&flooded);
    }
    for name in ["clock: over several blocks", "batch: of several parts"] {
        assert!(seen.count(name) > 0, "{name}\n{seen}");
    }
}

#[test]
fn a_history_shrinks_to_what_matters() {
    let steps = Step::list(1, 60);
    let is_cancel = |step: &Step| matches!(step, Step::Cancel { .. } | Step::Leave { .. });
    let wanted = steps.iter().filter(|step| is_cancel(step)).count();
    assert!(wanted > 0, "the list has one to be found");
    let fails = |steps: &[Step]| steps.iter().any(is_cancel);
    let small = shrink(&steps, fails);
    assert_eq!(small.len(), 1);
}
