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
    assert_eq!(seen.missing(), Vec::<String>::new(), "\n{seen}");
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
