//! `lode bounty check`: everything that the ledger would refuse, all at once.
//!
//! The file comes first, then the test set, then what the node knows; the last
//! word is the node's own, on a trial of the very record.

use std::path::Path;

use client::Client;
use datasets::{LabelKind, Manifest};
use licensing::Terms;
use protocol::Amount;
use protocol::api::Status;
use protocol::benchmark::{
    ARITHMETIC_VERSION, Benchmark, BenchmarkError, Metric, ModelLimits, Task,
};
use protocol::id::{BlobId, Digest};
use protocol::record::{AssetKind, BlobRef, NamedParent, PostBounty, SealedFolder};
use protocol::report::TestOutcome;
use protocol::seal::ciphertext_len;

use super::cost::Cost;
use super::offer::Parent;
use super::pace::{scored_in, scored_text};
use super::plan::{Finding, Plan, Weight, load};
use super::values::{TaskKind, duration_text};
use super::{post, reach};
use crate::failure::{Exit, Failure};
use crate::folder;
use crate::license::takes_no_child;
use crate::out;
use crate::session::Session;

/// Below this many models that are scored in time a sponsor is told.
const SCORED_FEW: u128 = 20;

/// A bounty that was looked at.
pub struct Checked {
    /// All that is wrong.
    pub findings: Vec<Finding>,
    /// The posting, if the file makes sense. Its seal is of zeros and as long as the true one.
    pub posting: Option<PostBounty>,
    /// What models are made from, so far as it is there.
    pub parents: Vec<Parent>,
    /// What it costs, if that can be said.
    pub cost: Option<Cost>,
    /// The archive of the test set's folder, as it was looked at.
    pub archive: Option<BlobId>,
}

/// Prints what is wrong with a bounty's file, and what the bounty would take.
///
/// # Errors
/// Something is: exit 2 if the file makes no sense, 5 if the ledger would refuse it.
pub fn run(session: &Session, file: &Path, even_so: bool) -> Result<(), Failure> {
    let (plan, findings) = load(file)?;
    let checked = check(session, &plan, findings, even_so)?;
    tell(session, &checked)?;
    if let (false, Some(posting), Some(cost)) = (session.json(), &checked.posting, &checked.cost) {
        cost.print(posting)?;
    }
    verdict(&checked.findings)?;
    if !session.json() {
        out::line("nothing is in the way: the ledger would take it now")?;
        let flag = if even_so { " --even-so" } else { "" };
        out::line(&format!("next: lode bounty post {}{flag}", file.display()))?;
    }
    Ok(())
}

/// Prints the findings, one after the other; as JSON with the cost.
///
/// # Errors
/// stdout cannot be written.
pub fn tell(session: &Session, checked: &Checked) -> Result<(), Failure> {
    if session.json() {
        let ok = verdict(&checked.findings).is_ok();
        let value = serde_json::json!({
            "ok": ok, "findings": checked.findings, "cost": checked.cost,
        });
        return out::json("bounty.check", &value);
    }
    for finding in &checked.findings {
        let Finding {
            code,
            field,
            message,
            next_step,
            weight,
        } = finding;
        let word = if *weight == Weight::Note {
            "note: "
        } else {
            ""
        };
        out::line(&format!("{word}{field}: {message} [{code}]"))?;
        out::line(&format!("  next: {next_step}"))?;
    }
    Ok(())
}

/// The failure that findings come to, if any of them is more than a note.
///
/// # Errors
/// There are.
pub fn verdict(findings: &[Finding]) -> Result<(), Failure> {
    let refusing = || findings.iter().filter(|found| found.weight != Weight::Note);
    let Some(worst) = refusing().map(|finding| finding.weight).min() else {
        return Ok(());
    };
    let count = match refusing().count() {
        1 => "1 thing is".to_owned(),
        many => format!("{many} things are"),
    };
    let next = "follow the next steps above, then check it again";
    let (code, message, exit) = match worst {
        Weight::File => ("bounty_file", format!("{count} wrong with it"), Exit::Usage),
        Weight::Ledger => (
            "bounty_refused",
            format!("{count} in the way: the ledger would refuse it"),
            Exit::Rejected,
        ),
        Weight::Market => (
            "bounty_pointless",
            format!("{count} in the way: the bounty would measure nothing"),
            Exit::Rejected,
        ),
        Weight::Unknown | Weight::Note => {
            let message = format!("{count} not known, so it is not sure that the ledger takes it");
            let is_key = findings.iter().any(|finding| finding.field == "account");
            let exit = if is_key { Exit::Key } else { Exit::Later };
            return Err(Failure::new("bounty_unknown", message, next).exit(exit));
        }
    };
    Err(Failure::new(code, message, next).exit(exit))
}

