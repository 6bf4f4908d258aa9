//! The ways to train besides the plainest: images, optimisers, schedules, held-out rows, numbers as targets.

use burn::tensor::{Tensor, TensorData};
use miner::recipe::{OptimizerKind, Schedule};
use miner::{Fitted, Recipe, Targets, fit};
use models::{MlpConfig, Weights};
use ndarray::Array2;
use protocol::Digest;
use repro::paths::{self, Path, Settings};
use repro::{Repro, ReproDevice};

use crate::support::{CNN, recipe, table};

fn train(recipe: &Recipe) -> Fitted {
    let table = table();
    let targets = Targets::Classes {
        labels: table.labels.classes().expect("labels are classes"),
        classes: 3,
    };
    fit(recipe, table.inputs.view(), targets, None, &mut |_| ()).expect("it trains")
}

#[test]
fn a_cnn_has_the_same_bits_at_any_thread_count_and_on_any_path() {
    let recipe = Recipe::parse(CNN).expect("a sound recipe");
    let expected = train(&recipe);
    for path in Path::available() {
        for threads in [1, 2] {
            let settings = Settings::current()
                .with_path(path)
                .with_threads(threads)
                .with_split_min(0);
            let found = paths::with(settings, || train(&recipe));
            assert_eq!(found, expected, "{settings:?}");
        }
    }
}

#[test]
fn a_cnn_learns() {
    let mut recipe = Recipe::parse(CNN).expect("a sound recipe");
    let early = train(&recipe).loss;
    recipe.train.epochs = 60;
    let late = train(&recipe).loss;
    assert!(late < 0.6 * early, "{early} to {late}");
}

#[test]
fn an_image_of_another_size_than_a_row_is_refused() {
    let mut recipe = Recipe::parse(CNN).expect("a sound recipe");
    recipe.model.image = Some([1, 3, 3]);
    let table = table();
    let targets = Targets::Classes {
        labels: table.labels.classes().expect("labels are classes"),
        classes: 3,
    };
    let error = fit(&recipe, table.inputs.view(), targets, None, &mut |_| ()).unwrap_err();
    assert_eq!(error.code(), "config_value");
}

#[test]
fn every_new_value_of_a_recipe_matters() {
    type Change = fn(&mut Recipe);
    let check = |base: &Recipe, changes: &[(&str, Change)]| {
        let plain = train(base).weights.digest();
        for (name, change) in changes {
            let mut recipe = base.clone();
            change(&mut recipe);
            assert_ne!(train(&recipe).weights.digest(), plain, "{name}");
        }
    };
    check(
        &recipe(),
        &[
            ("optimizer", |r| r.train.optimizer = OptimizerKind::Sgd),
            ("cosine", |r| r.train.schedule = Schedule::Cosine),
            ("step", |r| r.train.schedule = Schedule::Step),
            ("warm_up", |r| r.train.warm_up = 4),
            ("clip_norm", |r| r.train.clip_norm = 0.1),
            ("standardize", |r| r.train.standardize = true),
            ("held_out", |r| r.train.held_out = 0.1),
        ],
    );
    let mut descent = recipe();
    descent.train.optimizer = OptimizerKind::Sgd;
    check(
        &descent,
        &[
            ("momentum", |r| r.train.momentum = 0.5),
            ("no momentum", |r| r.train.momentum = 0.0),
            ("nesterov", |r| r.train.nesterov = true),
            ("weight_decay", |r| r.train.weight_decay = 0.5),
        ],
    );
    let mut falling = recipe();
    falling.train.schedule = Schedule::Step;
    falling.train.step_epochs = 1;
    check(
        &falling,
        &[
            ("step_epochs", |r| r.train.step_epochs = 2),
            ("step_factor", |r| r.train.step_factor = 0.5),
        ],
    );
}

