//! A proxy between the SDK and the emulator that does what no emulator does: refuses with 503 and 429, says that a
//! token has expired, cuts an answer in the middle, keeps silent.
//!
//! Each request is one line of text, `GET /bucket/key?list-type=2` or `POST / AmazonSSM.GetParameter`; a fault is
//! for the next requests whose line contains a text, and whose body another one. Everything else passes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, dead_code)]

use std::{
    io::{self, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use jiff::{SignedDuration, Timestamp, civil::DateTime, tz::TimeZone};

/// What happens to a request.
#[derive(Debug, Clone)]
pub enum Fault {
    /// Refused with a status and AWS's error code; the emulator never sees it.
    Refuse(u16, &'static str),
    /// Answered with a status, headers and a body as they stand here; the emulator never sees it.
    Answer(u16, &'static str),
    /// The emulator answers, and the connection ends after so many bytes of the body.
    Cut(usize),
    /// The emulator answers, and the connection is silent for so long after so many bytes of the body, then ends.
    Stall(usize, Duration),
    /// The emulator's clock is so many seconds ahead: a request signed for another time is refused, with the time in
    /// the answer's `Date` where `told`.
    Clock { ahead: i64, told: bool },
    /// The emulator does what was asked, and its answer is lost.
    LoseAnswer,
}

/// Which requests meet a fault, and how many of them still.
#[derive(Debug)]
struct Rule {
    line: String,
    body: String,
    times: u32,
    fault: Fault,
}

impl Rule {
    fn fits(&self, request: &Request) -> bool {
        let body = || String::from_utf8_lossy(&request.body).contains(&self.body);
        self.times > 0 && request.line.contains(&self.line) && (self.body.is_empty() || body())
    }
}

#[derive(Debug, Default)]
struct State {
    faults: Vec<Rule>,
    seen: Vec<(String, Vec<u8>)>,
}

/// A running proxy; its threads end with the test binary.
#[derive(Debug, Clone)]
pub struct Proxy {
    /// `http://127.0.0.1:PORT`, to be used in place of the emulator's.
    pub url: String,
    state: Arc<Mutex<State>>,
}

impl Proxy {
    /// A proxy on a free port before `upstream`, `http://127.0.0.1:PORT`.
    pub fn before(upstream: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let upstream = upstream.trim_start_matches("http://").to_owned();
        let state = Arc::new(Mutex::new(State::default()));
        let own = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (upstream, state) = (upstream.clone(), Arc::clone(&own));
                // A client that goes away in the middle is no concern of the proxy.
                thread::spawn(move || serve(stream, &upstream, &state));
            }
        });
        Self { url, state }
    }

    /// The next `times` requests whose line contains `part` meet this fault.
    pub fn fault(&self, part: &str, times: u32, fault: Fault) {
        self.fault_of(part, "", times, fault);
    }

    /// The next `times` requests whose line contains `line` and whose body contains `body` meet this fault.
    pub fn fault_of(&self, line: &str, body: &str, times: u32, fault: Fault) {
        let (line, body) = (line.to_owned(), body.to_owned());
        self.lock().faults.push(Rule {
            line,
            body,
            times,
            fault,
        });
    }

    /// No fault is left.
    pub fn clear(&self) {
        self.lock().faults.clear();
    }

    /// The requests whose line contains `part`, in the order in which they came.
    pub fn seen(&self, part: &str) -> Vec<String> {
        let state = self.lock();
        let fitting = state.seen.iter().filter(|(line, _)| line.contains(part));
        fitting.map(|(line, _)| line.clone()).collect()
    }

    /// The bodies of these requests.
    pub fn bodies(&self, part: &str) -> Vec<String> {
        let state = self.lock();
        let fitting = state.seen.iter().filter(|(line, _)| line.contains(part));
        fitting
            .map(|(_, body)| String::from_utf8_lossy(body).into_owned())
            .collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Request {
    /// Everything as it came, with `Connection: close` in place of what the client asked.
    bytes: Vec<u8>,
    line: String,
    body: Vec<u8>,
    /// Errors are JSON, where the service speaks JSON.
    json: bool,
    /// When it was signed.
    signed: Option<Timestamp>,
}

fn serve(mut client: TcpStream, upstream: &str, state: &Mutex<State>) -> io::Result<()> {
    let request = read_request(&mut client)?;
    let fault = {
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        // Bodies of objects are large and nobody asks for them.
        let kept = if request.json {
            request.body.clone()
        } else {
            Vec::new()
        };
        state.seen.push((request.line.clone(), kept));
        let next = state.faults.iter_mut().find(|rule| rule.fits(&request));
        next.map(|rule| {
            rule.times -= 1;
            rule.fault.clone()
        })
    };
    match fault {
        Some(Fault::Refuse(status, code)) => {
            let message = "injected by the test's proxy";
            return refuse(&mut client, &request, status, (code, message), "");
        }
        Some(Fault::Clock { ahead, told }) => {
            let now = Timestamp::now() + SignedDuration::from_secs(ahead);
            if request.signed.is_none_or(|signed| too_far(signed, now)) {
                return refuse_time(&mut client, &request, now, told);
            }
        }
        Some(Fault::Answer(status, body)) => return answer(&mut client, status, "", body),
        _ => {}
    }
    let mut server = TcpStream::connect(upstream)?;
    server.write_all(&request.bytes)?;
    let limit = match fault {
        Some(Fault::Cut(after) | Fault::Stall(after, _)) => after,
        Some(Fault::LoseAnswer) => {
            io::copy(&mut server, &mut io::sink())?;
            return Ok(());
        }
        _ => usize::MAX,
    };
    relay(&mut server, &mut client, limit)?;
    if let Some(Fault::Stall(_, silence)) = fault {
        thread::sleep(silence);
    }
    Ok(())
}

/// Passes an answer on: its head, and at most `limit` bytes of its body.
fn relay(server: &mut TcpStream, client: &mut TcpStream, limit: usize) -> io::Result<()> {
    let (head, mut rest) = read_head(server)?;
    let text = String::from_utf8_lossy(&head).into_owned();
    client.write_all(&closing(&text))?;
    let mut left = limit;
    loop {
        let take = rest.len().min(left);
        client.write_all(&rest[..take])?;
        left -= take;
        if left == 0 {
            return client.flush();
        }
        rest.resize(64 * 1024, 0);
        let read = server.read(&mut rest)?;
        if read == 0 {
            return client.flush();
        }
        rest.truncate(read);
    }
}

/// The value of a header, by its name in any case.
fn header_of(head: &str, name: &str) -> Option<String> {
    head.lines().find_map(|line| {
        let (own, value) = line.split_once(':')?;
        own.eq_ignore_ascii_case(name)
            .then(|| value.trim().to_owned())
    })
}

/// The next request of a connection: its head and its body as it came.
pub fn read_http(client: &mut TcpStream) -> io::Result<(String, Vec<u8>)> {
    let (head, mut body) = read_head(client)?;
    let text = String::from_utf8_lossy(&head).into_owned();
    let header = |name: &str| header_of(&text, name);
    if header("expect").is_some() {
        client.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    if let Some(length) = header("content-length").and_then(|text| text.parse::<usize>().ok()) {
        let have = body.len();
        body.resize(length.max(have), 0);
        client.read_exact(&mut body[have..])?;
    } else if header("transfer-encoding").is_some() {
        let mut piece = [0; 64 * 1024];
        while !body.ends_with(b"0\r\n\r\n") {
            let read = client.read(&mut piece)?;
            if read == 0 {
                break;
            }
            body.extend_from_slice(&piece[..read]);
        }
    }
    Ok((text, body))
}

fn read_request(client: &mut TcpStream) -> io::Result<Request> {
    let (text, body) = read_http(client)?;
    let mut words = text.lines().next().unwrap_or_default().split(' ');
    let (method, path) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
    let target = header_of(&text, "x-amz-target");
    let mut line = format!("{method} {path}");
    if let Some(target) = &target {
        line.push(' ');
        line.push_str(target);
    } else if body.starts_with(b"Action=") {
        line.push(' ');
        line.push_str(&String::from_utf8_lossy(&body));
    }
    let mut bytes = closing(&text);
    bytes.extend_from_slice(&body);
    Ok(Request {
        bytes,
        line,
        body,
        json: target.is_some(),
        signed: header_of(&text, "x-amz-date").and_then(|date| {
            let civil = DateTime::strptime("%Y%m%dT%H%M%SZ", date).ok()?;
            Some(civil.to_zoned(TimeZone::UTC).ok()?.timestamp())
        }),
    })
}

/// A head, and what of the body came with it.
fn read_head(stream: &mut TcpStream) -> io::Result<(Vec<u8>, Vec<u8>)> {
    let mut bytes = Vec::new();
    let mut piece = [0; 16 * 1024];
    loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let body = bytes.split_off(end + 4);
            return Ok((bytes, body));
        }
        let read = stream.read(&mut piece)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        bytes.extend_from_slice(&piece[..read]);
    }
}

/// A head that says that the connection ends with this answer.
fn closing(head: &str) -> Vec<u8> {
    let mut lines: Vec<&str> = head
        .trim_end()
        .lines()
        .filter(|line| {
            let name = line.split(':').next().unwrap_or_default();
            !["connection", "keep-alive", "expect"]
                .iter()
                .any(|other| name.eq_ignore_ascii_case(other))
        })
        .collect();
    lines.push("Connection: close");
    format!("{}\r\n\r\n", lines.join("\r\n")).into_bytes()
}

/// AWS takes signatures that are five minutes off.
fn too_far(signed: Timestamp, now: Timestamp) -> bool {
    signed.duration_since(now).abs() > SignedDuration::from_mins(5)
}

fn refuse_time(
    client: &mut TcpStream,
    request: &Request,
    now: Timestamp,
    told: bool,
) -> io::Result<()> {
    let date = now
        .strftime("Date: %a, %d %b %Y %H:%M:%S GMT\r\n")
        .to_string();
    let refusal = match request.json {
        true => (
            "InvalidSignatureException",
            "Signature expired: it is later here",
        ),
        false => (
            "RequestTimeTooSkewed",
            "The difference between the request time and the current time is too large.",
        ),
    };
    let date = if told { date.as_str() } else { "" };
    refuse(client, request, 403, refusal, date)
}

fn refuse(
    client: &mut TcpStream,
    request: &Request,
    status: u16,
    (code, message): (&str, &str),
    headers: &str,
) -> io::Result<()> {
    if request.json {
        let body = format!(r#"{{"__type":"{code}","message":"{message}"}}"#);
        return answer(
            client,
            status,
            &format!("x-amzn-ErrorType: {code}\r\n{headers}"),
            &body,
        );
    }
    let error = format!("<Code>{code}</Code><Message>{message}</Message>");
    let body = if request.line.contains("Action=") {
        format!(
            "<ErrorResponse><Error><Type>Sender</Type>{error}</Error><RequestId>r</RequestId></ErrorResponse>"
        )
    } else {
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error>{error}<RequestId>r</RequestId></Error>"
        )
    };
    let headers = format!("Content-Type: application/xml\r\n{headers}");
    answer(client, status, &headers, &body)
}

fn answer(client: &mut TcpStream, status: u16, headers: &str, body: &str) -> io::Result<()> {
    let head = format!(
        "HTTP/1.1 {status} Injected\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    client.write_all(head.as_bytes())?;
    client.write_all(body.as_bytes())?;
    client.flush()
}
