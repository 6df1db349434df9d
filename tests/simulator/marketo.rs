//! Marketo on loopback, asked by a plain client and compared with its own truth.

use std::collections::BTreeSet;
use std::time::Duration;

use lakehand::simulator::{
    Options, RunningSimulator,
    marketo::{DEMO_CLIENT_ID, DEMO_CLIENT_SECRET, MarketoOptions},
};
use reqwest::{Method, Response, header};
use serde_json::{Value, json};

use super::{TODAY, client, with};

/// Limits of a test: jobs are quick, everything else is as the test says.
fn quick() -> MarketoOptions {
    MarketoOptions {
        status_refresh: Duration::ZERO,
        export_time: Duration::ZERO,
        calls_in_20_seconds: 10_000,
        ..MarketoOptions::default()
    }
}

async fn marketo(options: MarketoOptions, faults: &str) -> RunningSimulator {
    with(Options {
        scale: 4_000,
        seed: 5,
        marketo: options,
        faults: faults.parse().unwrap(),
        ..Options::new(TODAY)
    })
    .await
}

async fn parsed(response: Response) -> Value {
    serde_json::from_slice(&response.bytes().await.unwrap()).unwrap()
}

async fn token_reply(simulator: &RunningSimulator, secret: &str) -> (u16, Value) {
    let request = client()
        .get(format!("{}/identity/oauth/token", simulator.base_url()))
        .query(&[
            ("grant_type", "client_credentials"),
            ("client_id", DEMO_CLIENT_ID),
            ("client_secret", secret),
        ]);
    let response = request.send().await.unwrap();
    (response.status().as_u16(), parsed(response).await)
}

async fn token(simulator: &RunningSimulator) -> String {
    let (status, reply) = token_reply(simulator, DEMO_CLIENT_SECRET).await;
    assert_eq!(status, 200, "{reply}");
    reply["access_token"].as_str().unwrap().to_owned()
}

struct Api<'s> {
    simulator: &'s RunningSimulator,
    token: String,
}

impl<'s> Api<'s> {
    async fn new(simulator: &'s RunningSimulator) -> Self {
        let token = token(simulator).await;
        Self { simulator, token }
    }

    async fn send(&self, method: Method, path: &str, body: Option<Value>) -> Response {
        let mut request = client()
            .request(method, format!("{}{path}", self.simulator.base_url()))
            .bearer_auth(&self.token);
        if let Some(body) = body {
            request = request
                .header(header::CONTENT_TYPE, "application/json")
                .body(body.to_string());
        }
        request.send().await.unwrap()
    }

    async fn get(&self, path: &str) -> Value {
        parsed(self.send(Method::GET, path, None).await).await
    }

    async fn post(&self, path: &str, body: Option<Value>) -> Value {
        parsed(self.send(Method::POST, path, body).await).await
    }

    async fn since(&self, instant: &str) -> String {
        let path = format!("/rest/v1/activities/pagingtoken.json?sinceDatetime={instant}");
        let reply = self.get(&path).await;
        reply["nextPageToken"].as_str().unwrap().to_owned()
    }

    /// All pages of some types, and how many were empty with more to come.
    async fn activities(&self, since: &str, types: &str) -> (Vec<Value>, u32) {
        let mut next = self.since(since).await;
        let (mut rows, mut empty) = (Vec::new(), 0);
        loop {
            let encoded: String = url::form_urlencoded::byte_serialize(next.as_bytes()).collect();
            let path =
                format!("/rest/v1/activities.json?activityTypeIds={types}&nextPageToken={encoded}");
            let page = self.get(&path).await;
            assert_eq!(page["success"], true, "{page}");
            match page["result"].as_array() {
                Some(found) => {
                    assert!((1..=300).contains(&found.len()));
                    rows.extend(found.iter().cloned());
                }
                None => empty += u32::from(page["moreResult"] == true),
            }
            next = page["nextPageToken"].as_str().unwrap().to_owned();
            if page["moreResult"] == false {
                return (rows, empty);
            }
        }
    }

