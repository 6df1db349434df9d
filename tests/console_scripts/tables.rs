//! A report's table: compared, gone through, widened, whatever its file looks like.

use std::fmt::Write;

use lakehand::console::scripted::{Scenario, ScriptedOperations};

use crate::script::Script;

fn opened(csv: &str) -> Script {
    let world = ScriptedOperations::new(Scenario::Calm, 9).unwrap();
    let mut script = Script::on(world.with_report(csv.as_bytes()).unwrap());
    script.press("6<enter>");
    script
}

/// The lines of the screen that hold one of these words, as the words stand from top to bottom.
fn order(script: &Script, words: &[&str]) -> Vec<String> {
    let screen = script.0.screen();
    let found = |line: &str| {
        let cells: Vec<&str> = line.split_whitespace().collect();
        words
            .iter()
            .find(|word| cells.contains(word))
            .map(|word| (*word).to_owned())
    };
    screen.lines().filter_map(found).collect()
}

const MIXED: &str = "name,share,size,left,right,note\n\
    anna,5%,2e3,1,5,plain\n\
    bert,50%,1.5e2,99990,7,\"has 1,5 in it\"\n\
    carl,9%,3E1,100000,8,none\n\
    dora,10%,n/a,99991,9,five\n";

#[test]
fn a_filter_looks_into_one_cell_and_compares_numbers() {
    let mut script = opened(MIXED);
    let names = ["anna", "bert", "carl", "dora"];
    script.press("&1,5<enter>");
    assert_eq!(order(&script, &names), ["bert"], "not across two cells");
    // The next one begins with the last.
    script.press("&").see("1,5").press("<esc>");
    script.press("&<^u>left:>99990<enter>");
    assert_eq!(order(&script, &names), ["carl", "dora"]);
    script.press("&<^u>left:<=99990<enter>");
    assert_eq!(order(&script, &names), ["anna", "bert"]);
}

#[test]
fn percent_and_exponents_sort_by_value_and_a_word_among_them_is_told() {
    let mut script = opened(MIXED);
    let names = ["anna", "bert", "carl", "dora"];
    script.press("ls").see("share ▲");
    assert_eq!(order(&script, &names), ["anna", "carl", "dora", "bert"]);
    script
        .press("ls")
        .see("size ▲")
        .see("sorted as text: 'n/a' in row 4 is no number");
}

#[test]
fn a_row_is_gone_to_by_its_number_and_shown_on_a_page() {
    let mut script = opened(MIXED);
    script.press("#3<enter>").see("row 3 of 4");
    script.press("#9<enter>").see("there is no row 9");
    script.press("v").see("Row 3");
    for (title, value) in [("name", "carl"), ("share", "9%"), ("note", "none")] {
        let screen = script.0.screen();
        let mut lines = screen.lines();
        let stands = lines.any(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            words.windows(2).any(|pair| pair == [title, value])
        });
        assert!(stands, "{title} {value} on\n{screen}");
    }
    script.press("<esc>").not_see("Row 3");
}

#[test]
fn columns_fit_the_rows_in_sight_and_are_widened_by_hand() {
    let mut csv = "id,text\n".to_owned();
    for row in 0..30_000 {
        let _ = writeln!(csv, "{row},short");
    }
    let long = "0123456789".repeat(6);
    let _ = writeln!(csv, "123456789012345678901234567890,{long}end");
    let mut script = opened(&csv);
    script
        .press("G")
        .see("row 30,001 of 30,001")
        .see("123456789012345678901234567890");
    script.not_see("end").press("l");
    for _ in 0..4 {
        script.press("w");
    }
    script.see("end");
    for _ in 0..4 {
        script.press("W");
    }
    script.not_see("end");
}

#[test]
fn no_cell_of_a_ragged_row_is_lost_and_ends_of_lines_do_not_matter() {
    let mut script = opened("a,b\n1,2,surplus,more\n3,4\n");
    script
        .see("surplus")
        .see("more")
        .see("(column 3)")
        .see("row 1 of 2");
    let mut script = opened("\r\r\ra,b\rone,two\rthree,four\r");
    script.see("row 1 of 2").see("three").see("four");
    let mut script = opened("\n\n\na,b\none,two\nthree,four\n");
    script.see("row 1 of 2").see("three").see("four");
}
