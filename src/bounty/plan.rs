//! A bounty as its sponsor writes it: a TOML file. Reading it names every field
//! that makes no sense, not only the first. It asks no node.

use std::path::{Path, PathBuf};

use licensing::Terms;
use protocol::ans104::Tag;
use protocol::benchmark::{Metric, ModelLimits};
use protocol::record::{Pay, RoyaltySplit, SHARES_PER_ASSET, Schedule};
use protocol::text::Name;
use protocol::{Amount, Score};
use serde::{Deserialize, Serialize};
use toml::Value;

use super::values::{
    TaskKind, duration_ms, folder, lode, metric, number, pay, score, shares, task,
};
use crate::failure::{Exit, Failure};
use crate::terms;

/// The largest file that is read.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Something that keeps a bounty from being posted, or is worth knowing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Stable, snake case; the ledger's own code where it has one.
    pub code: String,
    /// The field, as `money.reward`.
    pub field: String,
    /// Whose word it is.
    pub weight: Weight,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub next_step: String,
}

/// Whose word a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Weight {
    /// The file makes no sense.
    File,
    /// The ledger would refuse it.
    Ledger,
    /// The ledger would take it, but it would measure nothing.
    Market,
    /// It could not be found out.
    Unknown,
    /// Worth knowing; it keeps nothing from being posted.
    Note,
}

impl Finding {
    /// A finding about a field.
    pub fn new(
        weight: Weight,
        code: &str,
        field: &str,
        message: impl std::fmt::Display,
        next_step: impl Into<String>,
    ) -> Self {
        Self {
            code: code.to_owned(),
            field: field.to_owned(),
            weight,
            message: message.to_string(),
            next_step: next_step.into(),
        }
    }

    /// What a failure says, about a field.
    pub fn of(weight: Weight, field: &str, failure: &Failure) -> Self {
        let Failure {
            code,
            message,
            next_step,
            ..
        } = failure;
        Self::new(weight, code, field, message, next_step.clone())
    }
}

