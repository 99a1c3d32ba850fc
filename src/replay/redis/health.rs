//! What a Redis says of itself, as far as its memory depends on it.

use super::fault::{Fault, REPLICA};

/// The sections of `INFO` that are read.
pub(super) const SECTIONS: [&str; 4] = ["server", "replication", "memory", "stats"];

/// Which process it is, and what may have cost it its memory.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Health {
    pub(super) run_id: String,
    /// The history that it had as a replica, before it was promoted; empty where it never was one.
    pub(super) promoted_from: String,
    pub(super) evicted: u64,
}

impl Health {
    /// Reads the text of all [`SECTIONS`].
    pub(super) fn read(info: &str) -> Result<Self, Fault> {
        let field = |name: &str| {
            let mut fields = info.lines().filter_map(|line| line.split_once(':'));
            let found = fields.find(|(known, _)| *known == name).map(|(_, value)| value.trim());
            found.ok_or_else(|| Fault::Setup(format!("its INFO does not say {name}")))
        };
        if field("role")? != "master" {
            return Err(Fault::Setup(REPLICA.to_owned()));
        }
        let policy = field("maxmemory_policy")?;
        if policy != "noeviction" {
            let name = policy_name(policy);
            let why =
                format!("its maxmemory-policy is {name}, which drops live claims; set noeviction");
            return Err(Fault::Setup(why));
        }
        let evicted = field("evicted_keys")?.parse();
        let evicted = evicted.map_err(|_| Fault::Setup("its INFO has no numbers".to_owned()))?;
        // Zeros, also where it took a new id without a promotion, when its replicas had long been away.
        let promoted_from = Some(field("master_replid2")?).filter(|id| id.contains(|c| c != '0'));
        Ok(Self {
            run_id: field("run_id")?.to_owned(),
            promoted_from: promoted_from.unwrap_or_default().to_owned(),
            evicted,
        })
    }
}

/// What it says may be anything, and is shown to strangers.
fn policy_name(policy: &str) -> &str {
    let is_name = policy.len() <= 32 && policy.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
    if is_name { policy } else { "another" }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOUND: &str = "# Server\r\nrun_id:ab12\r\n# Replication\r\nrole:master\r\n\
        master_replid2:0000\r\n# Memory\r\nmaxmemory_policy:noeviction\r\n# Stats\r\nevicted_keys:7\r\n";

    #[test]
    fn what_may_have_cost_the_memory_is_read() {
        let health = Health::read(SOUND).unwrap();
        let known = Health { run_id: "ab12".to_owned(), promoted_from: String::new(), evicted: 7 };
        assert_eq!(health, known);
        let promoted = Health::read(&SOUND.replace("0000", "0c0de0")).unwrap();
        assert_eq!(promoted.promoted_from, "0c0de0");
    }

    #[test]
    fn what_cannot_be_relied_on_is_refused() {
        for (sound, other, said) in [
            ("role:master", "role:slave", "name the primary"),
            ("noeviction", "volatile-ttl", "volatile-ttl, which drops live claims"),
            ("noeviction", "allkeys-lru", "set noeviction"),
            ("noeviction", "NOEVICTION", "is another, which drops live claims"),
            ("noeviction", &"a".repeat(33), "is another, which drops live claims"),
            ("run_id", "ran_id", "does not say run_id"),
            ("evicted_keys:7", "evicted_keys:many", "no numbers"),
        ] {
            match Health::read(&SOUND.replace(sound, other)) {
                Err(Fault::Setup(why)) => assert!(why.contains(said), "{why}"),
                other => panic!("{said}: {other:?}"),
            }
        }
    }
}
