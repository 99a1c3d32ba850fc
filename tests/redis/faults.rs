//! A Redis that is away, slow or full: nothing is accepted that was used, and nobody waits for it.

use std::time::{Duration, Instant};

use keyscheme::OnFailure;

use crate::world::{Proxy, Redis, Replica, credential, pause};

/// How long a verdict takes.
async fn timed(replica: &Replica, expected: &str) -> Duration {
    let credential = credential();
    let started = Instant::now();
    assert_eq!(replica.says(&credential).await, expected);
    started.elapsed()
}

/// What half of the verdicts take at most, while the breaker is open.
async fn median(replica: &Replica) -> Duration {
    let mut took = Vec::new();
    for _ in 0..101 {
        took.push(timed(replica, "unavailable").await);
    }
    took.sort();
    took[50]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_one_costs_nobody_time_and_is_used_again_within_a_second() {
    let Some(mut redis) = Redis::start(&[]) else { return };
    let replica = Replica::of(redis.config().timeout(Duration::from_millis(20)));
    let careful = Replica::of(redis.config());
    careful.settled().await;
    let used = careful.used(5).await;
    assert_eq!(replica.says(&used[0]).await, "replayed");
    redis.server.kill();
    let first = timed(&replica, "unavailable").await;
    assert!(first < Duration::from_millis(250), "{first:?}");
    let open = median(&replica).await;
    assert!(open < Duration::from_millis(1), "{open:?}");
    assert!(replica.why().await.starts_with("Redis: "));
    replica.accepts_none(&used, 1_200).await;
    redis.again();
    let back = Instant::now();
    while replica.verifier.ready().await.is_err_and(|e| !e.to_string().contains("forgotten")) {
        assert!(back.elapsed() < Duration::from_millis(1_500), "{}", replica.why().await);
        // As requests do, which come all the time.
        assert_ne!(replica.says(&used[0]).await, "accepted");
        pause(5).await;
    }
    careful.settled().await;
    careful.accepts_none(&used, 100).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_was_never_there_is_no_reason_to_wait() {
    let Some(redis) = Redis::start(&[]) else { return };
    redis.server.stop();
    let replica = Replica::of(redis.config().timeout(Duration::from_millis(20)));
    let first = timed(&replica, "unavailable").await;
    assert!(first < Duration::from_millis(250), "{first:?}");
    pause(2_500).await;
    let open = median(&replica).await;
    assert!(open < Duration::from_millis(1), "{open:?}");
    redis.server.go_on();
    replica.settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_one_has_forgotten_nothing() {
    let Some(redis) = Redis::start(&[]) else { return };
    let replica = Replica::of(redis.config().timeout(Duration::from_millis(150)));
    replica.settled().await;
    let used = replica.used(5).await;
    redis.server.stop();
    let first = timed(&replica, "unavailable").await;
    assert!(first < Duration::from_millis(250), "{first:?}");
    let open = median(&replica).await;
    assert!(open < Duration::from_millis(1), "{open:?}");
    replica.accepts_none(&used, 1_500).await;
    redis.server.go_on();
    let back = replica.settled().await;
    assert!(back < Duration::from_secs(1), "{back:?}");
    replica.all_are(&used, "replayed").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_costs_as_long_as_it_takes() {
    let Some(redis) = Redis::start(&[]) else { return };
    let replica = Replica::of(redis.config().timeout(Duration::from_millis(150)));
    replica.settled().await;
    let used = replica.used(5).await;
    redis.tell(&["CLIENT", "PAUSE", "500", "ALL"], "+OK");
    let paused = Instant::now();
    assert_eq!(replica.says(&credential()).await, "unavailable");
    replica.settled().await;
    let back = paused.elapsed();
    assert!(back < Duration::from_millis(1_000), "{back:?}");
    replica.all_are(&used, "replayed").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_one_is_unavailable() {
    let Some(redis) = Redis::start(&[]) else { return };
    let proxy = Proxy::to(redis.address);
    let replica = Replica::of(proxy.config().timeout(Duration::from_millis(150)));
    replica.settled().await;
    let used = replica.used(5).await;
    proxy.slow_down(Duration::from_millis(200));
    for _ in 0..20 {
        assert_eq!(replica.says(&credential()).await, "unavailable");
        pause(50).await;
    }
    replica.accepts_none(&used, 500).await;
    proxy.slow_down(Duration::ZERO);
    replica.settled().await;
    replica.all_are(&used, "replayed").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_one_is_unavailable_and_forgets_nothing() {
    let Some(redis) = Redis::start(&[]) else { return };
    let replica = Replica::of(redis.config());
    replica.settled().await;
    let used = replica.used(20).await;
    redis.tell(&["CONFIG", "SET", "maxmemory", "1000000"], "+OK");
    assert!(replica.why().await.contains("it is full"));
    replica.accepts_none(&used, 1_300).await;
    let why = replica.verifier.ready().await.unwrap_err().to_string();
    assert!(why.contains("it is full"), "{why}");
    redis.tell(&["CONFIG", "SET", "maxmemory", "0"], "+OK");
    let back = replica.settled().await;
    assert!(back < Duration::from_millis(1_500), "{back:?}");
    replica.all_are(&used, "replayed").await;
}

/// Accepted without it, and refused once more when it is back, whatever it remembers.
#[tokio::test(flavor = "multi_thread")]
async fn danger_local_goes_on_alone_and_knows_what_it_did() {
    let Some(mut redis) = Redis::start(&[]) else { return };
    let config = redis.config().on_failure(OnFailure::DangerLocal { capacity: 1_000 });
    let [one, other] = [0, 1].map(|_| Replica::of(config.clone()));
    one.settled().await;
    let before = one.used(5).await;
    redis.server.kill();
    assert!(one.verifier.ready().await.is_ok());
    // What was used here before is known here; at the other it is not: that is the danger.
    one.all_are(&before, "replayed").await;
    other.all_are(&before, "accepted").await;
    let alone = one.used(20).await;
    one.all_are(&alone, "replayed").await;
    redis.again();
    let started = Instant::now();
    while redis.info("connected_clients") == "1" {
        assert!(started.elapsed() < Duration::from_secs(3));
        assert_eq!(one.says(&credential()).await, "accepted");
        pause(20).await;
    }
    pause(1_500).await;
    for credentials in [&before, &alone] {
        one.all_are(credentials, "replayed").await;
    }
    one.used(5).await;
}
