//! Cryptography: one answer to everything that is not exactly the credential.

use std::{fs, path::Path};

use keyscheme::{AcceptConfig, Encoding, Reject, Request};

use crate::world::{
    NOW, SCHEMES, World, bare, decode, encode, issuer, last_field, many, once, request, sealed,
};

/// The classic question: 256 values of the byte before the last block, of which a padding oracle would
/// tell the one that unpads.
#[test]
fn a_padding_oracle_answers_one_thing_only() {
    let world = World::new();
    let good = sealed("cbc1");
    let (head, bytes) = last_field(&good);
    // Whole, and with blocks dropped from the end, down to one block after the IV.
    for length in [bytes.len(), bytes.len() - 16, 32] {
        for at in length - 32..length - 16 {
            for value in 0..=255 {
                let mut asked = bytes[..length].to_vec();
                asked[at] = value;
                let genuine = asked == bytes;
                let verdict =
                    world.verify(&request().credential(&format!("{head}{}", encode(&asked))));
                assert_eq!(verdict.is_ok(), genuine, "{value} at {at} of {length}");
                if let Err(failure) = verdict {
                    assert_eq!(format!("{failure} {failure:?}"), ONE_ANSWER);
                }
                assert_eq!(world.opened(), once("cbc1"), "the same work");
            }
        }
    }
}

const ONE_ANSWER: &str = "rejected: bad-credential Rejected(BadCredential)";

/// What cannot decrypt cannot be an oracle.
#[test]
fn nothing_in_the_crate_decrypts() {
    fn sources(directory: &Path, found: &mut Vec<String>) {
        for entry in fs::read_dir(directory).expect("sources").flatten() {
            let path = entry.path();
            if path.is_dir() {
                sources(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(fs::read_to_string(&path).expect("a text"));
            }
        }
    }
    let mut found = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    let all = found.join("\n");
    let code = || all.lines().filter(|line| !line.trim_start().starts_with("//"));
    for used in ["Aes256Enc", "cbc::Encryptor", "encrypt_inout_detached", "encrypt_blocks_b2b"] {
        assert!(code().any(|line| line.contains(used)), "{used}: the words below are out of date");
    }
    for word in [
        "Aes128Dec",
        "Aes192Dec",
        "Aes256Dec",
        "Decrypt",
        "decrypt_",
        "decrypt(",
        "unpad(",
        "Aes128,",
    ] {
        // Not in a text, where AWS names a failure of its own.
        let calls = |line: &&str| line.split('"').step_by(2).any(|code| code.contains(word));
        assert_eq!(code().find(calls), None, "{word}");
    }
}

#[test]
fn spliced_blocks_are_refused() {
    let world = World::new();
    for (scheme, iv) in [("ecb0", 0), ("cbc1", 1)] {
        let good = sealed(scheme);
        let (head, bytes) = last_field(&good);
        let blocks: Vec<&[u8]> = bytes.chunks(16).collect();
        let count = blocks.len();
        assert_eq!(count, iv + 7);
        let mut variants: Vec<Vec<&[u8]>> = Vec::new();
        for i in 0..count {
            for j in 0..count {
                let mut swapped = blocks.clone();
                swapped.swap(i, j);
                let mut repeated = blocks.clone();
                repeated[i] = blocks[j];
                let mut inserted = blocks.clone();
                inserted.insert(i, blocks[j]);
                let mut appended = blocks.clone();
                appended.push(blocks[j]);
                variants.extend([swapped, repeated, inserted, appended]);
            }
            let mut dropped = blocks.clone();
            dropped.remove(i);
            variants.push(dropped);
            if i > iv {
                variants.push(blocks[..i].to_vec());
            }
        }
        variants.retain(|variant| *variant != blocks);
        assert!(variants.len() > 30);
        for variant in variants {
            let spliced = variant.concat();
            let tagged = format!("{head}{}", encode(&spliced));
            assert_eq!(world.says(&tagged), "bad-credential", "{tagged}");
            if scheme == "ecb0" {
                let bare = Encoding::Base64.encode(&spliced).expect("any bytes");
                assert_eq!(world.says(&bare), "bad-credential", "{}", *bare);
            }
        }
        assert_eq!(world.says(&good), "accepted");
    }
}

/// Every bit of IV, nonce, ciphertext, tag and MAC.
#[test]
fn every_flipped_bit_is_refused() {
    let world = World::new();
    for scheme in SCHEMES {
        let good = sealed(scheme);
        let (head, bytes) = last_field(&good);
        world.opened();
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let value = format!("{head}{}", encode(&flipped));
            assert_eq!(world.says(&value), "bad-credential", "{scheme}, bit {bit}");
            assert_eq!(world.opened(), once(scheme), "{scheme}, bit {bit}");
        }
        assert_eq!(world.says(&good), "accepted");
    }
}