/// Looks at everything that a file says, of which these findings are known.
///
/// # Errors
/// The node cannot be asked, or stdout is gone.
pub fn check(
    session: &Session,
    plan: &Plan,
    findings: Vec<Finding>,
    even_so: bool,
) -> Result<Checked, Failure> {
    let mut check = Check {
        findings,
        parents: Vec::new(),
        archive: None,
        even_so,
    };
    let benchmark = check.benchmark(plan);
    if let Some(terms) = &plan.terms {
        check.canonical(terms);
    }
    if plan.reward.is_some_and(Amount::is_zero) {
        let next = "offer a reward above zero";
        check.ledger("zero_amount", "money.reward", "the reward is zero", next);
    }
    let client = match session.client() {
        Ok(client) => client,
        Err(failure) => {
            let finding = Finding::of(Weight::Unknown, "node", &failure);
            check.findings.push(finding);
            return Ok(Checked {
                findings: check.findings,
                posting: None,
                parents: Vec::new(),
                cost: None,
                archive: check.archive.map(|archive| archive.id),
            });
        }
    };
    if plan.self_funding_ppm.is_some_and(|ppm| ppm > 0)
        && let Some(terms) = &plan.terms
        && takes_no_child(terms, AssetKind::Model, AssetKind::Model)
    {
        let message = "the model sets a part of its income aside, and under these terms no bounty can spend it: they \
                       do not allow that something is made from the model, or ask for a payment for it, and a \
                       bounty that names such a parent is refused";
        let next = "set nothing aside, or choose terms whose 'Derivation' is allowed, for credit, or for a share of revenue";
        check.put(
            Weight::Note,
            "fund_not_spendable",
            "money.self_funding",
            message,
            next,
        );
    }
    if let (Some(title), Ok(owner)) = (&plan.title, session.address())
        && let Some(id) = post::running(session, owner, title)?
    {
        let message = format!("a bounty '{title}' of yours is running: {id}");
        let next = "for another one beside it, change the title, or post with --again";
        check.put(Weight::Note, "posted_already", "title", message, next);
    }
    let status = client.status()?;
    check.schedule(plan, &status);
    if let (Some(benchmark), Some(schedule)) = (&benchmark, &plan.schedule) {
        check.pace(benchmark, schedule.score_ms);
    }
    check.money(plan, &status);
    check.evaluators(client)?;
    let parents = check.parents(session, client, plan)?;
    if let Some(archive) = check.archive {
        check.archive(session, client, archive)?;
    }
    if let Some(table) = plan
        .test_set
        .as_deref()
        .map(datasets::load_table)
        .and_then(Result::ok)
    {
        // The test set's own width: the file's was held against it.
        check.rows(client, &table)?;
    }
    let fund = check.fund(session, client, plan)?;
    let mut posting = posting(plan, benchmark, parents, check.archive);
    if plan.has_fund && fund.is_none() {
        posting = None;
    }
    if let Some(posting) = &mut posting {
        posting.fund = fund;
    }
    let cost = check.trial(
        session,
        &status,
        posting.as_ref(),
        plan.reward,
        plan.evaluation_fee,
    )?;
    Ok(Checked {
        findings: check.findings,
        posting,
        parents: check.parents,
        cost,
        archive: check.archive.map(|archive| archive.id),
    })
}

fn posting(
    plan: &Plan,
    benchmark: Option<Benchmark>,
    parents: Option<Vec<NamedParent>>,
    archive: Option<BlobRef>,
) -> Option<PostBounty> {
    let tags = plan.terms.as_ref()?.to_tags();
    // The record's length depends on it, and the byte fee on that.
    let size_bytes = archive.and_then(|archive| ciphertext_len(archive.size_bytes))?;
    Some(PostBounty {
        title: plan.title.clone()?,
        benchmark: benchmark?,
        test_set: SealedFolder {
            seal: Digest([0; 32]),
            ciphertext: BlobRef {
                id: BlobId([0; 32]),
                size_bytes,
            },
        },
        reward: plan.reward?,
        reserve: plan.reserve?,
        margin: plan.margin?,
        pay: plan.pay?,
        evaluation_fee: plan.evaluation_fee?,
        prepaid: plan.prepaid?,
        schedule: plan.schedule?,
        model_terms: tags.into_iter().map(|tag| (tag.name, tag.value)).collect(),
        parents: parents?,
        split: plan.split?,
        self_funding_ppm: plan.self_funding_ppm?,
        fund: None,
    })
}

/// What was found so far.
pub(super) struct Check {
    pub(super) findings: Vec<Finding>,
    pub(super) parents: Vec<Parent>,
    /// The test set's archive, if the folder can be read.
    pub(super) archive: Option<BlobRef>,
    /// Whether a test set that is not fresh is taken.
    pub(super) even_so: bool,
}

