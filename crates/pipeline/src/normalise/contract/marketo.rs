//! Marketo's part of the contract.
//!
//! An activity has the same dozen members whatever it is, and attributes that depend on its type. The
//! attributes that occur on most instances have columns of their own, by the names that Marketo shows
//! (`source-apis.md` 2.7); what a type has besides stays together in `attributes`. A name means the same
//! thing for every type of Marketo's own that has it, but not always the same JSON type: old and new values
//! are kept as the text of whatever they are. A value that does not fit its column stays in `attributes`,
//! and the column is null. Of a type that people defined (100000 and up) a name means whatever they chose:
//! `attributes` has all of them as they came, and the columns have those that fit.

use super::{Column, Kind, column, distinct, required};

/// Attribute of an activity by its display name.
const fn attribute(name: &'static str, path: &'static [&'static str], kind: Kind) -> Column {
    column(name, path, kind)
}

/// A lead, newest state. Key: `lead_id`. An instance's own fields are in `_extra`.
pub const LEADS: &[Column] = columns![
    [required] Int lead_id = id,
    [distinct] Text email, Text first_name = firstName, Text last_name = lastName, Text title, Text company, Text industry,
    Text website, Text phone, Text city, Text state, Text country, Text lead_source = leadSource,
    Text lead_status = leadStatus, Money lead_score = leadScore, Money annual_revenue = annualRevenue, Flag unsubscribed,
    Flag email_invalid = emailInvalid, Int acquisition_program_id = acquisitionProgramId,
    Text original_source_type = originalSourceType, Text original_referrer = originalReferrer,
    Text utm_source = utmSource, Text utm_medium = utmMedium, Text utm_campaign = utmCampaign, Text utm_content = utmContent,
    Text utm_term = utmTerm, [distinct] Instant created_at = createdAt, [distinct] Instant updated_at = updatedAt,
];

/// A lead that was merged into another one (which the last of a chain of merges is) or deleted, as activities of
/// types 32 and 37 say. Key: `lead_id`.
pub const GONE_LEADS: &[Column] = columns![
    [required] Int lead_id = leadId, Int merged_into = mergedInto, [required] Instant gone_at = goneAt,
];

/// An activity, by event day. Key: `marketo_guid`. It never changes.
pub const ACTIVITIES: &[Column] = &[
    required(distinct(column(
        "marketo_guid",
        &["marketoGUID"],
        Kind::Text,
    ))),
    required(column("lead_id", &["leadId"], Kind::Int)),
    required(distinct(column(
        "activity_date",
        &["activityDate"],
        Kind::Instant,
    ))),
    required(column("activity_type_id", &["activityTypeId"], Kind::Int)),
    column("campaign_id", &["campaignId"], Kind::Int),
    column("action_result", &["actionResult"], Kind::Text),
    column(
        "primary_attribute_value_id",
        &["primaryAttributeValueId"],
        Kind::Int,
    ),
    column(
        "primary_attribute_value",
        &["primaryAttributeValue"],
        Kind::Text,
    ),
    // Mails: 6 to 11, 27.
    attribute(
        "campaign_run_id",
        &["attributes", "Campaign Run ID"],
        Kind::Int,
    ),
    attribute("choice_number", &["attributes", "Choice Number"], Kind::Int),
    attribute("step_id", &["attributes", "Step ID"], Kind::Int),
    attribute(
        "email_template_id",
        &["attributes", "Email Template ID"],
        Kind::Int,
    ),
    attribute(
        "is_mobile_device",
        &["attributes", "Is Mobile Device"],
        Kind::Flag,
    ),
    attribute("platform", &["attributes", "Platform"], Kind::Text),
    attribute("device", &["attributes", "Device"], Kind::Text),
    attribute("user_agent", &["attributes", "User Agent"], Kind::Text),
    attribute("link", &["attributes", "Link"], Kind::Text),
    attribute("category", &["attributes", "Category"], Kind::Any),
    attribute("details", &["attributes", "Details"], Kind::Text),
    // The web: 1, 2, 3.
    attribute("webpage_url", &["attributes", "Webpage URL"], Kind::Text),
    attribute("webpage_id", &["attributes", "Webpage ID"], Kind::Int),
    attribute(
        "query_parameters",
        &["attributes", "Query Parameters"],
        Kind::Text,
    ),
    attribute("referrer_url", &["attributes", "Referrer URL"], Kind::Text),
    attribute(
        "search_engine",
        &["attributes", "Search Engine"],
        Kind::Text,
    ),
    attribute("search_query", &["attributes", "Search Query"], Kind::Text),
    attribute(
        "client_ip_address",
        &["attributes", "Client IP Address"],
        Kind::Text,
    ),
    attribute("form_fields", &["attributes", "Form Fields"], Kind::Any),
    // Leads and their values: 12, 13, 22.
    attribute("old_value", &["attributes", "Old Value"], Kind::Any),
    attribute("new_value", &["attributes", "New Value"], Kind::Any),
    attribute("change_value", &["attributes", "Change Value"], Kind::Any),
    attribute("urgency", &["attributes", "Urgency"], Kind::Money),
    attribute("priority", &["attributes", "Priority"], Kind::Money),
    attribute("reason", &["attributes", "Reason"], Kind::Text),
    attribute("source", &["attributes", "Source"], Kind::Text),
    attribute("source_type", &["attributes", "Source Type"], Kind::Text),
    attribute("created_date", &["attributes", "Created Date"], Kind::Text),
    attribute(
        "api_method_name",
        &["attributes", "API Method Name"],
        Kind::Text,
    ),
    attribute(
        "modifying_user",
        &["attributes", "Modifying User"],
        Kind::Text,
    ),
    attribute("request_id", &["attributes", "Request ID"], Kind::Any),
    // Merged and deleted: 32, 37.
    attribute("merge_ids", &["attributes", "Merge IDs"], Kind::List),
    attribute(
        "master_updated",
        &["attributes", "Master Updated"],
        Kind::Flag,
    ),
    attribute("merge_source", &["attributes", "Merge Source"], Kind::Text),
    attribute(
        "merged_in_sales",
        &["attributes", "Merged in Sales"],
        Kind::Flag,
    ),
    attribute("campaign", &["attributes", "Campaign"], Kind::Text),
    // Programs: 104.
    attribute("new_status_id", &["attributes", "New Status ID"], Kind::Int),
    attribute("old_status_id", &["attributes", "Old Status ID"], Kind::Int),
    attribute("success", &["attributes", "Success"], Kind::Flag),
    attribute(
        "program_member_id",
        &["attributes", "Program Member ID"],
        Kind::Int,
    ),
    column("attributes", &["attributes"], Kind::Rest),
];