/// One byte string has one spelling, so a credential cannot be sent as another one.
#[test]
fn another_spelling_of_a_credential_is_malformed() {
    for good in SCHEMES.map(sealed).into_iter().chain([bare()]) {
        let world = World::new();
        let is_bare = !good.contains('.');
        let mut spellings = vec![format!("{good}="), format!("{good}==="), format!("{good}A===")];
        for at in 0..=good.len() {
            for white in ["\n", "\r\n", " ", "\t"] {
                spellings.push(format!("{}{white}{}", &good[..at], &good[at..]));
            }
        }
        // The other alphabet; the tagged form has `-` in its key id too.
        let payload = good.match_indices('.').nth(1).map_or(0, |(at, _)| at);
        let (head, payload) = good.split_at(payload);
        let other = if is_bare {
            payload.replace('+', "-").replace('/', "_")
        } else {
            payload.replace('-', "+").replace('_', "/")
        };
        spellings.push(format!("{head}{other}"));
        if is_bare {
            spellings.push(good.trim_end_matches('=').to_owned());
            spellings.push(good.replacen("==", "=", 1));
        }
        // The unused bits of the last symbol of each Base64 field.
        let mut end = 0;
        for field in good.split('.') {
            let symbols = field.trim_end_matches('=').len();
            let last = end + symbols - 1;
            end += field.len() + 1;
            let unused = [0, 0, 4, 2][symbols % 4];
            let is_base64 = is_bare || field.len() > 20;
            for bits in (1..1 << unused).filter(|_| is_base64) {
                let symbol = char::from(SYMBOLS[value_of(&good[last..=last]) | bits]);
                spellings.push(format!("{}{symbol}{}", &good[..last], &good[last + 1..]));
            }
        }
        spellings.retain(|spelling| *spelling != good);
        assert!(spellings.len() > 100);
        for spelling in spellings {
            assert_eq!(world.says(&spelling), "malformed", "{spelling:?}");
        }
        assert!(world.is_empty());
        assert_eq!(world.says(&good), "accepted");
    }
}

const SYMBOLS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

fn value_of(symbol: &str) -> usize {
    SYMBOLS.iter().position(|each| [*each] == symbol.as_bytes()).expect("a symbol")
}

#[test]
fn a_short_tag_is_refused() {
    let world = World::new();
    let good = sealed("gcm1");
    let (head, bytes) = last_field(&good);
    for tag in 0..16 {
        let value = format!("{head}{}", encode(&bytes[..bytes.len() - 16 + tag]));
        assert_eq!(world.says(&value), "bad-credential", "{tag} bytes");
        let hmac1 = sealed("hmac1");
        let (head, mac) = last_field(&hmac1);
        let value = format!("{head}{}", encode(&mac[..2 * tag]));
        assert_eq!(world.says(&value), "malformed", "{} bytes", 2 * tag);
    }
    // A longer one, and one that begins the ciphertext.
    let longer = format!("{head}{}", encode(&[bytes.as_slice(), &[0]].concat()));
    assert_eq!(world.says(&longer), "bad-credential");
    let (nonce, rest) = bytes.split_at(12);
    let (ciphertext, tag) = rest.split_at(rest.len() - 16);
    let moved = format!("{head}{}", encode(&[nonce, tag, ciphertext].concat()));
    assert_eq!(world.says(&moved), "bad-credential");
    assert!(world.is_empty());
}