    /// Creates, enqueues and awaits a job; returns its id and last status.
    async fn export(&self, kind: &str, order: Value) -> (String, Value) {
        let made = self
            .post(&format!("/bulk/v1/{kind}/export/create.json"), Some(order))
            .await;
        assert_eq!(made["result"][0]["status"], "Created", "{made}");
        let id = made["result"][0]["exportId"].as_str().unwrap().to_owned();
        let path = |deed: &str| format!("/bulk/v1/{kind}/export/{id}/{deed}.json");
        let queued = self.post(&path("enqueue"), None).await;
        assert_eq!(queued["result"][0]["status"], "Queued", "{queued}");
        loop {
            let status = self.get(&path("status")).await["result"][0].clone();
            if !["Queued", "Processing"].contains(&status["status"].as_str().unwrap()) {
                return (id, status);
            }
        }
    }
}

fn code(reply: &Value) -> &str {
    assert_eq!(reply["success"], false, "{reply}");
    reply["errors"][0]["code"].as_str().unwrap()
}

const TYPES: [&str; 2] = ["1,2,3,6,7,8,9,10,11,12", "13,22,24,25,27,32,37,104,100001"];
const MONTH: &str = "2026-01-01T00:00:00Z";

#[tokio::test]
async fn a_token_is_the_same_until_it_expires_and_counts_in_the_header_only() {
    let simulator = marketo(quick(), "").await;
    let first = token_reply(&simulator, DEMO_CLIENT_SECRET).await.1;
    assert_eq!(
        (
            &first["token_type"],
            first["expires_in"].as_u64().unwrap() > 3_590
        ),
        (&json!("bearer"), true)
    );
    assert_eq!(token(&simulator).await, first["access_token"]);
    let (status, refused) = token_reply(&simulator, "wrong").await;
    assert_eq!((status, &refused["error"]), (401, &json!("unauthorized")));

    let mut api = Api::new(&simulator).await;
    let path = format!("/rest/v1/activities/types.json?access_token={}", api.token);
    let reply = client()
        .get(format!("{}{path}", simulator.base_url()))
        .send()
        .await
        .unwrap();
    assert_eq!(code(&parsed(reply).await), "601");
    simulator.expire_marketo_token();
    assert_eq!(
        code(&api.get("/rest/v1/activities/types.json").await),
        "602"
    );
    api.token = "never-given".to_owned();
    assert_eq!(
        code(&api.get("/rest/v1/activities/types.json").await),
        "601"
    );
    let fresh = Api::new(&simulator).await;
    let types = fresh.get("/rest/v1/activities/types.json").await;
    assert_eq!(types["result"].as_array().unwrap().len(), 19);
}

#[tokio::test]
async fn every_activity_is_found_by_paging_through_empty_pages() {
    let simulator = marketo(quick(), "").await;
    let api = Api::new(&simulator).await;
    let truth = simulator.marketo_truth();
    let expected: BTreeSet<String> = truth
        .activities
        .iter()
        .filter(|activity| activity.at >= 1_767_225_600)
        .map(|activity| activity.guid.clone())
        .collect();
    let mut found = BTreeSet::new();
    for types in TYPES {
        for row in api.activities(MONTH, types).await.0 {
            assert!(found.insert(row["marketoGUID"].as_str().unwrap().to_owned()));
        }
    }
    assert!(expected.len() > 900, "{}", expected.len());
    assert_eq!(found, expected);
    // The rarest kind in a busy log: some pages are empty.
    let count = |type_id: &i64| {
        let of_it = truth.activities.iter();
        of_it
            .filter(|activity| activity.type_id == *type_id)
            .count()
    };
    let kinds: BTreeSet<i64> = truth
        .activities
        .iter()
        .map(|activity| activity.type_id)
        .collect();
    let rarest = kinds.into_iter().min_by_key(count).unwrap();
    let (rows, empty) = api
        .activities("2026-01-01T00:00:00Z", &rarest.to_string())
        .await;
    assert!(
        rows.len() < 10 && empty > 0,
        "type {rarest}: {} rows, {empty} empty pages",
        rows.len()
    );
}

