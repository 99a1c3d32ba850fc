#![cfg(feature = "conformance")]
//! The public suite: the built-in schemes and the one of the `jwt` example pass it, and for each
//! property that there is, a scheme that lacks it is caught.

#[path = "../examples/jwt/scheme.rs"]
mod jwt;

use std::{
    collections::BTreeSet,
    fmt,
    sync::{Arc, Mutex},
};

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use jwt::Jwt1;
use keyscheme::{
    BackendError, Body, Cbc1, Clock, Context, Ecb0, Encoding, Facts, Fault, Field, Hmac1, KeyError,
    KeyScheme, Lengths, Material, OpenError, Opened, OsRandom, Part, Payload, Random, Registry,
    Reuse, SealError, Sealing, SystemClock, UnixTime,
    conformance::{Broken, Property, Report, check},
};
use serde_json::{Value, json};

fn passes(name: &str, outcome: Result<Report, Vec<Broken>>) {
    let report = outcome.unwrap_or_else(|broken| panic!("{name}: {broken:#?}"));
    println!("{name}: {report:?}");
    // A suite that tries nothing passes everything.
    assert!(report.keys >= 3 && report.sealed > 200, "{name}: {report:?}");
    assert!(report.opened > 200 && report.refused > 2000, "{name}: {report:?}");
}

#[test]
fn the_built_in_schemes_pass() {
    let mut schemes = 0;
    for (name, outcome) in Registry::default().check() {
        passes(name, outcome);
        schemes += 1;
    }
    assert!(schemes >= 4);
}

#[test]
fn the_scheme_of_the_example_passes() {
    passes("jwt1", check(&Jwt1));
}

/// What the suite cannot make, since it knows nothing of the form of a payload.
#[test]
fn the_scheme_of_the_example_is_strict() {
    let material = Material::new().with("secret", [7; 32].as_slice());
    let key = Jwt1.prepare(&material).unwrap();
    let cx = Context { service: b"stt", key_id: b"spring-1", method: b"GET", target: b"/" };
    let open = |header: &Header, claims: &Value| {
        let token = encode(header, claims, &EncodingKey::from_secret(&[7; 32])).unwrap();
        Jwt1.open(&key, Payload::Tagged(token.as_bytes()), &cx)
    };
    let hs256 = Header::new(Algorithm::HS256);
    let claims = json!({
        "aud": "stt", "exp": 9, "iat": 1, "jti": "AAECAwQFBgcICQoLDA0ODw", "sub": "spring-1",
    });
    let with = |claim: &str, value: Value| {
        let mut claims = claims.clone();
        claims[claim] = value;
        claims
    };

    let opened = open(&hs256, &claims).unwrap();
    assert_eq!((opened.issued_at, opened.expires_at), (Some(UnixTime(1)), Some(UnixTime(9))));
    assert_eq!(opened.nonce.unwrap().as_bytes(), (0..16).collect::<Vec<u8>>());

    for header in [
        Header::new(Algorithm::HS384),
        Header { kid: Some("spring-1".into()), ..hs256.clone() },
        Header { crit: Some(vec!["b64".into()]), ..hs256.clone() },
        Header { typ: None, ..hs256.clone() },
    ] {
        assert_eq!(open(&header, &claims).unwrap_err(), OpenError::Malformed, "{header:?}");
    }
    for (claim, value, error) in [
        ("aud", json!("tts"), OpenError::BadCredential),
        ("aud", json!(["stt", "tts"]), OpenError::Malformed),
        ("iat", json!(-1), OpenError::Malformed),
        ("iat", json!("1"), OpenError::Malformed),
        ("jti", json!("AAECAwQFBgcICQoLDA0ODx"), OpenError::Malformed),
        ("jti", json!(""), OpenError::Malformed),
        ("nbf", json!(1), OpenError::Malformed),
        ("sub", json!("spring-2"), OpenError::BadCredential),
        ("sub", json!(null), OpenError::Malformed),
    ] {
        assert_eq!(open(&hs256, &with(claim, value)).unwrap_err(), error, "{claim}");
    }
    let none = "eyJ0eXAiOiJKV1QiLCJhbGciOiJub25lIn0.e30.";
    let unsigned = Jwt1.open(&key, Payload::Tagged(none.as_bytes()), &cx);
    assert_eq!(unsigned.unwrap_err(), OpenError::Malformed);
}

