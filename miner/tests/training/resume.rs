//! Checkpoints: a training that was stopped anywhere comes to the same bytes.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};

use miner::recipe::{OptimizerKind, Schedule};
use miner::{
    Checkpoints, Next, Outcome, Progress, Recipe, Targets, TrainError, Trained, train_targets,
};
use ndarray::Array2;
use tempfile::TempDir;

use crate::support::{CNN, recipe, table};

/// Every checkpoint is written, and removed at the end.
fn sound(outcome: Outcome) {
    assert!(matches!(outcome, Outcome::Written), "{outcome:?}");
}

/// Trains on the small rows, from a base if there is one, with checkpoints in `state`; `next` says what happens after
/// each step.
fn run(
    root: &Path,
    recipe: &Recipe,
    base: Option<&Path>,
    is_fresh: bool,
    next: &mut dyn FnMut(Progress) -> Next,
) -> Result<Trained, TrainError> {
    let table = table();
    let targets = Targets::Classes {
        labels: table.labels.classes().expect("labels are classes"),
        classes: 3,
    };
    let checkpoints = Checkpoints {
        dir: &root.join("state"),
        is_fresh,
        next,
        outcome: &mut sound,
    };
    let out = root.join("model");
    train_targets(
        recipe,
        table.inputs.view(),
        targets,
        base,
        &out,
        Some(checkpoints),
    )
}

fn weights(root: &Path) -> Vec<u8> {
    fs::read(root.join("model/model.safetensors")).expect("a finished training")
}

fn place() -> TempDir {
    TempDir::new().expect("a temporary folder")
}

/// Stops a training after so many steps.
fn stop_after(steps: u64) -> impl FnMut(Progress) -> Next {
    move |progress| {
        if progress.step == steps {
            Next::Stop
        } else {
            Next::Go
        }
    }
}

/// A base of a recipe's shapes, in a folder of its own; another seed gives other weights.
fn base(recipe: &Recipe, seed: u64) -> (TempDir, PathBuf) {
    let root = place();
    let mut recipe = recipe.clone();
    recipe.train.seed = seed;
    recipe.train.epochs = 1;
    run(root.path(), &recipe, None, false, &mut |_| Next::Go).expect("a base");
    let dir = root.path().join("model");
    (root, dir)
}

fn cnn() -> Recipe {
    Recipe::parse(CNN).expect("a sound recipe")
}

/// With SGD, whose only moment is its velocity.
fn descent(mut recipe: Recipe) -> Recipe {
    recipe.train.optimizer = OptimizerKind::Sgd;
    recipe.train.learning_rate = 0.05;
    recipe.train.schedule = Schedule::Cosine;
    recipe.train.clip_norm = 0.5;
    recipe
}

/// With rows held out to choose the best epoch; the rate is so high that it is not the last.
fn choosing(mut recipe: Recipe) -> Recipe {
    recipe.train.learning_rate = 0.2;
    recipe.train.schedule = Schedule::Constant;
    recipe.train.held_out = 0.2;
    recipe.train.patience = 2;
    recipe.train.epochs = 6;
    recipe
}

/// That a training comes to the same bytes wherever it was stopped: within an epoch, between two, and at its end.
fn check_stops(recipe: &Recipe, base: Option<&Path>) -> Trained {
    let whole = place();
    let expected = run(whole.path(), recipe, base, false, &mut |_| Next::Go).expect("it trains");
    assert_eq!(expected.base_digest.is_some(), base.is_some());
    for stop in [1, 3, 7, 10, expected.steps] {
        let root = place();
        let stopped = run(root.path(), recipe, base, false, &mut stop_after(stop));
        let error = stopped.expect_err("it was stopped");
        assert_eq!(error.code(), "train_stopped");
        assert!(!root.path().join("model").exists());
        let mut first = None;
        let resumed = run(root.path(), recipe, base, false, &mut |progress| {
            first.get_or_insert(progress.step);
            Next::Go
        });
        assert_eq!(
            resumed.expect("it goes on"),
            expected,
            "stopped after {stop}"
        );
        assert_eq!(first, (stop < expected.steps).then_some(stop + 1));
        assert_eq!(weights(root.path()), weights(whole.path()));
        assert!(
            !root.path().join("state").exists(),
            "a finished training keeps no state"
        );
    }
    expected
}

