//! What the demo promises: the same result every time, and a market that adds up.

use serde_json::Value;

use crate::{Demo, lode, stderr, stdout, text};

fn units(value: &Value) -> u128 {
    value
        .as_str()
        .expect("amounts are strings")
        .parse()
        .expect("of decimal base units")
}

#[test]
fn two_runs_give_the_same_scores_and_roots() {
    let first = Demo::play().json;
    let output = lode(&["demo", "--json"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let mut second: Value = serde_json::from_slice(&output.stdout).unwrap();
    second["seconds"] = first["seconds"].clone();
    assert_eq!(second, first);
}

#[test]
fn the_best_model_reads_98_of_100_digits_and_the_base_helped() {
    let demo = Demo::play().json;
    let rows = demo["submissions"].as_array().unwrap();
    let names: Vec<_> = rows
        .iter()
        .map(|row| row["miner"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["Cory", "Milo", "Mira"], "sorted by miner");
    let best = rows
        .iter()
        .filter_map(|row| row["accuracy"].as_f64())
        .fold(0.0, f64::max);
    assert!(best >= 0.98, "{best}");
    let [_, milo, mira] = &rows[..] else {
        unreachable!()
    };
    assert_eq!(mira["standing"], "won");
    assert_eq!(milo["standing"], "lost");
    for row in [milo, mira] {
        let accuracy = row["accuracy"].as_f64().unwrap();
        assert_eq!(
            row["score"].as_i64().unwrap(),
            (accuracy * 1e9).round() as i64
        );
        assert_eq!(row["outcome"], "scored");
    }
}

#[test]
fn the_copier_and_the_liar_fail() {
    let demo = Demo::play().json;
    let rows = demo["submissions"].as_array().unwrap();
    let [cory, milo, mira] = &rows[..] else {
        unreachable!()
    };
    assert_eq!(cory["standing"], "not_revealed");
    assert_eq!(cory["score"], Value::Null);
    let words = |row: &Value| -> Vec<(String, bool)> {
        let words = row["attestations"].as_array().unwrap().iter();
        words
            .map(|word| {
                (
                    word["evaluator"].as_str().unwrap().into(),
                    word["agrees"].as_bool().unwrap(),
                )
            })
            .collect()
    };
    let of = |names: [(&str, bool); 5]| names.map(|(name, agrees)| (name.to_owned(), agrees));
    assert_eq!(
        words(milo),
        of([
            ("Ada", true),
            ("Emil", true),
            ("Ines", true),
            ("Loki", false),
            ("Otto", true)
        ])
    );
    assert_eq!(
        words(mira),
        of([
            ("Ada", true),
            ("Emil", true),
            ("Ines", true),
            ("Loki", true),
            ("Otto", true)
        ])
    );
    // Four agreeing seats share Milo's fee of 5 LODE; the liar has no part of it.
    let milo_fee = milo["submission"].as_str().unwrap();
    let paid: Vec<_> = demo["payouts"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| row["from"]["evaluation_fee"] == milo_fee)
        .map(|row| row["to"].as_str().unwrap())
        .collect();
    let mut sorted = paid.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, ["Ada", "Emil", "Ines", "Otto"]);
}

#[test]
fn royalties_reach_miner_sponsor_backer_data_and_base() {
    let demo = Demo::play().json;
    let claimed: u128 = demo["royalties"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| units(&r["claimed"]))
        .sum();
    let price = units(&demo["licenses"][0]["price"]);
    assert_eq!(claimed, price, "a price that divides leaves nothing behind");
    let of = |holder: &str| -> u128 {
        let rows = demo["royalties"].as_array().unwrap().iter();
        rows.filter(|row| row["holder"] == holder)
            .map(|row| units(&row["claimed"]))
            .sum()
    };
    // 5 % to the data, 10 % to the base; of the other 85 %: 60, 20 and 20 %.
    for (holder, per_mille) in [
        ("Dora", 50),
        ("Boris", 100),
        ("Mira", 510),
        ("Sofia", 170),
        ("Ben", 170),
        ("Milo", 0),
    ] {
        assert_eq!(of(holder), price / 1000 * per_mille, "{holder}");
    }
}

#[test]
fn the_supply_balances() {
    let demo = Demo::play().json;
    let supply = &demo["supply"];
    assert_eq!(supply["balances"], true);
    assert_eq!(supply["genesis"], supply["total"]);
    let by_purse: u128 = supply["by_purse"]
        .as_object()
        .unwrap()
        .values()
        .map(units)
        .sum();
    assert_eq!(by_purse, units(&supply["genesis"]));
    let held = |key| {
        demo["balances"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| units(&row[key]))
            .sum()
    };
    let accounts: u128 = held("balance");
    let stakes: u128 = held("stake");
    assert_eq!(accounts, units(&supply["by_purse"]["accounts"]));
    assert_eq!(stakes, units(&supply["by_purse"]["stakes"]));
}

#[test]
fn the_story_stays_beside_its_files() {
    let demo = Demo::play();
    let dir = demo.dir();
    let story = std::fs::read_to_string(dir.join("story.txt")).unwrap();
    for words in [
        "seal_mismatch",
        "Loki reports a better score",
        "gives the same state",
    ] {
        assert!(story.contains(words), "{words}");
    }
    for file in [
        "README.txt",
        "demo.json",
        "people/Mira/model/model.safetensors",
        "people/Ada/reports/Milo/report.json",
    ] {
        assert!(dir.join(file).is_file(), "{file}");
    }
}

#[test]
fn a_folder_in_use_is_not_touched() {
    let demo = Demo::play();
    let output = lode(&["demo", "--dir", text(&demo.dir())]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(stdout(&output), "");
    assert!(
        stderr(&output).contains("error[folder_used]"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn an_environment_that_makes_no_sense_is_refused_before_anything_begins() {
    for (name, value) in [
        ("LODE_THREADS", "0"),
        ("LODE_THREADS", "many"),
        ("LODE_REPRO_PATH", "fast"),
    ] {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_lode"))
            .arg("demo")
            .env(name, value)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2), "{name}={value}");
        assert!(
            stderr(&output).contains("error[environment]"),
            "{}",
            stderr(&output)
        );
        assert_eq!(stdout(&output), "");
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_lode"))
        .arg("demo")
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(stderr(&output), "");
}
