//! Secrets in `Debug`, `Display`, logs and error chains: everything that can be printed is, and the
//! material is looked for in every spelling.

use std::{
    collections::BTreeSet,
    error::Error,
    fmt::{Debug, Display},
    sync::Arc,
};

use keyscheme::{
    AcceptConfig, Checked, Ecb0, Encoding, Field, Gcm1, Issuer, KeyConfig, KeyError, KeyScheme,
    KeyState, Lengths, ManualClock, Material, Payload, Presented, Registry, Request, Reuse, Secret,
    ServiceConfig, Verifier, explain,
};

use crate::world::{NOW, SCHEMES, poll};

const CIPHER_KEY: &[u8; 32] = b"\x93\xa1cipher\xd7key\xfe\x80HuNtEr2-aBcDeFgHiJ";
const API_KEY: &str = "cOrReCt-HoRsE-bAtTeRy-\u{c2a4}\u{d14c}-StApLe";
const SECRET: &[u8; 32] = b"zYxWvUtS\x00\xff\xc0rqpon87654321-secret-";

/// Everything that was printed, once each.
#[derive(Default)]
struct Captured(BTreeSet<String>);

impl Captured {
    fn text(&mut self, what: &(impl Display + ?Sized)) {
        self.0.insert(what.to_string().to_lowercase());
    }

    fn debug(&mut self, what: &(impl Debug + ?Sized)) {
        self.text(&format!("{what:?}\n{what:x?}\n{what:#?}\n{what:#X?}"));
    }

