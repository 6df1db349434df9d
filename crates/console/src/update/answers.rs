//! What effects bring back: to the screen that asked, unless a newer question has replaced its own.

use crate::{
    effect::{Answer, Effect, Request, Risk},
    event::Answered,
    format::plural,
    screens::{board, credentials, datamart, logs, reports, run, sources, start, table},
    state::{Demo, Screen, State, Tone},
};
use lakehand_ops::{ExecutionId, OpsErrorKind, OpsResult};

/// Takes an answer, unless a newer question has replaced its own.
pub(super) fn answered(state: &mut State, answered: Answered, effects: &mut Vec<Effect>) {
    let Answered {
        request,
        stamp,
        took,
        answer,
        connection,
    } = answered;
    if let Some(connection) = connection {
        state.connected(connection);
    }
    let last = !matches!(answer, Answer::Indexed(Ok(_), false));
    let awaited = state.is_awaited(&request.key(), stamp, last);
    if last {
        state.activity.answered(stamp, took, &answer, awaited);
    }
    if !awaited {
        return;
    }
    match (request, answer) {
        (_, Answer::Board(answer)) => board::answered_board(state, answer),
        (_, Answer::Executions(answer)) => board::answered_executions(state, answer),
        (Request::Preview(id), Answer::Execution(answer)) => {
            board::answered_preview(state, &id, answer)
        }
        (Request::Causes(asked), Answer::Causes(causes)) => {
            board::answered_causes(state, &asked, causes)
        }
        (Request::Execution(id, after), Answer::Execution(answer)) => {
            run::answered(state, &id, after, answer)
        }
        (Request::Logs(id, _), Answer::Logs(answer)) => logs::answered(state, &id, answer, effects),
        (_, Answer::Reports(answer)) => reports::answered(state, answer),
        (Request::OpenReport(name) | Request::OpenFile(name, _), Answer::Opened(answer)) => {
            table::answered_opened(state, &name, answer, effects)
        }
        (Request::Index(source), Answer::Indexed(answer, whole)) => {
            table::answered_index(state, &source, answer, whole, effects)
        }
        (Request::Rows(rows), Answer::Rows(answer)) => table::answered_rows(state, &rows, answer),
        (Request::Cell(source, _, _, column), Answer::Cell(answer)) => {
            table::answered_cell(state, &source, column, answer);
        }
        (Request::Arrange(source, _, spec), Answer::Arranged(answer)) => {
            table::answered_order(state, &source, &spec, answer, effects)
        }
        (Request::Find(source, ..), Answer::Found(answer)) => {
            table::answered_found(state, &source, answer, effects)
        }
        (_, Answer::Exported(Ok((path, rows)))) => {
            state.toast(
                format!("{} written to {}", plural(rows, "row"), path.display()),
                Tone::Info,
            );
        }
        (Request::Quality(id), Answer::Quality(answer)) if state.run.id() == Some(&id) => {
            run::checks::answered(state, answer)
        }
        (_, Answer::Quality(_)) => {}
        (_, Answer::Datamart(answer)) => datamart::answered(state, answer),
        (_, Answer::Snapshots(answer)) => datamart::answered_snapshots(state, answer),
        (_, Answer::Statements(answer)) => datamart::statements::answered(state, answer),
        (_, Answer::Sources(answer)) => sources::answered(state, answer),
        (_, Answer::Credentials(answer)) => credentials::answered(state, answer, effects),
        (Request::CredentialHistory(path), Answer::CredentialHistory(answer)) => {
            credentials::answered_history(state, &path, answer)
        }
        (Request::SetCredential { path, .. }, Answer::CredentialSet(answer)) => {
            credentials::answered_set(state, &path, answer, effects)
        }
        (Request::TestCredentials(source), Answer::SignedIn(answer)) => {
            credentials::answered_test(state, &source, answer)
        }
        (Request::Input(id), Answer::Input(answer)) => start::answered_input(state, &id, answer),
        (_, Answer::Edited(answer)) => start::answered_edit(state, answer),
        (request, Answer::Started(answer)) => started(state, &request, answer, effects),
        (request, answer) => done(state, &request, &answer, effects),
    }
}

/// A workflow or the sample was started, or not.
fn started(
    state: &mut State,
    request: &Request,
    answer: OpsResult<ExecutionId>,
    effects: &mut Vec<Effect>,
) {
    match answer {
        Ok(id) => {
            if matches!(request, Request::StartSample) && state.demo.is_some() {
                state.demo = Some(Demo::Collecting(id.clone()));
            }
            run::open(state, id, effects);
            state.go(Screen::Run);
            board::refresh(state, effects);
        }
        Err(error) => {
            state.demo = state.demo.take().filter(|demo| *demo != Demo::Starting);
            state.problem(format!(
                "{} did not work: {error}. {}",
                request.name(),
                error.advice
            ));
        }
    }
}

/// A redrive, a stop, a copy, an export that failed.
fn done(state: &mut State, request: &Request, answer: &Answer, effects: &mut Vec<Effect>) {
    if let Some(error) = answer.error() {
        // The banner says it, once.
        if error.kind == OpsErrorKind::SignedOut && request.risk() == Risk::Read {
            return;
        }
        if let Request::Redrive(id) | Request::Stop(id, _) = request {
            state.requested.remove(id);
        }
        state.problem(format!(
            "{} did not work: {error}. {}",
            request.name(),
            error.advice
        ));
        return;
    }
    match request {
        Request::Redrive(_) | Request::Stop(..) => {
            board::forget_preview(state);
            board::refresh(state, effects);
            run::refresh(state, effects);
        }
        Request::RollBack(version) => {
            state.toast(
                format!("rolled back to snapshot {version}, by a new one"),
                Tone::Info,
            );
            datamart::refresh(state, effects);
        }
        Request::StopStatement(id) => {
            state.toast(format!("asked {id} to stop"), Tone::Info);
            datamart::refresh(state, effects);
        }
        Request::Crawl(_)
        | Request::StopCrawler(_)
        | Request::StartJob(_)
        | Request::StopJob(..) => sources::refresh(state, effects),
        Request::SignIn(_) => {
            state.connection.signed_out = None;
            super::ask_who(state, effects);
            super::anew(state, effects, super::refresh_all);
        }
        // They had expired and work again.
        Request::Identify if state.was_signed_out => {
            state.was_signed_out = false;
            super::anew(state, effects, super::refresh_all);
        }
        Request::Copy(text) => {
            let text = format!(
                "copied {}",
                plural(text.chars().count() as u64, "character")
            );
            state.toast(text, Tone::Info);
        }
        _ => {}
    }
}
