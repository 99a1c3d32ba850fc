//! The table `[reload]`: how often what a configuration says is looked at again.

use std::time::Duration;

use super::walk::{Found, Table};
use crate::auth::ReloadConfig;

pub(super) fn read(mut table: Table<'_>, found: &mut Found) -> ReloadConfig {
    let mut reload = ReloadConfig::default();
    for (name, to) in [("interval", &mut reload.interval), ("refresh", &mut reload.refresh)] {
        match table.seconds(name, found) {
            None => {}
            Some(Some(seconds)) if seconds > 0 => *to = Duration::from_secs(seconds),
            Some(never) => {
                let problem = if never.is_some() { "is 0 seconds" } else { "is \"unlimited\"" };
                found.wrong(&table.path_of(name), problem, "give 1s or more");
            }
        }
    }
    if let Some(Some(seconds)) = table.seconds("max-stale", found) {
        reload.max_stale = Some(Duration::from_secs(seconds));
    }
    table.finish(found, &[]);
    reload
}
