//! The prompt of `lakehand query` as somebody at a terminal has it.

use std::{os::unix::fs::PermissionsExt, process::Command, sync::Arc, thread, time::Duration};

use portable_pty::CommandBuilder;

use crate::session::Session;

/// A statement that takes minutes and hardly any memory.
const ENDLESS: &str = "SELECT count(*) FROM UNNEST(sequence(1, 9900)) a(x) CROSS JOIN UNNEST(sequence(1, 9900)) b(y) \
    WHERE regexp_like(CAST(x * y AS varchar), '^(1|22|333)+7$');\r";

fn home() -> Arc<tempfile::TempDir> {
    Arc::new(tempfile::tempdir().unwrap())
}

/// A home with a table of two columns and three rows.
fn home_with_a_table() -> Arc<tempfile::TempDir> {
    let home = home();
    let sql = "CREATE TABLE fruit AS SELECT * FROM (VALUES (1, 'apple'), (2, ''), (3, NULL)) AS t (fruit_id, fruit_name)";
    let made = Command::new(env!("CARGO_BIN_EXE_lakehand"))
        .args(["query", sql])
        .env("LAKEHAND_HOME", home.path())
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    home
}

fn prompt_at(
    home: &Arc<tempfile::TempDir>,
    arguments: &[&str],
    variables: &[(&str, &str)],
) -> Session {
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_lakehand"));
    command.arg("query");
    command.args(arguments);
    let mut session = Session::at(
        Arc::clone(home),
        command,
        (80, 24),
        variables,
        "\\? lists the commands",
    );
    session.see("local>");
    session
}

fn prompt(home: &Arc<tempfile::TempDir>) -> Session {
    prompt_at(home, &[], &[])
}

/// Waits until the editor waits for a line: before that a key would be echoed by the terminal.
fn ready(session: &mut Session) -> &mut Session {
    session.until("the editor has the terminal", |session| {
        !session.is_cooked()
    });
    session
}

#[test]
fn a_statement_of_several_lines_answers_and_the_prompt_leaves_the_terminal_as_it_was() {
    let home = home_with_a_table();
    let mut session = prompt(&home);
    ready(&mut session)
        .press("SELECT fruit_id + 40 AS answer, fruit_name\r")
        .press("FROM fruit ORDER BY 1;\r")
        .see("answer  fruit_name")
        .see("41      apple\n")
        .see("43      NULL")
        .see("3 rows in ")
        .see("Athena would scan ");
    ready(&mut session)
        .press("\\d\r")
        .see("\nfruit                        BASE TABLE");
    ready(&mut session)
        .press("\\d fruit\r")
        .see("fruit_name   varchar");
    ready(&mut session).press("\\q\r");
    assert_eq!(session.exit_code(), 0);
    session.is_restored();
}

#[test]
fn tab_completes_tables_and_columns() {
    let home = home_with_a_table();
    let mut session = prompt(&home);
    // The names are learnt beside the prompt.
    session.until("the table is offered", |session| {
        ready(session).press("\x15\\d fru\t");
        thread::sleep(Duration::from_millis(100));
        session.screen().contains("\\d fruit")
    });
    session
        .press("\x15")
        .press("SELECT max(fruit_n\t")
        .see("max(fruit_name");
    session.press(") AS best FROM fru\t").see("FROM fruit");
    session.press(";\r").see("best\napple");
    ready(&mut session).press("\x04");
    assert_eq!(session.exit_code(), 0);
    session.is_restored();
}

#[test]
fn control_c_drops_a_line_stops_a_statement_and_leaves_the_prompt() {
    let home = home();
    let mut session = prompt(&home);
    ready(&mut session)
        .press("SELECT 'dropped\r")
        .see("-- goes on until ;")
        .press("still'")
        .see("still'")
        .press("\x03");
    session.until("another prompt", |session| {
        session.screen().matches("local>").count() == 2
    });
    ready(&mut session)
        .press("SELECT 6 * 7 AS kept;\r")
        .see("kept\n42");
    ready(&mut session).press(ENDLESS);
    session.until("the statement runs", |session| session.is_cooked());
    thread::sleep(Duration::from_millis(500));
    session
        .press("\x03")
        .see("the statement was stopped before it ended");
    ready(&mut session)
        .press("SELECT 'alive' AS state;\r")
        .see("state\nalive");
    ready(&mut session).press("\x04");
    assert_eq!(session.exit_code(), 0);
    session.is_restored();
}