#[test]
fn whatever_a_scheme_lacks_is_found() {
    let mut found = BTreeSet::new();
    let mut lacks = |property, scheme: &dyn Checked| {
        let broken = scheme.check().expect_err("a scheme that is bent");
        assert!(broken.iter().any(|one| one.property == property), "{property:?}: {broken:#?}");
        found.insert(property);
    };

    // Facts that do not agree with behaviour, either way.
    lacks(Property::Bare, &bent(Ecb0).facts(|facts| facts.may_be_bare = false));
    lacks(Property::Bare, &bent(Jwt1).facts(|facts| facts.may_be_bare = true));
    lacks(Property::Content, &bent(Jwt1).facts(|facts| facts.binds.body = true));
    lacks(Property::Content, &bent(Hmac1).facts(|facts| facts.binds.body = false));
    lacks(Property::Facts, &bent(Jwt1).facts(|facts| facts.fields = &[]));
    lacks(Property::Facts, &bent(Jwt1).facts(|facts| facts.fields = &[SECRET, SECRET]));
    lacks(Property::Facts, &bent(Jwt1).facts(|facts| facts.fields = &[NO_LENGTH]));
    lacks(Property::Facts, &bent(Jwt1).facts(|facts| facts.fresh = false));
    lacks(Property::Facts, &bent(Jwt1).facts(|facts| facts.id = "Jwt1"));
    lacks(Property::Fresh, &bent(Cbc1).facts(|facts| facts.fresh = true));
    lacks(Property::Request, &bent(Jwt1).facts(|facts| facts.binds.request = true));
    lacks(Property::Request, &bent(Hmac1).facts(|facts| facts.binds.request = false));
    lacks(Property::RoundTrip, &bent(Cbc1).facts(|facts| facts.fields = &[SECRET]));
    lacks(Property::Service, &bent(Cbc1).facts(|facts| facts.binds.service = true));
    lacks(Property::Service, &bent(Jwt1).facts(|facts| facts.binds.service = false));
    lacks(Property::Unbindable, &bent(Jwt1).facts(|facts| facts.binds.request = true));

    // Material.
    let some = || Material::new().with("secret", [7; 32].as_slice());
    lacks(
        Property::Lengths,
        &bent(Hmac1).prepare(move |inner, given| inner.prepare(given).or(inner.prepare(&some()))),
    );
    lacks(
        Property::OtherKey,
        &bent(Hmac1).prepare(move |inner, given| inner.prepare(given).and(inner.prepare(&some()))),
    );
    lacks(
        Property::Redacted,
        &bent(Hmac1).prepare(|inner, given| {
            let secret = given.get(&Field { lengths: Lengths::Between(0, 99), ..SECRET })?;
            let shown = KeyError::new(&SECRET, format!("is {secret:?}"), "give another");
            inner.prepare(given).map_err(|_| shown)
        }),
    );

    let seen = Arc::new(Mutex::new(Vec::new()));
    let remembered = Arc::clone(&seen);
    lacks(
        Property::Redacted,
        &bent(Jwt1)
            .prepare(move |inner, given| {
                *seen.lock().unwrap() = given.get(&SECRET)?.to_vec();
                inner.prepare(given)
            })
            .debug(move |f| fmt::Debug::fmt(&remembered, f)),
    );

    // Payloads that are read with too much good will.
    let one_more = |payload: &mut String| payload.push('A');
    let but_for_one = |text: &[u8]| text[..text.len() - 1].to_vec();
    lacks(Property::Flipped, &bent(Cbc1).writing(one_more).reading(but_for_one));
    lacks(Property::Spelling, &bent(Cbc1).writing(one_more).reading(but_for_one));
    let tilde = |payload: &mut String| payload.push('~');
    let tilde_or_none = |text: &[u8]| text.strip_suffix(b"~").unwrap_or(text).to_vec();
    lacks(Property::Truncated, &bent(Jwt1).writing(tilde).reading(tilde_or_none));
    lacks(Property::Extended, &bent(Jwt1).reading(tilde_or_none));
    lacks(
        Property::Garbage,
        &bent(Jwt1).open(|inner, key, payload, cx| match payload.as_bytes().contains(&b'.') {
            true => inner.open(key, payload, cx),
            false => Ok(Opened::default()),
        }),
    );

    // What is opened.
    lacks(Property::Bare, &bent(Hmac1).reading(<[u8]>::to_vec));
    lacks(Property::Content, &bent(Hmac1).opened(|opened| opened.content = None));
    lacks(Property::Fresh, &bent(Jwt1).opened(|opened| opened.expires_at = Some(UnixTime(1))));
    lacks(Property::Fresh, &bent(Jwt1).opened(|opened| opened.issued_at = None));
    lacks(Property::Nonce, &bent(Jwt1).opened(|opened| opened.nonce = None));
    lacks(Property::Explain, &bent(Cbc1).explain(|_, _| Ok(Vec::new())));
    lacks(Property::Explain, &bent(Ecb0).explain(|_, _| Err(Fault::malformed(0, "no"))));
    lacks(
        Property::Explain,
        &bent(Hmac1).explain(|inner, payload| {
            inner.explain(payload).map_err(|fault| Fault { at: 1025, ..fault })
        }),
    );
    lacks(
        Property::RoundTrip,
        &bent(Jwt1).open(|inner, key, payload, cx| match inner.open(key, payload, cx)? {
            Opened { issued_at: Some(at), .. } if at.plus(300) < SystemClock.now() => {
                Err(OpenError::BadCredential)
            }
            opened => Ok(opened),
        }),
    );

    // What is sealed.
    lacks(Property::Content, &bent(Hmac1).sealing(|to| to.body = Body::Uncovered));
    lacks(Property::Nonce, &bent(Jwt1).sealing(|to| to.random = &Zeros));
    lacks(Property::Random, &bent(Jwt1).sealing(|to| to.random = &OsRandom));
    lacks(Property::Syntax, &bent(Cbc1).writing(|payload| payload.push(',')));
    lacks(Property::Syntax, &bent(Hmac1).writing(|payload| payload.push_str(&"A".repeat(1000))));
    lacks(Property::Syntax, &bent(Cbc1).writing(String::clear));
    lacks(
        Property::Unique,
        &bent(Cbc1).sealing(|to| to.random = &Zeros).facts(|facts| facts.authentic = true),
    );

    // Contexts that are not looked at.
    lacks(Property::KeyId, &bent(Jwt1).context(|cx| cx.key_id = b"any"));
    lacks(Property::Request, &bent(Hmac1).context(|cx| cx.target = b"/"));
    lacks(Property::Service, &bent(Jwt1).context(|cx| cx.service = b"any"));
    lacks(
        Property::Unbindable,
        &bent(Hmac1).context(|cx| {
            if !cx.is_bindable() {
                cx.method = b"GET";
                cx.target = b"/";
            }
        }),
    );

    assert_eq!(found, Property::ALL.into());
}

