//! Secrets in AWS Secrets Manager, through the official SDK.

use std::{collections::HashMap, error::Error, time::Duration};

use async_trait::async_trait;
use aws_config::{BehaviorVersion, Region, SdkConfig, retry::RetryConfig, timeout::TimeoutConfig};
use aws_sdk_secretsmanager::{
    Client,
    config::Builder,
    error::{ProvideErrorMetadata, SdkError},
    operation::get_secret_value::{GetSecretValueError, GetSecretValueOutput},
};
use tokio::{sync::Mutex, time::timeout};
use zeroize::Zeroize;

use super::{AWS_OPTIONS, Fetched, SecretRef, SecretSource, json};
use crate::{error::BackendError, secret::Secret};

/// Secrets of one account and region, as they were when they were first asked for.
#[derive(Debug)]
pub(crate) struct AwsSource {
    region: Option<String>,
    endpoint: Option<String>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    client: Option<(Client, String)>,
    /// By name and label, so that one that several keys name is fetched once.
    answers: HashMap<(String, Version), Fetched>,
}

impl AwsSource {
    /// Where region or endpoint is not said, the SDK looks for it.
    pub(crate) fn new(region: Option<String>, endpoint: Option<String>) -> Self {
        Self { region, endpoint, state: Mutex::default() }
    }

    async fn connect(&self) -> Result<(Client, String), BackendError> {
        let limits = TimeoutConfig::builder()
            .connect_timeout(CONNECT)
            .operation_attempt_timeout(ATTEMPT)
            .operation_timeout(OPERATION)
            .build();
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
            .timeout_config(limits);
        if let Some(region) = &self.region {
            loader = loader.region(Region::new(region.clone()));
        }
        let found: SdkConfig = loader.load().await;
        let Some(region) = found.region().map(ToString::to_string) else {
            let remedy = "set secrets.aws.region, or AWS_REGION";
            return Err(BackendError::new(WHAT, "no region is known").with_remedy(remedy).outage());
        };
        let mut config = Builder::from(&found);
        if let Some(endpoint) = &self.endpoint {
            config = config.endpoint_url(endpoint);
        }
        Ok((Client::from_conf(config.build()), region))
    }

    /// All of a secret's version.
    async fn whole(&self, name: &str, version: Version) -> Result<Fetched, BackendError> {
        let mut state = self.state.lock().await;
        let place = (name.to_owned(), version);
        if let Some(answer) = state.answers.get(&place) {
            return Ok(answer.clone());
        }
        let (client, region) = match &state.client {
            Some(connected) => connected.clone(),
            None => state.client.insert(self.connect().await?).clone(),
        };
        let request = client.get_secret_value().secret_id(name).version_stage(version.label());
        let said = request.send().await;
        let answer = said.map_err(|error| refused(&error, name, version, &region))?;
        let answer = secret_of(answer).ok_or_else(|| {
            let cause = format!("{name:?} in {region}: {} is empty", version.label());
            BackendError::new(WHAT, cause).with_remedy("put a value into it")
        })?;
        state.answers.insert(place, answer.clone());
        Ok(answer)
    }
}

#[async_trait]
impl SecretSource for AwsSource {
    fn options(&self) -> &[&'static str] {
        &AWS_OPTIONS
    }

    async fn fetch(&self, secret: &SecretRef) -> Result<Fetched, BackendError> {
        let name = &secret.name;
        let version = match secret.option("version") {
            None => Version::Current,
            Some(said) => Version::named(said).ok_or_else(|| {
                BackendError::new(WHAT, format!("{name:?}: {said:?} is no version"))
                    .with_remedy("write current, previous or pending")
            })?,
        };
        // The search for credentials has its own times, and those of the SDK begin behind it.
        let whole = timeout(LIMIT, self.whole(name, version)).await.unwrap_or_else(|_| {
            let cause = format!("{name:?}: no answer within {} s", LIMIT.as_secs());
            Err(BackendError::new(WHAT, cause).with_remedy(REACH).outage())
        })?;
        let Some(field) = secret.option("field") else { return Ok(whole) };
        let (Fetched::Bytes(object) | Fetched::Text(object)) = &whole;
        json::text_field(object.expose(), field).map(Fetched::Text).map_err(|why| {
            BackendError::new(WHAT, format!("{name:?}: its field {field:?} {why}"))
                .with_remedy(why.remedy())
        })
    }
}

/// Which of the versions that a rotation leaves behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Version {
    Current,
    Pending,
    Previous,
}

