//! Keys, roles, wrong paths and wrong parameters.

use lakehand::simulator::{DEMO_AFFILIATE_KEY, DEMO_API_KEY, Options};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::{CLICKS, CONVERSIONS, TODAY, WEEK, ask, client, collect, ids, read, started, with};

fn error(text: &str) -> Value {
    json!({ "status": 2, "error": text })
}

#[tokio::test]
async fn a_key_is_necessary_in_the_header_or_the_query() {
    let simulator = started(200).await;
    let client = client();
    let url = |rest: &str| format!("{}/3.1/user/me{rest}", simulator.base_url());
    let answer = client.get(url("")).send().await.unwrap();
    assert_eq!(answer.status(), 401);
    let body: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    assert_eq!(body, error("Token is necessary"));
    assert_eq!(ask(&simulator, "/3.1/user/me", "wrong").await.0, 401);
    for name in ["API-Key", "api-key", "Api-KEY"] {
        let by_header = client
            .get(url(""))
            .header(name, DEMO_API_KEY)
            .send()
            .await
            .unwrap();
        assert_eq!(by_header.status(), 200, "{name}");
        let by_query = client
            .get(url(&format!("?{name}={DEMO_API_KEY}")))
            .send()
            .await
            .unwrap();
        assert_eq!(by_query.status(), 200, "{name}");
    }
    let me = read(&simulator, "/3.1/user/me").await;
    assert_eq!(
        (&me["status"], &me["user"]["type"]),
        (&json!(1), &json!("common_manager"))
    );
}

#[tokio::test]
async fn another_key_can_be_set() {
    let api_key = SecretString::from("other");
    let simulator = with(Options {
        scale: 200,
        api_key,
        ..Options::new(TODAY)
    })
    .await;
    assert_eq!(ask(&simulator, "/3.1/user/me", "other").await.0, 200);
    assert_eq!(ask(&simulator, "/3.1/user/me", DEMO_API_KEY).await.0, 401);
    assert!(
        !format!("{simulator:?}").contains("other"),
        "a key never reaches Debug"
    );
}

#[tokio::test]
async fn an_affiliate_sees_less() {
    let simulator = started(9_000).await;
    let truth = simulator.truth().unwrap();
    for path in [
        "/3.0/admin/partners".to_owned(),
        "/3.0/admin/partner/2".to_owned(),
        "/3.0/admin/advertisers".to_owned(),
        "/3.0/admin/users".to_owned(),
        format!("{CLICKS}?{WEEK}"),
        format!("{CONVERSIONS}?update_from_date=2026-01-30"),
    ] {
        let (status, body) = ask(&simulator, &path, DEMO_AFFILIATE_KEY).await;
        assert_eq!(status, 403, "{path}");
        assert_eq!(
            serde_json::from_str::<Value>(&body).unwrap(),
            error("Auth Denied")
        );
    }
    let (status, body) = ask(&simulator, "/3.0/offers?limit=500", DEMO_AFFILIATE_KEY).await;
    assert_eq!(status, 200);
    let offers: Value = serde_json::from_str(&body).unwrap();
    let offers = offers["offers"].as_array().unwrap();
    assert!(!offers.is_empty());
    for offer in offers {
        assert!(offer.get("advertiser").is_none() && offer.get("hash_password").is_none());
        assert_ne!(offer["privacy"], "private");
    }
    let path = format!("{CONVERSIONS}?{WEEK}&limit=1000&partner[]=3");
    let (_, body) = ask(&simulator, &path, DEMO_AFFILIATE_KEY).await;
    let rows: Value = serde_json::from_str(&body).unwrap();
    let own = truth.conversions_between("2026-01-24".parse().unwrap(), TODAY);
    let own: Vec<String> = own
        .filter(|one| one.click.affiliate_id == 2)
        .map(|one| one.id.to_string())
        .collect();
    assert!(!own.is_empty());
    assert_eq!(ids(rows["conversions"].as_array().unwrap()), own);
}

