//! What a credential may be bound to: method, request target and body.

use std::fmt;

use crate::wire::Presented;

/// A request as a verifier sees it. Every part is raw: never decoded, normalised or re-encoded.
///
/// ```
/// use keyscheme::Request;
///
/// let request = Request::new("POST", "/v1/stt?lang=ko").credential("AAAA").body("hello");
/// # let _ = request;
/// ```
#[derive(Clone, Copy)]
pub struct Request<'a> {
    pub(crate) presented: Presented<'a>,
    pub(crate) method: &'a [u8],
    pub(crate) target: &'a [u8],
    pub(crate) body: Option<&'a [u8]>,
}

impl<'a> Request<'a> {
    /// A request without credential. `target` is the path and, where there is a `?`, the `?` and
    /// all after it, exactly as it stood in the request line (RFC 9112 section 3.2.1).
    pub fn new<M, T>(method: &'a M, target: &'a T) -> Self
    where
        M: AsRef<[u8]> + ?Sized,
        T: AsRef<[u8]> + ?Sized,
    {
        Self {
            presented: Presented::None,
            method: method.as_ref(),
            target: target.as_ref(),
            body: None,
        }
    }

    /// With exactly one field line of the service's header.
    #[must_use]
    pub fn credential<C: AsRef<[u8]> + ?Sized>(self, value: &'a C) -> Self {
        self.presented(Presented::One(value.as_ref()))
    }

    /// With all field lines of the service's header, however many there were.
    #[must_use]
    pub fn presented(mut self, presented: Presented<'a>) -> Self {
        self.presented = presented;
        self
    }

    /// With its whole content (RFC 9110 section 6.4), empty where there was none. Without this call
    /// the content is not known yet, and [`Verified`](crate::Verified) says what it must be.
    #[must_use]
    pub fn body<B: AsRef<[u8]> + ?Sized>(mut self, content: &'a B) -> Self {
        self.body = Some(content.as_ref());
        self
    }
}

impl fmt::Debug for Request<'_> {
    /// Without query and content, which are the caller's business.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.target.split(|b| *b == b'?').next().unwrap_or_default();
        let (method, path) = (self.method.escape_ascii(), path.escape_ascii());
        write!(f, "Request({method} {path}, {:?}, body of ", self.presented)?;
        match self.body {
            Some(content) => write!(f, "{} bytes)", content.len()),
            None => f.write_str("unknown length)"),
        }
    }
}

/// What a scheme may bind a credential to. It is the same on both sides of the wire.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The name that the verifying service is configured with.
    pub service: &'a [u8],
    /// The id of the key.
    pub key_id: &'a [u8],
    /// The method, byte for byte.
    pub method: &'a [u8],
    /// The request target, byte for byte.
    pub target: &'a [u8],
}

impl Context<'_> {
    /// Whether method and target are such that a credential can be bound to them: a token other than
    /// `CONNECT`, and `"/" *( %x21-22 / %x24-7E )`. Neither can then hold a line feed.
    #[inline]
    pub fn is_bindable(&self) -> bool {
        let in_target = |b: u8| b.is_ascii_graphic() & (b != b'#');
        let target = self.target.iter().fold(true, |so_far, &b| so_far & in_target(b));
        let method = self.method.iter().fold(true, |so_far, &b| so_far & is_tchar(b));
        target & method & self.target.starts_with(b"/") & !matches!(self.method, b"" | b"CONNECT")
    }
}

/// RFC 9110 section 5.6.2.
#[inline]
fn is_tchar(b: u8) -> bool {
    b.is_ascii_alphanumeric()
        || matches!(b, b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.')
        || matches!(b, b'^' | b'_' | b'`' | b'|' | b'~')
}

/// What an issuer says of the content.
#[derive(Clone, Copy, Debug)]
pub enum Body<'a> {
    /// Covered where the scheme can. The whole content, empty where there is none.
    Content(&'a [u8]),
    /// Not covered: the verifier refuses it unless told otherwise.
    Uncovered,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bindable(method: &str, target: &str) -> bool {
        let (method, target) = (method.as_bytes(), target.as_bytes());
        Context { service: b"stt", key_id: b"k", method, target }.is_bindable()
    }

    #[test]
    fn only_origin_form_and_tokens_can_be_bound() {
        for target in ["/", "/a?", "/a?b=c&d", "//a", "/%2F/../x", "/a?\"|{}"] {
            assert!(bindable("GET", target), "{target}");
        }
        for target in
            ["", "*", "a", "http://h/a", "/a#b", "/a b", "/a\n", "/\u{e4}", "/\x7f", "/\0"]
        {
            assert!(!bindable("GET", target), "{target:?}");
        }
        for method in ["GET", "get", "M-SEARCH", "!#$%&'*+-.^_`|~09aZ"] {
            assert!(bindable(method, "/"), "{method}");
        }
        for method in ["", "CONNECT", "GE T", "GET\n", "G(", "G\u{e4}", "G/", "G:", "G="] {
            assert!(!bindable(method, "/"), "{method:?}");
        }
    }
}
