//! The file of a bulk job: by ranges, gone on with where it broke off, checked by length and SHA-256.

use std::{path::Path, time::Duration};

use sha2::{Digest, Sha256};
use tempfile::TempPath;
use tokio::{
    fs::File,
    io::{AsyncReadExt, AsyncSeekExt},
};

use super::{
    Cursor, Marketo,
    export::{Job, JobStatus},
};
use crate::jobs::{ErrorType, JobError, Level};
use crate::sources::{
    SourceError,
    http::{Answer, ByteRange, ContentRange, Downloaded, Fault, Verdict},
};

/// Downloads of one file whose bytes are not what the checksum says, before it is given up.
const MOST_DOWNLOADS: u32 = 3;
/// Requests in a row that bring no byte further.
const MOST_STALLS: u32 = 4;
/// Looks at a file that should be there and is not.
const MOST_LOOKS: u32 = 3;

/// A file that is whole.
#[derive(Debug)]
pub(super) struct Fetched {
    pub path: TempPath,
    pub size: u64,
}

/// What one request brought.
enum Part {
    /// The next bytes, at the end of the file.
    More,
    /// Something else than was asked for; the file is as it was.
    Wrong(String),
    /// 404.
    NotThere,
    /// One of Marketo's errors in HTTP 200, where the file should be.
    Complaint(String),
}

fn io_failed(why: &std::io::Error) -> SourceError {
    SourceError::Sink(JobError::new(
        ErrorType::StorageError,
        format!("a bulk file could not be kept: {why}; free disk space and redrive the execution"),
    ))
}

/// SHA-256 of a file, as Marketo writes it.
async fn checksum(path: &Path) -> Result<String, SourceError> {
    let mut file = File::open(path).await.map_err(|why| io_failed(&why))?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 17];
    loop {
        let count = file
            .read(&mut buffer)
            .await
            .map_err(|why| io_failed(&why))?;
        if count == 0 {
            break;
        }
        hash.update(&buffer[..count]);
    }
    let hex: String = hash
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    Ok(format!("sha256:{hex}"))
}

/// Whether an answer is the range from `first` on, and of the file that the status described.
fn fits(done: &Downloaded, first: u64, size: Option<u64>) -> Result<(), String> {
    match (done.status, done.content_range) {
        (
            206,
            Some(ContentRange {
                first: named,
                total,
                ..
            }),
        ) => {
            if named != first {
                return Err(format!(
                    "bytes from {named} on came, and from {first} on were asked for"
                ));
            }
            match (total, size) {
                (Some(total), Some(size)) if total != size => Err(format!(
                    "the file has {total} bytes, and its status says {size}"
                )),
                _ => Ok(()),
            }
        }
        (206, None) => Err("a part came without saying which".to_owned()),
        _ if first > 0 => Err("the whole file came in place of its rest".to_owned()),
        _ => Ok(()),
    }
}

impl Marketo {
    /// Fetches the file of a completed job; `None` when there is none, however often it is looked for.
    ///
    /// # Errors
    /// [`SourceError::Exhausted`] when the bytes never agree with the checksum or never come.
    pub(super) async fn download(
        &self,
        job: &Job,
        mut status: JobStatus,
        cursor: &mut Cursor,
    ) -> Result<Option<Fetched>, SourceError> {
        let mut why = String::new();
        for number in 1..=MOST_DOWNLOADS {
            let Some(fetched) = self.fetch(job, status.file_size).await? else {
                return Ok(None);
            };
            let found = checksum(&fetched.path).await?;
            let expected = status
                .file_checksum
                .as_deref()
                .unwrap_or(&found)
                .to_lowercase();
            if found == expected {
                return Ok(Some(fetched));
            }
            why = format!("the file is {found}, and its status says {expected}");
            let note = format!(
                "bulk export {}: download {number} of {MOST_DOWNLOADS}: {why}",
                job.id
            );
            self.client.log().line(Level::Warn, &note);
            cursor.note(note);
            // The checksum may be what is wrong.
            status = self.status(job).await?.unwrap_or(status);
        }
        Err(SourceError::Exhausted {
            what: format!("the file of bulk export {}", job.id),
            tries: MOST_DOWNLOADS,
            fault: Fault::Unavailable,
            why,
            advice: "nothing of it was stored; redrive the execution later",
        })
    }

