//! `lode bounty init`: a bounty's file with every field explained.

use std::io::Write;
use std::path::Path;

use protocol::Amount;
use protocol::benchmark::{Metric, Task};
use protocol::record::{Parameters, Schedule};

use super::plan;
use super::values::{duration_ms, duration_text, metric};
use crate::failure::{Exit, Failure};
use crate::out;
use crate::outfile::OutFile;
use crate::session::Session;

const SECOND_MS: u64 = 1_000;
const HOUR_MS: u64 = 3_600 * SECOND_MS;

/// Phases that leave people in every time zone a working day.
const PATIENT: Schedule = Schedule {
    open_ms: 168 * HOUR_MS,
    test_key_ms: 6 * HOUR_MS,
    test_check_ms: 6 * HOUR_MS,
    reveal_ms: 24 * HOUR_MS,
    score_ms: 24 * HOUR_MS,
    score_reveal_ms: 6 * HOUR_MS,
    challenge_ms: 72 * HOUR_MS,
};

/// Phases for trying it out on a development network.
const SHORT: Schedule = Schedule {
    open_ms: 120 * SECOND_MS,
    test_key_ms: 30 * SECOND_MS,
    test_check_ms: 30 * SECOND_MS,
    reveal_ms: 30 * SECOND_MS,
    score_ms: 30 * SECOND_MS,
    score_reveal_ms: 30 * SECOND_MS,
    challenge_ms: 10 * SECOND_MS,
};

/// What can be filled in at once; the rest is for an editor.
#[derive(clap::Args)]
pub struct Fill {
    /// What people will call it.
    #[arg(long)]
    title: Option<String>,
    /// The folder of the test set.
    #[arg(long, value_name = "FOLDER")]
    test_set: Option<String>,
    /// What the winner gets, in LODE.
    #[arg(long, value_name = "LODE")]
    reward: Option<String>,
    /// What is measured: accuracy, macro_f1, log_loss, roc_auc, average_precision, rmse, mae, r2.
    #[arg(long, value_name = "METRIC")]
    metric: Option<String>,
    /// A score below this wins nothing; negative for log_loss, rmse and mae.
    #[arg(long, value_name = "SCORE", allow_hyphen_values = true)]
    reserve: Option<String>,
    /// By how much more than this a later model must be better.
    #[arg(long, value_name = "SCORE")]
    margin: Option<String>,
    /// The terms of every model: open, credit, credit=5%, paid=LODE, monthly=LODE or revenue=5%.
    #[arg(long)]
    terms: Option<String>,
    /// What every model is made from, such as a training set: an asset's id or name. Repeat for more.
    #[arg(long, value_name = "ASSET")]
    parent: Vec<String>,
    /// How long each phase takes, as "6h" or "30s"; the file can say it for each.
    #[arg(long, value_name = "TIME")]
    phases: Option<String>,
}

impl Fill {
    /// Refuses what the file could not say, before it is written.
    fn check(&self, parameters: &Parameters) -> Result<(), Failure> {
        if let Some(terms) = &self.terms {
            crate::terms::preset(terms)?;
        }
        self.metric()?;
        if let Some(text) = &self.phases {
            let wrong = |why: &str, next: &str| {
                let message = format_args!("--phases '{text:.60}': {why}");
                Failure::new("phases", message, next).exit(Exit::Usage)
            };
            let next = "write a duration, as \"2d\", \"6h\", \"15m\" or \"30s\"";
            let given_ms = duration_ms(text).map_err(|why| wrong(why, next))?;
            // One length for all of them: the shortest of the longest counts.
            let (min_ms, max_ms) = parameters.phase_bounds_ms("score", false);
            if given_ms < min_ms || given_ms > max_ms {
                let (min, max) = (duration_text(min_ms), duration_text(max_ms));
                let why = format!("this network allows {min} to {max}");
                return Err(wrong(&why, &format!("choose {min} to {max}")));
            }
        }
        self.check_values(parameters)
    }

    /// What the file's own reader says of the values that were given.
    fn check_values(&self, parameters: &Parameters) -> Result<(), Failure> {
        let given = [
            ("title", "title", &self.title),
            ("test-set", "test_set", &self.test_set),
            ("reward", "money.reward", &self.reward),
            ("reserve", "money.reserve", &self.reserve),
            ("margin", "money.margin", &self.margin),
        ];
        let text = self.apply(text(parameters, &SHORT));
        let (_, findings) = plan::read(&text).map_err(Failure::bug)?;
        for (option, field, _) in given.iter().filter(|(_, _, value)| value.is_some()) {
            if let Some(found) = findings.iter().find(|found| found.field == *field) {
                let code = option.replace('-', "_");
                let message = format_args!("--{option} {}", found.message);
                return Err(Failure::new(code, message, &found.next_step).exit(Exit::Usage));
            }
        }
        Ok(())
    }

