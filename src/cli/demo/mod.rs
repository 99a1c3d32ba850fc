//! `keyscheme demo`

mod calls;
mod server;

use std::net::Ipv4Addr;

use keyscheme::{
    AcceptConfig, Clock, KeyConfig, Material, MaxAge, OsRandom, Random, Registry, ServiceConfig,
    SystemClock, Verifier,
};
use tokio::net::TcpListener;

use self::calls::{Call, Keyring};
use super::{
    Status, Unusable,
    check::table,
    log::{self, Format},
    print,
};

/// Starts a small protected service, with a fresh random key under every scheme, and prints calls to
/// paste: some that it accepts, some that it refuses.
///
/// It listens on a free loopback port, logs every decision, and runs until Ctrl-C.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  keyscheme demo\n  keyscheme demo --once")]
pub(super) struct Demo {
    /// Makes the calls itself, prints the answers beside what was expected, and exits with 0 only
    /// if all agree.
    #[arg(long)]
    once: bool,
}

const SERVICE: &str = "demo";
const CLIENT: &str = "spring-demo";
/// Long enough to paste the calls tomorrow.
const DAY: u64 = 86_400;

impl Demo {
    pub(super) async fn run(self) -> Result<Status, Unusable> {
        let (verifier, keyring) = protect()?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let calls = calls::all(&keyring)?;
        if !self.once {
            // It ends with the process.
            let _ = log::start(Format::Text);
        }
        tokio::spawn(server::serve(listener, verifier.into()));
        if self.once {
            return rehearse(address, &calls).await;
        }
        print(format_args!("A protected service listens on http://{address}. Paste:\n"))?;
        for call in &calls {
            let expected = call.expected;
            print(format_args!("# {}: {expected}\n{}\n", call.title, call.curl(address)))?;
        }
        print(format_args!("Every decision is logged. Ctrl-C ends it.\n"))?;
        tokio::signal::ctrl_c().await?;
        Ok(Status::Done)
    }
}

/// A verifier with one service that accepts every built-in scheme, and a key under each.
fn protect() -> Result<(Verifier, Keyring), Unusable> {
    let now = SystemClock.now();
    let mut service = ServiceConfig::new(SERVICE).issue("hmac1");
    let mut builder = Verifier::builder();
    let mut keyring = Keyring::new();
    for facts in Registry::default().facts() {
        let mut accept = AcceptConfig::new(facts.id);
        if facts.fresh {
            accept = accept.max_age(MaxAge::Seconds(DAY));
        } else {
            accept = accept.until(now.plus(DAY));
        }
        service = service.accept(accept);
        let mut material = Material::new();
        for field in facts.fields {
            let mut bytes = vec![0; field.lengths.of_new()];
            OsRandom.fill(&mut bytes)?;
            material = material.with(field.name, bytes);
        }
        let id = format!("{}-key", facts.id);
        builder = builder.key(CLIENT, KeyConfig::new(&id, facts.id, material.clone()));
        keyring.push((facts, id, material));
    }
    Ok((builder.service(service).build()?, keyring))
}

/// Makes the calls and shows whether they were answered as expected.
async fn rehearse(address: std::net::SocketAddr, calls: &[Call]) -> Result<Status, Unusable> {
    let mut rows = vec![["CALL", "EXPECTED", "ANSWERED", ""].map(str::to_owned)];
    let mut agree = true;
    for call in calls {
        let answered = call.make(address).await?;
        let same = answered == call.expected;
        agree &= same;
        let verdict = if same { "ok" } else { "DIFFERS" };
        rows.push([
            call.title.clone(),
            call.expected.to_string(),
            answered.to_string(),
            verdict.to_owned(),
        ]);
    }
    print(format_args!("{}", table(&rows)))?;
    Ok(if agree { Status::Done } else { Status::Rejected })
}
