//! Replicas that share one memory.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use keyscheme::{
    Claim, Clock, KeyId, RedisReplay, ReplayClaim, ReplayStore, ServiceName, SystemClock, UnixTime,
};

use crate::world::{Ahead, Redis, Replica, credential, pause};

/// Claims of one client, issued as late as they may be.
pub async fn claim(store: &RedisReplay, nonce: u64, issued_at: UnixTime) -> Claim {
    let (service, key_id) = (ServiceName::new("stt").unwrap(), KeyId::new("spring-1").unwrap());
    let claim = ReplayClaim {
        service: &service,
        key_id: &key_id,
        nonce: &u128::from(nonce).to_be_bytes(),
        issued_at,
        max_age: 300,
        now: SystemClock.now(),
    };
    store.claim(&claim).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn of_100_000_nonces_each_is_accepted_once() {
    const NONCES: u64 = 100_000;
    const TASKS: u64 = 32;
    let Some(redis) = Redis::start(&[]) else { return };
    let config = redis.config().timeout(Duration::from_secs(5));
    let stores = [0, 1].map(|_| Arc::new(RedisReplay::new(config.clone()).unwrap()));
    while stores[0].ready().await.is_err() {
        // A store that is new may have forgotten what was issued until half a minute from its first use.
        if claim(&stores[0], u64::MAX, Ahead(30).now()).await == Claim::First {
            break;
        }
        pause(50).await;
    }
    let issued_at = Ahead(30).now();
    let firsts = Arc::new(AtomicUsize::new(0));
    let tasks: Vec<_> = (0..2 * TASKS)
        .map(|task| {
            let store = Arc::clone(&stores[task as usize % 2]);
            let firsts = Arc::clone(&firsts);
            tokio::spawn(async move {
                // Both replicas meet each nonce at about the same time, and twice.
                for nonce in (task / 2..NONCES).step_by(TASKS as usize) {
                    for _ in 0..2 {
                        match claim(&store, nonce, issued_at).await {
                            Claim::First => drop(firsts.fetch_add(1, Ordering::Relaxed)),
                            Claim::Seen => {}
                            other => panic!("{other:?}"),
                        }
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(firsts.load(Ordering::Relaxed), NONCES as usize);
    // Each, and the marker, and what was claimed first.
    assert_eq!(redis.ask(&["DBSIZE"]), format!(":{}", NONCES + 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_has_accepted_the_other_refuses() {
    let Some(redis) = Redis::start(&[]) else { return };
    let [one, other] = [0, 1].map(|_| Replica::of(redis.config()));
    one.settled().await;
    let used = one.used(20).await;
    other.all_are(&used, "replayed").await;
    let used = other.used(20).await;
    one.all_are(&used, "replayed").await;
    // Under another prefix is another memory.
    let apart = Replica::of(redis.config().prefix("apart"));
    apart.settled().await;
    let value = credential();
    assert_eq!([one.says(&value).await, apart.says(&value).await], ["accepted"; 2]);
}

/// Names of keys hold no name of a client or service, and a claim ends.
#[tokio::test(flavor = "multi_thread")]
async fn a_claim_is_a_digest_that_expires() {
    let Some(redis) = Redis::start(&[]) else { return };
    let one = Replica::of(redis.config());
    one.settled().await;
    redis.tell(
        &[
            "EVAL",
            "for _, key in ipairs(redis.call('KEYS', '*')) do \
        if #key ~= 27 and key ~= '{keyscheme}:memory' then return key end \
        if #key == 27 then \
          local left = redis.call('TTL', key) \
          if left < 380 or left > 391 then return left end \
        end end return 'all'",
            "0",
        ],
        "all",
    );
}

/// Every task of a pool, from the very first request on.
#[tokio::test(flavor = "multi_thread")]
async fn none_of_the_first_is_refused_for_want_of_a_connection() {
    let Some(redis) = Redis::start(&[]) else { return };
    Replica::of(redis.config()).settled().await;
    let late = Arc::new(Replica::of(redis.config()));
    let tasks: Vec<_> = (0..64)
        .map(|_| {
            let late = Arc::clone(&late);
            tokio::spawn(async move { late.says(&credential()).await })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.unwrap(), "accepted");
    }
}