#[tokio::test]
async fn leads_are_filtered_in_the_body_of_a_post_too_and_too_many_are_refused() {
    let simulator = marketo(quick(), "").await;
    let api = Api::new(&simulator).await;
    let truth = simulator.marketo_truth();
    let ids: Vec<String> = truth
        .leads
        .keys()
        .take(150)
        .map(ToString::to_string)
        .collect();
    let body = format!(
        "_method=GET&filterType=id&filterValues={}&fields=utmCampaign,leadScore&batchSize=100",
        ids.join(",")
    );
    let post = |body: String| {
        client()
            .post(format!("{}/rest/v1/leads.json", simulator.base_url()))
            .bearer_auth(&api.token)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(body)
            .send()
    };
    let page: Value = parsed(post(body.clone()).await.unwrap()).await;
    assert_eq!(page["result"].as_array().unwrap().len(), 100);
    let next: String =
        url::form_urlencoded::byte_serialize(page["nextPageToken"].as_str().unwrap().as_bytes())
            .collect();
    let rest = parsed(post(format!("{body}&nextPageToken={next}")).await.unwrap()).await;
    assert_eq!(rest["result"].as_array().unwrap().len(), 50);
    assert_eq!(rest.get("nextPageToken"), None);
    for row in page["result"].as_array().unwrap() {
        let lead = &truth.leads[&row["id"].as_i64().unwrap()];
        assert_eq!(row["utmCampaign"].as_str(), lead.campaign());
        assert_eq!(Some(&row["leadScore"]), lead.values.get("leadScore"));
    }
    let many: Vec<String> = (0..301).map(|id| id.to_string()).collect();
    let path = format!(
        "/rest/v1/leads.json?filterType=id&filterValues={}",
        many.join(",")
    );
    assert_eq!(code(&api.get(&path).await), "1003");
    let path = "/rest/v1/leads.json?filterType=id&filterValues=1&fields=nosuch";
    assert_eq!(code(&api.get(path).await), "1006");
    assert_eq!(
        code(&api.get("/rest/v1/leads.json?filterType=id").await),
        "1002"
    );
    assert_eq!(
        code(&api.post("/rest/v1/leads.json", Some(json!({}))).await),
        "605"
    );
}

#[tokio::test]
async fn a_file_comes_whole_or_in_ranges_with_its_checksum() {
    let simulator = marketo(quick(), "").await;
    let api = Api::new(&simulator).await;
    let order = json!({"format": "CSV", "filter": {"createdAt":
        {"startAt": MONTH, "endAt": "2026-01-31T23:59:59Z"}}});
    let (id, status) = api.export("activities", order).await;
    assert_eq!(status["status"], "Completed", "{status}");
    let path = format!("/bulk/v1/activities/export/{id}/file.json");
    let whole = api
        .send(Method::GET, &path, None)
        .await
        .bytes()
        .await
        .unwrap();
    assert_eq!(status["fileSize"], whole.len());
    let mut parts = Vec::new();
    while parts.len() < whole.len() {
        let range = format!("bytes={}-{}", parts.len(), parts.len() + 99_999);
        let request = client().get(format!("{}{path}", simulator.base_url()));
        let part = request
            .bearer_auth(&api.token)
            .header("range", &range)
            .send()
            .await
            .unwrap();
        assert_eq!(part.status(), 206);
        let named = part.headers()["content-range"].to_str().unwrap().to_owned();
        assert!(
            named.starts_with(&format!("bytes {}-", parts.len())),
            "{named}"
        );
        parts.extend_from_slice(&part.bytes().await.unwrap());
    }
    assert_eq!(parts, whole);
    use sha2::Digest as _;
    let hash: String = sha2::Sha256::digest(&whole)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(status["fileChecksum"], format!("sha256:{hash}"));
    let truth = simulator.marketo_truth();
    // A bulk export of activities leaves deletions of leads (type 37) out.
    let since = truth
        .activities
        .iter()
        .filter(|activity| activity.at >= 1_767_225_600 && activity.type_id != 37)
        .count();
    assert_eq!(status["numberOfRecords"], since);
    // Bytes that no quote protects: a bare CR and NUL reach the file as they are.
    assert!(whole.windows(4).any(|bytes| bytes == b"null"));
}

