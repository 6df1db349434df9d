//! What somebody does with the console, key by key, on scripted operations and a virtual clock.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/script.rs"]
mod script;
#[path = "console_scripts/tables.rs"]
mod tables;

use lakehand::console::{
    StartScreen,
    scripted::{Driver, Scenario, ScriptedOperations},
};

use script::Script;

#[test]
fn a_failed_night_is_redriven() {
    let mut script = Script::open(Scenario::Night);
    script
        .see("✗ daily-report failed at CheckQuality: QualityCheckFailed, 2 h ago · redrive is safe (D)")
        .see("affise.conversions");
    script
        .press("<enter>")
        .see("Failed   CheckQuality: QualityCheckFailed")
        .see("Do       Collect the window again");
    script
        .press("D")
        .see("Redrive this execution?")
        .see("CheckQuality, ReplaceWindow, ExportReport, Notify");
    script
        .see("▸ Redrive")
        .wait(400)
        .press("q")
        .not_see("Redrive this execution?");
    script
        .press("D")
        .wait(400)
        .press("<left><enter>")
        .not_see("Redrive this execution?");
    assert_eq!(script.calls("redrive"), 0, "q and Cancel cancel");
    script.press("D").wait(400).press("<enter>").see("RUNNING");
    assert_eq!(script.calls("redrive"), 1);
    script.press("D").see("it is still running");
    for _ in 0..4 {
        script.advance();
    }
    script
        .see("✓ OK  daily-report")
        .see("redriven 1×")
        .not_see("Failed   CheckQuality");
    script
        .press("1")
        .see("✓ daily-report")
        .see("1 stream is late: affise.conversions");
}

#[test]
fn until_a_read_confirms_it_a_redrive_is_only_requested() {
    let mut script = Script::open(Scenario::Night);
    script.press("D");
    script.0.hold();
    script.confirm().see("redrive …");
    script
        .press("D")
        .see("a change of this execution has just been requested");
    script.0.release(&[]);
    script.wait(3_000).see("● RUNNING").not_see("redrive …");
    assert_eq!(script.calls("redrive"), 1);
}

#[test]
fn a_held_key_confirms_nothing() {
    let mut script = Script::open(Scenario::Night);
    script.0.press_fast("D");
    for _ in 0..200 {
        script.0.press_fast("<right><enter>").wait(30);
    }
    assert_eq!(script.calls("redrive"), 0);
    script.see("Redrive this execution?");
}

#[test]
fn a_refused_redrive_says_why_and_is_no_longer_requested() {
    let mut script = Script::open(Scenario::Night);
    script.0.operations().break_calls("redrive", 1);
    script.press("D").confirm();
    script
        .see("redrive did not work: redrive: the platform does not answer")
        .not_see("redrive …");
    script
        .press("!")
        .see("the platform does not answer")
        .see("lakehand runs redrive");
}

#[test]
fn what_is_impossible_says_why() {
    let mut script = Script::open(Scenario::Calm);
    script
        .press("D")
        .see("it succeeded; start a new run with T");
    script.press("X").see("it has ended");
    let mut script = Script::on(
        ScriptedOperations::new(Scenario::Night, 60)
            .unwrap()
            .read_only(),
    );
    script
        .see("READ-ONLY")
        .press("D")
        .see("the profile 'local' is read-only")
        .press("T")
        .see("start: the profile");
    script
        .press(":")
        .press("redrive")
        .see("the profile 'local' is read-only");
}

#[test]
fn a_workflow_is_started_with_the_input_of_another_execution_or_an_edited_one() {
    let mut script = Script::open(Scenario::Calm);
    script
        .press("T")
        .see("no more than this")
        .see("i same input again  e edit");
    script
        .press("i")
        .see("that of ")
        .see("lakehand run ")
        .see("--same-input-as ")
        .not_see("--from");
    // The other input is gone, and the days stand there again.
    script
        .press("i")
        .see("no more than this")
        .see("--from 2026-01-24");
    script.0.will_edit("{\"order\": ");
    script
        .press("e")
        .see("the input is not JSON")
        .see("e edits it again");
    script
        .press("<s-tab><s-tab>")
        .wait(400)
        .press("<enter>")
        .see("Start a workflow");
    assert_eq!(script.calls("start"), 0);
    script.0.will_edit("{\n  \"order\": 7\n}");
    script.press("e").see("edited, 3 lines").see("--input FILE");
    let edited: Vec<String> = script
        .0
        .terminal()
        .iter()
        .filter(|one| one.starts_with("edit "))
        .cloned()
        .collect();
    assert_eq!(
        edited[1], "edit {\"order\": ",
        "what was wrong is kept to be put right"
    );
    // Without a change nothing changes.
    script
        .press("e")
        .see("the editor was left without a change")
        .see("edited, 3 lines");
    script.wait(400).press("<enter>").see("● RUNNING");
    assert_eq!(script.calls("start"), 1);
}

