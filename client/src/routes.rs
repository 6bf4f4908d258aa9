//! What is on the log, asked for one by one or page by page: one method a route.

use protocol::ans104::VerifiedItem;
use protocol::api::{
    AccountView, AssetView, BlockView, BountySummary, BountyView, EvaluatorView, HistoryEntry,
    HolderView, LicenseView, ReceiptProof, RecordView, StatementView, SubmissionView, VotesView,
};
use protocol::id::{Address, ItemId};
use protocol::record::AssetKind;
use protocol::statement::{Movement, Subject};

use crate::client::Client;
use crate::error::ClientError;
use crate::http::{Ask, JSON_BYTES_MAX};
use crate::pages::Pages;

/// Which bounties a list holds: those in this phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PhaseFilter {
    /// Submissions are committed.
    Open,
    /// The sponsor reveals the test key.
    TestKey,
    /// The committee checks the test set.
    TestCheck,
    /// Miners reveal.
    Reveal,
    /// Evaluators commit.
    Score,
    /// Evaluators reveal.
    ScoreReveal,
    /// Verdicts stand open.
    Challenge,
    /// Paid out.
    Settled,
    /// Ended without a ranking, for whatever reason.
    Void,
}

impl PhaseFilter {
    /// Its name in the query `phase=`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::TestKey => "test_key",
            Self::TestCheck => "test_check",
            Self::Reveal => "reveal",
            Self::Score => "score",
            Self::ScoreReveal => "score_reveal",
            Self::Challenge => "challenge",
            Self::Settled => "settled",
            Self::Void => "void",
        }
    }
}

/// Which assets a list holds: those for which all that is given is so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AssetFilter {
    /// Models, or data sets.
    pub kind: Option<AssetKind>,
    /// Made by this account.
    pub maker: Option<Address>,
    /// Of which this account holds royalty shares.
    pub holder: Option<Address>,
    /// Of this name.
    pub name: Option<String>,
}

/// Which licences a list holds: those for which all that is given is so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LicenseFilter {
    /// Of this asset.
    pub asset: Option<ItemId>,
    /// Held by this account.
    pub licensee: Option<Address>,
}

/// # What is on the log
///
/// Every method errs if the node cannot be asked, and with an error for which
/// [`ClientError::is_not_found`] holds if what was named is not there.
impl Client {
    /// `GET /v1/accounts/{address}`. An address that was never paid has an empty account.
    ///
    /// # Errors
    /// As above.
    pub fn account(&self, address: Address) -> Result<AccountView, ClientError> {
        self.get(Ask::new(format!("/v1/accounts/{address}")))
    }

    /// `GET /v1/evaluators`, by address.
    pub fn evaluators(&self) -> Pages<EvaluatorView> {
        self.pages(Ask::new("/v1/evaluators"))
    }

    /// `GET /v1/bounties`, newest first.
    pub fn bounties(&self, phase: Option<PhaseFilter>) -> Pages<BountySummary> {
        self.pages(Ask::new("/v1/bounties").query("phase", phase.map(PhaseFilter::name)))
    }

    /// `GET /v1/bounties/{id}`.
    ///
    /// # Errors
    /// As above.
    pub fn bounty(&self, id: ItemId) -> Result<BountyView, ClientError> {
        self.get(Ask::new(format!("/v1/bounties/{id}")))
    }

    /// `GET /v1/submissions/{id}`.
    ///
    /// # Errors
    /// As above.
    pub fn submission(&self, id: ItemId) -> Result<SubmissionView, ClientError> {
        self.get(Ask::new(format!("/v1/submissions/{id}")))
    }

    /// `GET /v1/assets`, newest first.
    pub fn assets(&self, filter: &AssetFilter) -> Pages<AssetView> {
        let kind = filter.kind.map(|kind| match kind {
            AssetKind::Model => "model",
            AssetKind::DataSet => "data_set",
        });
        let ask = Ask::new("/v1/assets")
            .query("kind", kind)
            .query("maker", filter.maker)
            .query("holder", filter.holder)
            .query("name", filter.name.as_ref());
        self.pages(ask)
    }

    /// `GET /v1/assets/{id}`.
    ///
    /// # Errors
    /// As above.
    pub fn asset(&self, id: ItemId) -> Result<AssetView, ClientError> {
        self.get(Ask::new(format!("/v1/assets/{id}")))
    }

    /// `GET /v1/assets/{id}/holders`, by address.
    pub fn holders(&self, asset: ItemId) -> Pages<HolderView> {
        self.pages(Ask::new(format!("/v1/assets/{asset}/holders")))
    }

    /// `GET /v1/assets/{id}/votes`.
    ///
    /// # Errors
    /// As above.
    pub fn votes(&self, asset: ItemId) -> Result<VotesView, ClientError> {
        self.get(Ask::new(format!("/v1/assets/{asset}/votes")))
    }

