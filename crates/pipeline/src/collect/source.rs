//! Which source reads a stream, made from the profile and its credentials.

use secrecy::SecretString;

use crate::dataset::Stream;
use crate::jobs::{ErrorType, JobContext, JobError};
use crate::sources::{
    SignIn, Source,
    affise::Affise,
    ga3::Ga3,
    ga4::Ga4,
    google::sign_in::GoogleSignIn,
    marketo::{Marketo, MarketoCredentials},
};

/// The source of a stream, ready to be read.
///
/// # Errors
/// `BadCredentials` when a credential is missing, `InvalidInput` when the profile does not have the source.
pub(super) async fn of_stream(
    ctx: &JobContext,
    stream: Stream,
) -> Result<Box<dyn Source>, JobError> {
    match stream {
        Stream::AffiseOffers
        | Stream::AffiseAffiliates
        | Stream::AffiseAdvertisers
        | Stream::AffiseClicks
        | Stream::AffiseConversions => Ok(Box::new(affise(ctx).await?)),
        Stream::MarketoLeads | Stream::MarketoActivities => match marketo(ctx).await? {
            Some(marketo) => Ok(Box::new(marketo)),
            None => Err(not_configured(ctx, stream)),
        },
        Stream::Ga4(name) => {
            let settings = ctx.profile.ga4.as_ref();
            let found = settings.and_then(|settings| {
                let mut reports = settings.reports.iter();
                Some((settings, reports.find(|report| report.name == name)?))
            });
            let (settings, report) = found.ok_or_else(|| not_configured(ctx, stream))?;
            let key = credential(ctx, &settings.key_parameter).await?;
            Ok(Box::new(Ga4::new(ctx, settings, report, &key)?))
        }
        Stream::Ga3(name) => {
            let settings = ctx.profile.ga3.as_ref();
            let found = settings.and_then(|settings| {
                let mut reports = settings.reports.iter();
                Some((settings, reports.find(|report| report.name == name)?))
            });
            let (settings, report) = found.ok_or_else(|| not_configured(ctx, stream))?;
            // Before a credential is asked for: where the service has ended none helps.
            Ga3::check_address(settings, &format!("the GA3 report {name}"))?;
            let key = credential(ctx, &settings.key_parameter).await?;
            Ok(Box::new(Ga3::new(ctx, settings, report, &key)?))
        }
    }
}

/// The source of this name, ready to sign in. A source that can sign in is one line here.
///
/// # Errors
/// As [`of_stream`].
pub(super) async fn signing_in(
    ctx: &JobContext,
    source: &str,
) -> Result<Box<dyn SignIn>, JobError> {
    match source {
        "affise" => Ok(Box::new(affise(ctx).await?)),
        "marketo" => match marketo(ctx).await? {
            Some(marketo) => Ok(Box::new(marketo)),
            None => Err(not_configured(ctx, Stream::MarketoActivities)),
        },
        "ga4" => {
            let settings = ctx.profile.ga4.as_ref();
            let settings = settings.ok_or_else(|| no_section(ctx, source))?;
            let key = credential(ctx, &settings.key_parameter).await?;
            Ok(Box::new(GoogleSignIn::ga4(ctx, settings, &key)?))
        }
        "ga3" => {
            let settings = ctx.profile.ga3.as_ref();
            let settings = settings.ok_or_else(|| no_section(ctx, source))?;
            Ga3::check_address(settings, "the GA3 source")?;
            let key = credential(ctx, &settings.key_parameter).await?;
            Ok(Box::new(GoogleSignIn::ga3(ctx, settings, &key)?))
        }
        other => {
            let message = format!("{other} has no way to only sign in; a collection tells");
            Err(JobError::new(ErrorType::InvalidInput, message))
        }
    }
}

/// A credential of the profile.
///
/// # Errors
/// `BadCredentials` when it was never set, `StorageError` when it cannot be read, `TransientPlatformError` when it
/// cannot be read for now.
pub(super) async fn credential(ctx: &JobContext, path: &str) -> Result<SecretString, JobError> {
    Ok(ctx.parameters.get(path).await?)
}

/// Affise as the profile has it, with the key from the parameter store.
///
/// # Errors
/// As [`of_stream`].
pub(super) async fn affise(ctx: &JobContext) -> Result<Affise, JobError> {
    let settings = &ctx.profile.affise;
    let key = credential(ctx, &settings.api_key_parameter).await?;
    Ok(Affise::new(
        settings,
        key,
        ctx.cancel.clone(),
        ctx.log.clone(),
    )?)
}

/// Marketo as the profile has it, with its credentials from the parameter store; `None` where the profile
/// does not have it.
///
/// # Errors
/// As [`of_stream`].
async fn marketo(ctx: &JobContext) -> Result<Option<Marketo>, JobError> {
    let Some(settings) = &ctx.profile.marketo else {
        return Ok(None);
    };
    let munchkin_id = match credential(ctx, &settings.munchkin_id_parameter).await {
        Ok(id) => Some(id),
        // The id says where the instance is; settings may say it too.
        Err(error)
            if error.error_type == ErrorType::BadCredentials && !settings.base_url.is_empty() =>
        {
            None
        }
        Err(error) => return Err(error),
    };
    let credentials = MarketoCredentials {
        munchkin_id,
        client_id: credential(ctx, &settings.client_id_parameter).await?,
        client_secret: credential(ctx, &settings.client_secret_parameter).await?,
    };
    let source = Marketo::new(
        settings,
        credentials,
        ctx.lake.std.clone(),
        ctx.clock.clone(),
        ctx.cancel.clone(),
        ctx.log.clone(),
    )?;
    Ok(Some(source))
}

/// What is said of a stream that the profile has no section for.
fn no_section(ctx: &JobContext, source: &str) -> JobError {
    let message = format!(
        "the profile {} has no source {source}; add [profiles.{}.{source}] to config.toml, which `lakehand config path` names",
        ctx.profile.name, ctx.profile.name
    );
    JobError::new(ErrorType::InvalidInput, message)
}

fn not_configured(ctx: &JobContext, stream: Stream) -> JobError {
    let message = format!(
        "the profile {} does not collect {stream}; add it to [profiles.{}.{}] in config.toml, which `lakehand config path` names",
        ctx.profile.name,
        ctx.profile.name,
        stream.source()
    );
    JobError::new(ErrorType::InvalidInput, message)
}
