//! What a claim in a Redis on loopback costs: its time beside that of a bare `SET NX EX` on the same
//! connection settings, and its memory there.
//!
//! ```text
//! cargo bench --bench redis --features redis
//! cargo bench --bench redis --features redis -- smoke   # everything once
//! ```

use std::{
    error::Error,
    net::TcpListener,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use keyscheme::{
    Claim, Clock, KeyId, RedisConfig, RedisReplay, ReplayClaim, ReplayStore, ServiceName,
    SystemClock, UnixTime,
};
use redis::aio::MultiplexedConnection;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

const TASKS: u64 = 64;

/// Ends with us.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::main]
async fn main() -> Outcome<()> {
    let smoke = std::env::args().any(|argument| argument == "smoke" || argument == "--test");
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let mut command = Command::new("redis-server");
    command.args(["--save", "", "--bind", "127.0.0.1", "--port", &port.to_string()]);
    let Ok(child) = command.stdout(Stdio::null()).spawn() else {
        println!("redis-server is missing");
        return Ok(());
    };
    let _server = Server(child);
    let url = format!("redis://127.0.0.1:{port}/0");
    let client = redis::Client::open(url.as_str())?;
    let mut plain = client.get_multiplexed_async_connection().await;
    for _ in 0..200 {
        if plain.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        plain = client.get_multiplexed_async_connection().await;
    }
    let plain = plain?;
    let store = Arc::new(RedisReplay::new(RedisConfig::new(url).timeout(Duration::from_secs(5)))?);
    while !matches!(claim(&store, u64::MAX).await, Ok(Claim::First)) {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let (rounds, claims) = if smoke { (1, 2_000) } else { (7, 100_000) };
    let before = memory(&plain).await?;
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        ours.push(claimed(&store, round * claims..(round + 1) * claims).await?);
        if round == 0 {
            let each = (memory(&plain).await? - before) / claims as f64;
            println!("memory in Redis: {each:.0} bytes a claim, of {claims}");
        }
        bare.push(set(&plain, round * claims..(round + 1) * claims).await?);
    }
    for (name, rates) in [("claims", &mut ours), ("bare SET NX EX", &mut bare)] {
        rates.sort_by(f64::total_cmp);
        println!("{name}, {TASKS} tasks: {:.0} per second", rates[rates.len() / 2]);
    }
    let mut alone = Vec::new();
    for nonce in 0..if smoke { 10 } else { 5_000 } {
        let started = Instant::now();
        assert_eq!(claim(&store, u64::MAX / 2 + nonce).await?, Claim::First);
        alone.push(started.elapsed());
    }
    alone.sort();
    let at = |part: usize| alone[(alone.len() - 1) * part / 100];
    println!("one after the other: median {:?}, 99 of 100 within {:?}", at(50), at(99));
    Ok(())
}

async fn claim(store: &RedisReplay, nonce: u64) -> Outcome<Claim> {
    let now = SystemClock.now();
    let claim = ReplayClaim {
        service: &ServiceName::new("stt")?,
        key_id: &KeyId::new("spring-2026-11")?,
        nonce: &u128::from(nonce).to_be_bytes(),
        issued_at: UnixTime(now.0 + 30),
        max_age: 300,
        now,
    };
    Ok(store.claim(&claim).await?)
}

/// First uses per second.
async fn claimed(store: &Arc<RedisReplay>, nonces: std::ops::Range<u64>) -> Outcome<f64> {
    let (started, count) = (Instant::now(), nonces.end - nonces.start);
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let (store, nonces) = (Arc::clone(store), nonces.clone());
            tokio::spawn(async move {
                for nonce in nonces.skip(task as usize).step_by(TASKS as usize) {
                    assert_eq!(claim(&store, nonce).await?, Claim::First);
                }
                Outcome::Ok(())
            })
        })
        .collect();
    for task in tasks {
        task.await??;
    }
    Ok(count as f64 / started.elapsed().as_secs_f64())
}

/// What can be had with one command that finds nothing out about the memory.
async fn set(connection: &MultiplexedConnection, nonces: std::ops::Range<u64>) -> Outcome<f64> {
    let (started, count) = (Instant::now(), nonces.end - nonces.start);
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let (mut connection, nonces) = (connection.clone(), nonces.clone());
            tokio::spawn(async move {
                for nonce in nonces.skip(task as usize).step_by(TASKS as usize) {
                    let mut command = redis::cmd("SET");
                    command.arg(format!("bare-{nonce:022}")).arg(1).arg("NX").arg("EX").arg(391);
                    assert_eq!(command.query_async::<String>(&mut connection).await?, "OK");
                }
                Outcome::Ok(())
            })
        })
        .collect();
    for task in tasks {
        task.await??;
    }
    Ok(count as f64 / started.elapsed().as_secs_f64())
}

async fn memory(connection: &MultiplexedConnection) -> Outcome<f64> {
    let mut connection = connection.clone();
    let info: String = redis::cmd("INFO").arg("memory").query_async(&mut connection).await?;
    let used = info.lines().find_map(|line| line.strip_prefix("used_memory:"));
    Ok(used.ok_or("INFO does not say used_memory")?.parse()?)
}
