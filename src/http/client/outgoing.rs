//! The two kinds of requests, and of responses, that are known.

use http::{HeaderMap, Method, uri::PathAndQuery};
use http_body::Body;

use self::sealed::Sealed;
use super::body::IssuedBody;

/// A request that can be given a credential: [`http::Request`], and with the feature `reqwest`
/// `reqwest::Request`.
pub trait Outgoing: Sealed {
    /// Its body.
    type Body: Body;
    /// What the client below is called with.
    type Sent;
    /// All but the body.
    #[doc(hidden)]
    type Head;

    #[doc(hidden)]
    fn split(self) -> (Self::Head, Self::Body);
    #[doc(hidden)]
    fn join(head: Self::Head, body: IssuedBody<Self::Body>) -> Self::Sent;
    #[doc(hidden)]
    fn method(head: &Self::Head) -> &Method;
    /// What will stand in the request line, or in `:path`.
    #[doc(hidden)]
    fn target(head: &Self::Head) -> Option<PathAndQuery>;
    #[doc(hidden)]
    fn fields(head: &mut Self::Head) -> &mut HeaderMap;
}

/// A response to one: [`http::Response`], and with the feature `reqwest` `reqwest::Response`.
pub trait Incoming: Sealed {
    #[doc(hidden)]
    fn fields(&self) -> &HeaderMap;
}

mod sealed {
    pub trait Sealed {}

    impl<B> Sealed for http::Request<B> {}
    impl<B> Sealed for http::Response<B> {}
    #[cfg(feature = "reqwest")]
    impl Sealed for reqwest::Request {}
    #[cfg(feature = "reqwest")]
    impl Sealed for reqwest::Response {}
}

impl<B: Body> Outgoing for http::Request<B> {
    type Body = B;
    type Head = http::request::Parts;
    type Sent = http::Request<IssuedBody<B>>;

    fn split(self) -> (Self::Head, B) {
        self.into_parts()
    }

    fn join(head: Self::Head, body: IssuedBody<B>) -> Self::Sent {
        Self::Sent::from_parts(head, body)
    }

    fn method(head: &Self::Head) -> &Method {
        &head.method
    }

    fn target(head: &Self::Head) -> Option<PathAndQuery> {
        head.uri.path_and_query().cloned()
    }

    fn fields(head: &mut Self::Head) -> &mut HeaderMap {
        &mut head.headers
    }
}

impl<B> Incoming for http::Response<B> {
    fn fields(&self) -> &HeaderMap {
        self.headers()
    }
}

#[cfg(feature = "reqwest")]
impl Outgoing for reqwest::Request {
    type Body = reqwest::Body;
    type Head = Self;
    type Sent = Self;

    fn split(mut self) -> (Self, reqwest::Body) {
        let body = self.body_mut().take().unwrap_or_default();
        (self, body)
    }

    fn join(mut head: Self, body: IssuedBody<reqwest::Body>) -> Self {
        let body = reqwest::Body::from(body);
        *head.body_mut() = (!body.is_end_stream()).then_some(body);
        head
    }

    fn method(head: &Self) -> &Method {
        head.method()
    }

    /// By way of the `Uri` that reqwest makes of its URL too. A URL that is none is not sent.
    fn target(head: &Self) -> Option<PathAndQuery> {
        let uri = http::Uri::try_from(head.url().as_str()).ok()?;
        uri.into_parts().path_and_query
    }

    fn fields(head: &mut Self) -> &mut HeaderMap {
        head.headers_mut()
    }
}

#[cfg(feature = "reqwest")]
impl Incoming for reqwest::Response {
    fn fields(&self) -> &HeaderMap {
        self.headers()
    }
}
