//! The tables `[secrets.aws]` and `[secrets.vault]`: how secret managers are reached.
//!
//! Each is behind a feature of its name, so that nobody compiles a client that is not used. A build
//! without it says so where it is named.

#[cfg(feature = "aws")]
mod aws;
#[cfg(feature = "vault")]
mod vault;

use std::{collections::HashSet, path::Path};

use super::{
    fetch::Fetcher,
    secret::{KnownSource, SourceKind, not_built},
    walk::{Found, Table},
};
use crate::source::{AWS_OPTIONS, VAULT_OPTIONS};

/// The managers, as sources of secrets.
pub(super) const MANAGERS: [KnownSource<'_>; 2] = [
    KnownSource {
        name: "aws",
        options: &AWS_OPTIONS,
        kind: SourceKind::Manager { is_built: cfg!(feature = "aws") },
    },
    KnownSource {
        name: "vault",
        options: &VAULT_OPTIONS,
        kind: SourceKind::Manager { is_built: cfg!(feature = "vault") },
    },
];

/// What is said of them.
#[derive(Debug, Default)]
pub(super) struct DescribedManagers {
    #[cfg(feature = "aws")]
    aws: aws::DescribedAws,
    #[cfg(feature = "vault")]
    vault: vault::DescribedVault,
}

/// Those that were opened.
#[derive(Debug, Default)]
pub(super) struct OpenManagers {
    #[cfg(feature = "vault")]
    vault: Option<std::sync::Arc<crate::source::VaultSource>>,
}

/// Reads what `[secrets]` says of those managers that a program has no sources of its own for. Their own
/// secrets come from the other `sources`.
pub(super) fn read(
    secrets: &mut Table<'_>,
    sources: &[KnownSource<'_>],
    found: &mut Found,
) -> DescribedManagers {
    let is_manager = |source: &&KnownSource<'_>| source.kind != SourceKind::Plain;
    let (managers, others): (Vec<_>, Vec<_>) = sources.iter().partition(is_manager);
    let others: Vec<_> = others.into_iter().copied().collect();
    let mut described = DescribedManagers::default();
    for manager in managers {
        let Some(table) = secrets.table(manager.name, found) else { continue };
        described.read(manager, table, &others, found);
    }
    described
}

impl DescribedManagers {
    #[allow(unused_variables, reason = "without any manager there is nothing to read")]
    fn read(
        &mut self,
        manager: &KnownSource<'_>,
        table: Table<'_>,
        others: &[KnownSource<'_>],
        found: &mut Found,
    ) {
        match manager.name {
            #[cfg(feature = "aws")]
            "aws" => self.aws = aws::read(table, found),
            #[cfg(feature = "vault")]
            "vault" => self.vault = vault::read(table, others, found),
            name => not_built(&table.path, name, found),
        }
    }

    /// Adds those of the sources that some secret is in. What cannot be opened is not asked.
    #[allow(unused_variables, reason = "without any manager there is nothing to open")]
    pub(super) async fn open(
        self,
        named: &HashSet<String>,
        directory: &Path,
        fetcher: &mut Fetcher,
        found: &mut Found,
    ) -> OpenManagers {
        #[cfg(feature = "aws")]
        if named.contains("aws") && !fetcher.knows("aws") {
            fetcher.add("aws", self.aws.open());
        }
        #[allow(unused_mut, reason = "without Vault nothing is to be closed")]
        let mut open = OpenManagers::default();
        #[cfg(feature = "vault")]
        if named.contains("vault")
            && !fetcher.knows("vault")
            && let Some(source) = self.vault.open(directory, fetcher, found).await
        {
            fetcher.add("vault", std::sync::Arc::clone(&source) as _);
            open.vault = Some(source);
        }
        open
    }
}

impl OpenManagers {
    /// Ends what a load has begun there.
    pub(super) async fn close(self) {
        #[cfg(feature = "vault")]
        if let Some(vault) = self.vault {
            vault.close().await;
        }
    }
}