    /// The metric, if one is given.
    fn metric(&self) -> Result<Option<Metric>, Failure> {
        let Some(text) = &self.metric else {
            return Ok(None);
        };
        metric(text).map(Some).map_err(|why| {
            let message = format_args!("--metric '{text:.60}': {why}");
            let names = Metric::ALL.map(Metric::name).join(", ");
            Failure::new("metric", message, format!("write one of {names}")).exit(Exit::Usage)
        })
    }

    /// The task that the metric measures: any of two classes is a classification.
    fn task(&self) -> Option<String> {
        let metric = self.metric().ok().flatten()?;
        let two = Task::Classification { classes: 2 };
        let task = if metric.fits(two) {
            two
        } else {
            Task::Regression
        };
        Some(task.name().to_owned())
    }

    /// What is left to be filled in.
    fn hint(&self) -> String {
        let is_error = self.is_error();
        let left = [
            (self.title.is_none(), "the title"),
            (self.test_set.is_none(), "the folder of your test set"),
            (self.reward.is_none(), "what you pay"),
            (is_error && self.reserve.is_none(), "the reserve"),
            (is_error && self.margin.is_none(), "the margin"),
        ];
        let left: Vec<&str> = left
            .iter()
            .filter(|(is, _)| *is)
            .map(|(_, what)| *what)
            .collect();
        match left.as_slice() {
            [] => "next: look it over, then run".to_owned(),
            [one] => format!("next: put in {one}, then run"),
            [first @ .., last] => {
                format!("next: put in {} and {last}, then run", first.join(", "))
            }
        }
    }

    /// Whether the metric is in nats or in the labels' unit: then no reserve or margin is anybody's guess.
    fn is_error(&self) -> bool {
        self.metric().ok().flatten().is_some_and(Metric::is_error)
    }

    /// The template with what was given in place of its own values.
    fn apply(&self, mut text: String) -> String {
        let mut put = |key: &str, line: &str| {
            let Some(at) = text.find(&format!("\n{key} = ")) else {
                return;
            };
            let begin = at + 1;
            let end = text[begin..]
                .find('\n')
                .map_or(text.len(), |len| begin + len);
            text.replace_range(begin..end, line);
        };
        if self.is_error() {
            // What stands there is meant for a metric that ends at 1.
            for (key, given) in [("reserve", &self.reserve), ("margin", &self.margin)] {
                if given.is_none() {
                    put(key, &format!("# {key} = \"SCORE\""));
                }
            }
        }
        let mut set = |key: &str, value: Option<&String>| {
            if let Some(value) = value {
                put(key, &format!("{key} = {}", quoted(value)));
            }
        };
        set("title", self.title.as_ref());
        set("test_set", self.test_set.as_ref());
        set("reward", self.reward.as_ref());
        set("task", self.task().as_ref());
        set("metric", self.metric.as_ref());
        set("reserve", self.reserve.as_ref());
        set("margin", self.margin.as_ref());
        set("preset", self.terms.as_ref());
        for phase in [
            "open",
            "test_key",
            "test_check",
            "reveal",
            "score",
            "score_reveal",
            "challenge",
        ] {
            set(phase, self.phases.as_ref());
        }
        for parent in &self.parent {
            text += &format!(
                "\n[[parents]]\nasset = {}\nrequired = true\n",
                quoted(parent)
            );
        }
        text
    }
}

/// A text as TOML writes it in one line: what stands behind it is found by its line.
fn quoted(text: &str) -> String {
    // TOML reads a text of JSON, but for the one character that JSON leaves as it is.
    let json = serde_json::Value::from(text).to_string();
    json.replace('\u{7f}', "\\u007f")
}

