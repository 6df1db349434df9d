use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard},
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::Request,
    http::{Response, StatusCode, header},
};
use jiff::civil::{Date, date};

use super::*;
use crate::jobs::{ErrorType, JobError};
use crate::sources::Passes;
use crate::window::Window;

const KEY: &str = "sekret-key-0815";

type Query = BTreeMap<String, String>;
/// Path and query in, status and body out.
type Answer = Box<dyn FnMut(&str, &Query) -> Response<Body> + Send>;

/// A server that answers as a test wants it.
struct Fake {
    base_url: String,
    asked: Arc<Mutex<Vec<(String, Query)>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Fake {
    async fn start(answer: impl FnMut(&str, &Query) -> Response<Body> + Send + 'static) -> Self {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let shared = Arc::new((Mutex::new(Box::new(answer) as Answer), Arc::clone(&asked)));
        let handler = move |request: Request| {
            let shared = Arc::clone(&shared);
            async move {
                assert_eq!(request.headers()["api-key"], KEY);
                let path = request.uri().path().to_owned();
                let url = url::Url::parse(&format!("http://x{}", request.uri())).unwrap();
                let query: Query = url
                    .query_pairs()
                    .map(|(name, value)| (name.into(), value.into()))
                    .collect();
                shared.1.lock().unwrap().push((path.clone(), query.clone()));
                shared.0.lock().unwrap()(&path, &query)
            }
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}/", listener.local_addr().unwrap());
        let task = tokio::spawn(async move {
            axum::serve(listener, Router::new().fallback(handler))
                .await
                .unwrap()
        });
        Self {
            base_url,
            asked,
            task,
        }
    }

    fn affise(&self) -> Affise {
        let settings = AffiseSettings {
            base_url: self.base_url.clone(),
            requests_per_second: 1e6,
            first_retry_wait_ms: 1,
            max_retry_wait_ms: 2,
            ..AffiseSettings::default()
        };
        Affise::new(
            &settings,
            KEY.into(),
            CancellationToken::new(),
            Arc::new(Quiet),
        )
        .unwrap()
    }

    fn asked(&self) -> MutexGuard<'_, Vec<(String, Query)>> {
        self.asked.lock().unwrap()
    }
}

#[derive(Debug)]
struct Quiet;

impl JobLog for Quiet {
    fn line(&self, _: Level, _: &str) {}
    fn progress(&self, _: &str) {}
}

/// Keeps rows; everything is durable at once. Breaks after a number of pages if told to.
#[derive(Default)]
struct Rows {
    rows: Vec<Bytes>,
    cursor: Option<serde_json::Value>,
    pages_left: Option<u32>,
}

impl Rows {
    /// Ids of the rows, as the naive reader sees them: parsed, sorted, each one once.
    fn ids(&self) -> Vec<u64> {
        let id = |row: &Bytes| {
            serde_json::from_slice::<serde_json::Value>(row).unwrap()["id"]
                .as_u64()
                .unwrap()
        };
        let mut ids: Vec<u64> = self.rows.iter().map(id).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }
}

#[async_trait]
impl PageSink for Rows {
    async fn page(
        &mut self,
        rows: &[Bytes],
        cursor: serde_json::Value,
        _: u64,
    ) -> Result<(), SourceError> {
        if self.pages_left == Some(0) {
            return Err(JobError::new(ErrorType::StorageError, "the disk is full").into());
        }
        self.pages_left = self.pages_left.map(|left| left - 1);
        self.rows.extend_from_slice(rows);
        self.cursor = Some(cursor);
        Ok(())
    }

    fn position(&self) -> u64 {
        self.rows.len() as u64
    }

    async fn recall(&mut self, position: u64) -> Result<Vec<Bytes>, SourceError> {
        Ok(self.rows[usize::try_from(position).unwrap()..].to_vec())
    }
}

fn request(stream: Stream) -> SourceRequest {
    SourceRequest {
        stream,
        window: Window::new(date(2026, 1, 1), date(2026, 1, 4)).unwrap(),
        time_zone: TimeZone::UTC,
        passes: Passes::New,
        changed_since: None,
        now: "2026-01-04T12:30:00Z".parse().unwrap(),
    }
}

async fn read(fake: &Fake, request: &SourceRequest) -> (Rows, Result<SourceOutcome, SourceError>) {
    let mut rows = Rows::default();
    let outcome = fake.affise().read(request, None, &mut rows).await;
    (rows, outcome)
}