#[tokio::test]
async fn the_queue_the_quota_and_repeated_orders_are_told_apart() {
    let slow = MarketoOptions {
        export_time: Duration::from_secs(3_600),
        ..quick()
    };
    let simulator = marketo(slow, "").await;
    let api = Api::new(&simulator).await;
    let order = json!({"fields": ["id"], "filter": {"updatedAt":
        {"startAt": MONTH, "endAt": "2026-01-31T00:00:00Z"}}});
    let mut ids = Vec::new();
    for _ in 0..11 {
        let made = api
            .post("/bulk/v1/leads/export/create.json", Some(order.clone()))
            .await;
        ids.push(made["result"][0]["exportId"].as_str().unwrap().to_owned());
    }
    let path = |id: &str, deed: &str| format!("/bulk/v1/leads/export/{id}/{deed}.json");
    for id in &ids[..10] {
        assert_eq!(api.post(&path(id, "enqueue"), None).await["success"], true);
    }
    let full = api.post(&path(&ids[10], "enqueue"), None).await;
    assert_eq!(
        (code(&full), &full["errors"][0]["message"]),
        ("1029", &json!("Too many jobs in queue"))
    );
    let again = api.post(&path(&ids[0], "enqueue"), None).await;
    assert_eq!(again["errors"][0]["message"], "Job already queued");
    let listed = api
        .get("/bulk/v1/leads/export.json?status=Processing")
        .await;
    assert_eq!(listed["result"].as_array().unwrap().len(), 2);
    let cancelled = api.post(&path(&ids[0], "cancel"), None).await;
    assert_eq!(cancelled["result"][0]["status"], "Cancelled");
    assert_eq!(
        api.get(&path(&ids[0], "status")).await["result"][0]["status"],
        "Canceled"
    );
    assert_eq!(
        api.post(&path(&ids[10], "enqueue"), None).await["success"],
        true
    );
    assert_eq!(code(&api.get(&path("nosuch", "status")).await), "1013");
    let early = api.send(Method::GET, &path(&ids[1], "file"), None).await;
    assert_eq!(early.status(), 404);

    let poor = MarketoOptions {
        export_bytes_a_day: 1_000,
        updated_at_filter: false,
        ..quick()
    };
    let simulator = marketo(poor, "").await;
    let api = Api::new(&simulator).await;
    let refused = api
        .post("/bulk/v1/leads/export/create.json", Some(order))
        .await;
    assert_eq!(code(&refused), "1035");
    let order =
        json!({"filter": {"createdAt": {"startAt": MONTH, "endAt": "2026-01-31T00:00:00Z"}}});
    api.export("activities", order.clone()).await;
    let made = api
        .post("/bulk/v1/activities/export/create.json", Some(order))
        .await;
    let id = made["result"][0]["exportId"].as_str().unwrap();
    let refused = api
        .post(
            &format!("/bulk/v1/activities/export/{id}/enqueue.json"),
            None,
        )
        .await;
    assert_eq!(
        refused["errors"][0]["message"],
        "Export daily quota exceeded"
    );
    assert!(simulator.marketo_usage().1 > 1_000);
}

