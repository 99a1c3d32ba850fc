//! The run: one key after another, and on each everything that a credential must and must not do.

use std::collections::HashSet;

use sha2::{Digest, Sha256};

use super::{Broken, Property, Report, tries};
use crate::{
    encoding::Encoding,
    material::{Field, Material},
    random::{OsRandom, Random},
    request::{Body, Context},
    scheme::{Covers, Facts, KeyScheme, OpenError, Opened, Payload, SealError, Sealing, SingleUse},
    wire::{Credential, Presented, SchemeName},
};

pub(super) struct Suite<'s, S> {
    scheme: &'s S,
    facts: &'static Facts,
    report: Report,
    broken: Vec<Broken>,
}

impl<'s, S: KeyScheme> Suite<'s, S> {
    pub(super) fn run(scheme: &'s S) -> Result<Report, Vec<Broken>> {
        let facts = scheme.facts();
        let mut suite = Self { scheme, facts, report: Report::default(), broken: Vec::new() };
        suite.facts();
        // Without a name there is no credential to look at.
        if suite.broken.is_empty() {
            for lengths in tries::lengths_of_keys(facts.fields) {
                suite.key(&lengths);
            }
            suite.wrong_material();
        }
        if suite.broken.is_empty() { Ok(suite.report) } else { Err(suite.broken) }
    }

    fn facts(&mut self) {
        let Facts { id, fields, single_use, fresh, .. } = *self.facts;
        let names: HashSet<_> = fields.iter().map(|field| field.name).collect();
        let some_length = |field: &Field| !tries::lengths(field).is_empty();
        let fields_can_be =
            !fields.is_empty() && names.len() == fields.len() && fields.iter().all(some_length);
        self.hold(Property::Facts, SchemeName::new(id).is_some(), || format!("id {id:?}"));
        self.hold(Property::Facts, fields_can_be, || format!("fields {fields:?}"));
        self.hold(Property::Facts, fresh || single_use == SingleUse::Never, || {
            format!("single use {single_use:?}, but not fresh")
        });
    }

    /// Everything about one key, with material of these lengths.
    fn key(&mut self, lengths: &[usize]) {
        let secrets: Vec<_> = lengths.iter().map(|length| self.random(*length)).collect();
        let Some(key) = self.prepare(&secrets) else { return };
        for bare in self.forms() {
            self.round_trips(&key, bare);
            self.altered(&key, bare);
            self.made_up(&key, bare);
            self.other_keys(&key, &secrets, bare);
            self.bound(&key, bare);
            self.unbindable(&key, bare);
            self.never_twice(&key, bare);
        }
        self.bare_form(&key);
    }

    fn round_trips(&mut self, key: &S::Key, bare: bool) {
        for to in tries::sealings(bare) {
            let Some(payload) = self.sealed(key, &to) else { continue };
            // Twice, since a scheme has no state.
            for _ in 0..2 {
                match self.open(key, payload.as_bytes(), bare, &to.context) {
                    Err(error) => self.breaks(Property::RoundTrip, format!("{payload}: {error:?}")),
                    Ok(opened) => self.says(&opened, &to),
                }
            }
        }
    }

    /// What an opened payload must say of its sealing.
    fn says(&mut self, opened: &Opened, to: &Sealing<'_>) {
        let Facts { binds, fresh, single_use, .. } = *self.facts;
        let content = binds.body.then(|| match to.body {
            Body::Content(content) => Covers::Digest(Sha256::digest(content).into()),
            Body::Uncovered => Covers::Nothing,
        });
        let timely = opened.issued_at == fresh.then_some(to.now)
            && opened.expires_at.is_none_or(|expires_at| expires_at > to.now);
        let said = || format!("{opened:?}, sealed at {} for {:?}", to.now, to.body);
        self.hold(Property::Content, opened.content == content, said);
        self.hold(Property::Fresh, timely, said);
        self.hold(Property::Nonce, single_use == SingleUse::Never || opened.nonce.is_some(), said);
    }

    fn altered(&mut self, key: &S::Key, bare: bool) {
        let Some(payload) = self.sealed(key, &Sealing { bare, ..tries::USUAL }) else { return };
        for (property, altered) in tries::alterations(payload.as_bytes()) {
            self.refuses(property, key, &altered, bare);
        }
    }

    fn made_up(&mut self, key: &S::Key, bare: bool) {
        let Some(payload) = self.sealed(key, &Sealing { bare, ..tries::USUAL }) else { return };
        for length in tries::garbage_lengths() {
            let random = self.random(length.max(payload.len()));
            for garbage in tries::garbage(&random, length, payload.as_bytes()) {
                self.refuses(Property::Garbage, key, &garbage, bare);
            }
        }
    }