    /// `GET /v1/accounts/{address}/holdings`, by asset.
    pub fn holdings(&self, account: Address) -> Pages<HolderView> {
        self.pages(Ask::new(format!("/v1/accounts/{account}/holdings")))
    }

    /// `GET /v1/licenses`, newest first.
    pub fn licenses(&self, filter: &LicenseFilter) -> Pages<LicenseView> {
        let ask = Ask::new("/v1/licenses")
            .query("asset", filter.asset)
            .query("licensee", filter.licensee);
        self.pages(ask)
    }

    /// `GET /v1/licenses/{id}`.
    ///
    /// # Errors
    /// As above.
    pub fn license(&self, id: ItemId) -> Result<LicenseView, ClientError> {
        self.get(Ask::new(format!("/v1/licenses/{id}")))
    }

    /// `GET /v1/accounts/{address}/history`: every receipt that touched it, oldest first.
    pub fn account_history(&self, account: Address) -> Pages<HistoryEntry> {
        self.pages(Ask::new(format!("/v1/accounts/{account}/history")))
    }

    /// `GET /v1/bounties/{id}/history`: every receipt that touched it, oldest first.
    pub fn bounty_history(&self, bounty: ItemId) -> Pages<HistoryEntry> {
        self.pages(Ask::new(format!("/v1/bounties/{bounty}/history")))
    }

    /// `GET /v1/assets/{id}/history`: every receipt that touched it, oldest first.
    pub fn asset_history(&self, asset: ItemId) -> Pages<HistoryEntry> {
        self.pages(Ask::new(format!("/v1/assets/{asset}/history")))
    }

    /// `GET /v1/accounts/{address}/statement`, or a bounty's or an asset's: every unit in
    /// and out by rule and kind of purse, and whether it is what the state has. Of the
    /// movements it holds the first at most: [`Client::movements`] goes through all.
    ///
    /// # Errors
    /// As above.
    pub fn statement(&self, subject: &Subject) -> Result<StatementView, ClientError> {
        self.get(statement(subject).query("limit", Some(1)))
    }

    /// The movements of a statement, in the order of the log.
    pub fn movements(&self, subject: &Subject) -> Pages<Movement> {
        self.pages(statement(subject))
    }

    /// `GET /v1/records/{id}`: where the record is, and what came of it.
    ///
    /// # Errors
    /// As above, and if it speaks of another.
    pub fn record(&self, id: ItemId) -> Result<RecordView, ClientError> {
        let view: RecordView = self.get(Ask::new(format!("/v1/records/{id}")))?;
        if view.id != id {
            let what = format!("it speaks of the record {}, not of {id}", view.id);
            return Err(self.http.bad(what));
        }
        Ok(view)
    }

    /// `GET /v1/records/{id}/item`: the signed item, its signature and id checked.
    ///
    /// # Errors
    /// As above, and [`ClientError::Damaged`] if another item came.
    pub fn record_item(&self, id: ItemId) -> Result<VerifiedItem, ClientError> {
        let item = self.item(Ask::new(format!("/v1/records/{id}/item")), "the record")?;
        if item.id() != id {
            return Err(ClientError::Damaged {
                what: "the record",
                expected: id.to_string(),
                found: item.id().to_string(),
            });
        }
        Ok(item)
    }

    /// `GET /v1/receipts/{id}/proof`: that a final record's receipt is on the log. It is not checked here.
    ///
    /// # Errors
    /// As above.
    pub fn receipt_proof(&self, record: ItemId) -> Result<ReceiptProof, ClientError> {
        self.get(Ask::new(format!("/v1/receipts/{record}/proof")))
    }

    /// `GET /v1/blocks/{height}`.
    ///
    /// # Errors
    /// As above.
    pub fn block(&self, height: u64) -> Result<BlockView, ClientError> {
        self.get(Ask::new(format!("/v1/blocks/{height}")))
    }

    /// `GET /v1/blocks/{height}/bundle`: the block as the bytes of an ANS-104 bundle, for
    /// [`protocol::ans104::BundleReader`] to check.
    ///
    /// # Errors
    /// As above.
    pub fn block_bundle(&self, height: u64) -> Result<Vec<u8>, ClientError> {
        let ask = Ask::new(format!("/v1/blocks/{height}/bundle"));
        self.patiently(|| {
            self.http
                .bytes(self.http.get(&ask)?, "the block", JSON_BYTES_MAX)
        })
    }
}

fn statement(subject: &Subject) -> Ask {
    Ask::new(match subject {
        Subject::Account(address) => format!("/v1/accounts/{address}/statement"),
        Subject::Bounty(id) => format!("/v1/bounties/{id}/statement"),
        Subject::Asset(id) => format!("/v1/assets/{id}/statement"),
    })
}