/// As [`check_stops`], where the weights that a state has of the best epoch are not those it goes on with.
fn check_choosing(recipe: &Recipe, base: Option<&Path>) {
    let trained = check_stops(recipe, base);
    let best = trained.best_epoch.expect("rows are held out");
    assert!(best < trained.epochs, "{best} is the last epoch");
}

#[test]
fn a_training_stopped_after_any_step_ends_with_the_same_bytes() {
    check_stops(&recipe(), None);
    let mut stopping = choosing(recipe());
    stopping.train.standardize = true;
    check_choosing(&stopping, None);
}

#[test]
fn so_does_a_descent_with_and_without_momentum_and_looking_ahead() {
    let mut descent = descent(recipe());
    check_stops(&descent, None);
    descent.train.nesterov = true;
    check_stops(&descent, None);
    (descent.train.nesterov, descent.train.momentum) = (false, 0.0);
    check_stops(&descent, None);
}

#[test]
fn so_does_a_rate_that_warms_up_or_falls_in_steps() {
    // Stopped within the warm-up, and after it.
    let mut warm = recipe();
    warm.train.warm_up = 9;
    check_stops(&warm, None);
    // Stopped before the first fall, at it, and after it.
    let mut falling = recipe();
    falling.train.schedule = Schedule::Step;
    (falling.train.step_epochs, falling.train.step_factor) = (1, 0.5);
    check_stops(&falling, None);
}

#[test]
fn so_does_a_cnn_with_either_optimizer() {
    check_stops(&cnn(), None);
    check_stops(&descent(cnn()), None);
}

#[test]
fn so_does_a_cnn_that_chooses_its_best_epoch() {
    check_choosing(&choosing(cnn()), None);
}

#[test]
fn so_does_a_fine_tuning() {
    let mut tuning = choosing(recipe());
    tuning.train.standardize = true;
    let (_root, dir) = base(&tuning, 1);
    check_choosing(&tuning, Some(&dir));
    let tuning = descent(cnn());
    let (_root, dir) = base(&tuning, 1);
    check_stops(&tuning, Some(&dir));
}

#[test]
fn a_fine_tuning_that_died_goes_on_from_its_last_checkpoint() {
    let (_base_root, dir) = base(&recipe(), 1);
    let whole = place();
    let expected = run(whole.path(), &recipe(), Some(&dir), false, &mut |_| {
        Next::Go
    });
    let expected = expected.unwrap();
    for (died, saved) in [(2, 0), (5, 3), (12, 9), (expected.steps, 18)] {
        let root = place();
        let mut next = |progress: Progress| {
            if progress.step == died {
                // Unwinds without a word; nothing is written any more.
                resume_unwind(Box::new("died"));
            }
            if progress.step.is_multiple_of(3) {
                Next::Save
            } else {
                Next::Go
            }
        };
        let dies = || run(root.path(), &recipe(), Some(&dir), false, &mut next);
        catch_unwind(AssertUnwindSafe(dies)).expect_err("it died");
        let mut first = None;
        let resumed = run(root.path(), &recipe(), Some(&dir), false, &mut |progress| {
            first.get_or_insert(progress.step);
            Next::Go
        });
        assert_eq!(resumed.unwrap(), expected, "died in step {died}");
        assert_eq!(first, Some(saved + 1), "died in step {died}");
        assert_eq!(weights(root.path()), weights(whole.path()));
    }
}