#[test]
fn a_workflow_is_started_with_its_window_and_stopped() {
    let mut script = Script::open(Scenario::Calm);
    script
        .press("T")
        .see("Start a workflow")
        .see("lakehand run collect --from 2026-01-24 --to 2026-01-31");
    script
        .press("<right><tab>")
        .press("<bs><bs>31<tab><bs><bs>24")
        .see("swap the two dates");
    script
        .press("<s-tab><bs><bs>20<tab><tab>")
        .wait(400)
        .press("<enter>")
        .see("● RUNNING  daily-report")
        .see("window 2026-01-20..2026-01-24");
    assert_eq!(script.calls("start"), 1);
    script.advance().see("ExtractOfferCaps");
    script
        .press("X")
        .see("Stop this execution?")
        .confirm()
        .wait(1_000)
        .see("■ STOPPED");
    script.press("D").see("Redrive this execution?");
}

#[test]
fn an_empty_lake_offers_the_sample_and_leads_to_its_report() {
    let mut script = Script::open(Scenario::Empty);
    script
        .see("Try it here with sample data?")
        .wait(400)
        .press("<enter>");
    assert_eq!(script.calls("start_sample"), 1);
    script.see("● RUNNING  collect");
    for _ in 0..3 {
        script.advance();
    }
    script.see("● RUNNING  daily-report");
    for _ in 0..7 {
        script.advance();
    }
    script
        .see("affiliate_manager")
        .see("this is your report")
        .see("row 1 of 240");
    script.press("<esc>").see("Reports 1");
    script
        .press("1")
        .see("Today's data is there")
        .not_see("Try it here");
}

#[test]
fn the_demo_starts_the_sample_at_once() {
    let operations = ScriptedOperations::new(Scenario::Empty, 0).unwrap();
    let mut script = Script(Driver::open(operations, StartScreen::Demo, (120, 40)).unwrap());
    script.see("● RUNNING  collect");
    assert_eq!(script.calls("start_sample"), 1);
    script.press("1").wait(5_000).see("collect is running");
    for _ in 0..12 {
        script.advance();
    }
    script
        .see("Today's data is there")
        .not_see("affiliate_manager");
}

#[test]
fn the_first_frame_needs_no_answer_and_keys_work_while_nothing_answers() {
    let operations = ScriptedOperations::new(Scenario::Night, 60).unwrap();
    let mut driver = Driver::open_held(operations, StartScreen::Board, (120, 40)).unwrap();
    assert!(driver.screen().contains("Reading the board"));
    driver.press("6?");
    assert!(driver.screen().contains("Keys of this screen"));
    driver.press("<esc>1").release(&[]);
    assert!(
        driver.screen().contains("daily-report failed"),
        "{}",
        driver.screen()
    );
}

#[test]
fn late_answers_are_dropped() {
    let mut script = Script::open(Scenario::Night);
    script.0.hold();
    // Three executions are opened one after the other; their answers come in the wrong order.
    script.press("<enter>1j<enter>1j<enter>");
    script.0.release(&[2, 1, 0]);
    script
        .wait(1_000)
        .see("✓ OK  collect")
        .not_see("Failed   CheckQuality");
}

#[test]
fn data_that_cannot_be_read_again_are_marked_stale_and_asked_for_again() {
    let mut script = Script::open(Scenario::Calm);
    script.0.operations().break_calls("board", 3);
    script.wait(5 * 60_000);
    script.not_see("STALE");
    script.0.operations().break_calls("board", 1_000);
    script.wait(5 * 60_000).see("STALE").see("✓ collect");
    script.0.operations().break_calls("board", 0);
    script.wait(2 * 60_000).not_see("STALE");
}