trait Checked {
    fn check(&self) -> Result<Report, Vec<Broken>>;
}

impl<S: KeyScheme> Checked for S {
    fn check(&self) -> Result<Report, Vec<Broken>> {
        check(self)
    }
}

/// A good scheme and what is wrong with it: each part can be replaced.
#[expect(clippy::type_complexity, reason = "they are those of the methods of `KeyScheme`")]
struct Bent<S: KeyScheme> {
    inner: S,
    facts: &'static Facts,
    prepare: Bend<dyn Fn(&S, &Material) -> Result<S::Key, KeyError> + Send + Sync>,
    context: Bend<dyn Fn(&mut Context<'_>) + Send + Sync>,
    reading: Bend<dyn Fn(&[u8]) -> Vec<u8> + Send + Sync>,
    open: Bend<
        dyn Fn(&S, &S::Key, Payload<'_>, &Context<'_>) -> Result<Opened, OpenError> + Send + Sync,
    >,
    opened: Bend<dyn Fn(&mut Opened) + Send + Sync>,
    sealing: Bend<dyn Fn(&mut Sealing<'_>) + Send + Sync>,
    writing: Bend<dyn Fn(&mut String) + Send + Sync>,
    explain: Bend<dyn Fn(&S, Payload<'_>) -> Result<Vec<Part>, Fault> + Send + Sync>,
    debug: Bend<dyn Fn(&mut fmt::Formatter<'_>) -> fmt::Result + Send + Sync>,
}

type Bend<F> = Option<Box<F>>;

fn bent<S: KeyScheme>(inner: S) -> Bent<S> {
    Bent {
        facts: inner.facts(),
        inner,
        prepare: None,
        context: None,
        reading: None,
        open: None,
        opened: None,
        sealing: None,
        writing: None,
        explain: None,
        debug: None,
    }
}

macro_rules! bends {
    ($($part:ident: Fn($($argument:ty),*) $(-> $result:ty)?;)*) => {
        impl<S: KeyScheme> Bent<S> {
            $(
                fn $part(
                    mut self,
                    bend: impl Fn($($argument),*) $(-> $result)? + Send + Sync + 'static,
                ) -> Self {
                    self.$part = Some(Box::new(bend));
                    self
                }
            )*
        }
    };
}

bends! {
    prepare: Fn(&S, &Material) -> Result<S::Key, KeyError>;
    context: Fn(&mut Context<'_>);
    reading: Fn(&[u8]) -> Vec<u8>;
    open: Fn(&S, &S::Key, Payload<'_>, &Context<'_>) -> Result<Opened, OpenError>;
    opened: Fn(&mut Opened);
    sealing: Fn(&mut Sealing<'_>);
    writing: Fn(&mut String);
    explain: Fn(&S, Payload<'_>) -> Result<Vec<Part>, Fault>;
    debug: Fn(&mut fmt::Formatter<'_>) -> fmt::Result;
}

impl<S: KeyScheme> Bent<S> {
    fn facts(mut self, bend: impl Fn(&mut Facts)) -> Self {
        let mut facts = Facts { ..*self.facts };
        bend(&mut facts);
        self.facts = Box::leak(Box::new(facts));
        self
    }
}

impl<S: KeyScheme> KeyScheme for Bent<S> {
    type Key = S::Key;

    fn facts(&self) -> &'static Facts {
        self.facts
    }

    fn prepare(&self, material: &Material) -> Result<S::Key, KeyError> {
        match &self.prepare {
            None => self.inner.prepare(material),
            Some(bend) => bend(&self.inner, material),
        }
    }

    fn open(
        &self,
        key: &S::Key,
        payload: Payload<'_>,
        cx: &Context<'_>,
    ) -> Result<Opened, OpenError> {
        let mut cx = *cx;
        self.context.iter().for_each(|bend| bend(&mut cx));
        let read = self.reading.as_ref().map(|bend| bend(payload.as_bytes()));
        let payload = read.as_deref().map_or(payload, Payload::Tagged);
        let mut opened = match &self.open {
            None => self.inner.open(key, payload, &cx),
            Some(bend) => bend(&self.inner, key, payload, &cx),
        }?;
        self.opened.iter().for_each(|bend| bend(&mut opened));
        Ok(opened)
    }

    fn seal(&self, key: &S::Key, to: &Sealing<'_>, out: &mut String) -> Result<(), SealError> {
        let mut to = *to;
        self.context.iter().for_each(|bend| bend(&mut to.context));
        self.sealing.iter().for_each(|bend| bend(&mut to));
        self.inner.seal(key, &to, out)?;
        self.writing.iter().for_each(|bend| bend(out));
        Ok(())
    }

    fn bare<'k>(&self, key: &'k S::Key) -> Option<&'k [u8]> {
        self.inner.bare(key)
    }

    fn explain(&self, payload: Payload<'_>) -> Result<Vec<Part>, Fault> {
        match &self.explain {
            None => self.inner.explain(payload),
            Some(bend) => bend(&self.inner, payload),
        }
    }
}

impl<S: KeyScheme> fmt::Debug for Bent<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.debug.as_ref().map_or(Ok(()), |bend| bend(f))
    }
}

/// No randomness at all.
#[derive(Debug)]
struct Zeros;

impl Random for Zeros {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), BackendError> {
        bytes.fill(0);
        Ok(())
    }
}

const SECRET: Field = Field {
    name: "secret",
    encoding: Encoding::Base64,
    lengths: Lengths::OneOf(&[32]),
    reuse: Reuse::Never,
};
const NO_LENGTH: Field = Field { lengths: Lengths::OneOf(&[]), ..SECRET };
