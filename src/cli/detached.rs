//! Work in a process of its own, which goes on when this one ends: what `lakehand run` without `--wait`, `lakehand
//! crawl` and the console start on this machine.
//!
//! The child is this program again, in the same profile. It is left alone once what it was asked for can be seen, or
//! its refusal is told as if it were ours.

use std::{
    io::{self, Read as _, Write as _},
    os::unix::process::CommandExt as _,
    process::{Child, Command, ExitStatus, Stdio},
    thread::JoinHandle,
    time::Duration,
};

use crate::{
    config::Profile,
    ops::{
        CrawlerDetail, CrawlerState, ExecutionId, ExecutionStatus, ExecutionSummary, Operations,
        OpsError, OpsErrorKind, OpsResult, StartRequest,
    },
};

/// How often and how many times it is looked whether the child has begun.
const POLL: Duration = Duration::from_millis(50);
const LOOKS: u32 = 200;

/// Starts children of this program in one profile.
#[derive(Debug, Clone)]
pub struct Detached {
    profile: String,
    confirm: Option<String>,
}

impl Detached {
    /// For a profile, whose name was given for changes or not.
    #[must_use]
    pub fn new(profile: &Profile, confirm: Option<&str>) -> Self {
        Self {
            profile: profile.name.clone(),
            confirm: confirm.map(str::to_owned),
        }
    }

    fn command(&self) -> OpsResult<Command> {
        let program = std::env::current_exe().map_err(not_started)?;
        let mut command = Command::new(program);
        command.args(["--profile", &self.profile, "--output", "json"]);
        if let Some(name) = &self.confirm {
            command.args(["--confirm", name]);
        }
        Ok(command)
    }

    /// Starts an execution.
    ///
    /// # Errors
    /// What the child was refused, or that it did not begin.
    pub async fn start(
        &self,
        operations: &dyn Operations,
        request: &StartRequest,
    ) -> OpsResult<(ExecutionId, Child)> {
        operations
            .permit(&format!("a start of {}", request.workflow))
            .await?;
        let name = request.name.clone().unwrap_or_else(|| {
            let at = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%S%.3fZ");
            format!("{}-{at}", request.workflow).replace('.', "-")
        });
        let mut command = self.command()?;
        command.args(["run", request.workflow.as_ref(), "--wait", "--name", &name]);
        // Not on the command line, where others could read it.
        command.args(["--input", "-"]);
        let input = Some(request.input.to_string());
        if let Some(window) = request.window {
            let (from, to) = (window.from().to_string(), window.to().to_string());
            command.args(["--from", &from, "--to", &to]);
        }
        let mut beginning = Beginning::of(command, input, format!("the execution {name}"))?;
        loop {
            let ended = beginning.ended()?;
            let all = operations.executions(Some(&request.workflow), 50).await?;
            if let Some(own) = all.into_iter().find(|summary| summary.name == name) {
                return Ok((own.id, beginning.child));
            }
            beginning.look_again(ended).await?;
        }
    }

    /// Redrives an execution.
    ///
    /// # Errors
    /// As [`Detached::start`].
    pub async fn redrive(
        &self,
        operations: &dyn Operations,
        id: &ExecutionId,
    ) -> OpsResult<(ExecutionId, Child)> {
        operations.permit(&format!("a redrive of {id}")).await?;
        const NO_EVENTS: u64 = u64::MAX >> 1;
        let before = operations.execution(id, NO_EVENTS).await?.summary.redrives;
        let mut command = self.command()?;
        command.args(["runs", "redrive", id.as_ref()]);
        let mut beginning = Beginning::of(command, None, format!("the redrive of {id}"))?;
        loop {
            let ended = beginning.ended()?;
            let now = operations.execution(id, NO_EVENTS).await?.summary;
            if now.redrives > before || now.status == ExecutionStatus::Running {
                return Ok((now.id, beginning.child));
            }
            beginning.look_again(ended).await?;
        }
    }

    /// Starts a crawler; returns how it stands once it has begun.
    ///
    /// # Errors
    /// As [`Detached::start`].
    pub async fn crawl(
        &self,
        operations: &dyn Operations,
        name: &str,
    ) -> OpsResult<(CrawlerDetail, Child)> {
        operations
            .permit(&format!("a start of the crawler {name}"))
            .await?;
        fn newest(detail: &CrawlerDetail) -> Option<jiff::Timestamp> {
            detail.crawls.first().map(|crawl| crawl.started)
        }
        let before = operations.crawler(name).await?;
        let mut command = self.command()?;
        command.args(["crawl", name, "--wait"]);
        let mut beginning = Beginning::of(command, None, format!("the crawler {name}"))?;
        loop {
            let ended = beginning.ended()?;
            let now = operations.crawler(name).await?;
            let begun = now.crawler.state != CrawlerState::Ready || newest(&now) != newest(&before);
            if begun && before.crawler.state == CrawlerState::Ready {
                return Ok((now, beginning.child));
            }
            beginning.look_again(ended).await?;
        }
    }

