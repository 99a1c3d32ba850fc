//! Who called, as an argument of axum's handlers.

use axum::{
    extract::{FromRequestParts, OptionalFromRequestParts},
    response::IntoResponse,
};
use bytes::Bytes;
use http::{Response, request::Parts};

use super::{
    answer::insufficient,
    minimum::{Insufficient, forgotten},
};
use crate::verify::Verified;

/// Where no layer has authenticated anybody this is a mistake in the program, and answered 500.
impl<S: Sync> FromRequestParts<S> for Verified {
    type Rejection = axum::response::Response;

    async fn from_request_parts(head: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        head.extensions.get().cloned().ok_or_else(|| forgotten().map(Into::into))
    }
}

/// `None` on an exempt path.
impl<S: Sync> OptionalFromRequestParts<S> for Verified {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(head: &mut Parts, _: &S) -> Result<Option<Self>, Self::Rejection> {
        Ok(head.extensions.get().cloned())
    }
}

impl IntoResponse for Insufficient {
    fn into_response(self) -> axum::response::Response {
        let response: Response<Bytes> = insufficient();
        response.map(Into::into)
    }
}
