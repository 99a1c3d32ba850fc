//! A Redis that has lost its memory, or some of it: what may have been forgotten is not accepted.

use std::time::Duration;

use crate::world::{Redis, Replica, credential, credential_ahead, pause};

/// Used credentials, and some that nobody has used, all issued before the loss.
struct Before {
    used: Vec<String>,
    unused: Vec<String>,
}

impl Before {
    async fn at(replica: &Replica) -> Self {
        replica.settled().await;
        let used = replica.used(10).await;
        Self { used, unused: (0..5).map(|_| credential()).collect() }
    }

    /// Neither is accepted by these: who could tell them apart?
    async fn are_unavailable_to(&self, replicas: &[&Replica]) {
        for replica in replicas {
            replica.accepts_none(&self.used, 200).await;
            replica.settled().await;
            replica.all_are(&self.used, "unavailable").await;
            replica.all_are(&self.unused, "unavailable").await;
            // Of now, but not after the fence.
            assert_eq!(replica.says(&credential_ahead(0)).await, "unavailable");
            let used = replica.used(5).await;
            replica.all_are(&used, "replayed").await;
        }
        // A replica that was not there before knows of the fence too.
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn restarted_empty() {
    let Some(mut redis) = Redis::start(&[]) else { return };
    let [one, idle] = [0, 1].map(|_| Replica::of(redis.config()));
    let before = Before::at(&one).await;
    redis.restart();
    let late = Replica::of(redis.config());
    before.are_unavailable_to(&[&late, &one, &idle]).await;
    let why = late.verifier.ready().await.unwrap_err().to_string();
    assert!(why.contains("forgotten"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn restarted_from_an_old_snapshot() {
    let Some(mut redis) = Redis::start(&[]) else { return };
    let one = Replica::of(redis.config());
    one.settled().await;
    let saved = one.used(5).await;
    redis.tell(&["SAVE"], "+OK");
    let before = Before::at(&one).await;
    redis.restart();
    assert_ne!(redis.ask(&["DBSIZE"]), ":0");
    one.accepts_none(&saved, 200).await;
    before.are_unavailable_to(&[&one]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn emptied() {
    let Some(redis) = Redis::start(&[]) else { return };
    let [one, idle] = [0, 1].map(|_| Replica::of(redis.config()));
    let before = Before::at(&one).await;
    idle.settled().await;
    redis.tell(&["FLUSHALL"], "+OK");
    before.are_unavailable_to(&[&one, &idle]).await;
}

/// No request is lost where nothing was: scripts are loaded once more.
#[tokio::test(flavor = "multi_thread")]
async fn without_its_scripts_it_has_lost_nothing() {
    let Some(redis) = Redis::start(&[]) else { return };
    let one = Replica::of(redis.config());
    one.settled().await;
    redis.tell(&["SCRIPT", "FLUSH"], "+OK");
    let used = one.used(3).await;
    one.all_are(&used, "replayed").await;
    pause(1_100).await;
    redis.tell(&["SCRIPT", "FLUSH"], "+OK");
    one.used(3).await;
}

/// One that has evicted is not trusted, and what it held before is not afterwards.
#[tokio::test(flavor = "multi_thread")]
async fn evicting() {
    let Some(redis) = Redis::start(&["--maxmemory-policy", "volatile-ttl"]) else { return };
    let one = Replica::of(redis.config());
    let why = one.verifier.ready().await.unwrap_err().to_string();
    assert!(
        why.contains("maxmemory-policy is volatile-ttl") && why.contains("noeviction"),
        "{why}"
    );
    assert!(one.why().await.contains("volatile-ttl"));
    redis.tell(&["CONFIG", "SET", "maxmemory-policy", "noeviction"], "+OK");
    let before = Before::at(&one).await;
    // While it is used: found out at a look, once a second.
    redis.tell(&["CONFIG", "SET", "maxmemory-policy", "allkeys-random"], "+OK");
    redis.tell(&["CONFIG", "SET", "maxmemory", "1"], "+OK");
    pause(1_100).await;
    assert_eq!(one.says(&credential()).await, "unavailable");
    assert!(one.verifier.ready().await.is_err());
    redis.tell(&["CONFIG", "SET", "maxmemory", "0"], "+OK");
    redis.tell(&["CONFIG", "SET", "maxmemory-policy", "noeviction"], "+OK");
    assert_ne!(redis.info("evicted_keys"), "0");
    before.are_unavailable_to(&[&one]).await;
}

/// Expired keys are no loss.
#[tokio::test(flavor = "multi_thread")]
async fn a_look_finds_all_as_it_was() {
    let Some(redis) = Redis::start(&[]) else { return };
    let one = Replica::of(redis.config());
    one.settled().await;
    let used = one.used(3).await;
    for _ in 0..3 {
        pause(1_050).await;
        one.used(1).await;
    }
    one.all_are(&used, "replayed").await;
    let again = Replica::of(redis.config());
    assert!(again.settled().await < Duration::from_secs(1));
    again.all_are(&used, "replayed").await;
}
