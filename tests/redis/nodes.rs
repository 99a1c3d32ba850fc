//! More than one Redis: failover, and a cluster.

use std::time::{Duration, Instant};

use crate::{
    server::free_address,
    world::{Proxy, Redis, Replica, credential, pause},
};

impl Redis {
    fn is_replica_of(&self, primary: &Self) {
        let port = primary.address.port().to_string();
        self.tell(&["REPLICAOF", "127.0.0.1", &port], "+OK");
        let started = Instant::now();
        while self.info("master_link_status") != "up" {
            assert!(started.elapsed() < Duration::from_secs(10), "{}", self.server);
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_promoted_replica_may_not_have_all() {
    let (Some(mut first), Some(second)) = (Redis::start(&[]), Redis::start(&[])) else { return };
    let proxy = Proxy::to(first.address);
    let [one, idle] = [0, 1].map(|_| Replica::of(proxy.config()));
    one.settled().await;
    second.is_replica_of(&first);
    let copied = one.used(5).await;
    pause(100).await;
    // It gets no more, and does not know what.
    second.server.stop();
    let used = one.used(5).await;
    let unused = credential();
    first.server.kill();
    second.server.go_on();
    assert_eq!(one.says(&unused).await, "unavailable");
    proxy.change(second.address);
    // A replica is no primary, and says so.
    one.accepts_none(&used, 1_200).await;
    assert!(one.why().await.contains("name the primary"), "{}", one.why().await);
    second.tell(&["REPLICAOF", "NO", "ONE"], "+OK");
    for replica in [&one, &idle] {
        replica.settled().await;
        for credentials in [&copied, &used] {
            replica.all_are(credentials, "unavailable").await;
        }
        assert_eq!(replica.says(&unused).await, "unavailable");
    }
}

/// The run id is the same, the connection too, and even the marker, which its replica had a copy of.
#[tokio::test(flavor = "multi_thread")]
async fn a_primary_that_was_a_replica_meanwhile_has_lost_its_own() {
    let (Some(first), Some(second)) = (Redis::start(&[]), Redis::start(&[])) else { return };
    let one = Replica::of(first.config());
    one.settled().await;
    second.is_replica_of(&first);
    let copied = one.used(5).await;
    pause(100).await;
    second.tell(&["REPLICAOF", "NO", "ONE"], "+OK");
    let used = one.used(5).await;
    let unused = credential();
    first.is_replica_of(&second);
    first.tell(&["REPLICAOF", "NO", "ONE"], "+OK");
    pause(1_100).await;
    one.accepts_none(&used, 200).await;
    one.settled().await;
    for credentials in [&copied, &used] {
        one.all_are(credentials, "unavailable").await;
    }
    assert_eq!(one.says(&unused).await, "unavailable");
}

/// Two nodes, of which the second has the slot of our keys.
async fn cluster() -> Option<[Redis; 2]> {
    // The port of the bus between nodes would be 10000 higher, which may be none.
    let nodes = [0, 1].map(|_| {
        let bus = free_address().port().to_string();
        Redis::start(&["--cluster-enabled", "yes", "--cluster-port", &bus]).map(|node| (node, bus))
    });
    let [Some((asked, _)), Some((owner, bus))] = nodes else { return None };
    asked.tell(&["CLUSTER", "ADDSLOTSRANGE", "0", "1"], "+OK");
    owner.tell(&["CLUSTER", "ADDSLOTSRANGE", "2", "16383"], "+OK");
    let port = owner.address.port().to_string();
    asked.tell(&["CLUSTER", "MEET", "127.0.0.1", &port, &bus], "+OK");
    let started = Instant::now();
    let knows = |node: &Redis| node.ask(&["CLUSTER", "INFO"]).contains("cluster_state:ok");
    while !(knows(&asked) && knows(&owner)) {
        assert!(started.elapsed() < Duration::from_secs(10), "{}", asked.server);
        pause(50).await;
    }
    Some([asked, owner])
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_cluster_the_node_that_has_the_slot_is_asked() {
    let Some([asked, owner]) = cluster().await else { return };
    assert!(asked.ask(&["GET", "{keyscheme}:memory"]).starts_with("-MOVED"));
    let one = Replica::of(asked.config());
    one.settled().await;
    let used = one.used(5).await;
    one.all_are(&used, "replayed").await;
    assert_eq!(owner.ask(&["DBSIZE"]), format!(":{}", 5 + 2));
    Replica::of(owner.config()).all_are(&used, "replayed").await;
}

/// While a slot moves, what is not there may be at the other node: nobody can tell, and all say so.
#[tokio::test(flavor = "multi_thread")]
async fn in_a_cluster_keys_that_move_are_not_judged() {
    let Some([other, owner]) = cluster().await else { return };
    let one = Replica::of(owner.config());
    one.settled().await;
    let used = one.used(5).await;
    let (slot, id) =
        (owner.ask(&["CLUSTER", "KEYSLOT", "{keyscheme}"]), other.ask(&["CLUSTER", "MYID"]));
    let slot = slot.trim_start_matches(':');
    owner.tell(&["CLUSTER", "SETSLOT", slot, "MIGRATING", &id], "+OK");
    // Some keys are there, and then none.
    for answer in ["-TRYAGAIN", "-ASK"] {
        let answered = owner.ask(&["MGET", "{keyscheme}:memory", "{keyscheme}new"]);
        assert!(answered.starts_with(answer), "{answered}");
        let why = one.why().await;
        assert!(why.contains("is moving our keys to another node"), "{why}");
        pause(1_000).await;
        let why = one.verifier.ready().await.unwrap_err().to_string();
        assert!(why.contains("is moving our keys to another node"), "{why}");
        owner.ask(&["DEL", "{keyscheme}:memory"]);
    }
    owner.tell(&["CLUSTER", "SETSLOT", slot, "STABLE"], "+OK");
    one.settled().await;
    one.all_are(&used, "unavailable").await;
}
