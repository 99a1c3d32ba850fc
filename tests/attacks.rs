//! What broke systems of this kind before, each attack a test that says its name.
//!
//! | attack | tests, here where nothing else is said |
//! |---|---|
//! | **Selection and downgrade** | |
//! | the strong credential fails, the weak one is tried | `selection::a_tampered_credential_runs_no_other_scheme` |
//! | a retired or unknown prefix is treated as a bare value | `selection::an_unknown_prefix_is_never_a_bare_value`, `selection::a_retired_prefix_is_never_a_bare_value` |
//! | a prefix in other case, with spaces, NUL, full-width letters | `selection::a_prefix_in_another_spelling_runs_no_scheme`; unit `wire::credential::tests::what_has_a_dot_is_never_bare`; vectors `wire/`; `tests/http_server.rs`: `headers::what_is_no_value_lets_nobody_in` |
//! | a random legacy value looks like a prefix | unit `wire::credential::tests::a_legacy_value_is_never_tagged` (10^6) |
//! | two credentials, one judged and the other used | `selection::of_two_credentials_neither_is_used`; vectors `wire/two-lines-*`, `wire/comma-*`; `tests/http_server.rs`: `headers::of_several_lines_none_is_used`, `headers::the_rules_hold_over_http2`; `tests/serve.rs`: `asking::what_could_be_read_in_two_ways_is_refused` |
//! | the right key id under another scheme | `selection::a_key_never_meets_another_scheme` |
//! | one key in two schemes | `tests/builder.rs`: `reuse::one_secret_in_two_schemes_is_refused_both_ways` |
//! | a key id that is a path, SQL, 1 MiB | `selection::a_key_id_that_is_a_path_or_a_query_or_a_megabyte_is_malformed` |
//! | a verdict cached across a policy change | `selection::a_verdict_does_not_outlive_its_policy` |
//! | a deadline off by one | `selection::a_scheme_ends_at_its_until_to_the_second`; unit `policy::tests::until_is_exclusive`; `tests/http_server.rs`: `store::a_verdict_outlives_no_deadline` |
//! | **Cryptography** | |
//! | CBC padding oracle | `cryptography::a_padding_oracle_answers_one_thing_only`, `cryptography::nothing_in_the_crate_decrypts` |
//! | ECB splice, reorder, truncate; CBC IV flips | `cryptography::spliced_blocks_are_refused`, `cryptography::every_flipped_bit_is_refused` |
//! | Base64 that is not canonical dodges a replay or rate key | `cryptography::another_spelling_of_a_credential_is_malformed`; unit `wire::base64::tests` |
//! | a short GCM tag | `cryptography::a_short_tag_is_refused`; vectors `gcm1/tag-truncated-*` |
//! | nonce reuse | `cryptography::issued_nonces_are_distinct` (10^6) |
//! | length, alphabet or early exit leaks through time | `tests/timing.rs`; `cryptography::a_scheme_always_does_its_work` |
//! | secrets in `Debug`, logs, error chains | `secrets::nothing_shows_material`; `tests/builder.rs` throughout; unit `secret::tests`, `material::tests`; `tests/serve.rs`: `running::every_decision_is_a_line_and_no_flood` |
//! | label explosion by random key ids | `cryptography::random_key_ids_name_nobody`; `tests/http_server.rs`: `log::strangers_cannot_fill_the_log_or_the_memory`, `log::a_flood_gives_a_handful_of_lines_and_a_count` |
//! | a reason that the answer tells | `tests/http_server.rs`: `answers::two_thousand_bad_credentials_have_one_answer`, `answers::two_thousand_bad_credentials_have_one_answer_over_http2`; `tests/serve.rs`: `asking::two_thousand_bad_credentials_get_one_answer`, `grpc::what_is_refused_is_one_answer` |
//! | the help for operators tells which keys exist | `tests/http_server.rs`: `log::the_look_for_misreadings_does_not_tell_which_key_ids_exist` |
//! | **Time and replay** | |
//! | a window doubled by `abs()` | `replay::the_window_is_not_doubled`, `replay::a_replay_meets_replayed_or_stale_at_every_second`; unit `policy::tests`, `replay::memory::tests` |
//! | extreme integers | `replay::extreme_times_are_malformed_or_judged`; unit `scheme::text::tests::timestamps_are_plain_decimals`, `policy::tests::extreme_times_do_not_wrap` |
//! | a nonce claimed before the proof | `replay::bad_macs_leave_the_store_empty_and_squat_no_nonce`, `replay::what_is_refused_after_its_proof_claims_nothing` |
//! | a flood evicts a live entry | `replay::a_full_store_is_unavailable_and_forgets_nothing`; unit `replay::memory::tests` |
//! | concurrent replay | `replay::of_64_at_once_one_is_accepted`, `replay::of_a_million_nonces_each_is_first_once`; unit `replay::memory::tests::of_64_at_once_one_is_first`; `tests/http_server.rs`: `store::of_64_at_once_one_is_accepted` |
//! | replay on another replica | `replay::a_shared_store_remembers_for_both`; `tests/redis.rs`: `shared::of_100_000_nonces_each_is_accepted_once`, `serve::two_processes_accept_each_credential_once_and_say_when_they_are_ready` |
//! | the clock steps back | `replay::a_clock_that_steps_back_reopens_nothing`; unit `replay::memory::tests::the_clock_never_runs_back` |
//! | the store is down, slow or has forgotten | `replay::a_store_in_trouble_accepts_nothing` |
//! | Redis is killed, frozen, paused, slow, full | `tests/redis.rs`: `faults::a_dead_one_costs_nobody_time_and_is_used_again_within_a_second`, `faults::a_frozen_one_has_forgotten_nothing`, `faults::a_pause_costs_as_long_as_it_takes`, `faults::a_slow_one_is_unavailable`, `faults::a_full_one_is_unavailable_and_forgets_nothing` |
//! | Redis is restarted, emptied, restored, evicts, fails over | `tests/redis.rs`: `loss::restarted_empty`, `loss::restarted_from_an_old_snapshot`, `loss::emptied`, `loss::evicting`, `nodes::a_promoted_replica_may_not_have_all`, `nodes::a_primary_that_was_a_replica_meanwhile_has_lost_its_own` |
//! | Redis repeats a password in an error | `tests/redis.rs`: `setup::what_a_server_says_is_not_repeated` |
//! | **Binding** | |
//! | fields shifted across a separator | `binding::different_requests_never_share_a_mac`, `binding::a_hostile_request_line_shifts_no_field` |
//! | query order, `?`, `%2F`, `//`, dot segments, method case | `binding::any_changed_byte_of_method_or_target_is_refused`; vectors `hmac1/`; `tests/http_server.rs`: `targets::every_byte_of_the_target_counts`, `targets::the_method_counts_in_its_case`, `targets::in_nested_routers_the_whole_target_counts` |
//! | a credential for service A at service B; client X's with Y's key id | `binding::a_credential_is_good_for_its_service_and_key_alone` |
//! | the body replaced, extended, dropped | `binding::another_body_is_refused_and_the_claim_stays_spent`, `binding::a_body_that_has_not_arrived_is_pending`; `tests/http_server.rs`: `bodies::a_false_body_is_never_read_to_its_end`, `bodies::a_body_that_is_cut_off_has_no_end`, `bodies::a_response_that_has_begun_breaks_off`, `tampering::what_is_read_without_an_error_is_what_is_covered`, `buffer::a_buffered_body_is_verified_before_the_service_sees_it` |
//! | the signature base contains a real header named like a pseudo-header | by construction: a `Request` has no headers |
//! | **Proxy** | with the proxies themselves: `tests/proxies.rs`, one table of requests for all |
//! | a client sends `X-Forwarded-Uri`, `X-Original-URI` itself | `tests/serve.rs`: `asking::a_client_cannot_name_another_request`, `ask::tests::each_dialect_has_one_source`; `tests/http_server.rs`: `log::a_misread_request_is_refused_and_named_in_the_log` |
//! | `X_Auth_Client` aliases | `tests/serve.rs`: `asking::what_could_be_read_in_two_ways_is_refused`; unit `ask::tests::what_a_service_may_read_as_ours_is_ambiguous`; `tests/http_server.rs`: `headers::of_several_lines_none_is_used` |
//! | a client sends `X-Auth-Client`, and the answer lacks it | `tests/serve.rs`: `asking::every_scheme_is_accepted_in_every_dialect`, `grpc::every_scheme_is_accepted_and_everything_is_said_of_the_caller`; `tests/http_server.rs`: `accepted::nobody_brings_a_caller_along` |
//! | `Connection: X-API-KEY` takes it away | `tests/http_server.rs`: `headers::of_several_lines_none_is_used`; `tests/serve.rs`: `asking::what_could_be_read_in_two_ways_is_refused` |
//! | a 5xx of the auth server becomes an allow | `tests/serve.rs`: `asking::trouble_of_our_own_is_said_as_the_proxy_needs_it` |
//! | whoever reaches the server asks in the name of a proxy | `tests/serve.rs`: `asking::a_proxy_that_must_show_a_token_shows_it`, `grpc::the_token_is_metadata`, `running::nobody_listens_to_the_world_without_a_token` |
//! | **Operations** | |
//! | a reload that is empty, half-written, deleted, unreadable, huge, a swapped mount | `tests/reload_files.rs`: `what_is_broken_leaves_everything_as_it_was`, `a_file_that_may_not_be_read_leaves_everything_as_it_was`, `a_mount_that_is_swapped_is_seen`, `no_request_is_judged_wrongly_while_everything_changes`, `no_call_over_http_is_judged_wrongly_while_everything_changes` |
//! | a reload between judging and using | `tests/reload.rs`: `a_handle_judges_by_what_is_new_and_a_verifier_by_what_it_had`, `what_was_used_stays_used`, `what_was_not_single_use_is_fenced_when_it_becomes_so` |
//! | a newline in a key file, Base64 used raw | `tests/builder.rs`: `material_of_a_wrong_length_with_its_likely_cause`; `tests/config.rs`: `files_that_are_not_a_secret_are_refused` |
//! | a key id twice, two bare keys of one value, a wanted scheme that is not accepted, legacy without a date | `tests/builder.rs`: `one_id_for_two_keys_of_whatever_scheme_and_client`, `two_bare_keys_of_one_value_names_both`, `it_wants_a_scheme_that_it_does_not_accept`, `legacy_without_a_date`, `all_mistakes_at_once` |
//! | a restart forgets, a crash, a clock set back | `tests/serve.rs`: `running::a_restart_reopens_nothing`, `running::a_clock_that_is_set_back_reopens_nothing`, `running::a_state_file_that_cannot_be_written_is_said` |
//! | a rotation extends a life, a second one takes a key in use | `tests/rotate.rs`: `refusals::a_life_never_grows`, `refusals::no_rotation_begins_during_another`; unit `rotate::properties` |
//! | events that never fire | `tests/events.rs`: `every_event_stands_in_a_test` |
//!
//! The order of reasons, on which much of this rests, is in `order`. A spy around each scheme counts
//! how often it opens anything.