fn json_body(status: u16, body: String) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    response
}

/// A page of `rows` as Affise cuts it.
fn page_of<T: std::fmt::Display>(
    collection: &str,
    rows: &[T],
    query: &Query,
    per_page: usize,
) -> Response<Body> {
    let number: usize = query["page"].parse().unwrap();
    let start = ((number - 1) * per_page).min(rows.len());
    let end = (start + per_page).min(rows.len());
    let texts: Vec<String> = rows[start..end].iter().map(ToString::to_string).collect();
    let next = if end < rows.len() {
        format!(r#","next_page":{}"#, number + 1)
    } else {
        String::new()
    };
    let total = rows.len();
    json_body(
        200,
        format!(
            r#"{{"status":1,"{collection}":[{}],"pagination":{{"per_page":{per_page},"total_count":{total},"page":{number}{next}}}}}"#,
            texts.join(",")
        ),
    )
}

fn offers(ids: impl IntoIterator<Item = u64>) -> Vec<String> {
    ids.into_iter()
        .map(|id| format!(r#"{{"id":{id}}}"#))
        .collect()
}

#[tokio::test]
async fn pages_follow_what_the_server_returns() {
    let fake = Fake::start(|_, query| page_of("offers", &offers(1..=7), query, 2)).await;
    let (rows, outcome) = read(&fake, &request(Stream::AffiseOffers)).await;
    outcome.unwrap();
    assert_eq!(rows.ids(), (1..=7).collect::<Vec<_>>());
    assert_eq!(rows.rows.len(), 7);
    let asked = fake.asked();
    assert_eq!(
        asked.len(),
        4,
        "the server gives two rows a page, whatever was asked for"
    );
    assert!(
        asked
            .iter()
            .all(|(path, query)| path == "/3.0/offers" && query["limit"] == "500")
    );
}

#[tokio::test]
async fn a_row_that_vanishes_while_paging_loses_no_other() {
    let mut calls = 0;
    let fake = Fake::start(move |_, query| {
        calls += 1;
        // Row 1 goes after the first page: row 3 slips from page 2 to page 1.
        let ids = if calls == 1 { 1..=6 } else { 2..=6 };
        page_of("offers", &offers(ids), query, 2)
    });
    let (rows, outcome) = read(&fake.await, &request(Stream::AffiseOffers)).await;
    outcome.unwrap();
    assert_eq!(rows.ids(), [1, 2, 3, 4, 5, 6]);
}

#[tokio::test]
async fn a_row_that_arrives_in_front_while_paging_is_found() {
    let mut calls = 0;
    let fake = Fake::start(move |_, query| {
        calls += 1;
        let ids: Vec<u64> = if calls == 1 {
            (1..=6).collect()
        } else {
            std::iter::once(9).chain(1..=6).collect()
        };
        page_of("offers", &offers(ids), query, 2)
    });
    let (rows, outcome) = read(&fake.await, &request(Stream::AffiseOffers)).await;
    outcome.unwrap();
    assert_eq!(rows.ids(), [1, 2, 3, 4, 5, 6, 9]);
}

#[tokio::test]
async fn a_page_that_comes_twice_is_asked_for_again() {
    let mut calls = 0;
    let fake = Fake::start(move |_, query| {
        calls += 1;
        let mut query = query.clone();
        if calls == 3 {
            query.insert("page".to_owned(), "2".to_owned());
        }
        page_of("offers", &offers(1..=6), &query, 2)
    });
    let fake = fake.await;
    let (rows, outcome) = read(&fake, &request(Stream::AffiseOffers)).await;
    outcome.unwrap();
    assert_eq!((rows.ids(), rows.rows.len()), ((1..=6).collect(), 6));
    assert_eq!(fake.asked().len(), 4);
}

#[tokio::test]
async fn rows_that_the_source_has_twice_are_no_endless_matter() {
    let fake = Fake::start(|_, query| page_of("offers", &offers([1, 2, 2, 3, 3]), query, 2)).await;
    let (rows, outcome) = read(&fake, &request(Stream::AffiseOffers)).await;
    let outcome = outcome.unwrap();
    assert_eq!(rows.ids(), [1, 2, 3]);
    let note = outcome.request["notes"][0].as_str().unwrap();
    assert!(note.contains("the same 5 rows twice"), "{note}");
}

#[tokio::test]
async fn paging_without_end_ends() {
    for next in ["1", "3"] {
        let fake = Fake::start(move |_, query| {
            let number: u64 = query["page"].parse().unwrap();
            let next = if next == "1" { 1 } else { number + 1 };
            json_body(
                200,
                format!(
                    r#"{{"status":1,"offers":[{{"id":1}}],"pagination":{{"total_count":9,"next_page":{next}}}}}"#
                ),
            )
        });
        let fake = fake.await;
        let (_, outcome) = read(&fake, &request(Stream::AffiseOffers)).await;
        let error = outcome.unwrap_err();
        assert_eq!(
            error.error_type(),
            ErrorType::TransientSourceError,
            "{error}"
        );
        assert!(fake.asked().len() < 100, "{}", fake.asked().len());
    }
}

/// Conversions of a range: one an hour, id = day * 100 + hour.
fn hourly(query: &Query) -> Vec<String> {
    let day = |name: &str| query[name].parse::<Date>().unwrap();
    let window = Window::new(day("date_from"), day("date_to")).unwrap();
    let hour = query.get("hour").map(|hour| hour.parse::<u64>().unwrap());
    let hours = move |day: Date| {
        let day = u64::try_from(day.day()).unwrap();
        (0..24_u64)
            .filter(move |at| hour.is_none_or(|hour| hour == *at))
            .map(move |at| day * 100 + at)
    };
    offers(window.days().flat_map(hours).collect::<Vec<_>>())
}

#[tokio::test]
async fn a_window_that_keeps_failing_is_halved_down_to_hours() {
    let fake = Fake::start(|_, query| {
        let heavy = query["date_from"] != query["date_to"];
        let second_day = query["date_from"] == "2026-01-02" && !query.contains_key("hour");
        if heavy || second_day {
            return json_body(
                500,
                r#"{"status":2,"error":"Server error, Please contact your administrator"}"#
                    .to_owned(),
            );
        }
        page_of("conversions", &hourly(query), query, 10)
    });
    let fake = fake.await;
    let (rows, outcome) = read(&fake, &request(Stream::AffiseConversions)).await;
    outcome.unwrap();
    let truth: Vec<u64> = (1..=4)
        .flat_map(|day| (0..24).map(move |hour| day * 100 + hour))
        .collect();
    assert_eq!(rows.ids(), truth);
    assert!(
        fake.asked()
            .iter()
            .all(|(_, query)| query["timezone"] == "UTC")
    );
}

#[tokio::test]
async fn a_500_of_everything_passes_and_is_tried_again() {
    // Four days, two, one, one hour, and whether the hour after is served: five tries each. Clicks are asked
    // for by days from the start.
    for (stream, requests) in [(Stream::AffiseConversions, 25), (Stream::AffiseClicks, 15)] {
        let fake = Fake::start(|_, _| json_body(500, "oops".to_owned())).await;
        let (_, outcome) = read(&fake, &request(stream)).await;
        let error = outcome.unwrap_err();
        assert_eq!(
            error.error_type(),
            ErrorType::TransientSourceError,
            "{error}"
        );
        assert_eq!(fake.asked().len(), requests);
    }
}

#[tokio::test]
async fn the_same_500_on_the_smallest_window_is_final_when_others_are_served() {
    // The first hour of all, one in the middle, and the last one.
    for (day, hour) in [
        ("2026-01-01", "0"),
        ("2026-01-02", "7"),
        ("2026-01-04", "23"),
    ] {
        let fake = Fake::start(move |_, query| {
            let whole = !query.contains_key("hour");
            let bad = query["date_from"] == day && query.get("hour").is_some_and(|it| it == hour);
            if whole || bad {
                return json_body(500, "oops".to_owned());
            }
            page_of("conversions", &hourly(query), query, 10)
        })
        .await;
        let (_, outcome) = read(&fake, &request(Stream::AffiseConversions)).await;
        let error = outcome.unwrap_err();
        assert_eq!(error.error_type(), ErrorType::SourceRefused, "{error}");
        assert!(
            error.to_string().contains("other windows are served"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_large_window_is_read_in_days() {
    let fake = Fake::start(|_, query| {
        let rows = hourly(query);
        if query["date_from"] != query["date_to"] {
            return json_body(200, r#"{"status":1,"conversions":[{"id":7}],"pagination":{"total_count":30000,"per_page":1,"page":1,"next_page":2}}"#.to_owned());
        }
        page_of("conversions", &rows, query, 100)
    });
    let fake = fake.await;
    let (rows, outcome) = read(&fake, &request(Stream::AffiseConversions)).await;
    outcome.unwrap();
    assert_eq!(rows.rows.len(), 96);
    assert_eq!(fake.asked().len(), 3 + 4);
}

#[tokio::test]
async fn prose_decides_what_a_refusal_is() {
    for (prose, wanted, tries) in [
        (
            "Method does not allow extra fields: 'filter'",
            ErrorType::SourceRefused,
            1,
        ),
        ("Token is necessary", ErrorType::BadCredentials, 1),
        (
            "Server error, try again later",
            ErrorType::TransientSourceError,
            5,
        ),
    ] {
        let fake = Fake::start(move |_, _| {
            json_body(200, format!(r#"{{"status":2,"message":"{prose}"}}"#))
        })
        .await;
        let (_, outcome) = read(&fake, &request(Stream::AffiseOffers)).await;
        let error = outcome.unwrap_err();
        assert_eq!(
            (error.error_type(), fake.asked().len()),
            (wanted, tries),
            "{error}"
        );
        assert!(error.to_string().contains(prose), "{error}");
    }
}

#[tokio::test]
async fn troubled_answers_are_asked_for_again() {
    let mut calls = 0;
    let fake = Fake::start(move |_, query| {
        calls += 1;
        match calls {
            1 => json_body(200, "<html>proxy</html>".to_owned()),
            2 => json_body(200, r#"{"status":1,"offers":[{"id":1},{"#.to_owned()),
            3 => {
                // Dropped in mid-body.
                let pieces = [
                    Ok(Bytes::from_static(b"{\"status\":1,")),
                    Err(std::io::Error::other("gone")),
                ];
                Response::new(Body::from_stream(futures::stream::iter(pieces)))
            }
            4 => json_body(504, String::new()),
            _ => page_of("offers", &offers(1..=3), query, 2),
        }
    });
    let (rows, outcome) = read(&fake.await, &request(Stream::AffiseOffers)).await;
    outcome.unwrap();
    assert_eq!(rows.ids(), [1, 2, 3]);
}

#[tokio::test]
async fn the_key_is_not_carried_through_a_redirect() {
    let target = Fake::start(|_, query| page_of("offers", &offers(1..=3), query, 2)).await;
    let location = format!("{}3.0/offers", target.base_url);
    let fake = Fake::start(move |_, _| {
        let mut response = json_body(302, String::new());
        response
            .headers_mut()
            .insert(header::LOCATION, location.parse().unwrap());
        response
    });
    let (_, outcome) = read(&fake.await, &request(Stream::AffiseOffers)).await;
    let error = outcome.unwrap_err();
    assert!(error.to_string().contains("redirects"), "{error}");
    assert!(target.asked().is_empty());
}

#[tokio::test]
async fn no_server_is_said_to_be_none() {
    let fake = Fake::start(|_, _| json_body(500, String::new())).await;
    let affise = fake.affise();
    fake.task.abort();
    while !fake.task.is_finished() {
        tokio::task::yield_now().await;
    }
    let error = affise
        .read(&request(Stream::AffiseClicks), None, &mut Rows::default())
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            SourceError::Exhausted {
                fault: Fault::Unreachable,
                tries: 5,
                ..
            }
        ),
        "{error:?}"
    );
    assert!(
        error
            .to_string()
            .contains("affise.clicks of 2026-01-01, page 1"),
        "{error}"
    );
}

#[tokio::test]
async fn changes_are_read_since_the_watermark_and_move_it_no_further_than_seen() {
    let fake = Fake::start(|_, query| {
        let row = if query.contains_key("update_from_date") {
            r#"{"id":1,"created_at":"2025-12-01 00:00:00","updated_at":"2026-01-04 11:59:59"}"#
        } else {
            r#"{"id":2,"created_at":"2026-01-04 12:29:00","updated_at":"2026-01-04 12:29:30"}"#
        };
        page_of("conversions", &[row], query, 10)
    });
    let fake = fake.await;
    let asked = SourceRequest {
        passes: Passes::NewAndChanged,
        changed_since: Some("2026-01-03T21:10:00Z".parse().unwrap()),
        ..request(Stream::AffiseConversions)
    };
    let (rows, outcome) = read(&fake, &asked).await;
    assert_eq!(rows.ids(), [1, 2]);
    assert_eq!(
        outcome.unwrap().watermark,
        Some("2026-01-04T11:59:59Z".parse().unwrap())
    );
    let calls = fake.asked();
    let last = &calls[1].1;
    let sent = |name: &str| last[name].as_str();
    assert_eq!(
        (sent("update_from_date"), sent("update_from_hour")),
        ("2026-01-03", "21")
    );
    assert_eq!(
        (sent("update_to_date"), sent("update_to_hour")),
        ("2026-01-04", "12")
    );
}

#[tokio::test]
async fn a_row_from_the_future_does_not_push_the_watermark_there() {
    let row = r#"{"id":1,"created_at":"2099-01-01 00:00:00"}"#;
    let fake = Fake::start(move |_, query| page_of("clicks", &[row], query, 10)).await;
    let (_, outcome) = read(&fake, &request(Stream::AffiseClicks)).await;
    assert_eq!(
        outcome.unwrap().watermark,
        Some("2026-01-04T12:30:00Z".parse().unwrap())
    );
}

#[tokio::test]
async fn a_break_in_mid_listing_goes_on_with_the_page_after() {
    for pages in 0..5 {
        let fake = Fake::start(|_, query| page_of("offers", &offers(1..=9), query, 2)).await;
        let mut rows = Rows {
            pages_left: Some(pages),
            ..Rows::default()
        };
        let asked = request(Stream::AffiseOffers);
        let error = fake
            .affise()
            .read(&asked, None, &mut rows)
            .await
            .unwrap_err();
        assert_eq!(error.error_type(), ErrorType::StorageError);
        fake.asked().clear();
        rows.pages_left = None;
        let cursor = rows.cursor.clone();
        fake.affise().read(&asked, cursor, &mut rows).await.unwrap();
        assert_eq!(
            (rows.ids().len(), rows.rows.len()),
            (9, 9),
            "after {pages} pages"
        );
        assert_eq!(fake.asked().len(), 5 - usize::try_from(pages).unwrap());
    }
}

#[tokio::test]
async fn rows_that_shift_during_a_break_are_found() {
    let mut calls = 0;
    let fake = Fake::start(move |_, query| {
        calls += 1;
        let ids = if calls <= 3 { 1..=9 } else { 2..=9 };
        page_of("offers", &offers(ids), query, 2)
    });
    let fake = fake.await;
    let mut rows = Rows {
        pages_left: Some(2),
        ..Rows::default()
    };
    let asked = request(Stream::AffiseOffers);
    fake.affise()
        .read(&asked, None, &mut rows)
        .await
        .unwrap_err();
    rows.pages_left = None;
    let cursor = rows.cursor.clone();
    fake.affise().read(&asked, cursor, &mut rows).await.unwrap();
    assert_eq!(rows.ids(), (1..=9).collect::<Vec<_>>());
}

#[tokio::test]
async fn the_owner_of_a_key_is_told() {
    let body = r#"{"status":1,"user":{"id":"5f","email":"a@b.example","type":"common_manager","api_key":"x"}}"#;
    let fake = Fake::start(move |path, _| {
        json_body(
            if path == "/3.1/user/me" { 200 } else { 404 },
            body.to_owned(),
        )
    })
    .await;
    let owner = fake.affise().key_owner().await.unwrap();
    let wanted = KeyOwner {
        id: "5f".into(),
        email: "a@b.example".into(),
        kind: "common_manager".into(),
        is_admin: true,
    };
    assert_eq!(owner, wanted);
    let wrong = Fake::start(|_, _| {
        json_body(
            401,
            r#"{"status":2,"error":"Token is necessary"}"#.to_owned(),
        )
    })
    .await;
    let error = wrong.affise().key_owner().await.unwrap_err();
    assert_eq!(error.error_type(), ErrorType::BadCredentials);
    assert!(!format!("{error} {error:?} {:?}", wrong.affise()).contains(KEY));
}

#[tokio::test]
async fn clicks_that_are_gone_are_no_quiet_day() {
    let fake = Fake::start(|_, query| page_of::<String>("clicks", &[], query, 10)).await;
    let late = SourceRequest {
        now: "2026-01-10T12:00:00Z".parse().unwrap(),
        ..request(Stream::AffiseClicks)
    };
    let (_, outcome) = read(&fake, &late).await;
    let notes = outcome.unwrap().request["notes"].to_string();
    assert!(
        notes.contains("of 2026-01-02") && !notes.contains("of 2026-01-03"),
        "{notes}"
    );
}
