//! Whether a test set is fresh: one that miners can look into measures nothing.
//!
//! The ledger cannot see this. What is found here is the market's word, not a
//! rule: `--even-so` turns it into a note.

use std::collections::BTreeMap;

use client::{AssetFilter, Client};
use datasets::{Labels, Table};
use protocol::api::{AssetView, BountyView};
use protocol::receipt::{Phase, VoidReason};
use protocol::record::{AssetKind, BlobRef};

use super::check::Check;
use super::has_ended;
use super::plan::Weight;
use crate::failure::Failure;
use crate::sealing::fetch_folder;
use crate::session::Session;
use crate::test_sets;

/// The largest parent that is fetched to compare its rows.
const PARENT_BYTES_MAX: u64 = 64 << 20;

/// Below this many rows, chance decides between models that are nearly as good.
const ROWS_FEW: usize = 30;

const FIELD: &str = "test_set";

impl Check {
    /// Notes on a test set that measures little.
    pub(super) fn size(&mut self, table: &Table, classes: Option<u32>) {
        let rows = table.rows();
        if rows < ROWS_FEW {
            let message = format!("{rows} rows: chance decides much with fewer than {ROWS_FEW}");
            let next = "put more rows into the test set, if you have them";
            self.put(Weight::Note, "test_set_small", FIELD, message, next);
        }
        let (Some(classes), Some(labels)) = (classes, table.labels.classes()) else {
            return;
        };
        let absent = absent_classes(labels, classes);
        if !absent.is_empty() {
            let named: Vec<String> = absent.iter().take(8).map(u32::to_string).collect();
            let more = if absent.len() > named.len() {
                ", …"
            } else {
                ""
            };
            let message = format!(
                "no row of {} of the {classes} classes ({}{more}): whether models know them is not measured",
                absent.len(),
                named.join(", ")
            );
            let next = "put rows of every class into the test set, or number the classes anew";
            self.put(Weight::Note, "test_class_absent", FIELD, message, next);
        }
    }

    /// Whether the archive is public, or was used before.
    pub(super) fn archive(
        &mut self,
        session: &Session,
        client: &Client,
        archive: BlobRef,
    ) -> Result<(), Failure> {
        let next = "make the test set of rows that nobody has seen";
        let filter = AssetFilter {
            kind: Some(AssetKind::DataSet),
            ..AssetFilter::default()
        };
        for asset in client.assets(&filter) {
            let asset = asset?;
            if asset.blob.id == archive.id {
                let message = format!(
                    "this very folder is public: it is the data set '{}', {}",
                    asset.name, asset.id
                );
                self.market("test_set_public", message, next);
                break;
            }
        }
        for id in test_sets::bounties(session, archive.id)? {
            let view = match client.bounty(id) {
                Ok(view) => view,
                Err(error) if error.is_not_found() => continue,
                Err(error) => return Err(error.into()),
            };
            let title = &view.summary.title;
            match secrecy(&view) {
                Secrecy::Lost => {
                    let message = format!(
                        "it was the test set of '{title}', {id}, and its key is out: anyone can read it"
                    );
                    self.market("test_set_revealed", message, next);
                }
                Secrecy::AtStake => {
                    let message = format!(
                        "it is the test set of '{title}', {id}, which is running: when one is revealed \
                         the other is worthless"
                    );
                    self.market("test_set_in_use", message, next);
                }
                Secrecy::Kept => {}
            }
        }
        Ok(())
    }

    /// Rows that stand in a parent too, which every miner has.
    pub(super) fn rows(&mut self, client: &Client, table: &Table) -> Result<(), Failure> {
        let parents = std::mem::take(&mut self.parents);
        for parent in &parents {
            if parent.asset.kind == AssetKind::DataSet {
                self.rows_in(client, table, &parent.asset)?;
            }
        }
        self.parents = parents;
        Ok(())
    }

    fn rows_in(
        &mut self,
        client: &Client,
        table: &Table,
        parent: &AssetView,
    ) -> Result<(), Failure> {
        let name = &parent.name;
        let public = match fetch(client, parent) {
            Ok(table) => table,
            Err(why) => {
                let message = format!("its rows were not compared with those of '{name}': {why}");
                let next = "see to it yourself that no row stands in both";
                self.put(Weight::Note, "rows_not_compared", FIELD, message, next);
                return Ok(());
            }
        };
        let (shared, all) = (shared_rows(table, &public), table.rows());
        if shared > 0 {
            let message =
                format!("{shared} of its {all} rows stand in '{name}' too, which is public");
            let next = "take those rows out of the test set; 'lode dataset init --split-test' divides a file";
            self.market("test_rows_public", message, next);
        }
        Ok(())
    }

