//! Random play on the market and the model, and what it must reach.

mod against;

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

#[test]
fn play_reaches_every_phase_end_standing_and_rule() {
    let mut seen = Coverage::default();
    for seed in 0..300 {
        let played = play(Setup::from_seed(seed), &Step::list(seed, 250));
        seen.add(&played.expect("no difference"));
    }
    for seed in 0..4 {
        seen.add(&flooded(seed));
    }
    assert_eq!(seen.missing(), Vec::<String>::new(), "\n{seen}");
    let unlisted = seen.0.keys().filter(|name| !is_listed(name));
    assert_eq!(unlisted.collect::<Vec<_>>(), Vec::<&String>::new());
}

/// Whether `docs/rules.md` lists the fault, if it is one, for its record.
fn is_listed(name: &str) -> bool {
    let Some((record, code)) = name
        .strip_prefix("refused: ")
        .and_then(|name| name.split_once(": "))
    else {
        return true;
    };
    let page = include_str!("../../docs/rules.md");
    let (_, section) = page
        .split_once("## Which fault a receipt names")
        .expect("the section");
    let (section, _) = section.split_once("\n## ").expect("one behind it");
    let (head, rows) = section.split_once("\n|").expect("the table");
    let (_, last) = section.rsplit_once("|\n").expect("the table");
    let row = rows
        .lines()
        .find(|line| line.starts_with(&format!("| `{record}` |")));
    let row = row.expect("every record has a row");
    // Of what stands for several faults the head tells which.
    let words = ["*phase*", "*terms*", "*parents*"];
    let stands_for_several = words.iter().any(|word| row.contains(word));
    let quoted = format!("`{code}`");
    let in_head = || {
        let parts = ["training_", "derivation_"];
        let part = parts.iter().find_map(|part| code.strip_prefix(part));
        let part = part.map(|part| format!("`{part}`"));
        let is_of_tags = code == "no_license" && head.contains("the fault of the tags");
        head.contains(&quoted) || part.is_some_and(|part| head.contains(&part)) || is_of_tags
    };
    row.contains(&quoted) || last.contains(&quoted) || stands_for_several && in_head()
}

/// A bounty with more submissions than a batch has room for in one part, and a block's budget for all.
fn flooded(seed: u64) -> Coverage {
    let flood = 500 + u16::try_from(seed % 64).expect("small");
    let setup = Setup {
        flood,
        evaluators: 7,
        crowd: 0,
        ..Setup::from_seed(seed)
    };
    play(setup, &Step::list(seed, 100))
        .unwrap_or_else(|difference| panic!("seed {seed}: {difference}"))
}

#[test]
fn a_flood_ends_over_many_blocks_as_it_would_at_once() {
    let mut seen = Coverage::default();
    for seed in 100..104 {
        seen.add(&flooded(seed));
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