    /// Fetches all bytes of a file, request by request; `None` when there is none.
    async fn fetch(&self, job: &Job, size: Option<u64>) -> Result<Option<Fetched>, SourceError> {
        let staging = self.store.staging();
        std::fs::create_dir_all(&staging).map_err(|why| io_failed(&why))?;
        let made = tempfile::NamedTempFile::new_in(&staging).map_err(|why| io_failed(&why))?;
        let (file, path) = made.into_parts();
        let mut file = File::from_std(file);
        let (mut stalls, mut looks) = (0, 0);
        loop {
            let have = file.metadata().await.map_err(|why| io_failed(&why))?.len();
            if have > 0 && size.is_none_or(|size| have >= size) {
                return Ok(Some(Fetched { path, size: have }));
            }
            if size == Some(0) {
                return Ok(Some(Fetched { path, size: 0 }));
            }
            match self.part(job, have, size, &mut file).await? {
                Part::More => {
                    let now = file.metadata().await.map_err(|why| io_failed(&why))?.len();
                    stalls = if now > have { 0 } else { stalls + 1 };
                }
                Part::Wrong(why) => {
                    let line = format!("bulk export {}: {why}; asking again", job.id);
                    self.client.log().line(Level::Warn, &line);
                    stalls += 1;
                }
                Part::Complaint(why) => {
                    let line = format!("bulk export {}: {why}; asking again", job.id);
                    self.client.log().line(Level::Info, &line);
                    stalls += 1;
                    // A look at the status does what the error asks for: a new token, a wait, a park.
                    self.status(job).await?;
                }
                Part::NotThere => {
                    looks += 1;
                    if looks >= MOST_LOOKS {
                        return Ok(None);
                    }
                    let pause = Duration::from_secs(self.settings.poll_seconds);
                    self.client
                        .pause(&format!("the file of bulk export {}", job.id), pause)
                        .await?;
                }
            }
            if stalls >= MOST_STALLS {
                return Err(SourceError::Exhausted {
                    what: format!("the file of bulk export {}", job.id),
                    tries: stalls,
                    fault: Fault::Unavailable,
                    why: format!("nothing came after byte {have}"),
                    advice: "redrive the execution later; it goes on with the same export",
                });
            }
        }
    }

    /// The error that came where bytes of the file should be, if it is one.
    async fn complaint_in(
        &self,
        file: &mut File,
        from: u64,
        bytes: u64,
    ) -> Result<Option<String>, SourceError> {
        /// No error is longer.
        const LONGEST: u64 = 64 * 1024;
        if bytes > LONGEST {
            return Ok(None);
        }
        let mut body = Vec::new();
        file.seek(std::io::SeekFrom::Start(from))
            .await
            .map_err(|why| io_failed(&why))?;
        file.read_to_end(&mut body)
            .await
            .map_err(|why| io_failed(&why))?;
        Ok(self.complaint(&body))
    }

    /// Asks for the rest of a file from byte `have` on, and appends what comes if it is that.
    async fn part(
        &self,
        job: &Job,
        have: u64,
        size: Option<u64>,
        file: &mut File,
    ) -> Result<Part, SourceError> {
        let range = ByteRange {
            first: have,
            last: size.map(|size| size.saturating_sub(1)),
        };
        let request = job.get("file");
        file.seek(std::io::SeekFrom::Start(have))
            .await
            .map_err(|why| io_failed(&why))?;
        // A 404 is no failure of the request: the status and the file are not always of one mind.
        let not_there = std::sync::atomic::AtomicBool::new(false);
        let read = |answer: &Answer| {
            if answer.status == 404 {
                not_there.store(true, std::sync::atomic::Ordering::Relaxed);
            }
            match self.read_refusal(&request.what, answer) {
                Some(verdict) => verdict,
                None => Verdict::ByStatus,
            }
        };
        let done = match self
            .client
            .download(&request, Some(range), file, read)
            .await
        {
            Err(_) if not_there.load(std::sync::atomic::Ordering::Relaxed) => {
                return Ok(Part::NotThere);
            }
            other => other?,
        };
        if done.status == 200
            && let Some(why) = self.complaint_in(file, have, done.bytes).await?
        {
            file.set_len(have).await.map_err(|why| io_failed(&why))?;
            return Ok(Part::Complaint(why));
        }
        if let Err(why) = fits(&done, have, size) {
            file.set_len(have).await.map_err(|why| io_failed(&why))?;
            return Ok(Part::Wrong(why));
        }
        if let Some(why) = &done.broken_off {
            let at = have + done.bytes;
            let line = format!(
                "bulk export {}: the file broke off at byte {at} ({why}); going on from there",
                job.id
            );
            self.client.log().line(Level::Warn, &line);
        }
        Ok(Part::More)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn came(status: u16, first: u64, total: Option<u64>) -> Downloaded {
        Downloaded {
            status,
            content_range: (status == 206).then_some(ContentRange {
                first,
                last: first,
                total,
            }),
            bytes: 1,
            broken_off: None,
        }
    }

    #[test]
    fn only_the_rest_that_was_asked_for_is_taken() {
        assert!(fits(&came(200, 0, None), 0, Some(9)).is_ok());
        assert!(fits(&came(200, 0, None), 4, Some(9)).is_err());
        assert!(fits(&came(206, 4, Some(9)), 4, Some(9)).is_ok());
        assert!(fits(&came(206, 2, Some(9)), 4, Some(9)).is_err());
        assert!(fits(&came(206, 4, Some(8)), 4, Some(9)).is_err());
        assert!(fits(&came(206, 4, None), 4, Some(9)).is_ok());
    }
}