#[test]
fn saving_after_every_step_changes_nothing_and_keeps_one_state() {
    let (saved, whole) = (place(), place());
    let expected = run(whole.path(), &recipe(), None, false, &mut |_| Next::Go).unwrap();
    let state = saved.path().join("state");
    let found = run(saved.path(), &recipe(), None, false, &mut |progress| {
        if progress.step > 1 {
            let count = fs::read_dir(&state).unwrap().count();
            assert_eq!(count, 2, "step {}", progress.step);
        }
        Next::Save
    });
    assert_eq!(found.unwrap(), expected);
}

/// Stops a training after five steps, does something to its state, and goes on with a recipe.
fn check(change: impl FnOnce(&Path), recipe: &Recipe, code: &str, says: &str) {
    let root = place();
    let begun = crate::support::recipe();
    run(root.path(), &begun, None, false, &mut stop_after(5)).expect_err("it was stopped");
    change(&root.path().join("state"));
    let error =
        run(root.path(), recipe, None, false, &mut |_| Next::Go).expect_err("it must be refused");
    assert_eq!(error.code(), code, "{error}");
    assert!(error.to_string().contains(says), "{error}");
    // Begun anew it comes to what it always comes to.
    let fresh = run(root.path(), recipe, None, true, &mut |_| Next::Go).expect("it begins anew");
    let whole = place();
    let expected = run(whole.path(), recipe, None, false, &mut |_| Next::Go).expect("it trains");
    assert_eq!(fresh, expected);
}

#[test]
fn the_state_of_another_recipe_is_refused_and_says_what_to_do() {
    let mut other = recipe();
    other.train.learning_rate *= 0.5;
    check(|_| (), &other, "checkpoint_other", "its recipe differs");
    check(|_| (), &other, "checkpoint_other", "begin anew");
}

#[test]
fn the_state_of_other_rows_is_refused() {
    let root = place();
    run(root.path(), &recipe(), None, false, &mut |_| Next::Stop).unwrap_err();
    let mut table = table();
    table.inputs[[7, 3]] += 0.125;
    let targets = Targets::Classes {
        labels: table.labels.classes().expect("labels are classes"),
        classes: 3,
    };
    let checkpoints = Checkpoints {
        dir: &root.path().join("state"),
        is_fresh: false,
        next: &mut |_| Next::Go,
        outcome: &mut sound,
    };
    let out = root.path().join("model");
    let inputs = table.inputs.view();
    let error = train_targets(&recipe(), inputs, targets, None, &out, Some(checkpoints));
    let error = error.unwrap_err();
    assert_eq!(error.code(), "checkpoint_other");
    assert!(error.to_string().contains("its training data differs"));
}

/// That what was begun from one base (or none) is not gone on with from another (or none), but still from its own.
fn check_base(own: Option<&Path>, other: Option<&Path>) {
    let (root, whole) = (place(), place());
    let mut go = |_: Progress| Next::Go;
    let expected = run(whole.path(), &recipe(), own, false, &mut go).expect("it trains");
    run(root.path(), &recipe(), own, false, &mut stop_after(5)).expect_err("it was stopped");
    let mut never = |_: Progress| -> Next { panic!("it must take no step") };
    let refused = run(root.path(), &recipe(), other, false, &mut never);
    let error = refused.expect_err("it must be refused");
    assert_eq!(error.code(), "checkpoint_other", "{error}");
    assert!(error.to_string().contains("its base differs"), "{error}");
    assert!(!root.path().join("model").exists());
    let resumed = run(root.path(), &recipe(), own, false, &mut go);
    assert_eq!(resumed.expect("it goes on"), expected);
    assert_eq!(weights(root.path()), weights(whole.path()));
    // Begun anew it comes to what the other base always comes to.
    let (fresh, anew) = (place(), place());
    run(fresh.path(), &recipe(), own, false, &mut |_| Next::Stop).expect_err("it was stopped");
    let found = run(fresh.path(), &recipe(), other, true, &mut go).expect("it begins anew");
    let expected = run(anew.path(), &recipe(), other, false, &mut go).expect("it trains");
    assert_eq!(found, expected);
}