    /// Runs the sample from its collection to its report.
    ///
    /// # Errors
    /// As [`Detached::start`].
    #[cfg(all(feature = "simulator", feature = "console"))]
    pub async fn sample(
        &self,
        operations: &dyn Operations,
        spec: &super::sample::SampleSpec,
    ) -> OpsResult<(ExecutionId, Child)> {
        operations.permit("the sample").await?;
        let collect = crate::ops::WorkflowName::from("collect");
        let before = operations.executions(Some(&collect), 50).await?;
        let mut command = self.command()?;
        command.args(["demo", "--headless"]).args(spec.arguments());
        let mut beginning = Beginning::of(command, None, "the sample".to_owned())?;
        loop {
            let ended = beginning.ended()?;
            let all = operations.executions(Some(&collect), 50).await?;
            let is_new = |one: &ExecutionSummary| before.iter().all(|old| old.id != one.id);
            if let Some(own) = all.into_iter().find(is_new) {
                return Ok((own.id, beginning.child));
            }
            beginning.look_again(ended).await?;
        }
    }
}

/// A child of which it is not known yet whether it does what it was asked for.
struct Beginning {
    child: Child,
    told: Option<JoinHandle<String>>,
    what: String,
    looks: u32,
}

impl Beginning {
    fn of(mut command: Command, input: Option<String>, what: String) -> OpsResult<Self> {
        let reads = match input {
            Some(_) => Stdio::piped(),
            None => Stdio::null(),
        };
        // Its own process group: neither Ctrl-C nor the end of this terminal reaches it.
        let mut child = command
            .process_group(0)
            .stdin(reads)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(not_started)?;
        if let (Some(mut to), Some(input)) = (child.stdin.take(), input) {
            // A child that was refused before it read has told why.
            std::thread::spawn(move || to.write_all(input.as_bytes()));
        }
        let told = child.stderr.take().map(heard);
        Ok(Self {
            child,
            told,
            what,
            looks: 0,
        })
    }

    /// Asked before a look: what a child did before it ended is seen by that look.
    fn ended(&mut self) -> OpsResult<Option<ExitStatus>> {
        self.child.try_wait().map_err(not_started)
    }

    /// Waits a moment, unless the child has ended or had time enough.
    async fn look_again(&mut self, ended: Option<ExitStatus>) -> OpsResult<()> {
        if let Some(status) = ended {
            let text = self.told.take().and_then(|told| told.join().ok());
            return Err(refusal(
                &text.unwrap_or_default(),
                status.code(),
                &self.what,
            ));
        }
        if self.looks == LOOKS {
            return Err(OpsError::new(
                OpsErrorKind::Platform,
                format!("{} did not begin within ten seconds", self.what),
                "look with `lakehand runs list`",
            ));
        }
        self.looks += 1;
        tokio::time::sleep(POLL).await;
        Ok(())
    }
}

/// Hears a child out, so that it never waits for a full pipe; the end of what it says is kept.
fn heard(mut stderr: std::process::ChildStderr) -> JoinHandle<String> {
    const KEPT: usize = 64 * 1024;
    std::thread::spawn(move || {
        let (mut kept, mut block) = (Vec::new(), [0; 4096]);
        while let Ok(read @ 1..) = stderr.read(&mut block) {
            kept.extend_from_slice(&block[..read]);
            let over = kept.len().saturating_sub(KEPT);
            kept.drain(..over);
        }
        String::from_utf8_lossy(&kept).into_owned()
    })
}

/// What a child said before it ended, as an error of ours.
fn refusal(text: &str, code: Option<i32>, what: &str) -> OpsError {
    let told = text.lines().rev().find_map(|line| {
        let value: serde_json::Value = serde_json::from_str(line).ok()?;
        let error = value.get("error")?;
        let word = |key: &str| Some(error.get(key)?.as_str()?.to_owned());
        Some((word("message")?, word("advice").unwrap_or_default()))
    });
    let kind = match code {
        Some(2) => OpsErrorKind::InvalidInput,
        Some(3) => OpsErrorKind::NotFound,
        Some(4) => OpsErrorKind::NotPossible,
        _ => OpsErrorKind::Platform,
    };
    let (message, advice) = told.unwrap_or_else(|| {
        let last = text.lines().last().unwrap_or("it gave no reason");
        let message = format!("the process of {what} ended before it began: {last}");
        (message, "look with `lakehand runs list`".to_owned())
    });
    OpsError::new(kind, message, advice)
}

