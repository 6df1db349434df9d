//! `lakehand import`: files in a source's wire shape into bronze and silver.
//!
//! The same code as after a collection's page, so an archive or a vendor's export is treated like rows
//! from the API. Bronze gets the files as they are when no line holds a secret, otherwise without them.

use std::{
    fs::File,
    io::{BufRead, BufReader, BufWriter, Read, Write},
    path::{Path, PathBuf},
};

use jiff::civil::Date;
use sha2::{Digest, Sha256};

use super::{
    Collection, feed,
    imports::{self, ImportRecord},
    part::broken,
    publish,
    quarantine::cleaned,
    run::{FileCounts, Run},
    summary::NormaliseSummary,
};
use crate::collect::manifest::{MANIFEST_VERSION, Manifest, ManifestFile, write_manifest};
use crate::dataset::Stream;
use crate::jobs::{ErrorType, JobContext, JobError};
use crate::ports::PutCondition;

/// Brings files of NDJSON (plain, gzip or zstd) in the wire shape of `stream` into bronze and silver.
///
/// The collection's id is made from the files' contents: importing them again replaces the same bronze
/// objects and leaves silver as it is.
///
/// # Errors
/// `InvalidInput` for a file that cannot be read, `DataContractError` when more rows than the profile
/// allows cannot be typed (then nothing is stored but the quarantine), `StorageError`, `Cancelled`.
pub async fn import(
    ctx: &JobContext,
    stream: Stream,
    files: &[PathBuf],
) -> Result<NormaliseSummary, JobError> {
    if files.is_empty() {
        return Err(JobError::new(
            ErrorType::InvalidInput,
            "no file was given to import; name one or more NDJSON files",
        ));
    }
    let received_at = ctx.clock.now();
    let hashes = hash_files(files).await?;
    let mut all = Sha256::new();
    hashes.iter().for_each(|hash| all.update(hash));
    let id = format!("{}{}", imports::ID, &hex(&all.finalize())[..16]);
    let mut run = Run::new(ctx, stream, &[]).await?;
    let collection = run.add_collection(Collection {
        id: id.clone(),
        received_at,
    });
    for file in files {
        run.add_file(file.display().to_string(), file.clone(), collection);
    }
    let mut staged = run.decode().await?;
    let quarantine_files = publish::judge(ctx, &mut staged).await?;
    let names: Vec<String> = files
        .iter()
        .map(|file| file.display().to_string())
        .collect();
    let record = ImportRecord {
        collection: id.clone(),
        stream,
        executions: vec![ctx.execution.clone()],
        files: names.clone(),
        received_at,
        before: Vec::new(),
        silver_is_restored: false,
    };
    imports::keep(ctx, record, &staged.stage.days(), staged.folder.path()).await?;
    let day = ctx.profile.time_zone.to_datetime(received_at).date();
    let mut manifest = Manifest {
        version: MANIFEST_VERSION,
        collection: id,
        stream,
        window: None,
        received_at,
        execution: ctx.execution.clone(),
        request: serde_json::json!({ "import": names }),
        files: Vec::new(),
        rows: staged.rows_in,
        bytes: 0,
    };
    for (number, counts) in staged.files.iter().enumerate() {
        let stored = store(
            ctx,
            &manifest,
            day,
            number,
            &files[number],
            counts,
            hashes[number],
        )
        .await?;
        manifest.bytes += stored.bytes;
        manifest.files.push(stored);
    }
    let key = Manifest::key(stream, day, &manifest.collection);
    write_manifest(&ctx.lake, &key, &manifest).await?;
    publish::publish_judged(ctx, staged, quarantine_files).await
}

/// What [`import`] would find in the files; nothing is stored.
///
/// # Errors
/// As [`import`], without those of storing.
pub async fn preview(
    ctx: &JobContext,
    stream: Stream,
    files: &[PathBuf],
) -> Result<NormaliseSummary, JobError> {
    let mut run = Run::new(ctx, stream, &[]).await?;
    let collection = run.add_collection(Collection {
        id: "import-preview".to_owned(),
        received_at: ctx.clock.now(),
    });
    for file in files {
        run.add_file(file.display().to_string(), file.clone(), collection);
    }
    let staged = run.decode().await?;
    let mut summary = NormaliseSummary {
        rows_in: staged.rows_in,
        rows_quarantined: staged.rows_aside(),
        quarantine_reasons: staged.reasons,
        first_quarantined: staged.first_aside,
        contract_changes: staged.contract_changes,
        ..NormaliseSummary::default()
    };
    let names: Vec<String> = staged.files.into_iter().map(|file| file.name).collect();
    summary.add_tally(staged.tally, &names);
    Ok(summary)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unreadable(path: &Path, why: &std::io::Error) -> JobError {
    JobError::new(
        ErrorType::InvalidInput,
        format!(
            "could not read {}: {why}; check the name and the permissions",
            path.display()
        ),
    )
}

fn hash_file(path: &Path) -> Result<[u8; 32], JobError> {
    let mut file = File::open(path).map_err(|why| unreadable(path, &why))?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0u8; 1 << 17];
    loop {
        let count = file
            .read(&mut buffer)
            .map_err(|why| unreadable(path, &why))?;
        if count == 0 {
            return Ok(hash.finalize().into());
        }
        hash.update(&buffer[..count]);
    }
}