#[test]
fn the_state_of_another_base_or_of_none_is_refused() {
    let (_one_root, one) = base(&recipe(), 1);
    let (_two_root, two) = base(&recipe(), 2);
    check_base(Some(&one), Some(&two));
    check_base(None, Some(&one));
    check_base(Some(&one), None);
}

#[test]
fn the_same_base_may_lie_in_another_folder() {
    let (_one_root, one) = base(&recipe(), 1);
    let (_same_root, same) = base(&recipe(), 1);
    let root = place();
    let mut stop = |_: Progress| Next::Stop;
    run(root.path(), &recipe(), Some(&one), false, &mut stop).expect_err("it was stopped");
    let mut first = None;
    let resumed = run(
        root.path(),
        &recipe(),
        Some(&same),
        false,
        &mut |progress| {
            first.get_or_insert(progress.step);
            Next::Go
        },
    );
    resumed.expect("it goes on");
    assert_eq!(first, Some(2));
    let whole = place();
    run(whole.path(), &recipe(), Some(&one), false, &mut |_| {
        Next::Go
    })
    .expect("it trains");
    assert_eq!(weights(root.path()), weights(whole.path()));
}

#[test]
fn a_damaged_state_is_refused_wherever_a_byte_is_wrong() {
    let flip = |name: &'static str, at: fn(usize) -> usize| {
        move |dir: &Path| {
            let path = dir.join(name);
            let mut bytes = fs::read(&path).unwrap();
            let at = at(bytes.len());
            bytes[at] ^= 1;
            fs::write(&path, bytes).unwrap();
        }
    };
    const STATE: &str = "state-5.safetensors";
    const NOTE: &str = "checkpoint.json";
    let code = "checkpoint_damaged";
    check(
        flip(STATE, |len| len - 1),
        &recipe(),
        code,
        "begin anew".replace('b', "B").as_str(),
    );
    check(flip(STATE, |_| 9), &recipe(), code, "other bytes");
    check(flip(NOTE, |_| 0), &recipe(), code, "checkpoint.json");
    check(
        flip(NOTE, |len| len / 2),
        &recipe(),
        code,
        "checkpoint.json",
    );
    check(
        flip(NOTE, |len| len - 6),
        &recipe(),
        code,
        "checkpoint.json",
    );
    let gone = |dir: &Path| fs::remove_file(dir.join(STATE)).unwrap();
    check(gone, &recipe(), code, "not there");
    let short = |dir: &Path| {
        let bytes = fs::read(dir.join(STATE)).unwrap();
        fs::write(dir.join(STATE), &bytes[..bytes.len() / 2]).unwrap();
    };
    check(short, &recipe(), code, "other bytes");
    let long = |dir: &Path| fs::write(dir.join(NOTE), vec![b' '; 1 << 20]).unwrap();
    check(long, &recipe(), code, "checkpoint.json");
}

#[test]
fn what_a_process_left_while_it_wrote_is_in_nobodys_way() {
    let root = place();
    run(root.path(), &recipe(), None, false, &mut stop_after(5)).unwrap_err();
    let state = root.path().join("state");
    fs::write(state.join(".state-6.safetensors.partial"), "half").unwrap();
    fs::write(
        state.join("state-6.safetensors"),
        "whole, but not named yet",
    )
    .unwrap();
    fs::write(state.join(".checkpoint.json.partial"), "{").unwrap();
    let mut first = None;
    run(root.path(), &recipe(), None, false, &mut |progress| {
        first.get_or_insert(progress.step);
        Next::Save
    })
    .unwrap();
    assert_eq!(first, Some(6));
    assert!(!state.exists());
}