/// Writes the file.
///
/// # Errors
/// There is a file already, or it cannot be written.
pub fn run(session: &Session, file: &Path, force: bool, fill: &Fill) -> Result<(), Failure> {
    OutFile::check(file, force)?;
    let status = session.client().and_then(|client| Ok(client.status()?));
    let (parameters, schedule) = match status {
        Ok(status) if status.is_dev => (status.parameters, SHORT),
        Ok(status) => (status.parameters, PATIENT),
        Err(_) => {
            talk!("note: no node answers, so these are the defaults of a new network");
            (Parameters::default(), PATIENT)
        }
    };
    fill.check(&parameters)?;
    let text = fill.apply(text(&parameters, &schedule));
    let mut written = OutFile::begin(file, force)?;
    let io = |error: std::io::Error| Failure::io(file, &error);
    written.file().write_all(text.as_bytes()).map_err(io)?;
    written.finish()?;
    if session.json() {
        return out::json(
            "bounty.init",
            &serde_json::json!({ "file": file.display().to_string() }),
        );
    }
    out::line(&format!("wrote {}", file.display()))?;
    out::line(&fill.hint())?;
    out::line(&format!("  lode bounty check {}", file.display()))
}

fn text(parameters: &Parameters, schedule: &Schedule) -> String {
    let phase = |name: &str, length_ms: u64| {
        let (min_ms, max_ms) = parameters.phase_bounds_ms(name, false);
        duration_text(length_ms.clamp(min_ms, max_ms))
    };
    let percent = |millionths: u32| format!("{}", f64::from(millionths) / 10_000.0);
    // Enough for a committee to care, and small beside any reward.
    let fee = parameters.evaluation_fee_min;
    let fee = fee.max(Amount::ZERO).to_lode_string();
    TEMPLATE
        .replace("{fee}", &fee)
        .replace("{bond}", &percent(parameters.sponsor_bond_ppm))
        .replace("{min}", &duration_text(parameters.phase_min_ms))
        .replace("{max}", &duration_text(parameters.phase_max_ms))
        .replace(
            "{seats_max}",
            &duration_text(parameters.phase_bounds_ms("score", false).1),
        )
        .replace(
            "{parents_max}",
            &duration_text(parameters.phase_bounds_ms("open", true).1),
        )
        .replace("{open}", &phase("open", schedule.open_ms))
        .replace("{test_key}", &phase("test_key", schedule.test_key_ms))
        .replace("{test_check}", &phase("test_check", schedule.test_check_ms))
        .replace("{reveal}", &phase("reveal", schedule.reveal_ms))
        .replace("{score}", &phase("score", schedule.score_ms))
        .replace(
            "{score_reveal}",
            &phase("score_reveal", schedule.score_reveal_ms),
        )
        .replace("{challenge}", &phase("challenge", schedule.challenge_ms))
}

const TEMPLATE: &str = r#"# A bounty: what you want a model for, how models are judged, and what you pay.
#
#   lode bounty check THIS_FILE     says everything that is wrong with it; costs nothing
#   lode bounty post THIS_FILE      shows the cost, asks, then seals the test set and posts it

# What people will call it: one line.
title = "My bounty"

# The folder of your test set (a path from this file). It is sealed before it leaves this
# machine: nobody can look into it until you reveal the key, and you cannot change it any more.
# Never publish it, or rows of it, anywhere else. Make it with: lode dataset init --split-test 5
test_set = "FOLDER"

[benchmark]
# What a model does: "classification" tells which of some classes a row of numbers is,
# "regression" tells a number.
task = "classification"
# What is measured. Of a classification:
#   "accuracy"           the part of the rows that is right, 0 to 1
#   "macro_f1"           the mean of the classes' F1, so that rare ones count as much; 0 to 1
#   "log_loss"           how sure the model is of what is right
#   "roc_auc"            of two classes: how well it orders them, 0.5 is chance, 1 is perfect
#   "average_precision"  of two classes: the precision of those ranked first, 0 to 1
# of a regression:
#   "rmse", "mae"        the size of the errors, in the unit of your labels
#   "r2"                 the part of the labels' variance that the model tells, at most 1
# Scores are higher for better models, so log_loss, rmse and mae count as negative numbers: a
# reserve of "-55000" asks for an rmse of at most 55000.
metric = "accuracy"
# Numbers in a row, and classes. Left out, they are what your test set has.
# inputs = 64
# classes = 10
# The most rows that the test set may have: what an evaluation costs depends on it. Left out, it
# is how many yours has.
# examples_max = 1000
# What a model may weigh at most. Smaller models cost less to run for you later.
parameters_max = 100_000
file_bytes_max = 1_048_576
multiply_adds_max = 100_000