#[path = "attacks/binding.rs"]
mod binding;
#[path = "attacks/cryptography.rs"]
mod cryptography;
#[path = "attacks/order.rs"]
mod order;
#[path = "attacks/replay.rs"]
mod replay;
#[path = "attacks/secrets.rs"]
mod secrets;
#[path = "attacks/selection.rs"]
mod selection;
#[path = "support/sources.rs"]
#[allow(dead_code, reason = "tests of events use the rest")]
mod sources;
#[path = "attacks/world.rs"]
mod world;

/// The table names tests that exist.
#[test]
fn every_test_of_the_table_exists() {
    let files = ["src", "tests"].into_iter().flat_map(sources::sources);
    let all: String = files.map(|file| std::fs::read_to_string(file).expect("a text")).collect();
    let rows = include_str!("attacks.rs").lines().filter(|line| line.starts_with("//! |"));
    let named: Vec<_> = rows
        .flat_map(|row| row.split('`').skip(1).step_by(2))
        .filter(|name| name.contains("::") || name.matches('_').count() > 2)
        .collect();
    assert!(named.len() > 100, "{named:?}");
    for name in named {
        let mut path: Vec<_> = name.split("::").collect();
        let test = path.pop().expect("a name");
        for module in path {
            assert!(all.contains(&format!("mod {module}")), "{name}");
        }
        let is_there = |kind: &str| all.contains(&format!("{kind} {test}"));
        assert!(is_there("mod") || all.contains(&format!("fn {test}(")), "{name}");
    }
}