async fn hash_files(files: &[PathBuf]) -> Result<Vec<[u8; 32]>, JobError> {
    use futures::{StreamExt, TryStreamExt};
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let hashes = files.iter().cloned().map(|file| async move {
        let done = tokio::task::spawn_blocking(move || hash_file(&file)).await;
        done.unwrap_or_else(|why| {
            Err(JobError::new(
                ErrorType::StorageError,
                format!("hashing stopped: {why}"),
            ))
        })
    });
    futures::stream::iter(hashes)
        .buffered(threads)
        .try_collect()
        .await
}

/// How a file is kept in bronze.
enum Keep {
    /// Copied as it is.
    Whole(&'static str),
    /// Compressed anew, line by line, without secrets.
    Anew,
}

fn keep(path: &Path, counts: &FileCounts) -> Result<Keep, JobError> {
    let mut magic = [0u8; 4];
    let read = File::open(path)
        .and_then(|mut file| file.read(&mut magic))
        .map_err(|why| unreadable(path, &why))?;
    Ok(match &magic[..read] {
        _ if counts.secret => Keep::Anew,
        [0x1f, 0x8b, ..] => Keep::Whole("gz"),
        [0x28, 0xb5, 0x2f, 0xfd] => Keep::Whole("zst"),
        _ => Keep::Anew,
    })
}

async fn store(
    ctx: &JobContext,
    manifest: &Manifest,
    day: Date,
    number: usize,
    path: &Path,
    counts: &FileCounts,
    hash: [u8; 32],
) -> Result<ManifestFile, JobError> {
    let staging = ctx.lake.raw.staging();
    std::fs::create_dir_all(&staging).map_err(|why| broken("make", &staging, why))?;
    let folder =
        tempfile::tempdir_in(&staging).map_err(|why| broken("make a folder in", &staging, why))?;
    let copy = folder.path().join("object");
    let keep = keep(path, counts)?;
    let suffix = match keep {
        Keep::Whole(suffix) => suffix,
        Keep::Anew => "zst",
    };
    let (from, to, secret) = (path.to_owned(), copy.clone(), counts.secret);
    let made = tokio::task::spawn_blocking(move || match keep {
        Keep::Whole(_) => std::fs::copy(&from, &to)
            .map(|_| hash)
            .map_err(|why| broken("copy", &from, why)),
        Keep::Anew => compress(&from, &to, secret).and_then(|()| hash_file(&to)),
    });
    let made = made.await.map_err(|why| {
        JobError::new(
            ErrorType::StorageError,
            format!("storing {} stopped: {why}", path.display()),
        )
    })?;
    let sha256 = hex(&made?);
    let bytes = std::fs::metadata(&copy)
        .map_err(|why| broken("read", &copy, why))?
        .len();
    let key = format!(
        "{}/{}-{:04}.ndjson.{suffix}",
        manifest.stream.bronze_day(day),
        manifest.collection,
        number + 1
    );
    ctx.lake
        .raw
        .put_file(&key, copy, PutCondition::Always)
        .await?;
    Ok(ManifestFile {
        key,
        rows: counts.rows,
        bytes,
        sha256,
    })
}

/// Copies lines, without secrets when there are some, into a zstd file.
fn compress(from: &Path, to: &Path, secret: bool) -> Result<(), JobError> {
    let failed = |why: std::io::Error| broken("write", to, why);
    let input = feed::open(from).map_err(|why| unreadable(from, &why))?;
    let file = File::create(to).map_err(failed)?;
    let mut encoder = zstd::stream::write::Encoder::new(BufWriter::new(file), 1).map_err(failed)?;
    let mut input = BufReader::with_capacity(1 << 18, input);
    if secret {
        let mut line = Vec::new();
        while input
            .read_until(b'\n', &mut line)
            .map_err(|why| unreadable(from, &why))?
            > 0
        {
            let ended = line.pop_if(|last| *last == b'\n').is_some();
            line = cleaned(line);
            encoder.write_all(&line).map_err(failed)?;
            if ended {
                encoder.write_all(b"\n").map_err(failed)?;
            }
            line.clear();
        }
    } else {
        std::io::copy(&mut input, &mut encoder).map_err(failed)?;
    }
    let file = encoder
        .finish()
        .map_err(failed)?
        .into_inner()
        .map_err(|why| failed(why.into_error()))?;
    file.sync_data().map_err(failed)
}
