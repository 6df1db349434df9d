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
    async fn send(&self, _: Call) -> Result<Reply, TransportError> {
        let next = self.answers.lock().unwrap().pop_front();
        if next.is_none()
            && let Some(stop) = &self.stop_at_the_end
        {
            stop.cancel();
            return Ok(reply(503, ""));
        }
        next.unwrap_or_else(|| Ok(reply(200, "good")))
    }

    async fn open(&self, call: Call) -> Result<(Reply, transport::Pieces), TransportError> {
        let reply = self.send(call).await?;
        let body = futures::stream::iter([Ok(reply.body.clone())]);
        Ok((reply, Box::pin(body)))
    }
}

fn reply(status: u16, body: &str) -> Reply {
    Reply {
        status,
        body: body.to_owned().into(),
        ..Reply::default()
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
        requests_per_second: 1e9,
        concurrency: 2,
        window: None,
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
    let auth = Auth::Key {
        header: "api-key",
        key: key.into(),
    };
    let client =
        HttpClient::with_parts(settings, base, parts, auth, cancel, lines.clone()).unwrap();
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
    let request = HttpRequest::get("/3.0/x", "rows, page 1").query(vec![("page", "1".to_owned())]);
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
    let request = HttpRequest::get("/3.0/offers", "").query(query);
    let url = fixture.client.url(&request);
    assert_eq!(
        url.as_str(),
        "https://x.example/proxy/3.0/offers?status%5B%5D=on+moderation&timezone=Europe%2FBerlin"
    );
}

/// Gives tokens `token-1`, `token-2`, … that live for a minute.
#[derive(Debug, Default)]
struct Tokens(AtomicU64);

#[async_trait]
impl TokenProvider for Tokens {
    fn account(&self) -> &str {
        "someone@example"
    }

    async fn fetch(&self, client: &HttpClient) -> Result<Token, SourceError> {
        let request = HttpRequest::post("/token", "a token").without_token();
        let request = request.form(&[("secret", "s&cret=")]);
        assert!(!format!("{request:?}").contains("cret="));
        client.get(&request, |_| Verdict::Good(())).await?;
        let number = self.0.fetch_add(1, Ordering::Relaxed) + 1;
        Ok(Token {
            secret: format!("token-{number}").into(),
            lives: Duration::from_secs(60),
            renew_before: Duration::from_secs(10),
        })
    }
}

/// Notes what was sent; answers 401 to the tokens it was told of.
#[derive(Debug)]
struct Gate {
    refused: &'static [&'static str],
    seen: Arc<Mutex<Vec<String>>>,
}

#[async_trait]
impl Transport for Gate {
    async fn send(&self, call: Call) -> Result<Reply, TransportError> {
        let token = call
            .authorisation
            .map(|(_, value)| value.to_str().unwrap().to_owned());
        let token = token.unwrap_or_default();
        self.seen
            .lock()
            .unwrap()
            .push(format!("{} {token}", call.url.path()));
        let refused = self.refused.iter().any(|refused| token.ends_with(refused));
        Ok(if refused {
            reply(401, &format!("{token} is over"))
        } else {
            reply(200, "good")
        })
    }

    async fn open(&self, call: Call) -> Result<(Reply, transport::Pieces), TransportError> {
        let reply = self.send(call).await?;
        let body = futures::stream::iter([Ok(reply.body.clone())]);
        Ok((reply, Box::pin(body)))
    }
}

fn bearer(refused: &'static [&'static str]) -> (Fixture, Arc<Mutex<Vec<String>>>) {
    let lines = Arc::new(Lines::default());
    let seen = Arc::<Mutex<Vec<String>>>::default();
    let gate = Gate {
        refused,
        seen: Arc::clone(&seen),
    };
    let timer: Arc<dyn Timer> = Arc::new(JumpingTimer::new());
    let start = timer.now();
    let settings = settings();
    let base = base_url(&settings.base_url).unwrap();
    let client = HttpClient::with_parts(
        settings,
        base,
        (Box::new(gate) as Box<dyn Transport>, timer),
        Auth::Bearer(Arc::new(Tokens::default())),
        CancellationToken::new(),
        lines.clone(),
    );
    let fixture = Fixture {
        client: client.unwrap(),
        lines,
        start,
    };
    (fixture, seen)
}