    /// With its sources.
    fn error(&mut self, error: &(dyn Error + 'static)) {
        let mut next = Some(error);
        while let Some(error) = next {
            self.text(error);
            self.debug(error);
            next = error.source();
        }
    }

    /// Where any eight bytes of a secret stand, in any spelling.
    fn finds(&self, secrets: &[Vec<u8>]) -> Option<String> {
        // Without spaces, so that a list of bytes is one whether it stands on one line or on many.
        let text: String = self.0.iter().flat_map(|text| text.split_whitespace()).collect();
        // Every third place is enough to meet each spelling, Base64 included.
        let parts = secrets.iter().flat_map(|secret| secret.windows(8).step_by(3));
        parts.into_iter().find_map(|part| {
            let list =
                |format: fn(&u8) -> String| part.iter().map(format).collect::<Vec<_>>().join(",");
            let mut spellings = vec![
                list(|byte| byte.to_string()),
                list(|byte| format!("{byte:x}")),
                list(|byte| format!("0x{byte:x}")),
                list(|byte| format!("0x{byte:02x}")),
                part.escape_ascii().to_string(),
            ];
            let texts = Encoding::ALL.iter().filter_map(|encoding| encoding.encode(part));
            spellings.extend(texts.map(|text| text.trim_end_matches('=')[..8].to_owned()));
            spellings
                .into_iter()
                .map(|spelling| spelling.to_lowercase())
                .find(|spelling| text.contains(spelling))
        })
    }
}

fn aes() -> Material {
    Material::new().with("cipher-key", CIPHER_KEY.as_slice()).with("api-key", API_KEY)
}

fn hmac() -> Material {
    Material::new().with("secret", SECRET.as_slice())
}

fn material(scheme: &str) -> Material {
    if scheme == "hmac1" { hmac() } else { aes() }
}

#[test]
fn nothing_shows_material() {
    let mut captured = Captured::default();
    let mut secrets = vec![CIPHER_KEY.to_vec(), API_KEY.into(), SECRET.to_vec()];
    print_values(&mut captured);
    print_bad_configurations(&mut captured);
    for scheme in SCHEMES {
        print_decisions(scheme, &mut captured, &mut secrets);
    }
    assert!(captured.0.len() > 200, "{} is not much", captured.0.len());
    if let Some(found) = captured.finds(&secrets) {
        let lines: Vec<_> = captured.0.iter().filter(|text| text.contains(&found)).collect();
        panic!("{found}: {lines:#?}");
    }
}

/// The control: each way of printing would be found.
#[test]
fn material_would_be_found() {
    let secrets = [SECRET.to_vec(), API_KEY.into()];
    let shown = |text: &str| Captured([text.to_lowercase()].into());
    let hidden = shown("nothing to see");
    assert_eq!(hidden.finds(&secrets), None);
    for bytes in [SECRET.as_slice(), API_KEY.as_bytes()] {
        let mut texts = vec![
            format!("{bytes:?}"),
            format!("{bytes:#?}"),
            format!("{bytes:x?}"),
            format!("{bytes:#X?}"),
            bytes.escape_ascii().to_string(),
        ];
        for encoding in [Encoding::Hex, Encoding::Base64, Encoding::Base64Url] {
            texts.push(encoding.encode(bytes).expect("any bytes").to_string());
        }
        for text in texts {
            assert!(shown(&text).finds(&secrets).is_some(), "{text}");
        }
    }
    assert!(shown(API_KEY).finds(&secrets).is_some());
}

fn print_values(captured: &mut Captured) {
    captured.debug(&Secret::from(API_KEY));
    captured.debug(&Secret::from(SECRET.to_vec()));
    captured.debug(&hmac());
    captured.debug(&KeyConfig::new("s1", "hmac1", hmac()));
    captured.debug(&Registry::default());
    // A prepared key of the crate prints as its type.
    captured.debug(&Ecb0.prepare(&aes()).expect("sound"));
    captured.debug(&Gcm1.prepare(&aes()).expect("sound"));
    captured.debug(&keyscheme::Cbc1.prepare(&aes()).expect("sound"));
    captured.debug(&keyscheme::Hmac1.prepare(&hmac()).expect("sound"));
    for encoding in Encoding::ALL {
        for bytes in [API_KEY.as_bytes(), SECRET, CIPHER_KEY] {
            let with_newline = [bytes, b"\n"].concat();
            if let Err(error) = encoding.decode(&with_newline) {
                captured.error(&error);
            }
            if let Ok(secret) = encoding.decode(bytes) {
                captured.debug(&secret);
            }
        }
    }
    let field = |lengths| Field {
        name: "cipher-key",
        encoding: Encoding::Base64,
        lengths,
        reuse: Reuse::Never,
    };
    for lengths in [Lengths::OneOf(&[16]), Lengths::Between(1, 2), Lengths::Between(64, 64)] {
        captured.error(&aes().get(&field(lengths)).expect_err("a wrong length"));
    }
    let unspoken = KeyError::new(&field(Lengths::Between(1, 1)), "is bad", "make another");
    captured.error(&unspoken);
}

fn print_bad_configurations(captured: &mut Captured) {
    let text = |bytes: &[u8], encoding: Encoding| encoding.encode(bytes).expect("any").to_string();
    for scheme in SCHEMES {
        let field = if scheme == "hmac1" { "secret" } else { "cipher-key" };
        let bytes = if scheme == "hmac1" { SECRET } else { CIPHER_KEY };
        let wrong = [
            material(scheme).with(field, [bytes.as_slice(), b"\n"].concat()),
            material(scheme).with(field, text(bytes, Encoding::Hex)),
            material(scheme).with(field, text(bytes, Encoding::Base64)),
            material(scheme).with(field, text(bytes, Encoding::Base64Url)),
            material(scheme).with(field, &bytes[..31]),
            material(scheme).with("another", SECRET.as_slice()),
            material(scheme).with("api-key", API_KEY.repeat(20)),
        ];
        for material in wrong {
            if let Err(error) = Issuer::new(Gcm1, "stt", "k1", &material) {
                captured.error(&error);
            }
            let builder = Verifier::builder()
                .service(ServiceConfig::new("stt").issue(scheme).accept(scheme))
                .key("spring", KeyConfig::new("k1", scheme, material.clone()))
                .key("spring", KeyConfig::new("k1", scheme, material))
                .key("node", KeyConfig::new("k2", "gcm1", aes()))
                .key("zoo", KeyConfig::new("k3", "ecb0", aes()))
                .key("zoo", KeyConfig::new("k4", "ecb0", aes()).state(KeyState::Staged));
            captured.debug(&builder);
            captured.error(&builder.build().expect_err("mistakes"));
        }
    }
    let same = Verifier::builder()
        .service(ServiceConfig::new("stt").issue("hmac1").accept("hmac1"))
        .key("spring", KeyConfig::new("k1", "ecb0", aes()))
        .key("node", KeyConfig::new("k2", "ecb0", aes()));
    captured.error(&same.build().expect_err("two bare keys of one value"));
}

/// Every refusal and acceptance of one scheme. A credential of a legacy scheme is as good as its key,
/// so it is not to be printed either.
fn print_decisions(scheme: &str, captured: &mut Captured, secrets: &mut Vec<Vec<u8>>) {
    let clock = Arc::new(ManualClock::new(NOW));
    let issuer = match scheme {
        "cbc1" => Issuer::new(keyscheme::Cbc1, "stt", "k1", &aes()),
        "ecb0" => Issuer::new(Ecb0, "stt", "k1", &aes()),
        "gcm1" => Issuer::new(Gcm1, "stt", "k1", &aes()),
        _ => Issuer::new(keyscheme::Hmac1, "stt", "k1", &hmac()),
    };
    let issuer = issuer.expect("sound material").clock(Arc::<ManualClock>::clone(&clock));
    captured.debug(&issuer);
    let request = Request::new("POST", "/v1/stt");
    let value = issuer.issue(&request).expect("a credential");
    secrets.push(value.rsplit('.').next().expect("a payload").into());
    captured.debug(&request.credential(&value));
    captured.debug(&Presented::One(value.as_bytes()));
    captured.debug(&Payload::Tagged(value.as_bytes()));
    captured.debug(&explain(value.as_bytes()));
    if scheme == "ecb0" {
        let bare = issuer.bare().issue(&request).expect("a credential");
        secrets.push(bare.clone().into());
        captured.debug(&request.credential(&bare));
        captured.debug(&Payload::Bare(bare.as_bytes()));
        captured.debug(&explain(bare.as_bytes()));
    }
    for (state, now) in [
        (KeyState::Active, NOW),
        (KeyState::Active, NOW.plus(400)),
        (KeyState::Active, NOW.minus(400)),
        (KeyState::Disabled, NOW),
        (KeyState::Compromised, NOW),
    ] {
        clock.set(now);
        let verifier = Verifier::builder()
            .service(
                ServiceConfig::new("stt")
                    .issue(scheme)
                    .accept(AcceptConfig::new(scheme).until(NOW.plus(1000))),
            )
            .key("spring", KeyConfig::new("k1", scheme, material(scheme)).state(state))
            .replay_capacity(1)
            .clock(Arc::<ManualClock>::clone(&clock))
            .build()
            .expect("a sound configuration");
        captured.debug(&verifier);
        captured.debug(verifier.snapshot());
        let guard = verifier.service("stt").expect("the service");
        captured.debug(&guard);
        let wrong = value.replace("k1", "k2");
        for value in [value.as_str(), &wrong, &value[..value.len() - 2], "", "zzz9.k1.AAAA", "A,B"]
        {
            let request = request.credential(value).body(API_KEY);
            match verifier.snapshot().rules("stt").expect("rules").check(&request, now) {
                Ok(Checked::FirstUse(unclaimed)) => captured.debug(&unclaimed),
                Ok(Checked::Verified(verified)) => captured.debug(&verified),
                Err(refused) => {
                    captured.debug(&refused);
                    captured.text(&refused);
                }
            }
            for _ in 0..2 {
                match poll(guard.verify(&request)) {
                    Ok(verified) => captured.debug(&verified),
                    Err(failure) => captured.error(&failure),
                }
            }
        }
    }
}