impl Version {
    fn named(name: &str) -> Option<Self> {
        match name {
            "current" => Some(Self::Current),
            "pending" => Some(Self::Pending),
            "previous" => Some(Self::Previous),
            _ => None,
        }
    }

    fn label(self) -> &'static str {
        match self {
            Self::Current => "AWSCURRENT",
            Self::Pending => "AWSPENDING",
            Self::Previous => "AWSPREVIOUS",
        }
    }
}

fn secret_of(answer: GetSecretValueOutput) -> Option<Fetched> {
    if let Some(text) = answer.secret_string {
        return Some(Fetched::Text(Secret::from(text)));
    }
    let mut bytes = answer.secret_binary?.into_inner();
    let secret = Secret::from(bytes.as_slice());
    bytes.zeroize();
    Some(Fetched::Bytes(secret))
}

/// What went wrong, in words of our own: those of others might quote anything.
fn refused(
    error: &SdkError<GetSecretValueError>,
    name: &str,
    version: Version,
    region: &str,
) -> BackendError {
    let label = version.label();
    let wrong = |cause: String, remedy: &'static str| {
        BackendError::new(WHAT, format!("{name:?} in {region}: {cause}")).with_remedy(remedy)
    };
    let Some(service) = error.as_service_error() else {
        let (cause, remedy) = match error {
            SdkError::TimeoutError(_) => ("no answer in time".to_owned(), REACH),
            _ if is_about_credentials(error) => {
                ("no credentials were found".to_owned(), CREDENTIALS)
            }
            SdkError::DispatchFailure(failure) => match failure.as_connector_error() {
                Some(error) if error.is_timeout() => ("no connection in time".to_owned(), REACH),
                _ => ("cannot be reached".to_owned(), REACH),
            },
            SdkError::ResponseError(_) => {
                ("the answer is not one of Secrets Manager".to_owned(), REACH)
            }
            _ => ("the request could not be made".to_owned(), REACH),
        };
        return wrong(cause, remedy).outage();
    };
    match service.code().unwrap_or_default() {
        "ResourceNotFoundException" if version == Version::Current => {
            wrong("there is no such secret".to_owned(), "mend the name or secrets.aws.region")
        }
        "ResourceNotFoundException" => wrong(
            format!("there is no such secret, or none of its versions is {label}"),
            "mend the name or the version, or take this key out",
        ),
        "AccessDeniedException" => wrong(
            "access is denied".to_owned(),
            "allow secretsmanager:GetSecretValue on it, and the use of its KMS key",
        ),
        "DecryptionFailure" => {
            wrong("its KMS key does not decrypt it".to_owned(), "mend the key or kms:Decrypt on it")
        }
        "InvalidRequestException" => wrong(
            "it is in no state to be read".to_owned(),
            "restore it where it is to be deleted, and give it a value where it has none",
        ),
        "InvalidParameterException" | "ValidationException" => {
            wrong("that is no name of a secret".to_owned(), "write its name or its ARN")
        }
        "InternalServiceError" | "ServiceUnavailable" | "ThrottlingException" => {
            wrong("the service is not available".to_owned(), "try again").outage()
        }
        code @ ("ExpiredTokenException"
        | "IncompleteSignature"
        | "InvalidClientTokenId"
        | "InvalidSignatureException"
        | "MissingAuthenticationToken"
        | "UnrecognizedClientException") => {
            wrong(format!("the credentials are refused ({code})"), CREDENTIALS).outage()
        }
        // A code is an identifier; anything else is not shown.
        code if code.bytes().all(|byte| byte.is_ascii_alphanumeric()) && !code.is_empty() => {
            wrong(format!("refused with {code}"), REACH)
        }
        _ => wrong("refused without a reason".to_owned(), REACH),
    }
}

/// The SDK has no kind of its own for it.
fn is_about_credentials(error: &(dyn Error + 'static)) -> bool {
    std::iter::successors(Some(error), |&error| error.source())
        .any(|error| error.to_string().contains("credential"))
}

const WHAT: &str = "AWS Secrets Manager";
const REACH: &str = "see that its endpoint can be reached from here, and that secrets.aws fits it";
const CREDENTIALS: &str =
    "give this process a role or fresh credentials, as for any program of AWS, and see its clock";

/// For a secret, with the search for region and credentials.
const LIMIT: Duration = Duration::from_secs(10);
/// For all attempts to get it.
const OPERATION: Duration = Duration::from_secs(9);
const ATTEMPT: Duration = Duration::from_secs(4);
const CONNECT: Duration = Duration::from_secs(3);
const ATTEMPTS: u32 = 3;