#[test]
fn issued_nonces_are_distinct() {
    let count = many(1_000_000, 100_000);
    let issuer = issuer("gcm1", "stt", "gcm1-key");
    let mut nonces: Vec<[u8; 12]> = (0..count)
        .map(|_| {
            let value = issuer.issue(&request()).expect("a credential");
            // Sixteen symbols are twelve bytes.
            let at = value.rfind('.').expect("tagged") + 1;
            decode(&value[at..at + 16]).try_into().expect("a nonce")
        })
        .collect();
    nonces.sort_unstable();
    nonces.dedup();
    assert_eq!(nonces.len(), count);
    // Neither counter nor clock: every bit is set in about half of them.
    for bit in 0..96 {
        let set = nonces.iter().filter(|nonce| nonce[bit / 8] >> (bit % 8) & 1 == 1).count();
        assert!(set.abs_diff(count / 2) < count / 50, "bit {bit}: {set} of {count}");
    }
}

#[test]
fn issued_ivs_and_nonces_of_the_other_schemes_are_distinct() {
    for (scheme, at) in [("cbc1", 0..22), ("hmac1", 11..33)] {
        let prefix = scheme.len() + format!(".{scheme}-key.").len();
        let issuer = issuer(scheme, "stt", &format!("{scheme}-key"));
        let mut nonces: Vec<String> = (0..20_000)
            .map(|_| {
                issuer.issue(&request()).expect("a credential")[prefix..][at.clone()].to_owned()
            })
            .collect();
        nonces.sort_unstable();
        nonces.dedup();
        assert_eq!(nonces.len(), 20_000, "{scheme}");
    }
}

/// The structure under the timing test: whatever is wrong from the look-up of the key on, its scheme
/// opens the payload once, on a dummy where there is no key.
#[test]
fn a_scheme_always_does_its_work() {
    let world = World::new();
    for scheme in SCHEMES {
        let good = sealed(scheme);
        let id = format!("{scheme}-key");
        let (head, mut bytes) = last_field(&good);
        bytes[0] ^= 1;
        let bad = format!("{head}{}", encode(&bytes));
        for (value, says) in [
            (good.clone(), "accepted"),
            (bad.clone(), "bad-credential"),
            (good.replace(&id, "nobody"), "unknown-key"),
            (bad.replace(&id, "nobody"), "unknown-key"),
            (format!("{scheme}.{id}.="), "malformed"),
            (format!("{scheme}.nobody.="), "unknown-key"),
        ] {
            assert_eq!(world.says(&value), says, "{value}");
            assert_eq!(world.opened(), once(scheme), "{value}");
        }
    }
    for value in [bare(), "AAAAAAAAAAAAAAAAAAAAAA==".to_owned(), "AAAA".to_owned()] {
        world.says(&value);
        assert_eq!(world.opened(), once("ecb0"), "{value}");
    }
}

/// Labels of metrics come from a proved key alone, so strangers cannot make series.
#[test]
fn random_key_ids_name_nobody() {
    let world = World::accepting([AcceptConfig::new("hmac1").until(NOW.plus(1))]);
    let good = sealed("hmac1");
    for i in 0..many(100_000, 10_000) {
        let value = good.replace("hmac1-key", &format!("id-{i}"));
        let request = Request::new("GET", "/").credential(&value);
        let refused = world.check(&request).expect_err("nobody");
        assert_eq!(refused.reason(), Reject::UnknownKey);
        assert!(refused.proved().is_none());
        assert!(!refused.to_string().contains("id-"));
    }
}
