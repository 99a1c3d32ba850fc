//! Replicas that share one memory.

use std::{
    env,
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};

use keyscheme::{
    Claim, Clock, KeyId, RedisConfig, RedisReplay, ReplayClaim, ReplayStore, ServiceName,
    SystemClock, UnixTime,
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

/// By two processes, each of which meets each nonce twice.
#[tokio::test(flavor = "multi_thread")]
async fn of_100_000_nonces_each_is_accepted_once() {
    const TEST: &str = "shared::of_100_000_nonces_each_is_accepted_once";
    const REPLICA_OF: &str = "KEYSCHEME_REPLICA_OF";
    const NONCES: u64 = 100_000;
    if let Ok(url) = env::var(REPLICA_OF) {
        let config = RedisConfig::new(url).timeout(Duration::from_secs(5));
        println!("first uses: {}", first_uses(config, NONCES).await);
        return;
    }
    let Some(redis) = Redis::start(&[]) else { return };
    // A store that is new may have forgotten what was issued until half a minute from its first use.
    let store = RedisReplay::new(redis.config()).unwrap();
    while claim(&store, u64::MAX, Ahead(30).now()).await != Claim::First {
        pause(50).await;
    }
    let replicas = [(); 2].map(|()| {
        let mut command = Command::new(env::current_exe().unwrap());
        command.args([TEST, "--exact", "--nocapture"]).env(REPLICA_OF, redis.url());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap()
    });
    let firsts = replicas.map(|replica| {
        let output = replica.wait_with_output().unwrap();
        let written = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{written}");
        let count = written.split("first uses: ").nth(1).and_then(|rest| rest.lines().next());
        count.and_then(|count| count.parse().ok()).unwrap_or_else(|| panic!("{written}"))
    });
    assert_eq!(firsts.iter().sum::<u64>(), NONCES);
    assert!(firsts.iter().all(|count| *count > 0), "it is a race: {firsts:?}");
    // Each, and the marker, and what was claimed first.
    assert_eq!(redis.ask(&["DBSIZE"]), format!(":{}", NONCES + 2));
}

/// How many nonces a replica is the first to claim; it tries each twice, with 32 tasks.
async fn first_uses(config: RedisConfig, nonces: u64) -> u64 {
    const TASKS: u64 = 32;
    let store = Arc::new(RedisReplay::new(config).unwrap());
    let issued_at = Ahead(30).now();
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                let mut firsts = 0;
                for nonce in (task..nonces).step_by(TASKS as usize) {
                    for _ in 0..2 {
                        match claim(&store, nonce, issued_at).await {
                            Claim::First => firsts += 1,
                            Claim::Seen => {}
                            other => panic!("{other:?}"),
                        }
                    }
                }
                firsts
            })
        })
        .collect();
    let mut firsts = 0;
    for task in tasks {
        firsts += task.await.unwrap();
    }
    firsts
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