#[tokio::test]
async fn a_token_is_fetched_once_kept_and_renewed_before_its_end() {
    let (fixture, seen) = bearer(&[]);
    for wait in [0, 49, 2] {
        fixture
            .client
            .pause("", Duration::from_secs(wait))
            .await
            .unwrap();
        get(&fixture).await.unwrap();
    }
    assert_eq!(
        *seen.lock().unwrap(),
        [
            "/token ",
            "/3.0/x Bearer token-1",
            "/3.0/x Bearer token-1",
            "/token ",
            "/3.0/x Bearer token-2"
        ]
    );
}

#[tokio::test]
async fn a_token_that_is_not_taken_is_renewed_once() {
    let (fixture, seen) = bearer(&["token-1"]);
    get(&fixture).await.unwrap();
    assert_eq!(seen.lock().unwrap().len(), 4);
    let (fixture, seen) = bearer(&["token-1", "token-2"]);
    let error = get(&fixture).await.unwrap_err();
    assert_eq!(error.error_type().name(), "BadCredentials");
    assert_eq!(seen.lock().unwrap().len(), 4, "a second 401 is final");
    let shown = format!("{error} {error:?} {:?} {:?}", fixture.client, fixture.lines);
    assert!(!shown.contains("token-"), "{shown}");
}

#[tokio::test]
async fn a_download_says_what_came() {
    let whole = Reply {
        content_range: Some("bytes 2-5/6".to_owned()),
        ..reply(206, "good")
    };
    let answers = vec![Ok(reply(503, "later")), Ok(whole)];
    let fixture = client(answers, settings());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let mut file = tokio::fs::File::create(&path).await.unwrap();
    let request = HttpRequest::get("/file", "a file");
    let range = ByteRange {
        first: 2,
        last: None,
    };
    let done = fixture
        .client
        .download(&request, Some(range), &mut file, |_| Verdict::ByStatus)
        .await
        .unwrap();
    let content_range = ContentRange {
        first: 2,
        last: 5,
        total: Some(6),
    };
    assert_eq!(
        done,
        Downloaded {
            status: 206,
            content_range: Some(content_range),
            bytes: 4,
            broken_off: None
        }
    );
    assert_eq!(std::fs::read(&path).unwrap(), b"good");
    let error = client(vec![Ok(reply(404, "not ready"))], settings())
        .client
        .download(&request, None, &mut file, |_| Verdict::ByStatus)
        .await
        .unwrap_err();
    assert_eq!(error.error_type().name(), "SourceRefused");
}

#[test]
fn what_is_advised_of_the_pace_is_a_setting_of_the_source() {
    // Marketo counts calls in a sliding window, the others have so many a second.
    let advised = [
        (
            retry::advice(Fault::Throttled, true),
            toml::from_str::<lakehand_config::MarketoSettings>("calls_per_20_seconds = 40").is_ok(),
            "calls_per_20_seconds",
        ),
        (
            retry::advice(Fault::Throttled, false),
            toml::from_str::<lakehand_config::AffiseSettings>("requests_per_second = 1.0").is_ok()
                && toml::from_str::<lakehand_config::Ga4Settings>("requests_per_second = 1.0")
                    .is_ok()
                && toml::from_str::<lakehand_config::Ga3Settings>("requests_per_second = 1.0")
                    .is_ok(),
            "requests_per_second",
        ),
    ];
    for (advice, is_taken, name) in advised {
        assert!(is_taken && advice.contains(name), "{advice}");
    }
    assert!(
        toml::from_str::<lakehand_config::MarketoSettings>("requests_per_second = 1.0").is_err()
    );
}