[money]
# What the best model's maker gets from you, in LODE. With it you put up a bond of {bond} % of
# the reward, or twice the evaluation fee if that is more, which returns to you unless the test set
# turns out bad, you withhold its key, or somebody shows the key while the bounty is open.
# The reward buys no licence: you hold your part of the royalty shares ([split], below), and buy
# a licence like anybody.
reward = "100"
# How it is paid: "winner_takes_all", or "steps": every model that is better than the best before
# it by more than the margin is paid for the difference, in proportion.
pay = "winner_takes_all"
# What each submission pays to those who score it, in LODE. It pays for the work that the limits
# above allow, for each seat of the committee: 'lode bounty check' says what is the least.
evaluation_fee = "{fee}"
# For how many submissions, the first ones, you pay that fee. It invites more miners; it also
# invites some who have nothing to show.
prepaid = 0
# A score below this one wins nothing: if nobody reaches it, the reward returns to you.
reserve = "0.9"
# A later model must be better by more than this to be counted as better. For log_loss, rmse and
# mae you must say it; for the others it is 0.002 if left out.
margin = "0.002"
# What every model that is submitted sets aside of each income for further rounds, up to "20%". It
# never changes. Who holds half of a model's shares can offer it as a part of the next reward ([fund]).
self_funding = "0%"

[schedule]
# How long each phase takes, as "2d", "6h", "15m", "30s": at least {min}, at most {max}; after the open
# phase, while evaluators' stakes are locked, at most {seats_max}; where parents are named, open at most {parents_max}.
# Miners train and commit their sealed models; others may add to the reward in the first half.
open = "{open}"
# You reveal the key of the test set. If you do not, your bond is lost:
# 'lode bounty watch ID --reveal' does it for you, if you leave it running.
test_key = "{test_key}"
# Evaluators open the test set and say whether it is sound.
test_check = "{test_check}"
# Miners reveal their models.
reveal = "{reveal}"
# Evaluators score the models, each for itself, and commit to what they found.
score = "{score}"
# Evaluators show what they found.
score_reveal = "{score_reveal}"
# The result stands open before it is paid out.
challenge = "{challenge}"

[terms]
# What others may do with every model that is submitted, also with the winner's:
#   "open"        everything, for nothing
#   "credit"      free with credit; what is made from it shares 5 % of its income
#                 ("credit=2%" for another share)
#   "paid=25"     25 LODE for each licence, paid to those who hold the model's royalty shares
#   "monthly=25"  25 LODE for each month of a licence, all months in advance
#   "revenue=5%"  5 % of what a business earns with it, declared month by month
preset = "credit"
# Instead of a preset, tags of the Universal Data License:
# tags = [["License", "dE0rmDfl9_OWjkDznNEXHaSO_JohJkRolvMzaCroUdw"],
#         ["Derivation", "Allowed"], ["Payment-Mode", "Global-Distribution"]]

# What models are made from: assets on the network, by id or name. With 'required = true' every
# model is (a training set), else it may be (a base model). Repeat for more, up to 16.
# [[parents]]
# asset = "ID"
# required = true

# A part of the reward that the fund of one of those assets pays: you hold half of its shares.
# [fund]
# asset = "ID"
# amount = "25"

