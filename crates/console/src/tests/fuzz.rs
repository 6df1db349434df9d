//! Random keys, sizes, times, late and failing answers: no panic, no change without a confirmation, none at all
//! while the profile is read-only.

use proptest::prelude::*;

use crate::{
    StartScreen,
    event::EventKind,
    scripted::{Driver, Scenario, ScriptedOperations},
};

#[derive(Debug, Clone)]
enum Step {
    Keys(String),
    Wait(i64),
    Resize(u16, u16),
    Advance,
    Hold,
    Release(Vec<usize>),
    Break(usize),
    Paste(String),
    Focus(bool),
}

fn keys() -> impl Strategy<Value = String> {
    let named = prop::sample::select(vec![
        "<enter>", "<esc>", "<tab>", "<s-tab>", "<up>", "<down>", "<left>", "<right>", "<home>",
        "<end>", "<pgup>", "<pgdn>", "<bs>", "<^p>", "<^c>", "<^d>", "<^u>", "<^l>",
    ]);
    prop_oneof![
        6 => prop::sample::select("123456 8!?:jkhlgGnN/&frRyswtcCzxeE{}[]-<>%qDXTSBé0".chars().collect::<Vec<_>>()).prop_map(String::from),
        4 => named.prop_map(str::to_owned),
        1 => "[a-z:!]{1,6}<enter>",
    ]
}

fn step() -> impl Strategy<Value = Step> {
    const CALLS: usize = 7;
    prop_oneof![
        12 => keys().prop_map(Step::Keys),
        3 => (0_i64..4_000).prop_map(Step::Wait),
        1 => (1_u16..220, 1_u16..60).prop_map(|(columns, rows)| Step::Resize(columns, rows)),
        1 => Just(Step::Advance),
        1 => Just(Step::Hold),
        1 => prop::collection::vec(0_usize..9, 0..6).prop_map(Step::Release),
        1 => (0..CALLS).prop_map(Step::Break),
        1 => ".{0,12}".prop_map(Step::Paste),
        1 => any::<bool>().prop_map(Step::Focus),
    ]
}

fn take(driver: &mut Driver, step: &Step) {
    match step {
        Step::Keys(keys) => drop(driver.press_fast(keys)),
        Step::Wait(milliseconds) => drop(driver.wait(*milliseconds)),
        Step::Resize(columns, rows) => drop(driver.resize(*columns, *rows)),
        Step::Advance => drop(driver.advance().unwrap()),
        Step::Hold => drop(driver.hold()),
        Step::Release(order) => drop(driver.release(order)),
        Step::Break(which) => {
            let name = [
                "board",
                "executions",
                "execution",
                "logs",
                "reports",
                "report_file",
                "redrive",
            ][*which];
            driver.operations().break_calls(name, 2);
        }
        Step::Paste(text) => driver.event(EventKind::Paste(text.clone())),
        Step::Focus(focused) => driver.event(EventKind::Focus(*focused)),
    }
}

fn is_write(call: &str) -> bool {
    [
        "redrive ",
        "stop ",
        "start ",
        "start_sample",
        "set_credential ",
        "crawl ",
        "stop_crawler ",
        "rollback ",
    ]
    .iter()
    .any(|write| call.starts_with(write))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn random_use_never_panics_and_changes_nothing_unasked(
        steps in prop::collection::vec(step(), 1..60),
        scenario in prop::sample::select(vec![Scenario::Empty, Scenario::Night, Scenario::Calm]),
        read_only in any::<bool>(),
    ) {
        let operations = ScriptedOperations::new(scenario, 30).unwrap();
        let operations = if read_only { operations.read_only() } else { operations };
        let mut driver = Driver::open(operations, StartScreen::Board, (80, 24)).unwrap();
        for step in &steps {
            let before = driver.operations().calls().iter().filter(|call| is_write(call)).count();
            // Only Enter on a dialog's button confirms: a box must have been on the screen before.
            let boxed = driver.screen().contains('╭') || matches!(step, Step::Release(_)) || driver.state.size.0 < 60 || driver.state.size.1 < 16;
            take(&mut driver, step);
            let _frame = driver.draw();
            let after = driver.operations().calls().iter().filter(|call| is_write(call)).count();
            prop_assert!(after == before || boxed, "{step:?} changed something without a dialog");
            prop_assert!(!read_only || after == 0, "{step:?} changed something while read-only");
        }
    }
}

#[test]
fn the_runner_refuses_changes_of_a_read_only_profile_whatever_the_screens_did() {
    use crate::{
        effect::{Effect, Request},
        runner::{Folders, Runner},
    };
    let operations = std::sync::Arc::new(
        ScriptedOperations::new(Scenario::Night, 9)
            .unwrap()
            .read_only(),
    );
    let (sender, mut answers) = tokio::sync::mpsc::unbounded_channel();
    let runner = Runner::new(
        operations.clone(),
        Folders {
            export: ".".into(),
            state: None,
        },
        sender,
    );
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    for request in [
        Request::Redrive("x".into()),
        Request::Stop("x".into(), String::new()),
        Request::StartSample,
        Request::SetCredential {
            path: "/affise/ApiKey".to_owned(),
            value: "x".into(),
            sign_in_first: false,
        },
    ] {
        runtime.block_on(runner.run(Effect {
            request,
            stamp: 1,
            confirmed: None,
            anew: false,
        }));
        let error = answers.try_recv().unwrap().answer.error().cloned().unwrap();
        assert_eq!(error.kind, lakehand_ops::OpsErrorKind::ReadOnly);
    }
    runtime.block_on(runner.run(Effect {
        request: Request::Board,
        stamp: 2,
        confirmed: None,
        anew: false,
    }));
    assert!(answers.try_recv().unwrap().answer.error().is_none());
    assert_eq!(operations.calls(), ["board"]);
}
