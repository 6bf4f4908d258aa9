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
fn a_table_is_no_list_of_its_values() {
    let said = |text: &str| Recipe::parse(text).unwrap_err().to_string();
    let train = "[train]\nepochs = 1\nseed = 1\n";
    let model = said(&format!(
        "model = [\"mlp\", [1, 28, 28], [], [4], 0.1]\n{train}"
    ));
    assert!(model.contains("'model' is a list"), "{model}");
    let written = said("train = [1, 32]\n[model]\nhidden = [4]\n");
    assert!(written.contains("'train' is a list"), "{written}");
    let layer = "{ channels = 32, kernel = 3, padding = 1, pool = 2 }";
    assert!(CNN_EXAMPLE.contains(layer));
    let conv = said(&CNN_EXAMPLE.replace(layer, "[32, 3, 1, 2]"));
    assert!(conv.contains("'conv' is a list"), "{conv}");
    // Nor is a word a table, and what is not read is no part of it.
    for word in [
        "schedule = \"linear\"",
        "optimizer = \"adamw\"",
        "kind = \"mlp\"",
    ] {
        let (key, value) = word.split_once(" = ").expect("a word");
        let table = format!("{key} = {{ {} = {{}} }}", value.trim_matches('"'));
        let table = said(&EXAMPLE.replacen(word, &table, 1));
        assert!(table.contains(&format!("'{key}' is a word")), "{table}");
    }
    let image = said(&CNN_EXAMPLE.replacen("[1, 28, 28]", "[1, 28, 28, 99]", 1));
    assert!(image.contains("'image' is three numbers"), "{image}");
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
fn a_malformed_recipe_says_where_and_steers_no_terminal() {
    let message = |text: &str| Recipe::parse(text).unwrap_err().to_string();
    let said = message("[model]\nhidden = [4]\n[train]\nepochs = \"ä\"\nseed = 1\n");
    assert!(said.contains("malformed: line 4, column 10: "), "{said}");
    let said = message("[model]\r\n= 1");
    assert!(said.contains("malformed: line 2, column 1: "), "{said}");
    let said = message("[model]\nkind = \"\\u001b[2J\\u202e\"\n");
    assert!(said.contains("malformed: line 2, column "), "{said}");
    assert!(said.contains("\u{fffd}[2J\u{fffd}"), "{said}");
    let steers = |c: char| c.is_control() || c == '\u{202e}';
    assert!(!said.contains(steers), "{said:?}");
}

#[test]
fn what_is_one_in_32_bits_is_not_below_one() {
    for key in ["beta_1", "beta_2", "momentum"] {
        let parse = |value: &str| {
            let text =
                format!("[model]\nhidden = []\n[train]\nepochs = 1\nseed = 1\n{key} = {value}\n");
            Recipe::parse(&text)
                .map_err(|error| error.code())
                .map(|_| ())
        };
        assert_eq!(parse("0.99999998"), Err("recipe_range"), "{key}");
        assert_eq!(parse("0.99999994"), Ok(()), "{key}");
        assert_eq!(parse("nan"), Err("recipe_range"), "{key}");
        assert_eq!(parse("-0.1"), Err("recipe_range"), "{key}");
    }
}

#[test]
fn an_error_of_a_model_shows_what_a_record_may_show() {
    let all: Vec<char> = ('\0'..=char::MAX).collect();
    for part in all.chunks(80) {
        let word: String = part.iter().collect();
        let fields = serde_json::json!({
            "model_type": "mlp", "input_size": 1, "hidden_sizes": [], "num_labels": 2, "hidden_act": word,
        });
        let error = MlpConfig::from_json(fields.to_string().as_bytes()).unwrap_err();
        let shown = format!("'{}'", protocol::text::Text::<400>::lossy(&word));
        let ModelError::ConfigValue { value, .. } = error else {
            panic!("another error: {error}");
        };
        assert_eq!(value, shown);
    }
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