#[tokio::test]
async fn orders_that_cannot_be_are_refused() {
    let simulator = marketo(quick(), "").await;
    let api = Api::new(&simulator).await;
    let order = |kind: &str, body: Value| {
        let path = format!("/bulk/v1/{kind}/export/create.json");
        let api = &api;
        async move { code(&api.post(&path, Some(body)).await).to_owned() }
    };
    let range = |from: &str, to: &str| json!({"startAt": from, "endAt": to});
    let month = range(MONTH, "2026-01-31T00:00:00Z");
    assert_eq!(
        order("leads", json!({"filter": {"createdAt": month}})).await,
        "1003"
    );
    assert_eq!(
        order("leads", json!({"fields": ["id"], "filter": {}})).await,
        "1003"
    );
    assert_eq!(
        order(
            "leads",
            json!({"fields": ["oldField"], "filter": {"createdAt": month}})
        )
        .await,
        "1006"
    );
    assert_eq!(
        order(
            "leads",
            json!({"fields": ["id"], "filter": {"smartListId": 7}})
        )
        .await,
        "1035"
    );
    let long = range("2025-12-01T00:00:00Z", "2026-01-31T00:00:00Z");
    assert_eq!(
        order("activities", json!({"filter": {"createdAt": long}})).await,
        "1003"
    );
    let fine = range("2026-01-01T00:00:00.000Z", "2026-01-31T00:00:00Z");
    assert_eq!(
        order("activities", json!({"filter": {"createdAt": fine}})).await,
        "1003"
    );
    let path = format!("{}/bulk/v1/leads/export/create.json", simulator.base_url());
    let plain = client()
        .post(path)
        .bearer_auth(&api.token)
        .body("{}")
        .send()
        .await
        .unwrap();
    assert_eq!(code(&parsed(plain).await), "612");
    assert_eq!(code(&api.get("/rest/v1/programs.json").await), "610");
    let odd = api.send(Method::GET, "//rest/v1/leads.json", None).await;
    assert_eq!(odd.status(), 404);
}

#[tokio::test]
async fn limits_run_out_and_the_use_of_the_day_is_told() {
    let options = MarketoOptions {
        daily_calls: 4,
        ..quick()
    };
    let simulator = marketo(options, "").await;
    let api = Api::new(&simulator).await;
    for _ in 0..3 {
        assert_eq!(
            api.get("/rest/v1/leads/describe.json").await["success"],
            true
        );
    }
    // Errors of the response level are free, and this is one.
    assert_eq!(code(&api.get("/rest/v1/nosuch.json").await), "610");
    let usage = api.get("/rest/v1/stats/usage.json").await;
    assert_eq!(usage["result"][0]["total"], 3, "{usage}");
    assert_eq!(usage["result"][0]["date"], "2026-01-31");
    assert_eq!(code(&api.get("/rest/v1/leads/describe.json").await), "607");
    assert_eq!(simulator.marketo_usage().0, 4);
}

