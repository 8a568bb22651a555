//! SQLite and PostgreSQL behind one [`Store`]: schema, journal, queue, rows and blobs.
//!
//! Everything happens in transactions: [`Store::write`] and [`Store::read`] run a script over a
//! [`Tx`], whose methods are the resources, one file each. A write is acknowledged after its sync,
//! never before. The crate draws no time, no ids and no random numbers for what it stores: the
//! caller passes them in. It decides nothing about runs: it keeps the machines of the model, and
//! refuses what they refuse. Nobody outside of it sees SQL.
//!
//! Start at [`Store`], then at [`Tx`].

mod append;
mod artifact;
mod backup;
mod blob;
mod board;
mod card;
mod change_comment;
mod claim;
mod comment;
mod commit;
mod document;
mod error;
mod evidence;
mod finish;
mod idempotency;
mod issue;
mod issue_list;
mod issue_run;
mod journal;
mod leader;
mod lease;
mod ledger;
mod lineage;
mod migrate;
mod pairing;
mod postgres;
mod project;
mod question;
mod ready;
mod requirement;
mod retention;
mod run;
mod run_list;
mod sql;
mod sqlite;
mod store;
mod task;
mod token;
mod tx;
mod url;
mod value;
mod verify;
mod waiver;
mod worker;

pub use append::Taken;
pub use artifact::Artifact;
pub use backup::{DATABASE, Manifest, UNFINISHED, backup_check};
pub use blob::{BlobRef, BlobWriter, Blobs};
pub use claim::{ClaimRequest, Leased};
pub use commit::Committed;
pub use document::Document;
pub use error::{LostReason, StoreError};
pub use evidence::{EvidenceBody, KeptEvidence};
pub use finish::{Finished, Outcome};
pub use idempotency::{IdempotencyKey, StoredAnswer};
pub use issue_list::{IssueFilter, IssueOrder};
pub use journal::StreamHead;
pub use lease::{Beat, Held, Reaped, Released};
pub use ledger::{LedgerFilter, LedgerLine, Reserve, TopUp};
pub use migrate::KNOWN as SCHEMA_VERSION;
pub use pairing::Pairing;
pub use project::ProjectStamp;
pub use question::QuestionEnd;
pub use ready::NewTask;
pub use requirement::{KeptRequirement, Order, RequirementFilter};
pub use retention::Retention;
pub use run::{Due, OpenTasks, RunChange};
pub use run_list::RunFilter;
pub use store::Store;
pub use task::{TaskChange, TaskFilter};
pub use token::{Person, Token};
pub use tx::Tx;
pub use url::{StoreUrl, UrlInvalid};
pub use verify::{Chain, Damage, Verified};
pub use waiver::AcceptedDefinition;
pub use worker::Worker;

/// Every statement text of the crate, for the test that prepares each on both databases.
fn statements() -> Vec<&'static [sql::Sql]> {
    vec![
        append::STATEMENTS,
        artifact::STATEMENTS,
        backup::STATEMENTS,
        board::STATEMENTS,
        card::STATEMENTS,
        claim::STATEMENTS,
        change_comment::STATEMENTS,
        comment::STATEMENTS,
        document::STATEMENTS,
        evidence::STATEMENTS,
        finish::STATEMENTS,
        idempotency::STATEMENTS,
        issue::STATEMENTS,
        issue_list::STATEMENTS,
        issue_run::STATEMENTS,
        journal::STATEMENTS,
        leader::STATEMENTS,
        lease::STATEMENTS,
        ledger::STATEMENTS,
        ledger::LIST_STATEMENTS,
        ledger::VERIFY_STATEMENTS,
        lineage::STATEMENTS,
        migrate::STATEMENTS,
        pairing::STATEMENTS,
        postgres::STATEMENTS,
        project::STATEMENTS,
        question::STATEMENTS,
        ready::STATEMENTS,
        requirement::STATEMENTS,
        retention::STATEMENTS,
        run::STATEMENTS,
        run_list::STATEMENTS,
        task::STATEMENTS,
        token::STATEMENTS,
        verify::STATEMENTS,
        waiver::STATEMENTS,
        worker::STATEMENTS,
    ]
}

impl Store {
    /// Prepares every statement, so that a mistake in one is found by a test and not by a person.
    /// How many there are.
    pub async fn prepare_all(&self) -> Result<usize, StoreError> {
        let lite = self.kind() == "sqlite";
        self.write(move |tx| {
            Box::pin(async move {
                let mut count = 0;
                for statement in statements().into_iter().flatten() {
                    let text = if lite { statement.sqlite } else { statement.postgres };
                    if !text.is_empty() {
                        tx.prepare(statement).await?;
                        count += 1;
                    }
                }
                Ok::<_, StoreError>(count)
            })
        })
        .await
    }
}
