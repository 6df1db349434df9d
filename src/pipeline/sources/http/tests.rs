use std::{collections::VecDeque, sync::Mutex};

use async_trait::async_trait;

use super::{timer::JumpingTimer, *};

const KEY: &str = "sekret-key-4711";

#[derive(Debug, Default)]
struct Lines(Mutex<Vec<String>>);

impl JobLog for Lines {
    fn line(&self, _: Level, message: &str) {
        self.0.lock().unwrap().push(message.to_owned());
    }
    fn progress(&self, _: &str) {}
}

/// Answers from a list, then good ones; stops the collection when it is told to.
#[derive(Debug)]
struct Script {
    answers: Mutex<VecDeque<Result<Reply, TransportError>>>,
    stop_at_the_end: Option<CancellationToken>,
}

#[async_trait]
impl Transport for Script {
    async fn get(&self, _: Url) -> Result<Reply, TransportError> {
        let next = self.answers.lock().unwrap().pop_front();
        if next.is_none()
            && let Some(stop) = &self.stop_at_the_end
        {
            stop.cancel();
            return Ok(reply(503, ""));
        }
        next.unwrap_or_else(|| Ok(reply(200, "good")))
    }
}

fn reply(status: u16, body: &str) -> Reply {
    Reply {
        status,
        retry_after: None,
        date: None,
        body: body.to_owned().into(),
    }
}

fn throttled(retry_after: &str, date: Option<&str>) -> Reply {
    Reply {
        retry_after: Some(retry_after.to_owned()),
        date: date.map(str::to_owned),
        ..reply(429, "slow down")
    }
}

fn settings() -> HttpSettings {
    HttpSettings {
        base_url: "http://source.example".to_owned(),
        key_header: "api-key",
        requests_per_second: 1e9,
        concurrency: 2,
        request_timeout: Duration::from_secs(90),
        deadline: Duration::from_secs(3600),
        attempts: 5,
        first_wait: Duration::from_secs(1),
        longest_wait: Duration::from_secs(60),
    }
}

struct Fixture {
    client: HttpClient,
    lines: Arc<Lines>,
    start: Instant,
}

fn client(answers: Vec<Result<Reply, TransportError>>, settings: HttpSettings) -> Fixture {
    build(|_| answers, settings, false)
}

