//! Bodies too large for memory: into a file, from any byte on.

use tokio::{fs::File, io::AsyncWriteExt};

use futures::StreamExt;

use super::{
    Answer, HttpClient, HttpRequest, SourceError, Verdict,
    transport::{Pieces, Reply, TransportError},
};
use crate::jobs::{ErrorType, JobError};

/// Largest body of a refusal that is looked at, in bytes.
const LARGEST_REFUSAL: usize = 1024 * 1024;

/// Which bytes of a body: from the first one, to the last one (included) or to the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByteRange {
    /// Number of the first byte, from 0.
    pub first: u64,
    /// Number of the last byte; `None` for all there are.
    pub last: Option<u64>,
}

/// What a `Content-Range` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContentRange {
    /// Number of the first byte that follows.
    pub first: u64,
    /// Number of the last byte that follows.
    pub last: u64,
    /// Bytes of the whole; `None` where the server does not know.
    pub total: Option<u64>,
}

impl ContentRange {
    /// Reads `bytes 0-99/1000`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (range, total) = text.trim().strip_prefix("bytes")?.trim().split_once('/')?;
        let (first, last) = range.split_once('-')?;
        Some(Self {
            first: first.trim().parse().ok()?,
            last: last.trim().parse().ok()?,
            total: total.trim().parse().ok(),
        })
    }
}

/// What arrived of a download.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Downloaded {
    /// 200: the whole body from its first byte. 206: the range that `content_range` names.
    pub status: u16,
    /// As the server said; compare it with what was asked for before the bytes are used.
    pub content_range: Option<ContentRange>,
    /// Bytes written to the file.
    pub bytes: u64,
    /// Why it ended before its end; `None` when the body came as a whole. Ask for the rest by a range.
    pub broken_off: Option<String>,
}

impl HttpClient {
    /// Downloads a body, or a range of it, and writes it to `file` where its position is.
    ///
    /// Until the body begins, failures are tried again like those of [`HttpClient::ask`]; `read` judges
    /// answers that are neither 200 nor 206. A body that breaks off afterwards is no error: what came is
    /// in the file, and [`Downloaded::broken_off`] says why there is no more.
    ///
    /// # Errors
    /// As [`HttpClient::ask`]; [`SourceError::Sink`] when the file cannot be written.
    pub async fn download(
        &self,
        request: &HttpRequest,
        range: Option<ByteRange>,
        file: &mut File,
        mut read: impl FnMut(&Answer) -> Verdict<()>,
    ) -> Result<Downloaded, SourceError> {
        let range = range.map(|range| match range.last {
            Some(last) => format!("bytes={}-{last}", range.first),
            None => format!("bytes={}-", range.first),
        });
        let mut tries = super::Trying::new(request);
        loop {
            let stamp = self.stamp(request).await?;
            let mut call = self.call(request, &stamp);
            call.range = range.clone();
            let opened = async {
                let slot = self.budget.turn(&*self.timer).await;
                self.count_call();
                (self.transport.open(call).await, slot)
            };
            let (opened, slot) = self.in_time(&request.what, opened).await?;
            let reply = match opened {
                Ok((reply, pieces)) if matches!(reply.status, 200 | 206) => {
                    return self.store(request, &reply, pieces, file).await;
                }
                Ok((reply, pieces)) => self.refusal(request, reply, pieces).await?,
                Err(error) => Err(error),
            };
            drop(slot);
            // Good without a file: there is nothing to store, which the status says best.
            let judged = self.judge(request, reply.as_ref(), |answer| match read(answer) {
                Verdict::Good(()) => Verdict::ByStatus,
                other => other,
            });
            self.next_try(
                request,
                &mut tries,
                judged,
                reply.as_ref().ok(),
                stamp.number,
            )
            .await?;
        }
    }

    /// The body of an answer that is no file, read to judge it.
    async fn refusal(
        &self,
        request: &HttpRequest,
        mut reply: Reply,
        mut pieces: Pieces,
    ) -> Result<Result<Reply, TransportError>, SourceError> {
        let read = async {
            let mut body = Vec::new();
            while let Some(piece) = pieces.next().await {
                body.extend_from_slice(&piece?);
                if body.len() > LARGEST_REFUSAL {
                    break;
                }
            }
            reply.body = body.into();
            Ok(reply)
        };
        self.in_time(&request.what, read).await
    }

    async fn store(
        &self,
        request: &HttpRequest,
        reply: &Reply,
        mut pieces: Pieces,
        file: &mut File,
    ) -> Result<Downloaded, SourceError> {
        let mut done = Downloaded {
            status: reply.status,
            content_range: reply.content_range.as_deref().and_then(ContentRange::parse),
            bytes: 0,
            broken_off: None,
        };
        let failed = |why: std::io::Error| {
            SourceError::Sink(JobError::new(
                ErrorType::StorageError,
                format!(
                    "{} could not be written: {why}; free disk space and redrive the execution",
                    request.what
                ),
            ))
        };
        let stall = self.settings.request_timeout;
        loop {
            let next = tokio::time::timeout(stall, pieces.next());
            match self.in_time(&request.what, next).await? {
                Ok(Some(Ok(piece))) => {
                    file.write_all(&piece).await.map_err(failed)?;
                    done.bytes += piece.len() as u64;
                }
                Ok(None) => break,
                Ok(Some(Err(error))) => {
                    done.broken_off = Some(error.why);
                    break;
                }
                Err(_) => {
                    done.broken_off = Some(format!("nothing came for {} s", stall.as_secs()));
                    break;
                }
            }
        }
        file.flush().await.map_err(failed)?;
        Ok(done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_ranges_are_read_and_nonsense_is_none() {
        let range = |first, last, total| Some(ContentRange { first, last, total });
        assert_eq!(
            ContentRange::parse("bytes 0-99/1000"),
            range(0, 99, Some(1000))
        );
        assert_eq!(ContentRange::parse("bytes 5-5/*"), range(5, 5, None));
        for bad in ["", "bytes */10", "0-9/10 bytes", "bytes 1/2"] {
            assert_eq!(ContentRange::parse(bad), None, "{bad}");
        }
    }
}