#[tokio::test]
async fn faults_strike_where_they_belong() {
    let plan = "marketo#3:602,marketo@/bulk/*#1:1013,short-token#1,wrong-checksum,truncated-file#1,\
        wrong-range#2,file-missing#3,drop@/bulk/*#7";
    let simulator = marketo(quick(), plan).await;
    let short = token_reply(&simulator, DEMO_CLIENT_SECRET).await.1;
    assert!(short["expires_in"].as_u64().unwrap() <= 2);
    let mut api = Api::new(&simulator).await;
    assert_eq!(
        api.get("/rest/v1/activities/types.json").await["success"],
        true
    );
    let order =
        json!({"filter": {"createdAt": {"startAt": MONTH, "endAt": "2026-01-31T00:00:00Z"}}});
    let path = "/bulk/v1/activities/export/create.json";
    assert_eq!(code(&api.post(path, Some(order.clone())).await), "1013");
    // The token is gone with the 602, a new one is given.
    assert_eq!(code(&api.post(path, Some(order.clone())).await), "602");
    let old = std::mem::replace(&mut api, Api::new(&simulator).await);
    assert_ne!(old.token, api.token);
    let (id, status) = api.export("activities", order).await;
    assert!(
        status["fileChecksum"]
            .as_str()
            .unwrap()
            .starts_with("sha256:000000")
    );
    let size = status["fileSize"].as_u64().unwrap();
    let path = format!("/bulk/v1/activities/export/{id}/file.json");
    let cut = api
        .send(Method::GET, &path, None)
        .await
        .bytes()
        .await
        .unwrap();
    assert_eq!(cut.len() as u64, size * 2 / 3);
    let request = client()
        .get(format!("{}{path}", simulator.base_url()))
        .bearer_auth(&api.token);
    let wrong = request
        .header("range", "bytes=1000-1999")
        .send()
        .await
        .unwrap();
    assert_eq!(
        (
            wrong.status().as_u16(),
            &wrong.headers()["content-range"].to_str().unwrap()[..14]
        ),
        (206, "bytes 500-1499")
    );
    assert_eq!(api.send(Method::GET, &path, None).await.status(), 404);
    let whole = api.send(Method::GET, &path, None).await;
    assert!(whole.bytes().await.is_ok());
}

#[tokio::test]
async fn the_same_seed_gives_the_same_instance() {
    let (one, two) = (marketo(quick(), "").await, marketo(quick(), "").await);
    let (one, two) = (one.marketo_truth(), two.marketo_truth());
    assert_eq!(one.leads, two.leads);
    assert_eq!(one.activities, two.activities);
    let by_campaign = one.leads_by_day_and_campaign();
    // Of two hundred leads, those that were merged or deleted are no leads any more.
    assert!(one.gone.len() > 5);
    assert_eq!(
        by_campaign.values().sum::<u64>(),
        200 - one.gone.len() as u64
    );
    assert_eq!(
        one.activities_by_day_and_campaign().values().sum::<u64>() as usize,
        one.activities.len()
    );
}

#[tokio::test]
async fn real_files_are_served_as_the_api_would_say_them() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/marketo");
    let simulator = with(Options {
        data: Some(folder.into()),
        marketo: quick(),
        ..Options::default()
    })
    .await;
    assert_eq!(simulator.today(), jiff::civil::date(2020, 5, 14));
    assert_eq!(simulator.skipped_lines(), []);
    let api = Api::new(&simulator).await;
    let (rows, _) = api
        .activities("2020-04-01T00:00:00Z", "6,7,10,11,13,29,32")
        .await;
    assert_eq!(rows.len(), 631);
    let click = rows
        .iter()
        .find(|row| row["marketoGUID"] == "58851192")
        .unwrap();
    assert_eq!(click["activityDate"], "2020-04-30T08:05:11+0000");
    assert_eq!(click["leadId"], 1_124_755);
    let list = click["attributes"].as_array().unwrap();
    let value = |name: &str| {
        list.iter()
            .find(|item| item["name"] == name)
            .map(|item| &item["value"])
    };
    assert_eq!(value("Campaign Run ID"), Some(&json!(758)));
    assert_eq!(
        value("User Agent"),
        None,
        "an empty cell is an attribute left out"
    );
    let merged = rows
        .iter()
        .find(|row| row["marketoGUID"] == "67761367")
        .unwrap();
    assert!(
        merged["attributes"]
            .as_array()
            .unwrap()
            .contains(&json!({"name": "Merge IDs", "value": [1_286_861]}))
    );
    let leads = api
        .get("/rest/v1/leads.json?filterType=id&filterValues=1031229")
        .await;
    assert_eq!(leads["result"][0]["updatedAt"], "2020-05-13T23:43:24Z");
    assert_eq!(leads["result"][0]["firstName"], "first_001");
    let fields = api.get("/rest/v1/leads/describe.json").await;
    assert!(fields["result"].as_array().unwrap().len() > 50);
}
