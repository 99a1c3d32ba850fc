//! Tokens, and the logins that get them.

use std::{collections::HashMap, path::PathBuf};

use reqwest::{Method, StatusCode};

use super::server::{REACH, Server, Unanswered, WHAT, header, wrong};
use crate::{
    error::{BackendError, Mistake},
    secret::Secret,
    source::read_at_most,
};

/// How a token is got.
#[derive(Debug)]
pub(crate) enum Login {
    AppRole { mount: String, role_id: String, secret_id: Secret },
    Kubernetes { mount: String, role: String, token_file: PathBuf },
    Token(Secret),
}

impl Login {
    /// Whether nothing is wrong with what is given, as far as it can be known before.
    pub(super) fn check(&self) -> Result<(), Mistake> {
        match self {
            Self::Token(token) if header(token).is_none() => {
                let remedy = "give the token alone, without a line end or quotes";
                Err(wrong("token", "is no token", remedy))
            }
            _ => Ok(()),
        }
    }

    /// Whether its token is one that was got, and can be given back.
    pub(super) fn is_login(&self) -> bool {
        !matches!(self, Self::Token(_))
    }

    /// A token, from a login where none was given.
    pub(super) async fn token(&self, server: &Server) -> Result<Secret, BackendError> {
        let (kind, mount, fields, hint) = match self {
            Self::Token(token) => return Ok(token.clone()),
            Self::AppRole { mount, role_id, secret_id } => {
                let fields = [("role_id", role_id.as_bytes()), ("secret_id", secret_id.expose())];
                ("AppRole", mount, login_body(fields), APPROLE)
            }
            Self::Kubernetes { mount, role, token_file } => {
                let jwt = read_at_most(token_file, LONGEST_TOKEN).map_err(|error| {
                    let cause = format!("login with Kubernetes: {}: {error}", token_file.display());
                    let remedy = "mount the token of a service account there, or name its file in \
                                  secrets.vault.kubernetes.token-file";
                    BackendError::new(WHAT, cause).with_remedy(remedy).outage()
                })?;
                let fields = [("role", role.as_bytes()), ("jwt", jwt.expose().trim_ascii())];
                ("Kubernetes", mount, login_body(fields), KUBERNETES)
            }
        };
        let wrong = |cause: String, remedy: &'static str| {
            let cause = format!("login with {kind} at auth/{mount}: {cause}");
            BackendError::new(WHAT, cause).with_remedy(remedy).outage()
        };
        let Some(body) = fields else { return Err(wrong("is no text".to_owned(), hint)) };
        let url = server.url(&["auth", mount, "login"]);
        let answer = match server.ask(Method::POST, url, None, Some(body)).await {
            Ok(answer) => answer,
            Err(Unanswered(why)) => return Err(wrong(why, REACH)),
        };
        match answer.status {
            StatusCode::OK => answer
                .member("auth", "client_token")
                .filter(|token| header(token).is_some())
                .ok_or_else(|| wrong("the answer holds no token".to_owned(), REACH)),
            StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Err(wrong(format!("it is refused ({})", answer.status.as_u16()), hint))
            }
            _ => {
                let (cause, remedy) = answer.trouble();
                Err(wrong(cause, remedy))
            }
        }
    }
}

fn login_body(fields: [(&str, &[u8]); 2]) -> Option<String> {
    let mut texts = [("", ""); 2];
    for (text, (name, value)) in texts.iter_mut().zip(fields) {
        *text = (name, std::str::from_utf8(value).ok()?);
    }
    serde_json::to_string(&HashMap::from(texts)).ok()
}

const APPROLE: &str = "mend role-id or secret-id, or make a secret id that has not expired";
const KUBERNETES: &str =
    "mend role, or let it be used by this service account with the audience of its token";
const LONGEST_TOKEN: usize = 64 * 1024;
