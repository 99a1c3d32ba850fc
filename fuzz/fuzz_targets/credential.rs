//! What a value is explained as is the value, and the verifier sees it the same way.

#![no_main]

use std::sync::LazyLock;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use keyscheme::{Config, Explanation, Presented, Reject, Request, explain};
use keyscheme_fuzz::{every_scheme, judge};
use libfuzzer_sys::fuzz_target;

static CONFIG: LazyLock<Config> = LazyLock::new(every_scheme);

fuzz_target!(|value: &[u8]| {
    let fault = match explain(value) {
        Explanation::Bare { payload } => {
            assert_eq!(payload, value);
            let bytes = STANDARD.decode(payload).expect("Base64");
            assert_eq!(STANDARD.encode(bytes).as_bytes(), value);
            None
        }
        Explanation::Fault(fault) => {
            assert!(fault.at <= value.len(), "{fault:?}");
            assert!(!fault.problem.is_empty());
            Some(fault.reason)
        }
        Explanation::Tagged { scheme, key_id, payload, payload_at } => {
            assert_eq!([scheme.as_bytes(), key_id.as_bytes(), payload].join(&b'.'), value);
            assert_eq!(&value[payload_at..], payload);
            assert!(!payload.is_empty());
            None
        }
    };
    let request = Request::new("POST", "/v1/stt");
    let verdict =
        |presented| judge(CONFIG.verifier().snapshot(), &request.presented(presented), b"");
    match fault {
        Some(reason) => assert_eq!(verdict(Presented::One(value)), Err(reason)),
        // A payload may still be malformed; the target `open` looks at that.
        None => assert!(!matches!(
            verdict(Presented::One(value)),
            Err(Reject::Missing | Reject::Ambiguous)
        )),
    }
    assert_eq!(verdict(Presented::from_lines([value, value])), Err(Reject::Ambiguous));
});