#[test]
fn logs_open_at_the_error_and_can_be_searched() {
    let mut script = Script::on(
        ScriptedOperations::new(Scenario::Night, 60)
            .unwrap()
            .with_log_lines(30_000),
    );
    script
        .press("<enter>3")
        .see("CheckQuality")
        .see("ERROR check 'no_duplicate_conversions' failed")
        .see("line 7,500 of 7,500");
    script
        .press("E")
        .see("HTTP 429")
        .press("e")
        .see("line 7,500 of 7,500");
    script
        .press("t")
        .see("line 30,000 of 30,000")
        .press("/page 17,<enter>")
        .see("no line with")
        .press("/page 17:<enter>")
        .see("line 18 of 30,000");
    script
        .press("&429<enter>")
        .see("only '429'")
        .press("G")
        .see("following")
        .press("k")
        .not_see("following");
    script
        .press("&<^u><enter>")
        .press("&WARN<enter>")
        .see("only 'warn'")
        .see("HTTP 429")
        .not_see("INFO")
        .press("&<^u>error checkquality<enter>")
        .see("check 'no_duplicate_conversions' failed")
        .not_see("HTTP 429");
    script
        .press("&<^u><enter>g/warn<enter>")
        .see("HTTP 429")
        .press("G");
    script
        .press("}")
        .see("attempt 1 of 2")
        .press("}")
        .see("attempt 2 of 2")
        .press("}")
        .not_see("attempt 2 of 2");
    assert_eq!(
        script.calls("logs"),
        7,
        "thirty thousand lines are read in pages"
    );
}

#[test]
fn a_report_is_sorted_filtered_found_and_exported() {
    let mut script = Script::on(
        ScriptedOperations::new(Scenario::Calm, 9)
            .unwrap()
            .with_report_rows(50_000)
            .unwrap(),
    );
    script
        .press("6<enter>")
        .see("row 1 of 50,000")
        .press("G")
        .see("row 50,000 of 50,000")
        .see("50,000  2026-01-31");
    script.press("g/sub-07919<enter>").see("row 2 of 50,000");
    script
        .press("lllllll")
        .press("s")
        .see("click_count ▲")
        .press("s")
        .see("click_count ▼")
        .press("s")
        .not_see("▼");
    script
        .press("&country:DE !sub-<enter>")
        .see("only 'country:DE !sub-'")
        .see("=1+1␊second line ␛[31m");
    script
        .press("C")
        .see("no column is hidden")
        .press("c")
        .see("1 hidden")
        .not_see("click_count")
        .press("C")
        .see("click_count");
    script
        .press("x")
        .see("Export what I see")
        .press("j<enter>")
        .see("written to");
    script.press("<esc>").see("Reports 6");
}

#[test]
fn copying_goes_through_the_terminal() {
    let mut script = Script::open(Scenario::Night);
    script
        .press("y")
        .see("Command")
        .press("j<enter>")
        .see("copied");
    assert_eq!(
        script.0.terminal(),
        ["copy lakehand runs show daily-report:daily-report-20260131-001000"]
    );
}

#[test]
fn leaving_asks_nothing_unless_a_change_is_under_way() {
    let mut script = Script::open(Scenario::Night);
    script.press("6q");
    assert_eq!(script.0.terminal(), ["quit"]);
    let mut script = Script::open(Scenario::Night);
    script.press("<^c>").see("^C again quits").press("<^c>");
    assert_eq!(script.0.terminal(), ["quit"]);
    let mut script = Script::open(Scenario::Night);
    script.press("D");
    script.0.hold();
    script
        .confirm()
        .press("q")
        .see("a change has no answer yet");
    assert!(script.0.terminal().is_empty());
}

#[test]
fn screens_have_a_history() {
    let mut script = Script::open(Scenario::Night);
    script
        .press("<enter>6!")
        .see("Activity")
        .press("[")
        .see("Reports 6")
        .press("[")
        .see("Failed   CheckQuality")
        .press("]")
        .see("Reports 6");
    script.press("1-").see("Reports 6");
}

#[test]
fn help_and_palette_come_from_the_registry() {
    let mut script = Script::open(Scenario::Night);
    script
        .press("?")
        .see("Redrive: continue a failed execution")
        .press("redr")
        .not_see("Page down")
        .press("<esc>");
    script.press(":acti").press("<enter>").see("─ Activity");
    script
        .press(":redrive")
        .see("nothing fits")
        .press("<esc>")
        .press("1:redrive<enter>")
        .see("Redrive this execution?");
}

/// Starts what the form offers first, and looks at the Board when it runs.
fn start_one(script: &mut Script) {
    script
        .press("T")
        .wait(400)
        .press("<tab><tab><tab><enter>")
        .press("1")
        .wait(3_000);
}

