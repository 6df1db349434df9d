//! What cannot be read is said where it belongs, hides nothing else, and never looks like a good answer.

use crate::{
    StartScreen,
    event::EventKind,
    scripted::{Driver, Scenario, ScriptedOperations},
};
use lakehand_ops::Part;

const REFUSED: &str = "could not list the executions: AccessDeniedException: anna is not authorized to perform: \
                       states:ListExecutions on resource: arn:aws:states:eu-west-1:1:stateMachine:x";

fn on(operations: ScriptedOperations, size: (u16, u16)) -> Driver {
    let mut driver = Driver::open(operations, StartScreen::Board, size).unwrap();
    driver.wait(500);
    driver
}

fn calm() -> ScriptedOperations {
    ScriptedOperations::new(Scenario::Calm, 60).unwrap()
}

fn text(driver: &Driver) -> String {
    driver.screen()
}

#[test]
fn one_refused_workflow_leaves_the_others_and_names_the_permission() {
    for size in [(80, 24), (200, 50)] {
        let part = Part::Workflow("daily-report".into());
        let driver = on(calm().refusing(part, REFUSED), size);
        let shown = text(&driver);
        let told = "? daily-report cannot be read: states:ListExecutions is not allowed";
        assert_eq!(shown.matches(told).count(), 2, "verdict and card: {shown}");
        assert!(shown.contains("✓ collect"), "{shown}");
        assert!(!shown.contains("Today's data is there"), "{shown}");
        assert!(!shown.contains("never ran"), "{shown}");
    }
}

#[test]
fn a_refused_prefix_is_named_beside_the_streams() {
    let why =
        "ListObjectsV2 was refused: AccessDenied: anna is not authorized to perform: s3:ListBucket";
    let part = Part::Stream("affise.clicks".to_owned());
    let driver = on(calm().refusing(part, why), (200, 50));
    let shown = text(&driver);
    let told = "? affise.clicks cannot be read: s3:ListBucket is not allowed";
    assert_eq!(shown.matches(told).count(), 2, "{shown}");
    assert!(shown.contains("affise.offers"), "{shown}");
}

#[test]
fn where_the_list_of_workflows_is_refused_nobody_is_told_that_nothing_is_deployed() {
    let driver = on(calm().refusing(Part::Workflows, REFUSED), (120, 40));
    let shown = text(&driver);
    assert!(!shown.contains("Nothing is deployed"), "{shown}");
    assert!(
        shown
            .contains("the list of workflows cannot be read: states:ListExecutions is not allowed"),
        "{shown}"
    );
}

#[test]
fn another_accounts_credentials_keep_their_banner() {
    let operations = calm()
        .undeployed()
        .in_another_account("111 (anna), not 222");
    let mut driver = on(operations, (120, 40));
    for key in ["1", "4", "1"] {
        driver.press(key);
        driver.wait(60_000);
        let shown = text(&driver);
        assert!(
            shown.contains("Your AWS credentials are for another account than the profile local: 111 (anna), not 222."),
            "{shown}"
        );
        assert!(!shown.contains("Nothing is deployed"), "{shown}");
    }
}

#[test]
fn expired_credentials_are_asked_about_once_a_minute_and_the_screen_goes_on_by_itself() {
    let mut driver = on(calm().elsewhere(), (120, 40));
    driver.operations().expire(true);
    driver.wait(40_000);
    assert!(text(&driver).contains("do not work any more"));
    let calls = |driver: &Driver, name: &str| {
        let all = driver.operations().calls();
        all.iter().filter(|call| call.as_str() == name).count()
    };
    let before = (calls(&driver, "board"), calls(&driver, "identify"));
    driver.wait(300_000);
    assert_eq!(
        calls(&driver, "board"),
        before.0,
        "every question would be refused"
    );
    let asked = calls(&driver, "identify") - before.1;
    assert!((4..=5).contains(&asked), "{asked} times in five minutes");
    driver.operations().expire(false);
    driver.wait(61_000);
    assert!(!text(&driver).contains("do not work any more"));
    assert!(calls(&driver, "board") > before.0);
}

#[test]
fn an_unfocused_console_says_so_counts_on_and_looks_every_two_minutes() {
    let mut driver = on(calm().elsewhere(), (200, 50));
    driver.event(EventKind::Focus(false));
    driver.wait(40_000);
    let shown = text(&driver);
    assert!(shown.contains("unfocused, read just now"), "{shown}");
    driver.wait(61_000);
    let shown = text(&driver);
    assert!(shown.contains("unfocused, read 1 min ago"), "{shown}");
    let before = driver.operations().calls().len();
    driver.wait(125_000);
    assert!(driver.operations().calls().len() > before);
}