    fn market(&mut self, code: &str, message: String, next: &str) {
        if self.even_so {
            self.put(Weight::Note, code, FIELD, message, next);
        } else {
            let next = format!("{next}; or add --even-so");
            self.put(Weight::Market, code, FIELD, message, &next);
        }
    }
}

/// What a bounty does to the secrecy of its test set.
#[derive(Debug, PartialEq, Eq)]
enum Secrecy {
    /// Its key is out.
    Lost,
    /// Its key will be out.
    AtStake,
    /// It ended without the key.
    Kept,
}

fn secrecy(view: &BountyView) -> Secrecy {
    match view.summary.phase {
        _ if view.test_key.is_some() => Secrecy::Lost,
        Phase::Void(VoidReason::KeyLeaked) => Secrecy::Lost,
        phase if has_ended(&phase) => Secrecy::Kept,
        _ => Secrecy::AtStake,
    }
}

/// The rows of a parent, or why they were not read.
fn fetch(client: &Client, parent: &AssetView) -> Result<Table, String> {
    if parent.blob.size_bytes > PARENT_BYTES_MAX {
        return Err("it is larger than 64 MiB".to_owned());
    }
    let temp = tempfile::tempdir().map_err(|error| error.to_string())?;
    let dir = temp.path().join("parent");
    fetch_folder(parent.blob, client, &dir).map_err(|error| error.of_asset().message)?;
    datasets::load_table(&dir).map_err(|error| error.to_string())
}

/// The classes below `classes` that no label names.
fn absent_classes(labels: &[u32], classes: u32) -> Vec<u32> {
    let named: std::collections::BTreeSet<u32> = labels.iter().copied().collect();
    (0..classes)
        .filter(|class| !named.contains(class))
        .collect()
}

/// How many rows of a test set are in a public table too: the same inputs and the same label.
fn shared_rows(test: &Table, public: &Table) -> usize {
    if test.inputs.ncols() != public.inputs.ncols() {
        return 0;
    }
    let mut counts: BTreeMap<Vec<u32>, usize> = BTreeMap::new();
    for row in rows(test) {
        *counts.entry(row).or_default() += 1;
    }
    rows(public).filter_map(|row| counts.remove(&row)).sum()
}

/// Every row as numbers that compare: the bits of its inputs, then its label.
fn rows(table: &Table) -> impl Iterator<Item = Vec<u32>> {
    let inputs = table.inputs.rows().into_iter().enumerate();
    inputs.map(|(row, inputs)| {
        // Minus nothing is nothing.
        let bits = inputs.into_iter().map(|&input| (input + 0.0).to_bits());
        let label = match &table.labels {
            Labels::Classes(labels) => [labels[row], 0],
            Labels::Numbers(labels) => {
                let bits = (labels[row] + 0.0).to_bits();
                [(bits >> 32) as u32, bits as u32]
            }
        };
        bits.chain(label).collect()
    })
}

#[cfg(test)]
mod tests {
    use datasets::{CsvSpec, LabelKind, read_csv};

    use super::*;

    fn table(text: &str) -> Table {
        let spec = CsvSpec {
            header: false,
            label_column: 2,
            inputs: 2,
            labels: LabelKind::Classes(4),
            divide_inputs_by: 1,
        };
        read_csv(text.as_bytes(), &spec).unwrap()
    }

    #[test]
    fn a_row_is_shared_if_inputs_and_label_are_the_same() {
        let test = table("1,2,0\n1,2,0\n3,4,1\n-0,5,2\n");
        for (public, shared) in [
            ("7,7,0\n", 0),
            ("1,2,1\n", 0),
            ("1,2,0\n", 2),
            ("1,2,0\n1.0,2,0\n", 2),
            ("0,5,2\n3,4,1\n", 2),
        ] {
            assert_eq!(shared_rows(&test, &table(public)), shared, "{public}");
        }
    }

    #[test]
    fn a_class_without_a_row_is_named() {
        assert_eq!(absent_classes(&[0, 2, 2], 4), [1, 3]);
        assert_eq!(absent_classes(&[1, 0], 2), Vec::<u32>::new());
    }
}