#[test]
fn the_selection_stays_on_its_execution_when_others_come() {
    let mut script = Script::open(Scenario::Calm);
    script.press("jjj").see("✓ collect collect-20260130-231000");
    start_one(&mut script);
    script
        .see("● RUNNING")
        .see("✓ collect collect-20260130-231000");
}

#[test]
fn a_danger_needs_its_name_and_a_paste_will_do() {
    let mut script = Script::open(Scenario::Calm);
    script
        .press("T")
        .wait(400)
        .press("<tab><tab><tab><enter>")
        .see("● RUNNING  collect")
        .press("X")
        .see("Type the end of the name")
        .see("▸ Cancel")
        .wait(400);
    let screen = script.0.screen();
    let (_, rest) = screen.split_once("Type the end of the name ").unwrap();
    let name = rest.split_whitespace().next().unwrap().to_owned();
    script
        .press("collect<right>")
        .see("▸ Cancel")
        .press("<enter>")
        .see("'collect' is not the end of the name")
        .see("Stop this execution?");
    assert_eq!(script.calls("stop"), 0, "a part is not the name");
    script.press("<^u>");
    // More of the end than has to be typed is as good.
    script.0.paste(&name[1..]);
    script.see("▸ Stop").press("<enter>").see("stop requested");
    assert_eq!(script.calls("stop"), 1);
}

#[test]
fn hints_are_for_what_is_in_sight() {
    let mut script = Script::open(Scenario::Night);
    let footer = |script: &Script| script.0.screen().lines().last().unwrap().to_owned();
    assert!(footer(&script).contains("3 logs"), "{}", footer(&script));
    script.press("<enter>");
    assert!(footer(&script).contains("3 logs"));
    for keys in ["3", "6", "!"] {
        script.press(keys);
        assert!(!footer(&script).contains("3 logs"), "{}", footer(&script));
    }
}

#[test]
fn a_stage_that_logged_nothing_says_what_others_did() {
    let mut script = Script::on(
        ScriptedOperations::new(Scenario::Night, 60)
            .unwrap()
            .with_log_lines(2),
    );
    // With two lines only, they are of the first and the third stage.
    script
        .press("<enter>kk3")
        .see("ExtractOfferCaps logged nothing")
        .see("The execution has 2 lines: UpdateDimensions 1, BuildWindow 1.")
        .see("t shows them all.");
    script.press("t").see("line 2 of 2");
    script
        .press("&nonsense<enter>")
        .see("No line fits 'nonsense'")
        .see("& and Enter takes the filter away");
}

#[test]
fn other_keys_work_and_are_shown_where_a_hint_names_them() {
    let mut driver = Driver::open(
        ScriptedOperations::new(Scenario::Night, 60).unwrap(),
        StartScreen::Board,
        (120, 40),
    )
    .unwrap();
    driver
        .with_keys("redrive = ['W']\nhelp = ['ctrl-g']")
        .unwrap();
    driver.wait(500);
    let mut script = Script(driver);
    script
        .see("redrive is safe (W)")
        .press("D")
        .not_see("Redrive this");
    script
        .press("W")
        .see("Redrive this execution?")
        .press("<esc>");
    script.press("<^g>").see("Keys of this screen").see("^G");
}

#[test]
fn a_board_older_than_the_list_is_read_again_soon() {
    let mut script = Script::open(Scenario::Night);
    script.press("D");
    script.0.operations().lag_board(2);
    script.confirm().wait(5_000);
    script
        .see("daily-report is running")
        .not_see("failed at CheckQuality");
}

const SECRET: &str = "do-not-show-me-8f3a";

#[test]
fn a_credential_is_set_and_tested_and_never_shown() {
    let mut script = Script::open(Scenario::Calm);
    script
        .press("8")
        .see("Credentials of local")
        .see("✓ present")
        .see("✗ MISSING")
        .see("! OVERDUE")
        .see("version 3")
        .see("by tom");
    script
        .press("t")
        .see("Signed in to affise as ops@example.com");
    script
        .press("jjjS")
        .see("Set /marketo/ClientSecret")
        .see("It is never shown")
        .press("do not")
        .see("a blank or a line break");
    script
        .press("<^u>")
        .press(SECRET)
        .see(&format!("{} characters", SECRET.len()))
        .see("✓ looks like a Marketo client secret")
        .not_see(SECRET);
    script
        .press("<enter><enter>")
        .see("/marketo/ClientSecret is set, version 1")
        .see("by you")
        .not_see(SECRET)
        .not_see("MISSING");
    assert_eq!(script.calls("set_credential"), 1);
    script.press("t").see("Signed in to marketo");
    script
        .press("!")
        .see("lakehand credentials set")
        .not_see(SECRET);
    assert!(!format!("{:?}", script.0).contains(SECRET));
}