    fn other_keys(&mut self, key: &S::Key, secrets: &[Vec<u8>], bare: bool) {
        let Some(payload) = self.sealed(key, &Sealing { bare, ..tries::USUAL }) else { return };
        for other in tries::other_secrets(secrets) {
            let Some(other) = self.prepare(&other) else { continue };
            self.refuses(Property::OtherKey, &other, payload.as_bytes(), bare);
        }
    }

    fn bare_form(&mut self, key: &S::Key) {
        let bare = self.scheme.bare(key).map(<[u8]>::to_vec);
        let Some(sealed) = self.sealed(key, &Sealing { bare: bare.is_some(), ..tries::USUAL })
        else {
            return;
        };
        let (payload, cx) = (Payload::Bare(sealed.as_bytes()), &tries::HERE);
        let agree = match &bare {
            Some(bare) => self.facts.may_be_bare && bare == sealed.as_bytes(),
            None => !self.facts.may_be_bare && self.scheme.open(key, payload, cx).is_err(),
        };
        self.hold(Property::Bare, agree, || {
            let bare = bare.as_deref().map(String::from_utf8_lossy);
            format!("the bare value is {bare:?}; {sealed} was sealed")
        });
    }

    fn bound(&mut self, key: &S::Key, bare: bool) {
        let usual = Sealing { bare, ..tries::USUAL };
        let Some(payload) = self.sealed(key, &usual) else { return };
        let binds = self.facts.binds;
        for (property, elsewhere) in tries::ELSEWHERE {
            let bound = match property {
                Property::KeyId if !binds.service => continue,
                Property::Request => binds.request,
                _ => binds.service,
            };
            let opens = self.open(key, payload.as_bytes(), bare, &elsewhere).is_ok();
            self.hold(property, opens != bound, || {
                format!("{payload} opens elsewhere: {opens}; {}", tries::place(&elsewhere))
            });
        }
    }

    fn unbindable(&mut self, key: &S::Key, bare: bool) {
        let usual = Sealing { bare, ..tries::USUAL };
        let Some(payload) = self.sealed(key, &usual) else { return };
        for (method, target) in tries::UNBINDABLE {
            let context = Context { method, target, ..tries::HERE };
            let sealed = self.seal(key, &Sealing { context, ..usual });
            let opens = self.open(key, payload.as_bytes(), bare, &context).is_ok();
            let agree = match self.facts.binds.request {
                true => matches!(sealed, Err(SealError::Unbindable)) && !opens,
                false => sealed.is_ok() && opens,
            };
            self.hold(Property::Unbindable, agree, || {
                format!("{}: sealing gives {sealed:?}; opens: {opens}", tries::place(&context))
            });
        }
    }

    fn never_twice(&mut self, key: &S::Key, bare: bool) {
        let usual = Sealing { bare, ..tries::USUAL };
        let (mut payloads, mut nonces) = (HashSet::new(), HashSet::new());
        let counted = self.facts.single_use != SingleUse::Never;
        for _ in 0..tries::SEALS {
            let Some(payload) = self.sealed(key, &usual) else { return };
            let opened = self.open(key, payload.as_bytes(), bare, &tries::HERE);
            let nonce = opened.ok().and_then(|opened| opened.nonce);
            let new = nonce.is_none_or(|nonce| nonces.insert(nonce.as_bytes().to_vec()));
            self.hold(Property::Nonce, new || !counted, || format!("{nonce:?} twice"));
            let unique = payloads.insert(payload.clone()) || !self.facts.authentic;
            self.hold(Property::Unique, unique, || payload);
        }
        if counted {
            let sealed = self.seal(key, &Sealing { random: &tries::NoRandom, ..usual });
            let refused = matches!(sealed, Err(SealError::Unavailable(_)));
            self.hold(Property::Random, refused, || format!("without it: {sealed:?}"));
        }
    }

    fn wrong_material(&mut self) {
        let fields = self.facts.fields;
        let Some(lengths) = tries::lengths_of_keys(fields).pop() else { return };
        let secrets: Vec<_> = lengths.iter().map(|length| self.random(*length)).collect();
        for field in fields {
            let others = fields.iter().zip(&secrets).filter(|(other, _)| *other != field);
            let others = others.fold(Material::new(), |all, (f, s)| all.with(f.name, s.as_slice()));
            let missing = self.scheme.prepare(&others).is_err();
            self.hold(Property::Lengths, missing, || format!("prepares without {}", field.name));
            for length in tries::wrong_lengths(field) {
                let secret = self.random(length);
                match self.scheme.prepare(&others.clone().with(field.name, secret.as_slice())) {
                    Err(error) => self.redacted(&format!("{error:?} {error}"), &[secret]),
                    Ok(_) => {
                        let with = format!("prepares a {} of {length} bytes", field.name);
                        self.breaks(Property::Lengths, with);
                    }
                }
            }
        }
    }