fn not_started(error: io::Error) -> OpsError {
    OpsError::new(
        OpsErrorKind::Platform,
        format!("could not start a process of this program: {error}"),
        "free memory or processes and try again",
    )
}

#[cfg(feature = "console")]
pub use for_the_console::ConsoleLauncher;

#[cfg(feature = "console")]
mod for_the_console {
    use std::{
        process::Child,
        sync::{Arc, Mutex, PoisonError},
    };

    use async_trait::async_trait;

    use super::Detached;
    use crate::{
        config::Profile,
        console::Launcher,
        ops::{ExecutionId, Operations, OpsResult, StartRequest},
    };

    /// Starts what the console asks for, and knows what of it still runs.
    #[derive(Debug)]
    pub struct ConsoleLauncher {
        profile: Arc<Profile>,
        confirm: Option<String>,
        children: Mutex<Vec<(ExecutionId, Child)>>,
    }

    impl ConsoleLauncher {
        /// For a profile of this machine.
        #[must_use]
        pub fn new(profile: Arc<Profile>, confirm: Option<String>) -> Self {
            Self {
                profile,
                confirm,
                children: Mutex::default(),
            }
        }

        fn detached(&self, confirmed: Option<&str>) -> Detached {
            Detached::new(&self.profile, confirmed.or(self.confirm.as_deref()))
        }

        fn keep(&self, (id, child): (ExecutionId, Child)) -> ExecutionId {
            let mut children = self.children.lock().unwrap_or_else(PoisonError::into_inner);
            children.push((id.clone(), child));
            id
        }
    }

    #[async_trait]
    impl Launcher for ConsoleLauncher {
        async fn start(
            &self,
            operations: &dyn Operations,
            confirmed: Option<&str>,
            request: StartRequest,
        ) -> OpsResult<ExecutionId> {
            let detached = self.detached(confirmed);
            Ok(self.keep(detached.start(operations, &request).await?))
        }

        async fn redrive(
            &self,
            operations: &dyn Operations,
            confirmed: Option<&str>,
            id: &ExecutionId,
        ) -> OpsResult<()> {
            let detached = self.detached(confirmed);
            self.keep(detached.redrive(operations, id).await?);
            Ok(())
        }

        async fn crawl(
            &self,
            operations: &dyn Operations,
            confirmed: Option<&str>,
            name: &str,
        ) -> OpsResult<()> {
            let detached = self.detached(confirmed);
            let (_, mut child) = detached.crawl(operations, name).await?;
            // Only so that it is not left as a dead entry in the table of processes.
            std::thread::spawn(move || child.wait());
            Ok(())
        }

        #[cfg(feature = "simulator")]
        async fn start_sample(
            &self,
            operations: &dyn Operations,
            confirmed: Option<&str>,
        ) -> OpsResult<ExecutionId> {
            let now = jiff::Timestamp::now();
            let spec = crate::cli::sample::of_profile(&self.profile, now);
            let detached = self.detached(confirmed);
            Ok(self.keep(detached.sample(operations, &spec).await?))
        }

        #[cfg(not(feature = "simulator"))]
        async fn start_sample(
            &self,
            operations: &dyn Operations,
            _: Option<&str>,
        ) -> OpsResult<ExecutionId> {
            operations.start_sample().await
        }

        fn running(&self) -> Vec<ExecutionId> {
            let mut children = self.children.lock().unwrap_or_else(PoisonError::into_inner);
            children.retain_mut(|(_, child)| matches!(child.try_wait(), Ok(None)));
            children.iter().map(|(id, _)| id.clone()).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_refusal_of_a_child_is_told_as_its_own() {
        let text = "a line of a log\n{\"error\": {\"code\": 4, \"message\": \"it runs\", \"advice\": \"wait\"}}\n";
        let error = refusal(text, Some(4), "x");
        assert_eq!(
            (error.kind, error.message.as_str(), error.advice.as_str()),
            (OpsErrorKind::NotPossible, "it runs", "wait")
        );
        let error = refusal("Killed\n", None, "the sample");
        assert_eq!(error.kind, OpsErrorKind::Platform);
        assert_eq!(
            error.message,
            "the process of the sample ended before it began: Killed"
        );
    }
}