#[test]
fn a_regression_goes_on_to_the_same_bytes_too() {
    let inputs = Array2::from_shape_fn((60, 4), |(row, column)| {
        ((row * 7 + column * 3) % 11) as f32
    });
    let values: Vec<f32> = inputs
        .rows()
        .into_iter()
        .map(|row| 40.0 * row[0] - row[2])
        .collect();
    let mut recipe = recipe();
    recipe.train.standardize = true;
    let run = |root: &Path, next: &mut dyn FnMut(Progress) -> Next| {
        let checkpoints = Checkpoints {
            dir: &root.join("state"),
            is_fresh: false,
            next,
            outcome: &mut sound,
        };
        let (targets, out) = (Targets::Values(&values), root.join("model"));
        train_targets(
            &recipe,
            inputs.view(),
            targets,
            None,
            &out,
            Some(checkpoints),
        )
    };
    let (whole, parts) = (place(), place());
    let expected = run(whole.path(), &mut |_| Next::Go).unwrap();
    run(parts.path(), &mut |_| Next::Stop).unwrap_err();
    assert_eq!(run(parts.path(), &mut |_| Next::Go).unwrap(), expected);
    assert_eq!(weights(parts.path()), weights(whole.path()));
}

#[test]
fn a_checkpoint_that_cannot_be_written_or_removed_costs_no_training() {
    let (root, whole) = (place(), place());
    let expected = run(whole.path(), &recipe(), None, false, &mut |_| Next::Go).unwrap();
    let state = root.path().join("state");
    let run = |next: &mut dyn FnMut(Progress) -> Next, outcome: &mut dyn FnMut(Outcome)| {
        let table = table();
        let targets = Targets::Classes {
            labels: table.labels.classes().expect("labels are classes"),
            classes: 3,
        };
        let checkpoints = Checkpoints {
            dir: &state,
            is_fresh: false,
            next,
            outcome,
        };
        let (inputs, out) = (table.inputs.view(), root.path().join("model"));
        train_targets(&recipe(), inputs, targets, None, &out, Some(checkpoints))
    };
    // A file where the folder should be, after the first look: asked to stop, it says so.
    let mut stop = |progress: Progress| {
        if progress.step == 1 {
            fs::write(&state, "in the way").unwrap();
            return Next::Go;
        }
        Next::Stop
    };
    let stopped = run(&mut stop, &mut sound);
    assert_eq!(stopped.unwrap_err().code(), "checkpoint_io");
    fs::remove_file(&state).unwrap();
    // Where a part of a file should be is a folder that cannot be written or removed as one.
    let mut next = |progress: Progress| {
        if progress.step == 1 {
            fs::create_dir_all(state.join(".checkpoint.json.partial/full")).unwrap();
        }
        if progress.step == 2 {
            Next::Save
        } else {
            Next::Go
        }
    };
    let mut outcomes = Vec::new();
    let trained = run(&mut next, &mut |outcome| outcomes.push(outcome));
    assert_eq!(trained.unwrap(), expected);
    assert!(
        matches!(
            outcomes[..],
            [Outcome::NotWritten(_), Outcome::NotRemoved(_)]
        ),
        "{outcomes:?}"
    );
    // The state that no checkpoint.json names did not stay.
    assert_eq!(fs::read_dir(&state).unwrap().count(), 1);
    assert_eq!(weights(root.path()), weights(whole.path()));
}

#[test]
fn an_early_end_is_told_as_it_was() {
    let root = place();
    let mut recipe = recipe();
    recipe.train.held_out = 0.2;
    recipe.train.patience = 1;
    recipe.train.epochs = 500;
    let trained = run(root.path(), &recipe, None, false, &mut |_| Next::Go).unwrap();
    assert_eq!(trained.rows, 80);
    assert_eq!(trained.steps, trained.epochs * 5);
    assert_eq!(trained.best_epoch, Some(trained.epochs - 1));
}
