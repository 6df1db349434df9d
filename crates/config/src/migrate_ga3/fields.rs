//! What became of the fields and built-in segments of GA3.

/// A GA3 field, its GA4 counterpart, and what differs (empty when nothing does).
pub(super) type Field = (&'static str, &'static str, &'static str);

pub(super) const DIMENSIONS: [Field; 36] = [
    ("ga:source", "sessionSource", ""),
    ("ga:medium", "sessionMedium", ""),
    ("ga:sourceMedium", "sessionSourceMedium", ""),
    ("ga:campaign", "sessionCampaignName", ""),
    ("ga:campaignCode", "sessionCampaignId", ""),
    ("ga:adContent", "sessionManualAdContent", ""),
    (
        "ga:keyword",
        "sessionManualTerm",
        "of manually tagged sessions; Google Ads has sessionGoogleAdsKeyword",
    ),
    (
        "ga:channelGrouping",
        "sessionDefaultChannelGroup",
        "GA4's groups are defined anew",
    ),
    ("ga:adGroup", "sessionGoogleAdsAdGroupName", ""),
    ("ga:adwordsCampaignID", "sessionGoogleAdsCampaignId", ""),
    (
        "ga:fullReferrer",
        "pageReferrer",
        "with the protocol, and of every event",
    ),
    ("ga:landingPagePath", "landingPagePlusQueryString", ""),
    ("ga:pagePath", "pagePathPlusQueryString", ""),
    ("ga:pageTitle", "pageTitle", ""),
    ("ga:hostname", "hostName", ""),
    ("ga:country", "country", ""),
    ("ga:countryIsoCode", "countryId", ""),
    ("ga:region", "region", ""),
    ("ga:city", "city", ""),
    ("ga:continent", "continent", ""),
    ("ga:deviceCategory", "deviceCategory", ""),
    ("ga:browser", "browser", ""),
    ("ga:operatingSystem", "operatingSystem", ""),
    ("ga:operatingSystemVersion", "operatingSystemVersion", ""),
    ("ga:mobileDeviceModel", "mobileDeviceModel", ""),
    ("ga:mobileDeviceBranding", "mobileDeviceBranding", ""),
    ("ga:screenResolution", "screenResolution", ""),
    (
        "ga:language",
        "language",
        "a name such as German; languageCode has the code that GA3 had",
    ),
    (
        "ga:userType",
        "newVsReturning",
        "new and returning in place of New Visitor and Returning Visitor",
    ),
    ("ga:hour", "hour", ""),
    ("ga:dayOfWeek", "dayOfWeek", ""),
    ("ga:month", "month", ""),
    ("ga:year", "year", ""),
    ("ga:transactionId", "transactionId", ""),
    ("ga:productName", "itemName", ""),
    (
        "ga:eventAction",
        "eventName",
        "GA4 has names of events in place of category, action and label",
    ),
];

pub(super) const METRICS: [Field; 29] = [
    (
        "ga:sessions",
        "sessions",
        "a session does not begin anew at midnight or with a campaign",
    ),
    ("ga:users", "totalUsers", ""),
    ("ga:1dayUsers", "active1DayUsers", ""),
    ("ga:7dayUsers", "active7DayUsers", ""),
    ("ga:28dayUsers", "active28DayUsers", ""),
    ("ga:newUsers", "newUsers", ""),
    (
        "ga:pageviews",
        "screenPageViews",
        "views of app screens count too",
    ),
    ("ga:pageviewsPerSession", "screenPageViewsPerSession", ""),
    ("ga:avgSessionDuration", "averageSessionDuration", ""),
    (
        "ga:sessionDuration",
        "userEngagementDuration",
        "time in the foreground, not from first to last hit",
    ),
    (
        "ga:bounceRate",
        "bounceRate",
        "share of sessions that were not engaged, 0 to 1 in place of percent",
    ),
    ("ga:totalEvents", "eventCount", "page views are events, too"),
    ("ga:eventValue", "eventValue", ""),
    (
        "ga:goalCompletionsAll",
        "keyEvents",
        "every key event counts, a goal counted once a session",
    ),
    (
        "ga:goalConversionRateAll",
        "sessionKeyEventRate",
        "0 to 1 in place of percent",
    ),
    ("ga:transactions", "transactions", ""),
    ("ga:transactionRevenue", "purchaseRevenue", ""),
    ("ga:totalValue", "totalRevenue", ""),
    (
        "ga:transactionsPerSession",
        "sessionKeyEventRate",
        "with purchase as the only key event",
    ),
    ("ga:itemQuantity", "itemsPurchased", ""),
    ("ga:itemRevenue", "itemRevenue", ""),
    ("ga:productAddsToCart", "addToCarts", ""),
    ("ga:productCheckouts", "checkouts", ""),
    ("ga:uniquePurchases", "ecommercePurchases", ""),
    ("ga:adCost", "advertiserAdCost", ""),
    ("ga:adClicks", "advertiserAdClicks", ""),
    ("ga:impressions", "advertiserAdImpressions", ""),
    ("ga:CPC", "advertiserAdCostPerClick", ""),
    ("ga:ROAS", "returnOnAdSpend", ""),
];

/// A built-in segment, the end of its report's name, and its filter: field and value.
pub(super) type Segment = (
    &'static str,
    &'static str,
    Option<(&'static str, &'static str)>,
);

pub(super) const SEGMENTS: [Segment; 9] = [
    ("gaid::-1", "", None),
    ("gaid::-2", "new", Some(("newVsReturning", "new"))),
    (
        "gaid::-3",
        "returning",
        Some(("newVsReturning", "returning")),
    ),
    ("gaid::-4", "paid", Some(("sessionMedium", "cpc"))),
    ("gaid::-5", "organic", Some(("sessionMedium", "organic"))),
    (
        "gaid::-6",
        "search",
        Some(("sessionDefaultChannelGroup", "Organic Search")),
    ),
    ("gaid::-7", "direct", Some(("sessionSource", "(direct)"))),
    ("gaid::-8", "referral", Some(("sessionMedium", "referral"))),
    ("gaid::-11", "mobile", Some(("deviceCategory", "mobile"))),
];
