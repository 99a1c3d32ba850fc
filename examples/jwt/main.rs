//! A scheme of one's own, beside the four that are built in, without a change to the library.
//!
//! ```text
//! cargo run --example jwt
//! ```
//!
//! The scheme is in `scheme.rs`. `tests/conformance.rs` holds it to its facts, as it does the four.

mod scheme;

use std::error::Error;

use keyscheme::{
    AcceptConfig, Issuer, KeyConfig, Material, OsRandom, Random, Request, ServiceConfig, Verifier,
};
use scheme::Jwt1;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    // Both sides hold the same secret.
    let mut secret = [0; 32];
    OsRandom.fill(&mut secret)?;
    let material = Material::new().with("secret", secret.as_slice());

    // The service: it knows the scheme, and takes each token once.
    let verifier = Verifier::builder()
        .scheme(Jwt1)
        .service(ServiceConfig::new("stt").issue("jwt1").accept(AcceptConfig::new("jwt1").once()))
        .key("spring-main", KeyConfig::new("spring-1", "jwt1", material.clone()))
        .build()?;
    let stt = verifier.service("stt").ok_or("no such service")?;

    // Its caller: a new header value for each request.
    let issuer = Issuer::new(Jwt1, "stt", "spring-1", &material)?;
    let value = issuer.issue(&Request::new("POST", "/v1/stt"))?;
    println!("x-api-key: {value}");

    let request = Request::new("POST", "/v1/stt").credential(&value);
    let verified = stt.verify(&request).await?;
    println!("accepted: {} by {} ({})", verified.client(), verified.scheme(), verified.facts());

    match stt.verify(&request).await {
        Err(failure) => println!("again: {failure}"),
        Ok(_) => return Err("accepted twice".into()),
    }
    Ok(())
}