/// As `a_known_training_has_the_known_weights`, of the ways that the plainest does not go.
#[test]
fn known_trainings_have_the_known_weights() {
    type Change = fn(&mut Recipe);
    let known: [(&str, Change, &str); 7] = [
        (
            "plain descent",
            |r| r.train.optimizer = OptimizerKind::Sgd,
            "qfc_RyDOFMzkMMexJMAiCYHLOWysD-NirtaI8QbemeU",
        ),
        (
            "with all of it",
            |r| {
                r.train.optimizer = OptimizerKind::Sgd;
                r.train.momentum = 0.5;
                r.train.nesterov = true;
                r.train.weight_decay = 0.25;
            },
            "R52DNww7b_xNEbn3bK_eTMCGB0PVqVzGx6wwr5XA3XU",
        ),
        (
            "cosine after a warm-up",
            |r| {
                r.train.schedule = Schedule::Cosine;
                r.train.warm_up = 4;
            },
            "Xac-BXyi3-m7PAat_LCEF6ZLh-8sZC3hDJihlbT2tPw",
        ),
        (
            "steps",
            |r| {
                r.train.schedule = Schedule::Step;
                r.train.step_epochs = 1;
                r.train.step_factor = 0.3;
            },
            "7ylG6RwK9JebHDYO_QG1YnPsJtxGxqdEcnEqstmLsMQ",
        ),
        (
            "constant, and a limit on the norm",
            |r| {
                r.train.schedule = Schedule::Constant;
                r.train.clip_norm = 0.1;
            },
            "-abe3JPEurabVhxm1eBaYE_3QXORfcHCq10_bg6XFGI",
        ),
        (
            "standardized",
            |r| r.train.standardize = true,
            "KdXWHm04_nNi5AppzEE0sSbfrBR9uQYb49nTrPIN_Qc",
        ),
        (
            "held out",
            |r| r.train.held_out = 0.25,
            "DLoW9r3KTiccSLVmem-ML0g3bvdCQGASFKWFgKD58Uk",
        ),
    ];
    let digest = |recipe: &Recipe| Digest(train(recipe).weights.digest()).to_string();
    let mut found = Vec::new();
    for (name, change, _) in known {
        let mut recipe = recipe();
        change(&mut recipe);
        found.push((name, digest(&recipe)));
    }
    let images = Recipe::parse(CNN).expect("a sound recipe");
    found.push(("images", digest(&images)));
    let images = (
        "images",
        "RWbSzaL2fs4aUL8FW4W-Uj86BhX4MvdL-ERy9sUkaPE".to_owned(),
    );
    let known = known.map(|(name, _, digest)| (name, digest.to_owned()));
    assert_eq!(found, known.into_iter().chain([images]).collect::<Vec<_>>());
}

/// What is compared when an epoch ends is one chain over the rows, however they are cut into batches.
#[test]
fn the_loss_of_the_rows_held_out_is_one_chain() {
    let mut recipe = recipe();
    recipe.train.held_out = 0.75;
    recipe.train.epochs = 1;
    // Nothing is learnt, so that the batches of training do not matter.
    recipe.train.learning_rate = 1e-30;
    recipe.train.weight_decay = 0.0;
    recipe.train.label_smoothing = 0.0;
    // A row whose first number is 0 loses ln 3, another 10^15: beside few of these that shows, beside many it does not.
    recipe.model.hidden.clear();
    let config = MlpConfig::new(6, &[], 3).expect("sound widths");
    let base = Weights::generate(&config, |spec| {
        let mut weights = vec![0.0; spec.len()];
        if spec.name.ends_with("weight") {
            weights[6] = 1e15;
        }
        weights
    });
    let base = base.expect("finite numbers");
    let table = table();
    let loss = |batch_size| {
        let mut recipe = recipe.clone();
        recipe.train.batch_size = batch_size;
        let targets = Targets::Classes {
            labels: table.labels.classes().expect("labels are classes"),
            classes: 3,
        };
        let fitted = fit(
            &recipe,
            table.inputs.view(),
            targets,
            Some(&base),
            &mut |_| (),
        );
        let loss = fitted.expect("it trains").held_out_loss;
        loss.map(f64::to_bits)
    };
    let whole = loss(100);
    assert!(whole.is_some());
    for batch_size in [1, 2, 3, 7, 16] {
        assert_eq!(loss(batch_size), whole, "{batch_size}");
    }
}

#[test]
fn a_limit_on_the_norm_that_is_never_met_changes_nothing() {
    let mut loose = recipe();
    loose.train.clip_norm = 1e6;
    assert_eq!(train(&loose), train(&recipe()));
}

