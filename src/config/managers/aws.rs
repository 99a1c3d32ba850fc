//! `[secrets.aws]`: where AWS Secrets Manager is.

use std::sync::Arc;

use crate::{
    config::walk::{Found, Table},
    source::{AwsSource, no_address},
};

/// What is said of it.
#[derive(Debug, Default)]
pub(super) struct DescribedAws {
    region: Option<String>,
    endpoint: Option<String>,
}

impl DescribedAws {
    pub(super) fn open(self) -> Arc<AwsSource> {
        Arc::new(AwsSource::new(self.region, self.endpoint))
    }
}

/// Reads the table.
pub(super) fn read(mut table: Table<'_>, found: &mut Found) -> DescribedAws {
    let region = table.text("region", found).map(str::to_owned);
    let endpoint = table.text("endpoint", found).map(str::to_owned);
    let is_address = |text: &String| text.starts_with("http://") || text.starts_with("https://");
    if let Some(text) = endpoint.as_ref().filter(|text| !is_address(text)) {
        let remedy = "write one such as http://127.0.0.1:5000";
        found.wrong(&table.path_of("endpoint"), no_address(text), remedy);
    }
    table.finish(found, &[]);
    DescribedAws { region, endpoint }
}
