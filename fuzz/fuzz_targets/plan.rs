//! A bounty's file, and the values in it: the same findings every time, each with what
//! to do next; and where there is none, the numbers are such as a bounty has.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lode_fuzz::bounty::plan::{Weight, read};
use lode_fuzz::bounty::values::{duration_ms, duration_text, score, shares};
use protocol::Score;
use protocol::record::SHARES_PER_ASSET;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    values(text);
    let Ok((plan, findings)) = read(text) else {
        return;
    };
    let (again, others) = read(text).expect("read before");
    assert_eq!(
        (format!("{again:?}"), &others),
        (format!("{plan:?}"), &findings)
    );
    for finding in &findings {
        for said in [
            &finding.code,
            &finding.field,
            &finding.message,
            &finding.next_step,
        ] {
            assert!(!said.is_empty(), "{finding:?}");
        }
        assert!(
            finding.weight <= Weight::Ledger,
            "nothing else was asked: {finding:?}"
        );
    }
    for (_, length_ms) in &plan.phases {
        assert_eq!(duration_ms(&duration_text(*length_ms)), Ok(*length_ms));
    }
    if let Some(split) = &plan.split {
        let parts = [split.miner, split.sponsor, split.backers].map(u64::from);
        assert_eq!(parts.iter().sum::<u64>(), u64::from(SHARES_PER_ASSET));
    }
    // A number that may be left out, and is not, but cannot be read.
    let file: toml::Table = text.parse().expect("read before");
    let benchmark = file.get("benchmark").and_then(toml::Value::as_table);
    let is_wrong = |name: &str, value: Option<u32>| {
        let is_given = benchmark.is_some_and(|benchmark| benchmark.contains_key(name));
        is_given && value.is_none()
    };
    let limits = ["parameters_max", "file_bytes_max", "multiply_adds_max"];
    let is_limit = |field: &str| {
        limits
            .iter()
            .any(|name| field == format!("benchmark.{name}"))
    };
    let is_limit_named = findings.iter().any(|finding| is_limit(&finding.field));
    assert_eq!(is_limit_named, plan.limits.is_none(), "{findings:?}");
    // What is missing is told; what is told is missing.
    let fields = [
        ("title", plan.title.is_none()),
        ("test_set", plan.test_set.is_none()),
        ("benchmark.task", plan.task.is_none()),
        ("benchmark.metric", plan.metric.is_none()),
        ("benchmark.inputs", is_wrong("inputs", plan.inputs)),
        ("benchmark.classes", is_wrong("classes", plan.classes)),
        (
            "benchmark.examples_max",
            is_wrong("examples_max", plan.examples_max),
        ),
        ("money.reward", plan.reward.is_none()),
        ("money.pay", plan.pay.is_none()),
        ("money.evaluation_fee", plan.evaluation_fee.is_none()),
        ("money.prepaid", plan.prepaid.is_none()),
        ("money.reserve", plan.reserve.is_none()),
        ("money.margin", plan.margin.is_none()),
        ("money.self_funding", plan.self_funding_ppm.is_none()),
        ("schedule", plan.schedule.is_none()),
        ("terms", plan.terms.is_none()),
        ("split", plan.split.is_none()),
        ("fund", plan.has_fund && plan.fund.is_none()),
    ];
    for (name, is_missing) in fields {
        let named = findings.iter().any(|finding| {
            let rest = finding.field.strip_prefix(name);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        });
        assert_eq!(named, is_missing, "{name}: {findings:?}");
    }
});

/// Numbers are exact: what was read says the same when it is written.
fn values(text: &str) {
    if let Ok(billionths) = score(text) {
        assert_eq!(score(&Score(billionths).to_string()), Ok(billionths));
    }
    if let Ok(parts) = shares(text) {
        let written = format!("{}.{:04}%", parts / 10_000, parts % 10_000);
        assert_eq!(shares(&written), Ok(parts));
    }
    if let Ok(length_ms) = duration_ms(text) {
        assert_eq!(duration_ms(&duration_text(length_ms)), Ok(length_ms));
    }
}
