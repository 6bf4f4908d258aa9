use miner::{Fitted, Recipe, Targets, fit};
use protocol::Digest;
use repro::paths::{self, Path, Settings};

use crate::support::{recipe, table};

fn train(recipe: &Recipe) -> Fitted {
    let table = table();
    fit(
        recipe,
        table.inputs.view(),
        Targets::Classes {
            labels: &table.labels,
            classes: 3,
        },
        None,
        &mut |_| (),
    )
    .expect("it trains")
}

fn digest(recipe: &Recipe) -> String {
    Digest(train(recipe).weights.digest()).to_string()
}

#[test]
fn the_same_seed_gives_the_same_bits_at_any_thread_count_and_on_any_path() {
    let expected = train(&recipe());
    for path in Path::available() {
        for threads in [1, 2] {
            // Even the smallest product is split, so that threads have work.
            let settings = Settings::current()
                .with_path(path)
                .with_threads(threads)
                .with_split_min(0);
            for _ in 0..2 {
                let found = paths::with(settings, || train(&recipe()));
                assert_eq!(found, expected, "{settings:?}");
            }
        }
    }
}

#[test]
fn trainings_side_by_side_do_not_disturb_each_other() {
    let expected = digest(&recipe());
    let digests: Vec<String> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..3).map(|_| scope.spawn(|| digest(&recipe()))).collect();
        threads
            .into_iter()
            .map(|t| t.join().expect("no panic"))
            .collect()
    });
    assert!(digests.iter().all(|digest| *digest == expected));
}

/// A change here is a change of every training: a new version of the
/// arithmetic, or a mistake.
#[test]
fn a_known_training_has_the_known_weights() {
    assert_eq!(
        digest(&recipe()),
        "AXZqxidAQMr6S-fAu3ey4OUHE9-vd5DCR87ze7eOvMw"
    );
}

#[test]
fn every_value_of_a_recipe_matters() {
    let plain = digest(&recipe());
    type Change = fn(&mut Recipe);
    let changes: [(&str, Change); 12] = [
        ("hidden", |r| r.model.hidden[0] += 1),
        ("dropout", |r| r.model.dropout = 0.0),
        ("epochs", |r| r.train.epochs += 1),
        ("batch_size", |r| r.train.batch_size += 1),
        ("learning_rate", |r| r.train.learning_rate *= 0.5),
        ("schedule", |r| {
            r.train.schedule = miner::recipe::Schedule::Constant
        }),
        ("weight_decay", |r| r.train.weight_decay = 0.0),
        ("beta_1", |r| r.train.beta_1 = 0.8),
        ("beta_2", |r| r.train.beta_2 = 0.99),
        ("label_smoothing", |r| r.train.label_smoothing = 0.0),
        ("input_noise", |r| r.train.input_noise = 0.0),
        ("seed", |r| r.train.seed += 1),
    ];
    for (name, change) in changes {
        let mut recipe = recipe();
        change(&mut recipe);
        assert_ne!(digest(&recipe), plain, "{name}");
    }
}

#[test]
fn a_training_learns() {
    let mut recipe = recipe();
    recipe.train.epochs = 60;
    let losses = std::cell::RefCell::new(Vec::new());
    let table = table();
    fit(
        &recipe,
        table.inputs.view(),
        Targets::Classes {
            labels: &table.labels,
            classes: 3,
        },
        None,
        &mut |progress| {
            if progress.step % 7 == 0 {
                losses.borrow_mut().push(progress.loss);
            }
        },
    )
    .expect("it trains");
    let losses = losses.into_inner();
    assert_eq!(losses.len(), 60);
    assert!(
        losses[59] < 0.7 * losses[0],
        "{} to {}",
        losses[0],
        losses[59]
    );
}