#[test]
fn training_ends_early_with_the_weights_of_the_best_epoch() {
    let mut recipe = recipe();
    recipe.train.epochs = 200;
    recipe.train.learning_rate = 0.05;
    recipe.train.held_out = 0.3;
    recipe.train.patience = 5;
    recipe.model.dropout = 0.0;
    let ended = train(&recipe);
    let best = ended.best_epoch.expect("rows are held out");
    assert_eq!(
        ended.steps,
        (best + 5) * 5,
        "70 rows are five batches of 16"
    );
    assert!(ended.steps < 200 * 5);
    // A training that ends with that epoch has the very weights, where the rate does not depend on the end.
    recipe.train.schedule = Schedule::Constant;
    let long = train(&recipe);
    recipe.train.epochs = long.best_epoch.expect("rows are held out");
    let short = train(&recipe);
    assert_eq!(short.weights, long.weights);
    assert_eq!(short.held_out_loss, long.held_out_loss);
}

#[test]
fn holding_all_rows_out_is_refused() {
    let mut recipe = recipe();
    recipe.train.held_out = 0.5;
    let table = table().select(&[0]);
    let targets = Targets::Classes {
        labels: table.labels.classes().expect("labels are classes"),
        classes: 3,
    };
    let error = fit(&recipe, table.inputs.view(), targets, None, &mut |_| ()).unwrap_err();
    assert_eq!(error.code(), "train_held_out");
}

/// 200 rows on very different scales, and a number that is linear in them.
fn numbers() -> (Array2<f32>, Vec<f32>) {
    let inputs = Array2::from_shape_fn((200, 3), |(row, column)| {
        let x = ((row * (7 + 4 * column) + column) % 23) as f32;
        [x, 1000.0 * x + 5e4, 0.01 * x][column]
    });
    let target =
        |row: ndarray::ArrayView1<'_, f32>| 3e4 + 20.0 * row[0] - 0.5 * row[1] + 900.0 * row[2];
    let values = inputs.rows().into_iter().map(target).collect();
    (inputs, values)
}

const REGRESSION: &str = "
[model]
hidden = [16]
dropout = 0.0

[train]
epochs = 60
batch_size = 20
learning_rate = 0.01
input_noise = 0.0
standardize = true
seed = 3
";

#[test]
fn numbers_are_learnt_in_their_own_units() {
    let (inputs, values) = numbers();
    let recipe = Recipe::parse(REGRESSION).expect("a sound recipe");
    let fitted = fit(
        &recipe,
        inputs.view(),
        Targets::Values(&values),
        None,
        &mut |_| (),
    )
    .unwrap();
    assert_eq!(fitted.config.num_labels(), 1);
    let model = fitted
        .config
        .init::<Repro>(&fitted.weights, &ReproDevice)
        .unwrap();
    let x = TensorData::new(inputs.iter().copied().collect::<Vec<f32>>(), [200, 3]);
    let found = model
        .forward(Tensor::from_data(x, &ReproDevice))
        .into_data();
    let found: Vec<f32> = found.into_vec().unwrap();
    let mean = values.iter().sum::<f32>() / 200.0;
    let square = |x: f32| f64::from(x) * f64::from(x);
    let spread: f64 = values.iter().map(|y| square(y - mean)).sum();
    let error: f64 = values.iter().zip(&found).map(|(y, x)| square(y - x)).sum();
    assert!(error < 0.02 * spread, "{error} of {spread}");
    // The loss is in units of the spread, and says the same.
    assert!(fitted.loss < 0.02, "{}", fitted.loss);
}

#[test]
fn a_fine_tuning_of_numbers_goes_on_from_its_base() {
    let (inputs, values) = numbers();
    let mut recipe = Recipe::parse(REGRESSION).expect("a sound recipe");
    let targets = Targets::Values(&values);
    let base = fit(&recipe, inputs.view(), targets, None, &mut |_| ()).unwrap();
    recipe.train.epochs = 1;
    recipe.train.learning_rate = 0.0;
    let tuned = fit(
        &recipe,
        inputs.view(),
        targets,
        Some(&base.weights),
        &mut |_| (),
    )
    .unwrap();
    assert!(
        tuned.loss < 2.0 * base.loss + 1e-3,
        "{} after {}",
        tuned.loss,
        base.loss
    );
}

#[test]
fn a_target_that_is_no_number_is_refused() {
    let (inputs, mut values) = numbers();
    values[5] = f32::NAN;
    let recipe = Recipe::parse(REGRESSION).expect("a sound recipe");
    let error = fit(
        &recipe,
        inputs.view(),
        Targets::Values(&values),
        None,
        &mut |_| (),
    );
    assert_eq!(error.unwrap_err().code(), "train_value");
}