fn build(
    answers: impl FnOnce(&str) -> Vec<Result<Reply, TransportError>>,
    settings: HttpSettings,
    stops: bool,
) -> Fixture {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    // Every fixture has its own budget: budgets are shared by key.
    let key = format!("{KEY}-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    let lines = Arc::new(Lines::default());
    let cancel = CancellationToken::new();
    let answers = Mutex::new(answers(&key).into());
    let script = Script {
        answers,
        stop_at_the_end: stops.then(|| cancel.clone()),
    };
    let timer: Arc<dyn Timer> = Arc::new(JumpingTimer::new());
    let start = timer.now();
    let base = base_url(&settings.base_url).unwrap();
    let parts = (Box::new(script) as Box<dyn Transport>, timer);
    let client = HttpClient::with_parts(settings, base, parts, key.into(), cancel, lines.clone());
    Fixture {
        client,
        lines,
        start,
    }
}

impl Fixture {
    fn waited(&self) -> Duration {
        self.client.timer.now() - self.start
    }
}

async fn get(fixture: &Fixture) -> Result<String, SourceError> {
    let request = HttpRequest {
        path: "/3.0/x",
        query: vec![("page", "1".to_owned())],
        what: "rows, page 1".to_owned(),
    };
    let read = |body: Bytes| match std::str::from_utf8(&body) {
        Ok(text) if text.starts_with('<') => {
            Verdict::Retry(Fault::Unavailable, "not JSON".to_owned())
        }
        Ok(text) => Verdict::Good(text.to_owned()),
        Err(error) => Verdict::Retry(Fault::Unavailable, error.to_string()),
    };
    fixture.client.get(&request, read).await
}

#[tokio::test]
async fn retry_after_is_honoured_in_seconds_and_as_a_date() {
    let date = "Wed, 21 Oct 2015 07:28:00 GMT";
    for (answer, seconds) in [
        (throttled("37", None), 37),
        (throttled("Wed, 21 Oct 2015 07:30:05 GMT", Some(date)), 125),
    ] {
        let fixture = client(vec![Ok(answer)], settings());
        assert_eq!(get(&fixture).await.unwrap(), "good");
        assert_eq!(fixture.waited().as_secs(), seconds);
        assert_eq!(fixture.client.calls(), 2);
    }
}

#[tokio::test]
async fn a_date_that_is_over_and_nonsense_fall_back_to_the_doubling_wait() {
    let date = "Wed, 21 Oct 2015 07:28:00 GMT";
    for answer in [
        throttled("Wed, 21 Oct 2015 07:00:00 GMT", Some(date)),
        throttled("soon", None),
        throttled("0", None),
    ] {
        let fixture = client(vec![Ok(answer)], settings());
        get(&fixture).await.unwrap();
        let waited = fixture.waited();
        assert!(
            waited >= Duration::from_millis(500) && waited <= Duration::from_millis(1001),
            "{waited:?}"
        );
    }
}

#[tokio::test]
async fn waits_double_within_their_jitter_up_to_the_longest() {
    let answers = (0..12).map(|_| Ok(reply(429, ""))).collect();
    let fixture = client(answers, settings());
    get(&fixture).await.unwrap();
    // 1+2+4+8+16+32 and six times 60 seconds at most, half of it at least.
    let most = 63 + 6 * 60;
    let waited = fixture.waited().as_secs_f64();
    assert!(
        waited <= f64::from(most) + 1.0 && waited >= f64::from(most) / 2.0,
        "{waited}"
    );
    assert_eq!(
        fixture.lines.0.lock().unwrap().len(),
        12,
        "every wait is told"
    );
}

#[tokio::test]
async fn failures_that_may_pass_are_tried_five_times() {
    let cut = || {
        Err(TransportError {
            fault: Fault::Unavailable,
            why: "the answer was cut off".to_owned(),
        })
    };
    let four = vec![
        Ok(reply(500, "Server error")),
        cut(),
        Ok(reply(200, "<html>")),
        Ok(reply(504, "")),
    ];
    assert_eq!(get(&client(four, settings())).await.unwrap(), "good");
    let mixed = vec![
        Ok(reply(500, "")),
        Ok(reply(429, "")),
        cut(),
        Ok(reply(500, "")),
        Ok(reply(500, "")),
        Ok(reply(500, "")),
    ];
    let error = get(&client(mixed, settings())).await.unwrap_err();
    let trouble = matches!(
        error,
        SourceError::Exhausted {
            tries: 5,
            fault: Fault::Unavailable,
            ..
        }
    );
    assert!(
        trouble,
        "five of one kind would be a server error: {error:?}"
    );
    let five = (0..5)
        .map(|_| Ok(reply(502, "<html>Bad gateway</html>")))
        .collect();
    let fixture = client(five, settings());
    let error = get(&fixture).await.unwrap_err();
    assert!(
        matches!(
            error,
            SourceError::Exhausted {
                tries: 5,
                fault: Fault::Unavailable,
                ..
            }
        ),
        "{error}"
    );
    assert!(
        error
            .to_string()
            .contains("rows, page 1 failed 5 times, last: HTTP 502"),
        "{error}"
    );
}

#[tokio::test]
async fn refusals_are_final_explained_and_never_show_the_key() {
    for (status, wanted) in [
        (400, "SourceRefused"),
        (401, "BadCredentials"),
        (403, "BadCredentials"),
        (404, "SourceRefused"),
        (302, "SourceRefused"),
    ] {
        let echo = |key: &str| vec![Ok(reply(status, &format!("Token {key} is wrong\u{1b}[2J")))];
        let fixture = build(echo, settings(), false);
        let error = get(&fixture).await.unwrap_err();
        assert_eq!(error.error_type().name(), wanted);
        assert_eq!(fixture.client.calls(), 1, "{status} is not tried again");
        let shown = format!("{error} {error:?} {:?} {:?}", fixture.client, fixture.lines);
        assert!(!shown.contains(KEY) && !shown.contains('\u{1b}'), "{shown}");
        assert!(shown.contains("***"), "{shown}");
    }
}

#[tokio::test]
async fn a_pause_that_is_too_long_puts_the_collection_off() {
    let fixture = client(vec![Ok(throttled("86400", None))], settings());
    let error = get(&fixture).await.unwrap_err();
    let SourceError::Quota { until, .. } = &error else {
        panic!("{error}")
    };
    let ahead = until.duration_since(Timestamp::now()).as_secs();
    assert!((86_000..=86_400).contains(&ahead), "{ahead}");
    let short = HttpSettings {
        deadline: Duration::from_secs(20),
        ..settings()
    };
    let error = get(&client(vec![Ok(throttled("30", None))], short))
        .await
        .unwrap_err();
    assert_eq!(error.error_type().name(), "QuotaExhausted");
}

#[tokio::test]
async fn the_deadline_and_a_stop_end_every_wait() {
    let answers = || (0..5).map(|_| Ok(reply(503, ""))).collect::<Vec<_>>();
    let short = HttpSettings {
        deadline: Duration::from_secs(3),
        first_wait: Duration::from_secs(10),
        ..settings()
    };
    let fixture = client(answers(), short);
    let error = get(&fixture).await.unwrap_err();
    assert!(
        matches!(error, SourceError::Deadline { seconds: 3, .. }),
        "{error}"
    );
    assert_eq!(fixture.waited().as_secs(), 3);

    let fixture = build(
        |_| answers(),
        HttpSettings {
            attempts: 9,
            ..settings()
        },
        true,
    );
    let ended = get(&fixture).await;
    assert!(matches!(ended, Err(SourceError::Cancelled)), "{ended:?}");
    assert_eq!(fixture.client.calls(), 6, "nothing is sent after the stop");
}

#[test]
fn addresses_are_checked_and_trimmed() {
    assert_eq!(
        base_url(" https://api-x.affise.com// ").unwrap().as_str(),
        "https://api-x.affise.com/"
    );
    for bad in [
        "",
        "  ",
        "api-x.affise.com",
        "ftp://x",
        "https://user:pw@x",
        "https://x/?api-key=1",
    ] {
        let error = base_url(bad).unwrap_err();
        assert!(
            matches!(error, SourceError::BadSettings { .. }),
            "{bad}: {error}"
        );
    }
}

#[test]
fn paths_follow_the_address_and_values_are_encoded() {
    let fixture = client(
        Vec::new(),
        HttpSettings {
            base_url: "https://x.example/proxy/".to_owned(),
            ..settings()
        },
    );
    let query = vec![
        ("status[]", "on moderation".to_owned()),
        ("timezone", "Europe/Berlin".to_owned()),
    ];
    let url = fixture.client.url(&HttpRequest {
        path: "/3.0/offers",
        query,
        what: String::new(),
    });
    assert_eq!(
        url.as_str(),
        "https://x.example/proxy/3.0/offers?status%5B%5D=on+moderation&timezone=Europe%2FBerlin"
    );
}
