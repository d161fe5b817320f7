//! `POST /v1/courier`: a pack in, a pack out, both streamed.

use std::path::Path;

use reqwest::{Body, Method, Response, header::CONTENT_TYPE};

use super::{Transport, TransportError, expect_type};

const PACK: &str = "application/vnd.infoblood.courier-pack";

/// An answer while it arrives.
#[derive(Debug)]
pub struct CourierAnswer(Response);

impl Transport {
    /// Posts the pack in `file`.
    pub async fn courier(&self, file: &Path) -> Result<CourierAnswer, TransportError> {
        let Ok(file) = tokio::fs::File::open(file).await else {
            return Err(TransportError::Truncated);
        };
        let request = self
            .request(Method::POST, "v1/courier")?
            .header(CONTENT_TYPE, PACK)
            .body(Body::from(file));
        let response = self.send(request).await?;
        expect_type(&response, PACK)?;
        Ok(CourierAnswer(response))
    }
}

impl CourierAnswer {
    /// The next piece; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, TransportError> {
        Ok(self.0.chunk().await?.map(|piece| piece.to_vec()))
    }
}
