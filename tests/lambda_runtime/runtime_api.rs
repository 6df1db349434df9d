//! The Lambda Runtime API, and a function that is run against it.

use std::{
    collections::{BTreeMap, VecDeque},
    io::{self, BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    sync::{Arc, Condvar, Mutex},
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use serde_json::{Value, json};

use super::{emulator::ENVIRONMENT, functions, proxy::read_http};

/// How long an answer may take before the test gives up.
const PATIENCE: Duration = Duration::from_secs(120);

#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    Response(Value),
    Error(Value),
}

impl Answer {
    pub fn output(self) -> Value {
        match self {
            Self::Response(value) => value,
            Self::Error(error) => panic!("the function failed: {error}"),
        }
    }

    /// Name and message of a failure.
    pub fn failure(self) -> (String, String) {
        match self {
            Self::Error(error) => {
                let text = |name: &str| error[name].as_str().unwrap().to_owned();
                (text("errorType"), text("errorMessage"))
            }
            Self::Response(value) => panic!("the function succeeded: {value}"),
        }
    }
}

#[derive(Debug, Default)]
struct Exchange {
    events: VecDeque<(String, String, Duration)>,
    answers: BTreeMap<String, Answer>,
    /// When the function first asked for an event.
    first_next: Option<Instant>,
    /// How often it asked.
    asked: usize,
    init_error: Option<Value>,
}

type Shared = Arc<(Mutex<Exchange>, Condvar)>;

/// A function that runs; ended with this.
pub struct Function {
    child: Child,
    shared: Shared,
    pub started: Instant,
    lines: Arc<Mutex<Vec<String>>>,
    events: usize,
}

impl Function {
    /// Starts the binary as the function `handler`.
    pub fn start(handler: &str, environment: &[(&str, &str)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let shared: Shared = Arc::default();
        let own = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&own);
                thread::spawn(move || serve(stream, &shared));
            }
        });
        let mut command = Command::new(functions::program());
        command
            .env_clear()
            .envs(ENVIRONMENT)
            .envs(environment.iter().copied())
            .envs([
                ("_HANDLER", handler),
                ("AWS_LAMBDA_RUNTIME_API", &address),
                ("AWS_LAMBDA_FUNCTION_NAME", "lakehand-test-function"),
                ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512"),
                ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
            ]);
        let started = Instant::now();
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = Arc::new(Mutex::new(Vec::new()));
        let (output, kept) = (child.stdout.take().unwrap(), Arc::clone(&lines));
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                kept.lock().unwrap().push(line);
            }
        });
        Self {
            child,
            shared,
            started,
            lines,
            events: 0,
        }
    }

    /// Hands over an event with so much time, and returns its request id.
    pub fn send(&mut self, event: &str, time: Duration) -> String {
        self.events += 1;
        let id = format!("request-{}", self.events);
        let (exchange, changed) = &*self.shared;
        exchange
            .lock()
            .unwrap()
            .events
            .push_back((id.clone(), event.to_owned(), time));
        changed.notify_all();
        id
    }

    /// Waits for the answer to a request.
    pub fn answer(&self, id: &str) -> Answer {
        self.wait(&format!("the answer to {id}"), |exchange| {
            exchange.answers.get(id).cloned()
        })
    }

    /// One event and its answer.
    pub fn invoke(&mut self, event: &Value, time: Duration) -> Answer {
        let id = self.send(&event.to_string(), time);
        self.answer(&id)
    }

    /// Time from the start of the process to its first question for an event.
    pub fn time_to_first_next(&self) -> Duration {
        self.wait("the first question", |exchange| exchange.first_next) - self.started
    }

    pub fn init_error(&self) -> Value {
        self.wait("an error at the start", |exchange| {
            exchange.init_error.clone()
        })
    }

    fn wait<T>(&self, what: &str, found: impl Fn(&Exchange) -> Option<T>) -> T {
        let (exchange, changed) = &*self.shared;
        let (guard, _) = changed
            .wait_timeout_while(exchange.lock().unwrap(), PATIENCE, |exchange| {
                found(exchange).is_none()
            })
            .unwrap();
        found(&guard).unwrap_or_else(|| {
            panic!(
                "{what} did not come; the function said:\n{}",
                self.said().join("\n")
            )
        })
    }

    /// What it wrote to standard output.
    pub fn said(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    /// The most memory it had, in MB, as Linux counts it.
    pub fn peak_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("VmHWM:"))
            .unwrap();
        line.split_whitespace()
            .nth(1)
            .unwrap()
            .parse::<u64>()
            .unwrap()
            / 1024
    }

    /// Sends SIGTERM.
    pub fn terminate(&self) {
        let sent = Command::new("kill")
            .args(["-TERM", &self.child.id().to_string()])
            .status()
            .unwrap();
        assert!(sent.success());
    }

    /// Waits for its end; its exit code.
    pub fn exit_code(&mut self) -> Option<i32> {
        let patience = Instant::now() + Duration::from_secs(20);
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(
                Instant::now() < patience,
                "it did not end; it said:\n{}",
                self.said().join("\n")
            );
            thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn serve(mut stream: TcpStream, shared: &Shared) -> io::Result<()> {
    loop {
        let (head, body) = read_http(&mut stream)?;
        let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
        let parts: Vec<&str> = path
            .trim_start_matches("/2018-06-01/runtime/")
            .split('/')
            .collect();
        match parts.as_slice() {
            ["invocation", "next"] => next(&mut stream, shared)?,
            ["invocation", id, kind] => {
                let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
                let answer = if *kind == "error" {
                    Answer::Error(body)
                } else {
                    Answer::Response(body)
                };
                note(shared, |exchange| {
                    drop(exchange.answers.insert((*id).to_owned(), answer))
                });
                reply(&mut stream, 202, "", r#"{"status":"OK"}"#)?;
            }
            ["init", "error"] => {
                let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
                note(shared, |exchange| exchange.init_error = Some(body));
                reply(&mut stream, 202, "", r#"{"status":"OK"}"#)?;
            }
            _ => reply(&mut stream, 404, "", "{}")?,
        }
    }
}

fn note(shared: &Shared, change: impl FnOnce(&mut Exchange)) {
    let (exchange, changed) = &**shared;
    change(&mut exchange.lock().unwrap());
    changed.notify_all();
}

/// The next event, once there is one.
fn next(stream: &mut TcpStream, shared: &Shared) -> io::Result<()> {
    note(shared, |exchange| {
        exchange.first_next.get_or_insert_with(Instant::now);
        exchange.asked += 1;
    });
    let (exchange, changed) = &**shared;
    let mut waiting = exchange.lock().unwrap();
    let (id, event, time) = loop {
        match waiting.events.pop_front() {
            Some(event) => break event,
            None => waiting = changed.wait(waiting).unwrap(),
        }
    };
    drop(waiting);
    let deadline = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() + time;
    let headers = format!(
        "Lambda-Runtime-Aws-Request-Id: {id}\r\nLambda-Runtime-Deadline-Ms: {}\r\nContent-Type: application/json\r\n\
         Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:eu-west-1:123456789012:function:lakehand-test-function\r\n\
         Lambda-Runtime-Trace-Id: Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1\r\n",
        deadline.as_millis()
    );
    reply(stream, 200, &headers, &event)
}

fn reply(stream: &mut TcpStream, status: u16, headers: &str, body: &str) -> io::Result<()> {
    let head = format!(
        "HTTP/1.1 {status} OK\r\n{headers}Content-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(body.as_bytes())?;
    stream.flush()
}

/// A window as the jobs take it.
pub fn window(from: &str, to: &str) -> Value {
    json!({ "from": from, "to": to })
}