#[test]
fn a_shared_key_is_tested_with_each_of_its_sources() {
    let mut script = Script::open(Scenario::Calm);
    script
        .press("8Gt")
        .see("✗ refused")
        .see("ga4, just now: the token endpoint refused")
        .see("ga3, just now: the token endpoint refused");
    assert_eq!(script.calls("test_credentials"), 2);
}

#[test]
fn a_key_file_is_pasted_with_its_lines() {
    let key = format!(
        "{{\n  \"type\": \"service_account\",\n  \"client_email\": \"x@y\",\n  \"private_key\": \"-----BEGIN PRIVATE KEY-----\\n{SECRET}\\n-----END PRIVATE KEY-----\\n\",\n  \"token_uri\": \"https://oauth2.googleapis.com/token\"\n}}\n"
    );
    let mut script = Script::open(Scenario::Calm);
    script.press("8GS").see("Set /google/ServiceAccountKey");
    script.0.paste(&key[..40]);
    script.see("it is not JSON, at line 3");
    script.press("<^u>");
    script.0.paste(&key);
    script
        .see("in 6 lines")
        .see("✓ looks like a Google service account key")
        .not_see(SECRET);
    // A refused candidate is not stored, and says so.
    script
        .press("<tab> ")
        .see("[x] sign in to ga4 and ga3 first");
    script.press("<tab><tab><enter>").see("is set, version 2");
    assert!(!format!("{:?}", script.0).contains(SECRET));
}

#[test]
fn a_refused_value_is_not_stored() {
    let mut script = Script::open(Scenario::Calm);
    script
        .press("8S")
        .wait(400)
        .press("wrong-key<tab> <tab><tab><enter>");
    script
        .see("nothing was stored: affise does not accept it")
        .see("version 3")
        .see("9 characters");
    script
        .press("<esc>")
        .press("S")
        .wait(400)
        .press("<enter><enter>")
        .see("this is no Affise API key: it is empty");
    script.press("<esc>");
    script.0.operations().break_calls("credentials", 1);
    script.press("r").see("STALE");
}

#[test]
fn who_types_fast_loses_no_key() {
    let mut script = Script::open(Scenario::Calm);
    script.press("5jB");
    script.0.press_fast("BBBmarketing_datamart<enter>");
    script.wait(300);
    assert_eq!(script.calls("rollback"), 1);
    let mut script = Script::open(Scenario::Calm);
    script.press("8");
    script.0.press_fast("SSSnot-shown");
    script.see("9 characters");
}

#[test]
fn a_stream_is_collected_and_a_crawler_started_and_stopped() {
    let mut script = Script::open(Scenario::Night);
    script
        .press("4")
        .see("! LATE")
        .see("✗ FAILED")
        .press("jjjj")
        .see("Collected 27 h ago")
        .see("promised every 1 d 2 h: late.")
        .see("affise tenant is parked until 2026-01-31 03:30");
    script.press("C").see("crawl: no crawler is selected");
    script
        .press("T")
        .see("of affise.conversions")
        .see("lakehand collect affise.conversions --from 2026-01-24")
        .press("<tab><tab>")
        .press("<enter>")
        .see("● RUNNING  collect");
    assert_eq!(script.calls("start"), 1);
    script
        .press("4G")
        .see("not a Parquet file")
        .press("X")
        .see("stop: it does not run");
    script
        .press("C")
        .see("Start this crawler?")
        .wait(400)
        .press("n");
    assert_eq!(script.calls("crawl"), 0);
    script
        .press("C")
        .see("▸ Start")
        .wait(400)
        .press("<enter>")
        .see("● RUNNING");
    assert_eq!(script.calls("crawl"), 1);
    script.press("X").see("Stop this crawler?");
    script.see("▸ Cancel").wait(400).press("<enter>");
    assert_eq!(script.calls("stop_crawler"), 0, "the default is Cancel");
    script
        .press("X")
        .wait(400)
        .press("y")
        .wait(2_000)
        .not_see("● RUNNING");
    assert_eq!(script.calls("stop_crawler"), 1);
}

