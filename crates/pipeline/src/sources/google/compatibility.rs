//! Which fields of a GA4 report do not go together: asked of Google when it refuses a report, and by a sign-in.
//!
//! `:checkCompatibility` fails for fields that do not go together, and of those that do it lists which others can
//! be added. So a report that is refused is built up field by field, and what cannot be added is named.

use serde::Deserialize;
use serde_json::json;

use crate::sources::{
    SourceError,
    http::{Answer, Fault, HttpClient, HttpRequest, Verdict},
};
use lakehand_config::Ga4Report;

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Metadata {
    dimensions: Vec<Field>,
    metrics: Vec<Field>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Field {
    api_name: String,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Compatibilities {
    dimension_compatibilities: Vec<Compatibility>,
    metric_compatibilities: Vec<Compatibility>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Compatibility {
    dimension_metadata: Field,
    metric_metadata: Field,
    compatibility: String,
}

/// A dimension or a metric of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked<'r> {
    Dimension(&'r str),
    Metric(&'r str),
}

impl Asked<'_> {
    fn name(&self) -> &str {
        match self {
            Self::Dimension(name) | Self::Metric(name) => name,
        }
    }
}

/// What of a report a property cannot answer, a sentence each; nothing when all of it goes together.
///
/// # Errors
/// When Google does not answer; a refusal is no error here.
pub(crate) async fn complaints(
    client: &HttpClient,
    property: &str,
    report: &Ga4Report,
) -> Result<Vec<String>, SourceError> {
    let what = format!(
        "which fields of {} go together in property {property}",
        report.name
    );
    let metadata: Option<Metadata> = {
        let path = format!("/v1beta/properties/{property}/metadata");
        ask(client, &HttpRequest::get(path, &*what)).await?
    };
    let Some(metadata) = metadata else {
        return Ok(Vec::new());
    };
    let mut complaints = Vec::new();
    let mut fields = Vec::new();
    // A metric first: dimensions alone are never refused.
    let metrics = report.metrics.iter().map(|name| (name, &metadata.metrics));
    let dimensions = report
        .dimensions
        .iter()
        .map(|name| (name, &metadata.dimensions));
    for (number, (name, known)) in metrics.chain(dimensions).enumerate() {
        let is_metric = number < report.metrics.len();
        // Expressions are not fields of their own.
        if !known.iter().any(|field| field.api_name == *name) {
            let kind = if is_metric { "metric" } else { "dimension" };
            complaints.push(format!("the property has no {kind} '{name}'"));
        } else if is_metric {
            fields.push(Asked::Metric(name));
        } else {
            fields.push(Asked::Dimension(name));
        }
    }
    if incompatible_with(client, property, &what, &fields)
        .await?
        .is_some()
    {
        return Ok(complaints);
    }
    let mut taken: Vec<Asked<'_>> = Vec::new();
    let mut refused: Vec<String> = Vec::new();
    for field in fields {
        let is_refused = refused.iter().any(|name| name == field.name());
        if is_refused {
            let with: Vec<&str> = taken.iter().map(Asked::name).collect();
            complaints.push(format!(
                "'{}' does not go together with {}",
                field.name(),
                with.join(", ")
            ));
            continue;
        }
        taken.push(field);
        if let Some(names) = incompatible_with(client, property, &what, &taken).await? {
            refused = names;
        }
    }
    Ok(complaints)
}

/// The names that cannot be added to these fields; `None` when they do not go together themselves.
async fn incompatible_with(
    client: &HttpClient,
    property: &str,
    what: &str,
    fields: &[Asked<'_>],
) -> Result<Option<Vec<String>>, SourceError> {
    let names = |metric: bool| -> Vec<serde_json::Value> {
        let own = fields
            .iter()
            .filter(|field| matches!(field, Asked::Metric(_)) == metric);
        own.map(|field| json!({ "name": field.name() })).collect()
    };
    let body = json!({
        "dimensions": names(false),
        "metrics": names(true),
        "compatibilityFilter": "INCOMPATIBLE",
    });
    let path = format!("/v1beta/properties/{property}:checkCompatibility");
    let request = HttpRequest::post(path, what).json(&body);
    let answer: Option<Compatibilities> = ask(client, &request).await?;
    Ok(answer.map(|all| {
        let dimensions = all.dimension_compatibilities.into_iter();
        dimensions
            .chain(all.metric_compatibilities)
            .filter(|one| one.compatibility == "INCOMPATIBLE")
            .map(|one| one.dimension_metadata.api_name + &one.metric_metadata.api_name)
            .collect()
    }))
}

/// An answer; `None` when it is refused.
async fn ask<T: serde::de::DeserializeOwned>(
    client: &HttpClient,
    request: &HttpRequest,
) -> Result<Option<T>, SourceError> {
    let read = |answer: &Answer| match answer.status {
        200..=299 => match serde_json::from_slice(&answer.body) {
            Ok(value) => Verdict::Good(Some(value)),
            Err(error) => Verdict::Retry(
                Fault::Unavailable,
                format!("the answer is not as expected: {error}"),
            ),
        },
        400 | 403 | 404 => Verdict::Good(None),
        _ => Verdict::ByStatus,
    };
    client.ask(request, read).await
}