#[test]
fn the_history_outlives_the_prompt_and_is_its_owners_alone() {
    let home = home();
    let mut first = prompt(&home);
    ready(&mut first)
        .press("SELECT 'remembered' AS it;\r")
        .see("it\nremembered");
    ready(&mut first)
        .press(" SELECT 'a secret' AS it;\r")
        .see("it\na secret");
    ready(&mut first).press("\\q\r");
    assert_eq!(first.exit_code(), 0);
    let file = home.path().join("data/local/query_history");
    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(!std::fs::read_to_string(&file).unwrap().contains("a secret"));
    let mut second = prompt(&home);
    ready(&mut second)
        .press("\x1b[A\x1b[A")
        .see("SELECT 'remembered' AS it;");
    second.press("\r").see("it\nremembered");
    ready(&mut second).press("\x04");
    assert_eq!(second.exit_code(), 0);
}

#[test]
fn a_mistake_is_shown_at_its_place_and_the_prompt_goes_on() {
    let home = home();
    let mut session = prompt(&home);
    ready(&mut session)
        .press("SELECT 1 AS one,\r  nonsense;\r")
        .see("COLUMN_NOT_FOUND: line 2:3")
        .see("2 |   nonsense\n  |   ^");
    ready(&mut session)
        .press("\\nonsense\r")
        .see("there is no command \\nonsense");
    ready(&mut session)
        .press("\\format json\r")
        .see("printed as json");
    ready(&mut session)
        .press("SELECT 1 AS one;\r")
        .see("{\"one\":1}");
    ready(&mut session).press("\\q\r");
    assert_eq!(session.exit_code(), 0);
}

#[test]
fn files_are_written_and_read_from_the_prompt() {
    let home = home();
    let mut session = prompt(&home);
    let (out, script) = (home.path().join("out.csv"), home.path().join("some.sql"));
    std::fs::write(
        &script,
        "SELECT 'from a file' AS x;\nSELECT nonsense;\nSELECT 'never' AS y;",
    )
    .unwrap();
    ready(&mut session)
        .press(&format!("\\o {}\r", out.display()))
        .see("the next rows go to");
    ready(&mut session)
        .press("SELECT '' AS a, 'x' AS b;\r")
        .see("1 row in ");
    assert_eq!(std::fs::read_to_string(&out).unwrap(), "a,b\n\"\",x\n");
    ready(&mut session)
        .press(&format!("\\i {}\r", script.display()))
        .see("x\nfrom a file")
        .see("line 2:8");
    ready(&mut session).press("\x04");
    assert_eq!(session.exit_code(), 0);
    assert!(!session.screen().contains("never"));
}

#[test]
fn more_rows_than_the_screen_has_open_as_a_table() {
    let home = home();
    let mut session = prompt(&home);
    ready(&mut session).press("SELECT n AS number FROM UNNEST(sequence(1, 500)) AS t (n);\r");
    session.until("the table opens", |session| {
        session.parser.lock().unwrap().screen().alternate_screen()
    });
    session.see("number").see("500").press("q");
    session.until("the table closes", |session| {
        !session.parser.lock().unwrap().screen().alternate_screen()
    });
    session.see("500 rows in ");
    // The keys are the prompt's again, every one of them.
    ready(&mut session)
        .press("SELECT 'after' AS it;\r")
        .see("it\nafter");
    ready(&mut session)
        .press("\\x\r")
        .see("printed as vertical");
    ready(&mut session)
        .press("SELECT 1 AS a, NULL AS b;\r")
        .see("-[ row 1 ]-\na | 1\nb | NULL");
    ready(&mut session).press("\x04");
    assert_eq!(session.exit_code(), 0);
    session.is_restored();
}

#[test]
fn without_a_pager_long_results_are_printed() {
    let home = home();
    let mut session = prompt_at(&home, &["--no-pager"], &[("NO_COLOR", "1")]);
    ready(&mut session)
        .press("SELECT n AS number FROM UNNEST(sequence(1, 500)) AS t (n);\r")
        .see("\n500\n500 rows in ");
    let bytes = String::from_utf8_lossy(&session.bytes.lock().unwrap()).into_owned();
    assert!(!bytes.contains("\x1b[3"), "something is coloured");
    ready(&mut session).press("\x04");
    assert_eq!(session.exit_code(), 0);
}

#[test]
fn a_prompt_that_is_told_to_end_gives_the_terminal_back() {
    let home = home();
    let mut session = prompt(&home);
    ready(&mut session).press("SELECT half of").see("half of");
    session.signal("TERM");
    assert_eq!(session.exit_code(), 130);
    session.is_restored();
}