    /// Holds a text to showing none of the secrets, in no encoding.
    fn redacted(&mut self, text: &str, secrets: &[Vec<u8>]) {
        let dense = |text: &str| text.split_whitespace().collect::<String>();
        let text = dense(text);
        // A shorter one would be found by chance.
        for secret in secrets.iter().filter(|secret| secret.len() >= 8) {
            let listed = format!("{secret:?}");
            let encoded = Encoding::ALL.into_iter().filter_map(|how| how.encode(secret));
            let shown = encoded.map(|text| dense(&text)).any(|secret| text.contains(&secret))
                || text.contains(dense(&listed).trim_matches(['[', ']']));
            self.hold(Property::Redacted, !shown, || text.clone());
        }
    }

    fn refuses(&mut self, property: Property, key: &S::Key, payload: &[u8], bare: bool) {
        let opened = self.open(key, payload, bare, &tries::HERE);
        self.hold(property, opened.is_err(), || String::from_utf8_lossy(payload).into_owned());
    }

    /// Opens a payload as a verifier does: behind its prefix, and only what the wire lets through.
    fn open(
        &mut self,
        key: &S::Key,
        payload: &[u8],
        bare: bool,
        cx: &Context<'_>,
    ) -> Result<Opened, OpenError> {
        let value = [self.prefix(bare).as_bytes(), payload].concat();
        let payload = match Credential::parse(Presented::One(&value)) {
            Ok(Credential::Bare(payload)) if bare => Payload::Bare(payload),
            Ok(Credential::Tagged { payload, .. }) if !bare => Payload::Tagged(payload),
            _ => return Err(OpenError::Malformed),
        };
        let outcome = self.scheme.open(key, payload, cx);
        let malformed = matches!(outcome, Err(OpenError::Malformed));
        let explained = self.scheme.explain(payload);
        let agree = match &explained {
            Err(fault) => malformed && fault.at <= payload.as_bytes().len(),
            Ok(_) => !malformed,
        };
        self.hold(Property::Explain, agree, || {
            format!("{}: {outcome:?}, explained as {explained:?}", payload.as_str())
        });
        let count =
            if outcome.is_ok() { &mut self.report.opened } else { &mut self.report.refused };
        *count += 1;
        outcome
    }

    /// Seals behind a prefix, as an issuer does; only the payload is returned.
    fn seal(&mut self, key: &S::Key, to: &Sealing<'_>) -> Result<String, SealError> {
        let prefix = self.prefix(to.bare);
        let mut value = prefix.clone();
        self.scheme.seal(key, to, &mut value)?;
        self.report.sealed += 1;
        let is_credential = Credential::parse(Presented::One(value.as_bytes()))
            .is_ok_and(|credential| matches!(credential, Credential::Bare(_)) == to.bare);
        let payload = value.strip_prefix(&prefix);
        self.hold(Property::Syntax, is_credential && payload.is_some(), || value.clone());
        Ok(payload.unwrap_or_default().to_owned())
    }

    /// [`Self::seal`] where it must succeed.
    fn sealed(&mut self, key: &S::Key, to: &Sealing<'_>) -> Option<String> {
        let sealed = self.seal(key, to);
        sealed.map_err(|error| self.breaks(Property::RoundTrip, error.to_string())).ok()
    }

    fn prepare(&mut self, secrets: &[Vec<u8>]) -> Option<S::Key> {
        let named = self.facts.fields.iter().zip(secrets);
        let material = named.fold(Material::new(), |all, (f, s)| all.with(f.name, s.as_slice()));
        let key = self.scheme.prepare(&material);
        self.report.keys += 1;
        self.redacted(&format!("{0:?} {0:#?}", self.scheme), secrets);
        key.map_err(|error| self.breaks(Property::RoundTrip, error.to_string())).ok()
    }

    fn prefix(&self, bare: bool) -> String {
        if bare { String::new() } else { format!("{}.{}.", self.facts.id, tries::KEY_ID) }
    }

    fn forms(&self) -> impl Iterator<Item = bool> + use<S> {
        let may_be_bare = self.facts.may_be_bare;
        [false, true].into_iter().filter(move |bare| may_be_bare || !bare)
    }

    fn random(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        if let Err(error) = OsRandom.fill(&mut bytes) {
            self.breaks(Property::Random, error.to_string());
        }
        bytes
    }

    fn hold(&mut self, property: Property, holds: bool, with: impl FnOnce() -> String) {
        if holds {
            return;
        }
        match self.broken.iter_mut().find(|broken| broken.property == property) {
            Some(broken) => broken.times += 1,
            None => self.broken.push(Broken { property, with: with(), times: 1 }),
        }
    }

    fn breaks(&mut self, property: Property, with: String) {
        self.hold(property, false, || with);
    }
}