impl Check {
    pub(super) fn put(
        &mut self,
        weight: Weight,
        code: &str,
        field: &str,
        message: impl std::fmt::Display,
        next: &str,
    ) {
        let finding = Finding::new(weight, code, field, message, next);
        self.findings.push(finding);
    }

    pub(super) fn ledger(
        &mut self,
        code: &str,
        field: &str,
        message: impl std::fmt::Display,
        next: &str,
    ) {
        self.put(Weight::Ledger, code, field, message, next);
    }

    /// The benchmark, with what the test set says where the file does not; and the test set.
    fn benchmark(&mut self, plan: &Plan) -> Option<Benchmark> {
        let folder = plan.test_set.as_deref()?;
        let manifest = match datasets::Manifest::load(folder) {
            Ok(manifest) => manifest,
            Err(error) => {
                let next = "name a data-set folder; 'lode dataset init' makes one from a CSV file";
                self.put(Weight::File, error.code(), "test_set", error, next);
                return None;
            }
        };
        self.widths(plan, &manifest);
        self.task(plan, manifest.labels());
        let (inputs, rows) = (manifest.inputs(), manifest.rows);
        // No more than a data set has cells, so it fits.
        let rows = u32::try_from(rows).unwrap_or(u32::MAX);
        let (task, metric) = match manifest.labels() {
            LabelKind::Classes(classes) => (Task::Classification { classes }, Metric::Accuracy),
            LabelKind::Numbers => (Task::Regression, Metric::Rmse),
        };
        let sound = Benchmark {
            arithmetic: ARITHMETIC_VERSION,
            task,
            inputs,
            metric: plan
                .metric
                .filter(|metric| metric.fits(task))
                .unwrap_or(metric),
            examples_max: plan.examples_max.filter(|&most| most > 0).unwrap_or(rows),
            limits: ModelLimits {
                parameters_max: 1,
                file_bytes_max: 1,
                multiply_adds_max: 1,
            },
        };
        self.test_set(&sound, folder);
        let benchmark = Benchmark {
            task: match plan.task? {
                TaskKind::Classification => Task::Classification {
                    classes: plan.classes.or(task.classes())?,
                },
                TaskKind::Regression => Task::Regression,
            },
            inputs: plan.inputs.unwrap_or(inputs),
            metric: plan.metric?,
            examples_max: plan.examples_max.unwrap_or(rows),
            limits: plan.limits?,
            ..sound
        };
        // What only the whole shows; its numbers were looked at one by one.
        let is_named = |found: &Finding| found.field.starts_with("benchmark");
        if let Err(error) = benchmark.check()
            && !self.findings.iter().any(is_named)
        {
            let next = match &error {
                BenchmarkError::Metric { .. } => "choose a metric of that task",
                _ => "change the number that is named",
            };
            self.ledger("benchmark", "benchmark", error, next);
        }
        self.findings.extend(reach::limits(&benchmark));
        Some(benchmark)
    }

    /// The file's numbers against the test set's and against their limits, one by one.
    fn widths(&mut self, plan: &Plan, manifest: &Manifest) {
        let next = "leave it out of the file: then it is what the test set has";
        for (name, given, found) in [
            ("inputs", plan.inputs, Some(manifest.inputs())),
            ("classes", plan.classes, manifest.labels().classes()),
        ] {
            if let Some(given) = given.filter(|&given| Some(given) != found) {
                let found = found.map_or("none".to_owned(), |found| found.to_string());
                let message = format!("{given}; the test set has {found}");
                let (code, field) = (format!("{name}_mismatch"), format!("benchmark.{name}"));
                self.put(Weight::File, &code, &field, message, next);
            }
        }
        let limits = plan.limits;
        for (name, limit) in [
            ("examples_max", plan.examples_max.map(u64::from)),
            ("parameters_max", limits.map(|limits| limits.parameters_max)),
            ("file_bytes_max", limits.map(|limits| limits.file_bytes_max)),
            (
                "multiply_adds_max",
                limits.map(|limits| limits.multiply_adds_max),
            ),
        ] {
            if limit == Some(0) {
                let field = format!("benchmark.{name}");
                let message = "a limit of zero lets no model pass";
                self.ledger("benchmark", &field, message, "write a number above zero");
            }
        }
    }

    /// The file's task against the test set's labels.
    fn task(&mut self, plan: &Plan, labels: LabelKind) {
        let message = match (plan.task, labels) {
            (Some(TaskKind::Classification), LabelKind::Numbers) => {
                "classification; the labels of the test set are numbers"
            }
            (Some(TaskKind::Regression), LabelKind::Classes(_)) => {
                "regression; the labels of the test set are classes"
            }
            _ => return,
        };
        let next = "write the other task, or make the test set again: 'lode dataset init \
                    --regression' takes numbers as labels";
        self.put(
            Weight::File,
            "labels_mismatch",
            "benchmark.task",
            message,
            next,
        );
    }

