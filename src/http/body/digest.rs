//! The comparison of a covered body, as it is read.

use bytes::Bytes;
use http::HeaderMap;
use http_body::Frame;
use sha2::{Digest, Sha256};

use crate::{verifier::Refused, verify::Verified};

/// A covered body as far as it was read, and what it must come to.
pub(super) struct Content {
    verified: Verified,
    hash: Sha256,
    trailers: Option<HeaderMap>,
}

impl Content {
    pub(super) fn new(verified: Verified) -> Self {
        Self { verified, hash: Sha256::new(), trailers: None }
    }

    /// Takes a frame in, and gives its data back where it has some.
    pub(super) fn take(&mut self, frame: Frame<Bytes>) -> Option<Bytes> {
        match frame.into_data() {
            Ok(data) => {
                self.hash.update(&data);
                Some(data).filter(|data| !data.is_empty())
            }
            Err(frame) => {
                self.trailers = frame.into_trailers().ok().or(self.trailers.take());
                None
            }
        }
    }

    /// Who sent it, where it is not read any further.
    pub(super) fn into_caller(self) -> Verified {
        self.verified
    }

    /// Compares the whole.
    pub(super) fn finish(self) -> Result<(Verified, Option<HeaderMap>), Refused> {
        let digest = self.hash.finalize().into();
        let verified = Refused::unless(self.verified, |verified| verified.with_digest(digest))?;
        Ok((verified, self.trailers))
    }
}