#[test]
fn checks_are_on_the_board_and_listed_with_their_rows() {
    let mut script = Script::open(Scenario::Night);
    script.see("1 check failed 2 h ago");
    script
        .press("<enter>llll")
        .see("daily_report_sub5 of 2026-01-31..2026-01-31")
        .see("✗ error    2_duplicate_keys: found 3 keys, should be <= 0")
        .see("the same key stands in two rows")
        .see("· conversion_id=65a1f, sub5=␛[31mred")
        .see("! warning  3_null_share: found 0.2 keys")
        .see("✓ ok       1_row_count");
    assert_eq!(script.calls("quality"), 1);
    script
        .press("1jj<enter>")
        .see("this execution checked no table");
}

#[test]
fn the_datamart_goes_back_to_a_snapshot_and_is_built() {
    let mut script = Script::open(Scenario::Calm);
    script
        .press("5")
        .see("marketing_datamart, a table: 12,343 rows, 418.0 kB")
        .see("reads ga_traffic")
        .see("a build scans at most 5.3 MB")
        .see("✓ current")
        .press("B")
        .see("it is what readers see now");
    script.press("<enter>").see("AggregateExec").press("<esc>");
    script
        .press("jB")
        .see("Roll this table back?")
        .see("snapshot 2 of")
        .see("lakehand datamart rollback 2")
        .see("Type the name marketing_datamart");
    script.press("<enter>");
    assert_eq!(script.calls("rollback"), 0);
    script.press("B").press("marketing_datamart<enter>");
    script.see("rolled back to snapshot 2").see("RESTORE to 2");
    assert_eq!(script.calls("rollback"), 1);
    script.press("jjjB").see("some of its files are gone");
    script
        .press("T")
        .see("build: this platform has no workflow");
}

#[test]
fn statements_are_listed_read_found_copied_and_stopped() {
    let mut script = Script::open(Scenario::Calm);
    script.press("5").see("Snapshots 3").see("Statements");
    assert_eq!(script.calls("statements"), 0, "nobody looks at them yet");
    script
        .press("<tab>")
        .see("Statements 4")
        .see("● runs")
        .see("COLUMN_NOT_FOUND: line 1:8")
        .see("1.2 GB")
        .see("$0.006020");
    script
        .press("B")
        .see("roll back: no snapshot is selected")
        .press("j<enter>")
        .see("SELECT offer_titel FROM affise_offers")
        .see("why      COLUMN_NOT_FOUND")
        .press("<esc>");
    script.press("X").see("stop: it has ended");
    script
        .press("/count(*)<enter>")
        .press("y")
        .see("SQL           SELECT count(*) FROM affise_clicks")
        .see("lakehand statements show 8f3a61c2")
        .press("<esc>");
    script
        .press("gX")
        .see("Stop this statement?")
        .see("MERGE INTO marketing_datamart AS t")
        .confirm();
    assert_eq!(script.calls("stop_statement"), 1);
    script.see("■ stopped").not_see("● runs");
    script
        .press("<tab>")
        .see("MERGE")
        .not_see("COLUMN_NOT_FOUND");
}

#[test]
fn a_glue_job_is_started_and_stopped_beside_the_crawlers() {
    let operations = ScriptedOperations::new(Scenario::Calm, 60).unwrap();
    let mut script = Script::on(operations.with_glue_job("by-hand-ga3"));
    script
        .press("4G")
        .see("by-hand-ga3")
        .see("A Glue job (glueetl)")
        .see("It never ran.");
    script.press("X").see("stop: it does not run");
    script
        .press("C")
        .see("Start this Glue job?")
        .see("lakehand jobs start by-hand-ga3")
        .wait(400)
        .press("<tab><enter>")
        .see("● RUNNING")
        .see("jr_4711");
    assert_eq!(script.calls("start_glue_job"), 1);
    script.press("C").see("crawl: it is running");
    script
        .press("X")
        .see("Stop this run?")
        .confirm()
        .see("■ STOPPED");
    assert_eq!(script.calls("stop_glue_job"), 1);
}

#[test]
fn where_there_is_no_sample_nobody_is_offered_one() {
    let operations = ScriptedOperations::new(Scenario::Empty, 0).unwrap();
    let mut script = Script::on(operations.without_sample());
    script
        .not_see("Try it here")
        .see("The lake is empty. 8 sets credentials, T starts a workflow.")
        .press(":sample data<enter>")
        .see("sample: this profile has no sample data");
    assert_eq!(script.calls("start_sample"), 0);
}

