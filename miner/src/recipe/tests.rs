use proptest::prelude::*;

use super::*;

fn check(from: &str, to: &str, code: &str) {
    assert!(EXAMPLE.contains(from), "the example has no '{from}'");
    let error = Recipe::from_toml(EXAMPLE.replacen(from, to, 1).as_bytes())
        .expect_err("this recipe is wrong");
    assert_eq!(error.code(), code, "{from} to {to}: {error}");
}

#[test]
fn the_example_is_a_recipe_and_says_the_defaults() {
    let example = Recipe::from_toml(EXAMPLE.as_bytes()).unwrap();
    let short = "[model]\nhidden = [128]\n[train]\nepochs = 100\nseed = 1\n";
    assert_eq!(Recipe::from_toml(short.as_bytes()), Ok(example));
}

#[test]
fn unknown_and_repeated_keys_are_refused() {
    check("[train]", "momentum = 0.9\n[train]", "recipe_form");
    check("[train]", "[trainer]\n[train]", "recipe_form");
    check("seed = 1", "seed = 1\nseed = 2", "recipe_form");
    check("seed = 1", "", "recipe_form");
    check("\"linear\"", "\"wavy\"", "recipe_form");
    check("\"adamw\"", "\"adam\"", "recipe_form");
    check("\"mlp\"", "\"bert\"", "recipe_form");
    check("epochs = 100", "epochs = 1.5", "recipe_form");
    check("epochs = 100", "epochs = \"100\"", "recipe_form");
    check("[128]", &"[".repeat(50_000), "recipe_form");
}

#[test]
fn values_out_of_range_are_refused() {
    check("epochs = 100", "epochs = 0", "recipe_range");
    check("epochs = 100", "epochs = 100001", "recipe_range");
    check("batch_size = 32", "batch_size = 0", "recipe_range");
    check("dropout = 0.1", "dropout = 1.0", "recipe_range");
    check("dropout = 0.1", "dropout = -0.1", "recipe_range");
    check("dropout = 0.1", "dropout = nan", "recipe_range");
    check(
        "learning_rate = 0.005",
        "learning_rate = inf",
        "recipe_range",
    );
    check("beta_2 = 0.999", "beta_2 = 1.0", "recipe_range");
    check("epsilon = 1e-8", "epsilon = 0.0", "recipe_range");
    check("[128]", "[0]", "recipe_range");
    check("[128]", "[1048577]", "recipe_range");
    check("[128]", &format!("[{}1]", "1,".repeat(64)), "recipe_range");
}

#[test]
fn keys_without_the_ones_they_need_are_refused() {
    check("\"mlp\"", "\"cnn\"", "recipe_range");
    check(
        "hidden = [128]",
        "hidden = [128]\nimage = [1, 8, 8]",
        "recipe_range",
    );
    check("patience = 0", "patience = 3", "recipe_range");
    check(
        "momentum = 0.9        # sgd: part of the last step in the next, 0 for none\nnesterov = false",
        "momentum = 0.0\nnesterov = true",
        "recipe_range",
    );
    let cnn = |from, to| {
        assert!(CNN_EXAMPLE.contains(from), "{from}");
        let recipe = Recipe::parse(&CNN_EXAMPLE.replacen(from, to, 1));
        recipe.map_err(|error| error.code())
    };
    assert!(cnn("seed = 1", "seed = 2").is_ok());
    assert_eq!(
        cnn("seed = 1", "seed = 1\nstandardize = true"),
        Err("recipe_range")
    );
    assert_eq!(cnn("image = [1, 28, 28]", ""), Err("recipe_range"));
    assert_eq!(
        cnn("image = [1, 28, 28]", "image = [28, 28]"),
        Err("recipe_form")
    );
    assert_eq!(cnn("pool = 2", "pool = 2, stride = 1"), Err("recipe_form"));
}

#[test]
fn a_canonical_recipe_reads_back() {
    for text in [EXAMPLE, CNN_EXAMPLE] {
        let recipe = Recipe::parse(text).unwrap();
        assert_eq!(Recipe::parse(&recipe.to_toml()), Ok(recipe));
    }
}

#[test]
fn an_image_has_as_many_numbers_as_a_row() {
    let recipe = Recipe::parse(CNN_EXAMPLE).unwrap();
    assert_eq!(recipe.model.config(784, 10).unwrap().parameters(), 421_642);
    assert_eq!(
        recipe.model.config(783, 10).unwrap_err().place(),
        "config.json/input_channels"
    );
}

#[test]
fn bytes_that_are_no_text_or_too_many_are_refused() {
    let code = |bytes: &[u8]| Recipe::from_toml(bytes).unwrap_err().code();
    assert_eq!(code(&[b'#', 0xff]), "recipe_utf8");
    assert_eq!(code(&[b'#'; RECIPE_BYTES_MAX + 1]), "recipe_too_long");
}

proptest! {
    #[test]
    fn any_bytes_are_a_recipe_or_a_coded_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Recipe::from_toml(&bytes);
    }

    #[test]
    fn a_mutated_recipe_is_a_recipe_or_a_coded_error(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..5),
    ) {
        let mut bytes = EXAMPLE.as_bytes().to_vec();
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        if let Ok(recipe) = Recipe::from_toml(&bytes) {
            prop_assert_eq!(recipe.check(), Ok(()));
            prop_assert_eq!(Recipe::from_toml(recipe.to_toml().as_bytes()), Ok(recipe));
        }
    }
}
