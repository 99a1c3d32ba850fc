//! `keyscheme issue`

use std::path::PathBuf;

use keyscheme::SealError;

use super::{Bound, Status, Unusable, at, clock, load, note, print};

/// Prints a header value for one request.
///
/// For the legacy scheme, ecb0, that is the bare value, as legacy callers send it.
#[derive(clap::Args)]
#[command(after_help = "Example:
  keyscheme issue --config keyscheme.toml --service stt --client spring-main \\
      --method POST --target '/v1/stt?lang=ko' --body-file request.json")]
pub(super) struct Issue {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,

    /// The service that the request is for.
    #[arg(long, value_name = "SERVICE")]
    service: String,

    /// The client that makes the request.
    #[arg(long, value_name = "CLIENT")]
    client: String,

    /// The scheme, instead of the one that the service wants.
    #[arg(long, value_name = "SCHEME")]
    scheme: Option<String>,

    /// Puts the prefix before an ecb0 value too.
    #[arg(long)]
    tagged: bool,

    /// Leaves the content uncovered, under hmac1. Other schemes never cover it.
    #[arg(long, conflicts_with = "body_file")]
    uncovered_body: bool,

    #[command(flatten)]
    bound: Bound,
}

impl Issue {
    pub(super) async fn run(self) -> Result<Status, Unusable> {
        let config = load(&self.config, clock(self.bound.at)).await?;
        let mut issuer = config
            .issuer(&self.service, &self.client, self.scheme.as_deref())
            .map_err(|error| at(&self.config, &error))?;
        let facts = config.registry().facts().find(|facts| facts.id == issuer.scheme());
        let rules = config.verifier().snapshot().rules(&self.service);
        let entry =
            rules.and_then(|rules| rules.accepted().find(|a| a.facts().id == issuer.scheme()));
        let now = clock(self.bound.at).now();
        let open = entry.filter(|entry| entry.until().is_none_or(|until| now < until));
        let accepted = open.is_some_and(|entry| {
            entry.clients().is_none_or(|some| some.iter().any(|name| name.as_str() == self.client))
        });
        if !accepted {
            let (service, client) = (&self.service, &self.client);
            note(&format!("{service} does not accept {} from {client} now", issuer.scheme()));
        } else if self.uncovered_body
            && facts.is_some_and(|facts| facts.binds.body)
            && !open.is_some_and(|entry| entry.allows_uncovered_body())
        {
            note(&format!(
                "{} accepts {} with the content covered only, unless its entry says \
                 danger-uncovered-body = true",
                self.service,
                issuer.scheme()
            ));
        }
        if facts.is_some_and(|facts| facts.may_be_bare) && !self.tagged {
            issuer = issuer.bare();
        }
        if self.uncovered_body {
            issuer = issuer.uncovered_body();
        }
        let body = self.bound.body()?;
        let request = self.bound.request().body(&body);
        let issued = issuer.issue(&request).map_err(|error| match error {
            SealError::Unbindable => Unusable(format!(
                "{error}; --method is {:?}, --target {:?}",
                self.bound.method, self.bound.target
            )),
            error => error.into(),
        })?;
        print(format_args!("{issued}"))?;
        Ok(Status::Done)
    }
}