const CUTS_OFF: &str =
    "1 execution runs in this console; quitting cuts it off, and it can be redriven";

/// A world in which an execution was started from this console.
fn with_a_run(operations: ScriptedOperations) -> Script {
    let mut script = Script::on(operations);
    start_one(&mut script);
    assert_eq!(script.calls("start"), 1);
    script.see("● RUNNING");
    script
}

#[test]
fn leaving_asks_where_it_cuts_off_what_runs_in_this_process() {
    let calm = || ScriptedOperations::new(Scenario::Calm, 60).unwrap();
    for keys in ["q", "<^c><^c>"] {
        let mut script = with_a_run(calm());
        script.press(keys).see(CUTS_OFF).see("▸ Stay").wait(400);
        script.press("<enter>").not_see(CUTS_OFF);
        assert!(script.0.terminal().is_empty(), "the default is to stay");
        // The key that opened the question may be held.
        script.0.press_fast("q").press_fast("qqqqqq");
        assert!(script.0.terminal().is_empty());
        script.see(CUTS_OFF).press("<esc>").not_see(CUTS_OFF);
    }
    let mut script = with_a_run(calm());
    script.press("q").wait(400).press("q").not_see(CUTS_OFF);
    let quit = script.0.terminal();
    assert!(quit.is_empty(), "a second q confirms nothing");
    for answer in ["y", "<^c>", "<right><enter>"] {
        let mut script = with_a_run(calm());
        script.press("q").wait(400).press(answer);
        assert_eq!(script.0.terminal(), ["quit"], "after {answer}");
    }
    let mut script = with_a_run(calm());
    script.advance().advance().advance().press("q");
    assert_eq!(script.0.terminal(), ["quit"], "it has ended");
    let mut script = with_a_run(calm().elsewhere());
    script.press("q");
    assert_eq!(script.0.terminal(), ["quit"], "it goes on without us");
}

#[test]
fn control_c_twice_quits_whatever_lies_over_the_screen() {
    for keys in ["T", "D", "?", ":", "/", "&", "y", "8S"] {
        let mut script = Script::open(Scenario::Night);
        script.press(keys).wait(400).press("<^c>");
        script.see("^C again quits");
        assert!(script.0.terminal().is_empty(), "after {keys} and one ^C");
        script.press("<^c>");
        assert_eq!(script.0.terminal(), ["quit"], "after {keys}");
    }
}

#[test]
fn a_configured_profile_is_not_led_into_sample_data() {
    let operations = ScriptedOperations::new(Scenario::Empty, 0).unwrap();
    let mut script = Script::on(operations.configured());
    script
        .not_see("Try it here")
        .see("The lake is empty. 8 sets credentials, T starts a workflow.");
    script
        .press(":sample data<enter>")
        .see("Try it here with sample data?")
        .see("this profile is configured")
        .see("▸ Not now")
        .wait(400)
        .press("<enter>");
    assert_eq!(script.calls("start_sample"), 0);
}

#[test]
fn a_lake_of_sample_data_says_so() {
    let header = |script: &Script| script.0.screen().lines().next().unwrap().to_owned();
    for columns in [80, 100, 120] {
        let operations = ScriptedOperations::new(Scenario::Empty, 0).unwrap();
        let mut script = Script::narrow(operations, columns);
        assert!(!header(&script).contains("SAMPLE"), "{}", header(&script));
        script.wait(400).press("<enter>").see("collect");
        assert!(header(&script).contains("SAMPLE"), "{}", header(&script));
        // The other screens keep their titles beside it.
        for title in ["Board", "Run", "Logs", "Rep"] {
            assert!(header(&script).contains(title), "{}", header(&script));
        }
    }
}

#[test]
fn what_failed_in_another_year_says_when() {
    for columns in [80, 120, 200] {
        let operations = ScriptedOperations::new(Scenario::Night, 60).unwrap();
        operations.set_now("2027-03-01T09:00:00Z".parse().unwrap());
        let script = Script::narrow(operations, columns);
        let screen = script.0.screen();
        let failed = screen
            .lines()
            .find(|line| line.contains("FAILED") && line.contains("2026-01-3"));
        let line = failed.unwrap_or_else(|| panic!("no time on\n{screen}"));
        let (_, behind) = line.split_once("2026-01-3").unwrap();
        let time: Vec<char> = behind.chars().skip(1).take(6).collect();
        assert!(
            time[0] == ' ' && time[3] == ':' && time[1].is_ascii_digit(),
            "{line}"
        );
    }
}

