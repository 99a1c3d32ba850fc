//! An event that never fires is not missed by anybody until it is needed. So every one that the sources
//! can write stands in some test, which has seen it.

#[path = "support/sources.rs"]
mod sources;

use sources::{code, messages, sources};

#[test]
fn every_event_stands_in_a_test() {
    let messages: Vec<_> = sources("src").iter().flat_map(|file| messages(&code(file))).collect();
    assert!(messages.len() > 20, "{messages:#?}");
    let mut tests = sources("tests");
    // What is read in the sources here, and beside the page of commands, was seen by nobody.
    tests.retain(|file| !["events.rs", "cli.rs"].iter().any(|name| file.ends_with(name)));
    let tests: String = tests.iter().map(|file| code(file) + "\n").collect();
    for message in messages {
        let beginning: String = message.chars().take(40).collect();
        assert!(tests.contains(beginning.trim_end()), "no test sees: {message}");
    }
}