[split]
# Who holds the winning model's royalty shares, and so gets what its licences earn.
miner = "60%"
sponsor = "20%"
# In proportion to what they added; yours, if nobody adds to the reward.
backers = "20%"
"#;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bounty::values::TaskKind;
    use protocol::Score;

    #[test]
    fn what_is_filled_in_is_what_the_file_says() {
        let some = |text: &str| Some(text.to_owned());
        let fill = Fill {
            title: some("It's \"mine\""),
            test_set: some("a folder"),
            reward: some("7.5"),
            metric: some("rmse"),
            reserve: some("-0.25"),
            margin: some("0.01"),
            terms: some("open"),
            parent: vec!["One".to_owned(), "Two".to_owned()],
            phases: some("90s"),
        };
        let temp = tempfile::tempdir().unwrap();
        let file = temp.path().join("bounty.toml");
        let parameters = Parameters {
            phase_min_ms: SECOND_MS,
            ..Parameters::default()
        };
        std::fs::write(&file, fill.apply(text(&parameters, &SHORT))).unwrap();
        let (plan, findings) = plan::load(&file).unwrap();
        assert!(findings.is_empty(), "{findings:?}");
        assert_eq!(plan.title.unwrap().as_str(), "It's \"mine\"");
        assert!(plan.test_set.unwrap().ends_with("a folder"));
        assert_eq!(plan.schedule.unwrap().challenge_ms, 90_000);
        assert_eq!(plan.metric, Some(Metric::Rmse));
        assert_eq!(plan.task, Some(TaskKind::Regression));
        assert_eq!(
            (plan.reserve, plan.margin),
            (Some(Score(-250_000_000)), Some(10_000_000))
        );
        let parents = [("One".to_owned(), true), ("Two".to_owned(), true)];
        assert_eq!(plan.parents, parents);
        assert_eq!(plan.terms, Some(licensing::presets::open()));
    }

    #[test]
    fn what_no_file_could_say_is_refused_at_once() {
        let some = |text: &str| Some(text.to_owned());
        let fill = |terms, phases| Fill {
            title: None,
            test_set: some("a"),
            reward: None,
            metric: None,
            reserve: None,
            margin: None,
            terms,
            parent: Vec::new(),
            phases,
        };
        let parameters = Parameters::default();
        assert!(
            fill(some("paid=1"), some("1d 2h"))
                .check(&parameters)
                .is_ok()
        );
        assert_eq!(
            fill(some("free"), None)
                .check(&parameters)
                .unwrap_err()
                .code,
            "terms"
        );
        assert_eq!(
            fill(None, some("soon"))
                .check(&parameters)
                .unwrap_err()
                .code,
            "phases"
        );
        let other = Fill {
            metric: some("f1"),
            ..fill(None, None)
        };
        assert_eq!(other.check(&parameters).unwrap_err().code, "metric");
        let short = fill(None, some("1ms")).check(&parameters);
        assert_eq!(short.unwrap_err().code, "phases");
        type Set = fn(&mut Fill, String);
        let given: [(&str, Set, &str); 6] = [
            ("reward", |fill, text| fill.reward = Some(text), "abc"),
            ("reward", |fill, text| fill.reward = Some(text), "-1"),
            ("reserve", |fill, text| fill.reserve = Some(text), "high"),
            ("margin", |fill, text| fill.margin = Some(text), "-0.1"),
            ("title", |fill, text| fill.title = Some(text), "two\nlines"),
            ("test_set", |fill, text| fill.test_set = Some(text), ""),
        ];
        for (code, set, text) in given {
            let mut fill = fill(None, None);
            set(&mut fill, text.to_owned());
            assert_eq!(fill.check(&parameters).unwrap_err().code, code, "{text:?}");
        }
        let within = Fill {
            title: some("x\nreward = \"1\""),
            reward: some("5"),
            ..fill(None, None)
        };
        assert_eq!(within.check(&parameters).unwrap_err().code, "title");
        assert_eq!(quoted("a\n\u{7f}\"\\"), "\"a\\n\\u007f\\\"\\\\\"");
        let hint = fill(None, None).hint();
        assert_eq!(hint, "next: put in the title and what you pay, then run");
        let error = Fill {
            metric: some("rmse"),
            margin: some("1"),
            ..fill(None, None)
        };
        assert_eq!(
            error.hint(),
            "next: put in the title, what you pay and the reserve, then run"
        );
    }

    #[test]
    fn a_reserve_and_a_margin_in_a_unit_are_left_to_the_sponsor() {
        let parameters = Parameters::default();
        for metric in Metric::ALL {
            let fill = Fill {
                title: Some("a".to_owned()),
                test_set: Some("b".to_owned()),
                reward: Some("1".to_owned()),
                metric: Some(metric.name().to_owned()),
                reserve: None,
                margin: None,
                terms: None,
                parent: Vec::new(),
                phases: None,
            };
            let (_, findings) = plan::read(&fill.apply(text(&parameters, &PATIENT))).unwrap();
            let missing: Vec<&str> = findings.iter().map(|found| found.field.as_str()).collect();
            let expected: &[&str] = match metric.is_error() {
                true => &["money.reserve", "money.margin"],
                false => &[],
            };
            assert_eq!(missing, expected, "{metric:?}");
            assert_eq!(fill.hint().contains("the reserve"), metric.is_error());
        }
    }

    #[test]
    fn the_template_lacks_only_the_folder() {
        for schedule in [SHORT, PATIENT] {
            let parameters = Parameters {
                phase_min_ms: SECOND_MS,
                ..Parameters::default()
            };
            let temp = tempfile::tempdir().unwrap();
            let file = temp.path().join("bounty.toml");
            std::fs::write(&file, text(&parameters, &schedule)).unwrap();
            let (plan, findings) = plan::load(&file).unwrap();
            let fields: Vec<&str> = findings.iter().map(|found| found.field.as_str()).collect();
            assert_eq!(fields, ["test_set"]);
            assert_eq!(plan.schedule, Some(schedule));
        }
    }
}