#[test]
fn what_a_profile_forbids_and_its_name_are_there_at_every_width() {
    for columns in [80, 100, 120, 200] {
        let operations = ScriptedOperations::new(Scenario::Night, 60).unwrap();
        let mut script = Script::narrow(operations.read_only().named("prod"), columns);
        // Minutes later, too, when the age of what is shown asks for room.
        script.0.operations().break_calls("board", 1_000);
        for _ in 0..2 {
            let screen = script.0.screen();
            let header = screen.lines().next().unwrap();
            assert!(header.contains("READ-ONLY"), "{columns}: {header}");
            assert!(header.contains("prod"), "{columns}: {header}");
            script.wait(5 * 60_000);
        }
    }
}

#[test]
fn no_key_is_named_that_a_read_only_profile_refuses() {
    let operations = ScriptedOperations::new(Scenario::Night, 60).unwrap();
    Script::on(operations.read_only())
        .see("redrive is safe (read-only)")
        .not_see("redrive is safe (D)");
}

#[test]
fn where_nothing_is_deployed_the_board_says_what_deploys() {
    let operations = ScriptedOperations::new(Scenario::Empty, 0).unwrap();
    Script::on(operations.without_sample().undeployed())
        .see("Nothing is deployed here: lakehand deploy")
        .not_see("T starts a workflow");
}

#[test]
fn everything_is_read_again_on_demand_and_after_signing_in() {
    let everything = [
        "board",
        "executions",
        "reports",
        "sources",
        "datamart",
        "credentials",
    ];
    let operations = ScriptedOperations::new(Scenario::Calm, 60).unwrap();
    let mut script = Script::on(operations.elsewhere());
    for keys in ["R", "L"] {
        let before = everything.map(|name| script.calls(name));
        script.press(keys);
        for (name, before) in everything.into_iter().zip(before) {
            assert!(script.calls(name) > before, "{keys} reads no {name}");
        }
    }
    assert_eq!(script.0.terminal(), ["run aws sso login"]);
}

#[test]
fn a_board_that_cannot_be_read_says_why_and_what_to_do_in_whole_sentences() {
    let operations = ScriptedOperations::new(Scenario::Night, 60).unwrap();
    operations.break_calls("board", 1_000);
    // Too narrow for one line.
    Script::narrow(operations, 64)
        .see("The board cannot be read")
        .see("the platform does not answer")
        .see("wait and try again");
}

#[test]
fn q_quits_from_every_screen() {
    for keys in ["1", "<enter>", "3", "4", "5", "6", "6<enter>", "8", "!"] {
        let mut script = Script::open(Scenario::Night);
        script.press(keys).wait(400).press("q");
        assert_eq!(script.0.terminal(), ["quit"], "after {keys}");
    }
}

#[test]
fn the_start_form_has_the_default_window_whatever_is_selected() {
    let mut script = Script::open(Scenario::Night);
    script.press("G").wait(500);
    script
        .press("T")
        .see("--from 2026-01-24 --to 2026-01-31")
        .wait(400);
    // Enter behind the last field is at Start, and one that is held down does not press it.
    script.press("<enter><enter>").see("--to 2026-01-31");
    script.0.press_fast("<enter><enter><enter>");
    script.see("▸ Start");
    assert_eq!(script.calls("start"), 0);
    script
        .press("<esc>")
        .see("the form was closed; nothing was started");
    script
        .press("T")
        .wait(400)
        .press("<enter><enter><enter>")
        .wait(400);
    script.press("<enter>").see("● RUNNING");
    assert_eq!(script.calls("start"), 1);
}

#[test]
fn a_search_on_the_board_looks_into_causes() {
    let mut script = Script::open(Scenario::Night);
    // In no row; in the causes of what failed: the check, and the value that it saw.
    for words in ["no_duplicate_conversions", "65a1f twice"] {
        script
            .press(&format!("gj/{words}<enter>"))
            .not_see("no execution with")
            .wait(500)
            .see("check 'no_duplicate_conversions' failed");
    }
    let before = script.calls("execution");
    script
        .press("/nothing-holds-this<enter>")
        .see("no execution with 'nothing-holds-this'");
    assert_eq!(script.calls("execution"), before, "causes are read once");
    script
        .press("&65a1f<enter>")
        .see("with '65a1f'")
        .see("✗ FAILED");
}