/// What the file says; `None` where there is a finding instead.
#[derive(Debug, Default)]
pub struct Plan {
    pub title: Option<Name>,
    pub test_set: Option<PathBuf>,
    pub task: Option<TaskKind>,
    pub metric: Option<Metric>,
    /// As the test set has them, if not given.
    pub inputs: Option<u32>,
    pub classes: Option<u32>,
    pub examples_max: Option<u32>,
    pub limits: Option<ModelLimits>,
    pub reward: Option<Amount>,
    pub pay: Option<Pay>,
    pub evaluation_fee: Option<Amount>,
    pub prepaid: Option<u32>,
    pub reserve: Option<Score>,
    pub margin: Option<u64>,
    /// Every phase that makes sense, in milliseconds.
    pub phases: Vec<(&'static str, u64)>,
    /// All of them, if all make sense.
    pub schedule: Option<Schedule>,
    pub terms: Option<Terms>,
    /// Id or name, and whether it is required.
    pub parents: Vec<(String, bool)>,
    pub split: Option<RoyaltySplit>,
    /// What every model sets aside of each income, in millionths.
    pub self_funding_ppm: Option<u32>,
    /// A parent by id or name, and what its fund pays of the reward.
    pub fund: Option<(String, Amount)>,
    /// Whether a fund is named at all.
    pub has_fund: bool,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Text {
    title: Option<Value>,
    test_set: Option<Value>,
    benchmark: BenchmarkText,
    money: MoneyText,
    schedule: ScheduleText,
    terms: TermsText,
    parents: Vec<ParentText>,
    split: SplitText,
    fund: Option<FundText>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct BenchmarkText {
    task: Option<Value>,
    metric: Option<Value>,
    inputs: Option<Value>,
    classes: Option<Value>,
    examples_max: Option<Value>,
    parameters_max: Option<Value>,
    file_bytes_max: Option<Value>,
    multiply_adds_max: Option<Value>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct MoneyText {
    reward: Option<Value>,
    pay: Option<Value>,
    evaluation_fee: Option<Value>,
    prepaid: Option<Value>,
    reserve: Option<Value>,
    margin: Option<Value>,
    self_funding: Option<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FundText {
    asset: String,
    amount: Option<Value>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ScheduleText {
    open: Option<Value>,
    test_key: Option<Value>,
    test_check: Option<Value>,
    reveal: Option<Value>,
    score: Option<Value>,
    score_reveal: Option<Value>,
    challenge: Option<Value>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct TermsText {
    preset: Option<Value>,
    tags: Option<Vec<(String, String)>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ParentText {
    asset: String,
    #[serde(default)]
    required: bool,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct SplitText {
    miner: Option<Value>,
    sponsor: Option<Value>,
    backers: Option<Value>,
}

/// Reads a bounty's file. A test set's folder is relative to the file.
///
/// # Errors
/// It cannot be read, is no TOML, or has fields that no bounty has.
pub fn load(path: &Path) -> Result<(Plan, Vec<Finding>), Failure> {
    let io = |error: std::io::Error| Failure::io(path, &error);
    let refuse = |what: &str| {
        let next = "name the file that 'lode bounty init' wrote";
        let message = format_args!("{} {what}", path.display());
        Failure::new("bounty_file", message, next).exit(Exit::Usage)
    };
    let metadata = std::fs::metadata(path).map_err(io)?;
    if metadata.is_dir() {
        return Err(refuse("is a folder, not a bounty's file"));
    }
    if metadata.len() > FILE_BYTES_MAX {
        return Err(refuse("is larger than a bounty can be"));
    }
    let bytes = std::fs::read(path).map_err(io)?;
    let text = String::from_utf8(bytes).map_err(|_| refuse("is no text, so no bounty's file"))?;
    let (mut plan, findings) = read(&text).map_err(|error| {
        let message = format_args!("{}: {error}", path.display());
        let next = "correct that line; 'lode bounty init' writes a file with every field explained";
        Failure::new("bounty_file", message, next).exit(Exit::Usage)
    })?;
    if let (Some(folder), Some(parent)) = (&plan.test_set, path.parent()) {
        plan.test_set = Some(parent.join(folder));
    }
    Ok((plan, findings))
}

/// Reads a bounty's text.
///
/// # Errors
/// It is no TOML, or has fields that no bounty has.
pub fn read(text: &str) -> Result<(Plan, Vec<Finding>), toml::de::Error> {
    let file: toml::Table = toml::from_str(text)?;
    if let Some(name) = list_for_table(&file) {
        let message = format!("'{name}' is a list; its fields stand by name, as 'field = value'");
        return Err(serde::de::Error::custom(message));
    }
    if no_pair(&file) {
        let message = "a tag of 'terms.tags' is a list of its name and its value";
        return Err(serde::de::Error::custom(message));
    }
    let text: Text = toml::from_str(text)?;
    let mut reader = Reader::default();
    let plan = reader.plan(&text);
    Ok((plan, reader.findings))
}

/// A tag that is no pair: of a list that is too long `toml` would drop what is left.
fn no_pair(file: &toml::Table) -> bool {
    let terms = file.get("terms").and_then(Value::as_table);
    let tags = terms.and_then(|terms| terms.get("tags")?.as_array());
    let mut pairs = tags.into_iter().flatten().filter_map(Value::as_array);
    pairs.any(|pair| pair.len() != 2)
}

/// A table that is written as a list: serde would take its values in the order in which our fields are declared.
fn list_for_table(file: &toml::Table) -> Option<&str> {
    let tables = ["benchmark", "money", "schedule", "terms", "split", "fund"];
    let is_list = |name: &&str| file.get(*name).is_some_and(Value::is_array);
    let parents = file.get("parents").and_then(Value::as_array);
    let mut parents = parents.into_iter().flatten();
    match tables.into_iter().find(is_list) {
        None => parents.any(Value::is_array).then_some("parents"),
        found => found,
    }
}

#[derive(Default)]
struct Reader {
    findings: Vec<Finding>,
}

impl Reader {
    fn plan(&mut self, text: &Text) -> Plan {
        let (benchmark, money) = (&text.benchmark, &text.money);
        let metric = self.read("benchmark.metric", &benchmark.metric, METRIC_NEXT, metric);
        let limits = self.limits(benchmark);
        let phases = self.phases(&text.schedule);
        Plan {
            title: self.read("title", &text.title, "give it a name of one line", |text| {
                Name::new(text)
            }),
            test_set: self.read(
                "test_set",
                &text.test_set,
                "name the folder of the test set, as 'lode dataset init --split-test' makes it",
                folder,
            ),
            task: self.read("benchmark.task", &benchmark.task, TASK_NEXT, task),
            metric,
            inputs: self.optional("benchmark.inputs", &benchmark.inputs, NUMBER_NEXT, number),
            classes: self.optional("benchmark.classes", &benchmark.classes, NUMBER_NEXT, number),
            examples_max: self.optional(
                "benchmark.examples_max",
                &benchmark.examples_max,
                NUMBER_NEXT,
                number,
            ),
            limits,
            reward: self.read("money.reward", &money.reward, AMOUNT_NEXT, lode),
            pay: match money.pay {
                None => Some(Pay::WinnerTakesAll),
                Some(_) => self.optional("money.pay", &money.pay, PAY_NEXT, pay),
            },
            evaluation_fee: self.read(
                "money.evaluation_fee",
                &money.evaluation_fee,
                AMOUNT_NEXT,
                lode,
            ),
            prepaid: match money.prepaid {
                None => Some(0),
                Some(_) => self.optional("money.prepaid", &money.prepaid, NUMBER_NEXT, number),
            },
            reserve: self
                .read("money.reserve", &money.reserve, SCORE_NEXT, score)
                .map(Score),
            margin: self.margin(metric, &money.margin),
            schedule: schedule(&phases),
            phases,
            terms: self.terms(&text.terms),
            parents: text
                .parents
                .iter()
                .map(|parent| (parent.asset.clone(), parent.required))
                .collect(),
            split: self.split(&text.split),
            self_funding_ppm: match money.self_funding {
                None => Some(0),
                Some(_) => self.optional(
                    "money.self_funding",
                    &money.self_funding,
                    SHARES_NEXT,
                    shares,
                ),
            },
            fund: text.fund.as_ref().and_then(|fund| {
                let amount = self.read("fund.amount", &fund.amount, AMOUNT_NEXT, lode)?;
                Some((fund.asset.clone(), amount))
            }),
            has_fund: text.fund.is_some(),
        }
    }

    /// A field that must be there.
    fn read<T, E: std::fmt::Display>(
        &mut self,
        field: &str,
        value: &Option<Value>,
        next: &str,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Option<T> {
        if value.is_none() {
            self.file("missing", field, "it is not given", next);
        }
        self.optional(field, value, next, parse)
    }

    fn optional<T, E: std::fmt::Display>(
        &mut self,
        field: &str,
        value: &Option<Value>,
        next: &str,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Option<T> {
        let text = match value.as_ref()? {
            Value::String(text) => text.clone(),
            Value::Integer(number) => number.to_string(),
            Value::Float(_) => {
                // A binary fraction is not the number that was written.
                let next = "put the number in quotes, as \"0.5\"";
                self.file("unquoted", field, "a number with a point", next);
                return None;
            }
            other => {
                let what = format!("it is a {}, not a text or number", other.type_str());
                self.file("wrong_type", field, &what, next);
                return None;
            }
        };
        match parse(&text) {
            Ok(value) => Some(value),
            Err(error) => {
                self.file("value", field, &format!("'{text:.60}': {error}"), next);
                None
            }
        }
    }

    fn file(&mut self, code: &str, field: &str, message: &str, next: &str) {
        let finding = Finding::new(Weight::File, code, field, message, next);
        self.findings.push(finding);
    }

    fn limits(&mut self, text: &BenchmarkText) -> Option<ModelLimits> {
        let fields = [
            ("benchmark.parameters_max", &text.parameters_max),
            ("benchmark.file_bytes_max", &text.file_bytes_max),
            ("benchmark.multiply_adds_max", &text.multiply_adds_max),
        ];
        let [parameters, bytes, multiply_adds] =
            fields.map(|(field, value)| self.read(field, value, NUMBER_NEXT, number::<u64>));
        Some(ModelLimits {
            parameters_max: parameters?,
            file_bytes_max: bytes?,
            multiply_adds_max: multiply_adds?,
        })
    }

    fn margin(&mut self, metric: Option<Metric>, value: &Option<Value>) -> Option<u64> {
        if value.is_none()
            && let Some(default) = metric.and_then(Metric::default_margin)
        {
            return Some(default);
        }
        let next = match metric {
            Some(metric) if metric.is_error() => "write it in the metric's unit, as \"0.5\"",
            _ => "write it as \"0.002\"",
        };
        self.read("money.margin", value, next, |text| {
            u64::try_from(score(text)?).map_err(|_| "a margin is not below zero".to_owned())
        })
    }

    /// The phases in their order, those left out that make no sense.
    fn phases(&mut self, text: &ScheduleText) -> Vec<(&'static str, u64)> {
        let fields = [
            ("open", &text.open),
            ("test_key", &text.test_key),
            ("test_check", &text.test_check),
            ("reveal", &text.reveal),
            ("score", &text.score),
            ("score_reveal", &text.score_reveal),
            ("challenge", &text.challenge),
        ];
        let read = fields.into_iter().filter_map(|(name, value)| {
            let field = format!("schedule.{name}");
            let length_ms = self.read(&field, value, DURATION_NEXT, duration_ms)?;
            Some((name, length_ms))
        });
        read.collect()
    }

    fn terms(&mut self, text: &TermsText) -> Option<Terms> {
        let next = "keep one of the two";
        match (&text.preset, &text.tags) {
            (Some(_), Some(_)) => {
                self.file("terms", "terms", "there are a preset and tags", next);
                None
            }
            (None, Some(tags)) => {
                let tags: Vec<Tag> = tags.iter().map(|(n, v)| Tag::new(n, v)).collect();
                match terms::of_tags(&tags) {
                    Ok(terms) => Some(terms),
                    Err(failure) => {
                        let finding = Finding::of(Weight::Ledger, "terms.tags", &failure);
                        self.findings.push(finding);
                        None
                    }
                }
            }
            (preset, None) => {
                let next = "write \"open\", \"credit\", \"credit=5%\", \"paid=25\", \"monthly=25\" or \
                            \"revenue=5%\"";
                let parse = |text: &str| terms::preset(text).map_err(|failure| failure.message);
                self.read("terms.preset", preset, next, parse)
            }
        }
    }

    fn split(&mut self, text: &SplitText) -> Option<RoyaltySplit> {
        let fields = [
            ("split.miner", &text.miner),
            ("split.sponsor", &text.sponsor),
            ("split.backers", &text.backers),
        ];
        let [miner, sponsor, backers] =
            fields.map(|(field, value)| self.read(field, value, SHARES_NEXT, shares));
        let (miner, sponsor, backers) = (miner?, sponsor?, backers?);
        let sum = u64::from(miner) + u64::from(sponsor) + u64::from(backers);
        if sum != u64::from(SHARES_PER_ASSET) {
            let (whole, rest) = (sum / 10_000, sum % 10_000);
            let made = format!("{whole}.{rest:04}");
            let made = made.trim_end_matches('0').trim_end_matches('.');
            let message = format_args!("the three parts make {made}%, they must make 100%");
            let next = "change the parts of miner, sponsor and backers until they make 100%";
            let finding = Finding::new(Weight::Ledger, "shares", "split", message, next);
            self.findings.push(finding);
            return None;
        }
        Some(RoyaltySplit {
            miner,
            sponsor,
            backers,
        })
    }
}

const METRIC_NEXT: &str = "write \"accuracy\", \"macro_f1\", \"log_loss\", \"roc_auc\" or \
    \"average_precision\" for classes, \"rmse\", \"mae\" or \"r2\" for numbers";
const TASK_NEXT: &str = "write \"classification\" or \"regression\"";
const PAY_NEXT: &str = "write \"winner_takes_all\" or \"steps\"";
const NUMBER_NEXT: &str = "write a whole number, as 100000";
const AMOUNT_NEXT: &str = "write LODE in quotes, as \"100\" or \"0.5\"";
const SCORE_NEXT: &str =
    "write the score in quotes, as \"0.9\"; below zero for log_loss, rmse and mae, as \"-0.35\"";
const DURATION_NEXT: &str = "write a duration, as \"2d\", \"1d 12h\", \"15m\" or \"30s\"";
const SHARES_NEXT: &str = "write a part with a percent sign, as \"60%\"";

/// A schedule of all seven phases.
fn schedule(phases: &[(&str, u64)]) -> Option<Schedule> {
    let length_ms = |name| {
        let phase = phases.iter().find(|(phase, _)| *phase == name);
        phase.map(|(_, length_ms)| *length_ms)
    };
    Some(Schedule {
        open_ms: length_ms("open")?,
        test_key_ms: length_ms("test_key")?,
        test_check_ms: length_ms("test_check")?,
        reveal_ms: length_ms("reveal")?,
        score_ms: length_ms("score")?,
        score_reveal_ms: length_ms("score_reveal")?,
        challenge_ms: length_ms("challenge")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(text: &str) -> Vec<(String, String)> {
        let (_, findings) = read(text).unwrap();
        let pairs = findings.into_iter();
        pairs.map(|found| (found.field, found.code)).collect()
    }

    #[test]
    fn an_empty_file_is_told_all_that_it_lacks() {
        let found = codes("");
        assert!(found.len() >= 20, "{found:?}");
        assert!(found.iter().all(|(_, code)| code == "missing"));
    }

    #[test]
    fn a_tag_is_a_pair_and_one_of_the_licences() {
        let license = &licensing::presets::open().to_tags()[0];
        assert_eq!(license.name, "License");
        let tags = |more: &str| {
            format!(
                "[terms]\ntags = [[\"License\", \"{}\"], {more}]",
                license.value
            )
        };
        let triple = tags("[\"Commercial-Use\", \"Allowed\", \"dropped\"]");
        let error = read(&triple).unwrap_err();
        assert!(error.message().contains("'terms.tags'"), "{error}");
        let mode = "[\"Payment-Mode\", \"Random-Distribution\"]";
        let found = |text: &str| {
            let mut found = codes(text).into_iter();
            found.find(|(field, _)| field == "terms.tags")
        };
        assert_eq!(found(&tags(mode)), None);
        let stranger = found(&tags(&format!("{mode}, [\"Sublicensing\", \"Forbidden\"]")));
        assert_eq!(
            stranger.map(|(_, code)| code).as_deref(),
            Some("unknown_tag")
        );
    }

    #[test]
    fn faults_are_named_by_field() {
        let found = codes(
            "title = \"\"\n[money]\nreward = 1.5\nreserve = \"high\"\n[terms]\npreset = \"paid\"",
        );
        for (field, code) in [
            ("title", "value"),
            ("money.reward", "unquoted"),
            ("money.reserve", "value"),
            ("terms.preset", "value"),
        ] {
            assert!(
                found.contains(&(field.to_owned(), code.to_owned())),
                "{field}: {found:?}"
            );
        }
    }

    #[test]
    fn a_split_must_make_a_whole() {
        let found = codes("[split]\nminer = \"60%\"\nsponsor = \"20%\"\nbackers = \"10%\"");
        assert!(found.contains(&("split".to_owned(), "shares".to_owned())));
        let (_, found) =
            read("[split]\nminer = \"60%\"\nsponsor = \"20%\"\nbackers = \"30%\"").unwrap();
        let split = found.iter().find(|found| found.field == "split").unwrap();
        assert!(split.message.contains("make 110%,"), "{}", split.message);
    }

    #[test]
    fn what_is_no_file_of_text_is_told_apart() {
        let temp = tempfile::tempdir().unwrap();
        let file = temp.path().join("bounty.toml");
        std::fs::write(&file, [0xff, 0xfe]).unwrap();
        for (path, what) in [(temp.path(), "is a folder"), (&file, "is no text")] {
            let failure = load(path).err().unwrap();
            assert_eq!(failure.exit, Exit::Usage);
            assert!(failure.message.contains(what), "{failure}");
        }
    }

    #[test]
    fn a_margin_may_be_left_out_where_one_bounds_the_metric() {
        for metric in Metric::ALL {
            let text = format!("[benchmark]\nmetric = \"{}\"", metric.name());
            let lacks = codes(&text).contains(&("money.margin".into(), "missing".into()));
            assert_eq!(lacks, metric.is_error(), "{metric:?}");
        }
    }

    #[test]
    fn what_is_set_aside_and_what_a_fund_pays_are_read() {
        let text = "[money]\nself_funding = \"12.5%\"\n[fund]\nasset = \"Base\"\namount = \"25\"";
        let (plan, _) = read(text).unwrap();
        assert_eq!(plan.self_funding_ppm, Some(125_000));
        let amount = Amount::from_lode(25).unwrap();
        assert_eq!(plan.fund, Some(("Base".to_owned(), amount)));
        assert!(plan.has_fund);
        let (plan, _) = read("").unwrap();
        assert_eq!(plan.self_funding_ppm, Some(0));
        assert_eq!((plan.fund, plan.has_fund), (None, false));
        // A fund whose amount makes no sense is not left out: nothing is posted.
        let found = codes("[fund]\nasset = \"Base\"\namount = 2.5");
        assert!(found.contains(&("fund.amount".to_owned(), "unquoted".to_owned())));
    }

    #[test]
    fn a_list_is_no_table() {
        for text in [
            "benchmark = [\"classification\", \"accuracy\"]",
            "[[money]]\nreward = \"5\"",
            "parents = [[\"an asset\", true]]",
        ] {
            let error = read(text).err().unwrap().to_string();
            assert!(error.contains("is a list"), "{text}: {error}");
        }
        assert!(read("[[parents]]\nasset = \"an asset\"").is_ok());
    }

    #[test]
    fn an_unknown_field_makes_no_sense() {
        assert!(read("tilte = \"x\"").is_err());
    }
}