    fn test_set(&mut self, benchmark: &Benchmark, folder: &Path) {
        // What the evaluators will do with it, done now.
        match evaluator::check_test_set(benchmark, folder) {
            Ok((TestOutcome::Ok, _)) => {}
            Ok((outcome, why)) => {
                let code = match &outcome {
                    TestOutcome::BadSeal { code, .. } => code.as_str().to_owned(),
                    _ => "test_set".to_owned(),
                };
                let why = why.unwrap_or_else(|| "the evaluators would refuse it".to_owned());
                let next = "correct the folder: the bounty would be void, and your bond lost";
                self.put(Weight::File, &code, "test_set", why, next);
            }
            Err(error) => {
                let next = "check that the folder can be read";
                self.put(Weight::File, "io", "test_set", error, next);
            }
        }
        match folder::pack_to_file(folder) {
            Ok((_, archive)) => self.archive = Some(archive),
            Err(failure) => {
                let finding = Finding::of(Weight::File, "test_set", &failure);
                self.findings.push(finding);
            }
        }
        if let Ok(table) = datasets::load_table(folder) {
            self.size(&table, benchmark.task.classes());
        }
    }

    fn canonical(&mut self, terms: &Terms) {
        if let Err(error) = Terms::parse(&terms.to_tags()) {
            let next = "use a preset";
            self.ledger(error.code(), "terms", error, next);
        }
    }

    fn schedule(&mut self, plan: &Plan, status: &Status) {
        for &(name, given_ms) in &plan.phases {
            let has_parents = !plan.parents.is_empty();
            let (min_ms, max_ms) = status.parameters.phase_bounds_ms(name, has_parents);
            let (min, max) = (duration_text(min_ms), duration_text(max_ms));
            if given_ms < min_ms || given_ms > max_ms {
                let given = duration_text(given_ms);
                let why = match name {
                    _ if max_ms == status.parameters.phase_max_ms => "",
                    "open" => {
                        ", as it holds the parents that the bounty names to what they ask for"
                    }
                    _ => ", as it locks evaluators' stakes",
                };
                let message =
                    format!("a phase of {given}; this network allows {min} to {max}{why}");
                let next = format!("choose {min} to {max}");
                self.ledger("schedule", &format!("schedule.{name}"), message, &next);
            }
        }
    }

    /// A note where an evaluator that is not fast gets to few of the models.
    fn pace(&mut self, benchmark: &Benchmark, score_ms: u64) {
        let models = scored_in(benchmark, score_ms);
        if models < SCORED_FEW {
            let about = scored_text(models);
            let message = format!(
                "in {} an evaluator that makes a billion multiply-adds a second scores {about} of the \
                 largest allowed size; what it does not get to has no verdict",
                duration_text(score_ms)
            );
            let next = "give the score phase longer, or models less: benchmark.multiply_adds_max, benchmark.examples_max";
            self.put(
                Weight::Note,
                "score_phase_short",
                "schedule.score",
                message,
                next,
            );
        }
    }

    fn money(&mut self, plan: &Plan, status: &Status) {
        if let (Some(reward), Some(fee)) = (plan.reward, plan.evaluation_fee)
            && reward <= fee
            && !reward.is_zero()
        {
            let (reward, fee) = (reward.to_lode_string(), fee.to_lode_string());
            let message = format!(
                "a reward of {reward} LODE is no more than a submission pays for its evaluation, {fee} LODE: who wins \
                 it gains nothing, and evaluators have next to nothing at stake"
            );
            let next = "offer more, or say elsewhere why somebody should take part";
            self.put(Weight::Note, "reward_small", "money.reward", message, next);
        }
        let least = status.parameters.evaluation_fee_min;
        if let Some(given) = plan.evaluation_fee.filter(|given| *given < least) {
            let (given, least) = (given.to_lode_string(), least.to_lode_string());
            let message = format!("{given} LODE; this network asks for at least {least} LODE");
            let next = format!("write \"{least}\" or more");
            self.ledger("evaluation_fee", "money.evaluation_fee", message, &next);
        }
        if let (Some(metric), Some(reserve), Some(pay)) = (plan.metric, plan.reserve, plan.pay) {
            self.findings
                .extend(reach::bar(metric, pay, reserve, plan.margin));
        }
    }

    fn evaluators(&mut self, client: &Client) -> Result<(), Failure> {
        let first = client.evaluators().page_size(1).next().transpose()?;
        if first.is_none() {
            let message = "no evaluator has joined, so nobody could score the bounty";
            let next = "wait until evaluators have joined; 'lode evaluate join' makes one";
            self.ledger("pool_too_small", "network", message, next);
        }
        Ok(())
    }
}
