//! `keyscheme serve`

mod answer;
mod ask;
mod grpc;
mod http;
mod judge;
mod listen;
mod ready;
mod room;

use std::{io, path::PathBuf, sync::Arc, time::Duration};

use hyper::{Request, body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulShutdown},
};
use keyscheme::{Clock, Config, Listen, Rules, SystemClock};
use tokio::{
    runtime::Handle,
    signal::unix::{Signal, SignalKind, signal},
    sync::OwnedSemaphorePermit,
};

use self::{
    judge::Judge,
    listen::{Connection, Listener},
    ready::Ready,
    room::Room,
};
use super::{
    Status, Unusable, load,
    log::{self, Format},
    print,
};

/// Decides for a reverse proxy who may call the services behind it (forward authentication).
///
/// nginx, Caddy, Traefik and Envoy ask before they pass a request on. docs/proxies has a configuration
/// for each. It answers at /auth/nginx/SERVICE, /auth/caddy/SERVICE, /auth/traefik/SERVICE and below
/// /auth/envoy/SERVICE, to gRPC calls of Envoy's ext_authz, and at /healthz, /readyz and /keyz (ids and
/// states of the keys that it has loaded). It prints where it listens, and logs a line per decision to
/// standard error. It follows the configuration, and reads it at once on SIGHUP. On SIGTERM or Ctrl-C it
/// ends when the calls under way are answered.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  keyscheme serve --config keyscheme.toml
  keyscheme serve --config keyscheme.toml --listen unix:/run/keyscheme.sock --log json")]
pub(super) struct Serve {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,

    /// Where to listen: an address with a port (0 for a free one), or unix: and a path. By default what the
    /// configuration says, and otherwise 127.0.0.1:9400. An address that other machines can reach needs
    /// serve.proxy-token in the configuration.
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<Listen>,

    /// How the log is written.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    log: Format,

    /// How long calls that are under way may take when it ends, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = super::seconds)]
    drain: u64,
}

impl Serve {
    pub(super) async fn run(self) -> Result<Status, Unusable> {
        // Who asks for reading again while it is read for the first time must not end it.
        let reload = signal(SignalKind::hangup())?;
        let config = load(&self.config, Arc::new(SystemClock)).await?;
        let (listen, field) = listen::choose(self.listen, config.serve())?;
        let log = log::start(self.log);
        warn_of_memory(&config, &listen);
        let listener = Listener::bind(&listen, field).await?;
        let server = Arc::new(Server {
            judge: Judge::new(config, SystemClock.now())?,
            ready: Ready::default(),
        });
        // Before it says that it is there: who reads that may end it in peace at once.
        let end = told_to_end()?;
        print(format_args!("listening on {}", listener.name()))?;
        tracing::info!(target: "keyscheme", listen = %listener.name(), "started");
        let first = Arc::clone(&server);
        // Who never asks /readyz reads in the log what keeps it from being ready.
        tokio::spawn(async move { first.ready.ask(&first.judge).await });
        let watch = server.judge.auth.watch();
        let graceful = serve(&listener, &server, reload, end).await;
        server.ready.end();
        drop(listener);
        let drained = tokio::time::timeout(Duration::from_secs(self.drain), graceful.shutdown());
        let drained = drained.await.is_ok();
        // Calls that are under way need a state file that is kept, and keys that are current.
        drop(watch);
        server.judge.log.flush();
        if let Err(error) = server.judge.auth.close() {
            tracing::error!(target: "keyscheme", %error, "the state file cannot be written");
        }
        if drained {
            tracing::info!(target: "keyscheme", "ended");
        } else {
            let seconds = self.drain;
            tracing::warn!(target: "keyscheme", seconds, "ended with calls under way");
        }
        log.finish();
        Ok(Status::Done)
    }
}

/// Writes what a replay memory in this process means, where there is use for one.
fn warn_of_memory(config: &Config, listen: &Listen) {
    let services = config.verifier().snapshot().services();
    let is_used = services.iter().flat_map(Rules::accepted).any(|accepted| accepted.is_once());
    if config.verifier().memory().is_none() || !is_used {
        return;
    }
    if config.replay_state().is_none() {
        tracing::warn!(
            target: "keyscheme",
            "a restart forgets which single-use credentials were used (replay.state)"
        );
    }
    // One that only this machine reaches is asked by a proxy beside it, and is likely the only one.
    if !listen.is_local() || std::env::var_os("KUBERNETES_SERVICE_HOST").is_some() {
        tracing::warn!(
            target: "keyscheme",
            "other replicas do not know which single-use credentials were used here (replay.kind)"
        );
    }
}

/// What all connections share.
struct Server {
    judge: Judge,
    ready: Ready,
}

/// Serves until the process is told to end.
async fn serve(
    listener: &Listener,
    server: &Arc<Server>,
    mut reload: Signal,
    end: impl Future<Output = ()>,
) -> GracefulShutdown {
    let graceful = GracefulShutdown::new();
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADERS);
    builder.http2().timer(TokioTimer::new());
    let mut end = std::pin::pin!(end);
    let mut quiet = tokio::time::interval(FLUSH);
    let room = Room::new();
    loop {
        let accepted = tokio::select! {
            accepted = accept(listener, &room) => accepted,
            _ = quiet.tick() => {
                server.judge.log.flush();
                continue;
            }
            _ = reload.recv() => {
                let (runtime, server) = (Handle::current(), Arc::clone(server));
                // Where reading hangs, nobody waits behind it.
                tokio::task::spawn_blocking(move || runtime.block_on(reload_now(&server)));
                continue;
            }
            () = &mut end => return graceful,
        };
        let Ok((connection, peer, place)) = accepted else {
            // The machine is out of file descriptors, for example: others must end first.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let server = Arc::clone(server);
        let service = service_fn(move |request: Request<Incoming>| {
            let (server, peer) = (Arc::clone(&server), Arc::clone(&peer));
            async move { http::respond(&server, request, &peer).await }
        });
        match connection {
            Connection::Tcp(stream) => {
                let serving = builder.serve_connection(TokioIo::new(stream), service);
                tokio::spawn(within(place, graceful.watch(serving.into_owned())));
            }
            Connection::Unix(stream) => {
                let serving = builder.serve_connection(TokioIo::new(stream), service);
                tokio::spawn(within(place, graceful.watch(serving.into_owned())));
            }
        }
    }
}

/// The next connection, as soon as there is a place for it.
async fn accept(
    listener: &Listener,
    room: &Room,
) -> io::Result<(Connection, Arc<str>, Option<OwnedSemaphorePermit>)> {
    let place = room.place().await;
    let (connection, peer) = listener.accept().await?;
    Ok((connection, peer, place))
}

/// Keeps the place until the connection has ended.
async fn within<T>(place: Option<OwnedSemaphorePermit>, serving: impl Future<Output = T>) {
    serving.await;
    drop(place);
}

/// Reads everything again, as SIGHUP asks for.
async fn reload_now(server: &Server) {
    match server.judge.auth.reload().await {
        Ok(_) => tracing::info!(target: "keyscheme", "reloaded"),
        Err(error) => tracing::error!(target: "keyscheme", %error, "not reloaded"),
    }
}

/// Ends on SIGTERM or Ctrl-C.
fn told_to_end() -> Result<impl Future<Output = ()>, Unusable> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// How long a proxy may take for the head of a request, the time included that its connection is idle
/// before: longer than any proxy keeps one for later, so that none is closed under a question.
const HEADERS: Duration = Duration::from_secs(2 * 60 * 60);
/// How often refusals that were only counted are written.
const FLUSH: Duration = Duration::from_secs(10);