#[tokio::test]
async fn wrong_paths_and_identifiers_are_not_found() {
    let simulator = started(200).await;
    for path in [
        "/",
        "//3.0/offers",
        "/3.0//offers",
        "/3.0/offers/",
        "/3.0/Offers",
        "/3.0/offer/",
        "/3.0/offer/301/more",
        "/3.0/offer/99999",
        "/3.0/admin/partner/99999",
        "/3.0/admin/advertiser/000000000000000000000000",
        "/3.0/stats/conversionsbyid?id=000000000000000000000000",
        "/3.0/stats/conversionsbyid?id=nonsense",
        "/3.2/offers",
    ] {
        let (status, body) = ask(&simulator, path, DEMO_API_KEY).await;
        assert_eq!(status, 404, "{path}: {body}");
        assert_eq!(
            serde_json::from_str::<Value>(&body).unwrap()["status"],
            2,
            "{path}"
        );
    }
}

#[tokio::test]
async fn wrong_parameters_are_refused() {
    let simulator = started(200).await;
    for (path, expected) in [
        (format!("{CONVERSIONS}?filter[date_from]=2026-01-30"), 400),
        (
            format!("{CONVERSIONS}?date_from=30-01-2026&date_to=2026-01-31"),
            400,
        ),
        (format!("{CONVERSIONS}?{WEEK}&hour=3"), 400),
        (format!("{CONVERSIONS}?{WEEK}&status[]=confirmed"), 400),
        (format!("{CONVERSIONS}?{WEEK}&page=0"), 400),
        (format!("{CONVERSIONS}?{WEEK}&limit=-1"), 400),
        (format!("{CONVERSIONS}?{WEEK}&timezone=Middle/Earth"), 400),
        (format!("{CONVERSIONS}?{WEEK}&subid5=%FF"), 400),
        (
            format!("{CONVERSIONS}?update_from_date=2026-01-30&update_from_hour=3"),
            400,
        ),
        (
            format!("{CONVERSIONS}?date_from=2026-02-01&date_to=2026-01-31"),
            400,
        ),
        (format!("{CLICKS}?date_from=2026-01-30"), 400),
        (CLICKS.to_owned(), 400),
        ("/3.0/offers?date_from=2026-01-30".to_owned(), 400),
        (
            format!("{CONVERSIONS}?date_from=2025-01-30&date_to=2026-01-31"),
            500,
        ),
        (
            format!("{CLICKS}?date_from=2024-01-30&date_to=2026-01-31"),
            500,
        ),
    ] {
        let (status, body) = ask(&simulator, &path, DEMO_API_KEY).await;
        assert_eq!(status, expected, "{path}: {body}");
    }
    let path = format!("{CONVERSIONS}?filter[date_from]=2026-01-30");
    let (_, body) = ask(&simulator, &path, DEMO_API_KEY).await;
    let text = "Method does not allow extra fields: 'filter'";
    assert_eq!(serde_json::from_str::<Value>(&body).unwrap(), error(text));
    let (_, body) = ask(
        &simulator,
        &format!("{CLICKS}?date_from=2024-01-01&date_to=2026-01-31"),
        DEMO_API_KEY,
    )
    .await;
    assert!(body.contains("Server error, Please contact your administrator"));
}

#[tokio::test]
async fn only_reads_are_played() {
    let simulator = started(200).await;
    let request = client().post(format!("{}/3.0/offers", simulator.base_url()));
    let answer = request
        .header("API-Key", DEMO_API_KEY)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 405);
}

#[tokio::test]
async fn requests_are_counted_and_the_end_is_the_end() {
    let simulator = started(200).await;
    collect(&simulator, "/3.0/offers?limit=20", "offers").await;
    ask(&simulator, "/nowhere", DEMO_API_KEY).await;
    let by_path = simulator.requests_by_path();
    assert!(by_path["/3.0/offers"] > 1);
    assert_eq!(by_path["/nowhere"], 1);
    assert_eq!(simulator.requests(), by_path.values().sum::<u64>());
    let url = simulator.base_url();
    simulator.shutdown().await;
    assert!(
        reqwest::get(format!("{url}/3.0/offers"))
            .await
            .unwrap_err()
            .is_connect()
    );
}
