//! `lakehand query` without a terminal: formats, files, scripts, and what it says when something is wrong.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    fs,
    io::Write,
    path::Path,
    process::{Command, Output, Stdio},
};

const VALUES: &str = "SELECT * FROM (VALUES (1, 'a,b', DECIMAL '1.50', TRUE), (2, '', NULL, FALSE), (3, NULL, DECIMAL '-0.10', NULL)) \
    AS t (id, name, money, flag) ORDER BY id";

fn command(home: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lakehand"));
    command
        .arg("query")
        .args(arguments)
        .env("LAKEHAND_HOME", home)
        .env_remove("LAKEHAND_PROFILE")
        .stdin(Stdio::null());
    command
}

fn run(home: &Path, arguments: &[&str]) -> Output {
    command(home, arguments).output().unwrap()
}

fn with_input(home: &Path, arguments: &[&str], input: &str) -> Output {
    let mut child = command(home, arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    child.wait_with_output().unwrap()
}

fn out(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn error(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn every_format_tells_null_from_an_empty_text() {
    let home = tempfile::tempdir().unwrap();
    let json = concat!(
        r#"{"id":1,"name":"a,b","money":"1.50","flag":true}"#,
        "\n",
        r#"{"id":2,"name":"","money":null,"flag":false}"#,
        "\n",
        r#"{"id":3,"name":null,"money":"-0.10","flag":null}"#,
        "\n"
    );
    for (arguments, expected) in [
        (
            &["--format", "table"][..],
            "id  name  money  flag\n1   a,b   1.50   true\n2         NULL   false\n3   NULL  -0.10  NULL\n",
        ),
        (
            &["--format", "csv"],
            "id,name,money,flag\n1,\"a,b\",1.5,true\n2,\"\",,false\n3,,-0.1,\n",
        ),
        (
            &["--format", "tsv"],
            "id\tname\tmoney\tflag\n1\ta,b\t1.50\ttrue\n2\t\t\\N\tfalse\n3\t\\N\t-0.10\t\\N\n",
        ),
        (
            &["--format", "markdown"],
            "| id | name | money | flag |\n| ---: | --- | ---: | --- |\n| 1 | a,b | 1.50 | true |\n| 2 |  | NULL | false |\n| 3 | NULL | -0.10 | NULL |\n",
        ),
        (&["--format", "json"], json),
        (&["--format", "ndjson"], json),
        (&["--output", "json"], json),
    ] {
        let answer = run(home.path(), &[&[VALUES], arguments].concat());
        assert_eq!(out(&answer), expected, "{arguments:?}");
        assert_eq!(error(&answer), "", "{arguments:?}");
    }
}

#[test]
fn a_file_is_written_as_a_whole_in_the_format_of_its_ending() {
    let home = tempfile::tempdir().unwrap();
    let path = |name: &str| home.path().join(name).display().to_string();
    for (name, expected) in [
        ("a.csv", "one\n1\n"),
        ("a.tsv", "one\n1\n"),
        ("a.ndjson", "{\"one\":1}\n"),
        ("a.md", "| one |\n| ---: |\n| 1 |\n"),
    ] {
        assert_eq!(
            out(&run(
                home.path(),
                &["SELECT 1 AS one", "--out", &path(name)]
            )),
            ""
        );
        assert_eq!(fs::read_to_string(path(name)).unwrap(), expected, "{name}");
    }
    let parquet = path("a.parquet");
    out(&run(home.path(), &[VALUES, "-o", &parquet]));
    let back = run(
        home.path(),
        &[
            "SELECT count(*) AS rows, sum(money) AS money, max(id) AS id FROM back",
            "--table",
            &format!("back={parquet}"),
            "--format",
            "json",
        ],
    );
    assert_eq!(out(&back), "{\"rows\":3,\"money\":\"1.40\",\"id\":3}\n");
    // What fails leaves what was there, and no other file.
    let failed = run(
        home.path(),
        &[
            "SELECT 1 / (n - 3) AS x FROM UNNEST(sequence(1, 5)) AS t (n)",
            "--out",
            &path("a.csv"),
        ],
    );
    assert!(!failed.status.success());
    assert_eq!(fs::read_to_string(path("a.csv")).unwrap(), "one\n1\n");
    let left = fs::read_dir(home.path()).unwrap().flatten();
    let parts = left.filter(|file| file.file_name().to_string_lossy().contains(".part"));
    assert_eq!(parts.count(), 0);
}

#[test]
fn what_cannot_be_written_is_refused_before_anything_runs() {
    let home = tempfile::tempdir().unwrap();
    let nameless = home.path().join("result").display().to_string();
    for (arguments, part) in [
        (
            &["SELECT 1", "--format", "parquet"][..],
            "--out FILE.parquet",
        ),
        (&["SELECT 1", "--out", &nameless], "names no format"),
        (
            &["--explain-differences", "SELECT 1"],
            "cannot be used with",
        ),
        (&["SELECT 1", "--file", "x.sql"], "cannot be used with"),
        (&["--file", "no-such.sql"], "could not read no-such.sql"),
        (&["SELECT 1; SELECT 2"], "one statement a call"),
    ] {
        let answer = run(home.path(), arguments);
        assert_eq!(answer.status.code(), Some(2), "{arguments:?}");
        assert!(
            error(&answer).contains(part),
            "{arguments:?}: {}",
            error(&answer)
        );
        assert!(answer.stdout.is_empty(), "{arguments:?}");
    }
    let two = with_input(home.path(), &["-", "--out", "x.csv"], "SELECT 1; SELECT 2");
    assert_eq!(two.status.code(), Some(2));
    assert!(
        error(&two).contains("the last would replace the others"),
        "{}",
        error(&two)
    );
}

#[test]
fn a_script_runs_up_to_its_first_error_and_tells_the_line() {
    let home = tempfile::tempdir().unwrap();
    let script = "-- a comment; with a semicolon\nSELECT 1 AS a;\n\n  SELECT ';' AS b,\n    nonsense;\nSELECT 3 AS c;\n";
    let stopped = with_input(home.path(), &[], script);
    assert_eq!(stopped.status.code(), Some(3));
    assert_eq!(String::from_utf8_lossy(&stopped.stdout), "a\n1\n");
    let told = error(&stopped);
    assert!(
        told.contains("the statement of line 4: COLUMN_NOT_FOUND: line 5:5: Column 'nonsense' cannot be resolved"),
        "{told}"
    );
    assert!(told.contains("\n5 |     nonsense\n  |     ^"), "{told}");
    let went_on = with_input(home.path(), &["-", "--keep-going"], script);
    assert_eq!(went_on.status.code(), Some(1));
    assert_eq!(String::from_utf8_lossy(&went_on.stdout), "a\n1\nc\n3\n");
    assert!(error(&went_on).contains("line 5:5"));
    let file = home.path().join("some.sql");
    fs::write(&file, "SELECT 1 AS a;SELECT 2 AS a").unwrap();
    let both = run(
        home.path(),
        &["--file", file.to_str().unwrap(), "--output", "json"],
    );
    assert_eq!(out(&both), "{\"a\":1}\n{\"a\":2}\n");
    let empty = with_input(home.path(), &["-"], " -- nothing\n;");
    assert_eq!(empty.status.code(), Some(2));
    assert!(error(&empty).contains("there is no statement"));
}

#[test]
fn an_error_is_marked_for_people_and_plain_for_programs() {
    let home = tempfile::tempdir().unwrap();
    let people = run(home.path(), &["SELECT 1 +\n  nonsense AS x"]);
    assert_eq!(people.status.code(), Some(3));
    assert!(
        error(&people).contains("\n2 |   nonsense AS x\n  |   ^"),
        "{}",
        error(&people)
    );
    let programs = run(
        home.path(),
        &["SELECT 1 +\n  nonsense AS x", "--output", "json"],
    );
    let told: serde_json::Value = serde_json::from_slice(&programs.stderr).unwrap();
    let message = told["error"]["message"].as_str().unwrap();
    assert!(
        message.contains("line 2:3") && !message.contains('\n'),
        "{message}"
    );
}

#[test]
fn figures_are_told_on_request_beside_the_rows() {
    let home = tempfile::tempdir().unwrap();
    out(&run(
        home.path(),
        &["CREATE TABLE numbers AS SELECT n FROM UNNEST(sequence(1, 1000)) AS t (n)"],
    ));
    let text = run(
        home.path(),
        &["SELECT sum(n) AS s FROM numbers", "--timing"],
    );
    assert_eq!(out(&text), "s\n500500\n");
    let told = error(&text);
    assert!(
        told.starts_with("1 row in ") && told.contains("; Athena would scan "),
        "{told}"
    );
    // 10 MB is the least that Athena charges: $5 a terabyte.
    assert!(told.contains("(about $0.000050)"), "{told}");
    let json = run(
        home.path(),
        &["SELECT n FROM numbers", "--timing", "--output", "json"],
    );
    let told: serde_json::Value = serde_json::from_slice(&json.stderr).unwrap();
    assert_eq!(
        (told["rows"].as_u64(), told["dollars"].as_f64()),
        (Some(1000), Some(0.000_05))
    );
    assert!(told["bytes_scanned"].as_u64().unwrap() > 0, "{told}");
    let quiet = run(home.path(), &["SELECT 1 AS one"]);
    assert_eq!(error(&quiet), "");
}

#[test]
fn what_a_statement_would_cost_is_told_without_running_it() {
    let home = tempfile::tempdir().unwrap();
    let make = "CREATE TABLE made AS SELECT 1 AS one";
    let told = out(&run(home.path(), &[make, "--estimate", "--output", "json"]));
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    let keys: Vec<&String> = told.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["bytes", "dollars"]);
    assert_eq!(
        run(home.path(), &["SELECT * FROM made"]).status.code(),
        Some(3)
    );
    let wrong = run(home.path(), &["SELECT 1; SELECT 2", "--estimate"]);
    assert_eq!((wrong.status.code(), wrong.stdout.len()), (Some(2), 0));
}

#[test]
fn differences_are_listed_and_told_where_a_statement_meets_one() {
    let home = tempfile::tempdir().unwrap();
    let list = out(&run(home.path(), &["--explain-differences"]));
    assert!(list.starts_with("| what | here | on Athena |\n"), "{list}");
    assert!(list.contains("`approx_distinct`"), "{list}");
    let json = run(home.path(), &["--explain-differences", "--output", "json"]);
    let all: serde_json::Value = serde_json::from_str(&out(&json)).unwrap();
    let one = all
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["id"] == "approx-distinct")
        .unwrap();
    assert_eq!(one["is_answered"], true);
    let met = run(
        home.path(),
        &["SELECT approx_distinct(n) AS d FROM (VALUES 1, 2, 2) AS t (n)"],
    );
    assert_eq!(out(&met), "d\n2\n");
    assert!(
        error(&met).starts_with("note: this differs from Athena: `approx_distinct`"),
        "{}",
        error(&met)
    );
}

#[test]
fn leniency_is_asked_for() {
    let home = tempfile::tempdir().unwrap();
    let sql =
        "SELECT n % 2 AS odd, count(*) AS c FROM (VALUES 1, 2, 3) AS t (n) GROUP BY odd ORDER BY 1";
    let strict = run(home.path(), &[sql]);
    assert_eq!(strict.status.code(), Some(3), "{strict:?}");
    assert_eq!(
        out(&run(home.path(), &[sql, "--lenient"])),
        "odd  c\n0    1\n1    2\n"
    );
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let home = tempfile::tempdir().unwrap();
    let sql = "SELECT n FROM UNNEST(sequence(1, 9000)) AS a (n) CROSS JOIN UNNEST(sequence(1, 100)) AS b (m)";
    for format in ["table", "csv", "json", "tsv", "markdown"] {
        let mut child = command(home.path(), &[sql, "--format", format])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut first = [0; 4];
        std::io::Read::read_exact(&mut child.stdout.take().unwrap(), &mut first).unwrap();
        let ended = child.wait_with_output().unwrap();
        assert!(ended.status.success(), "{format}: {ended:?}");
        assert_eq!(error(&ended), "", "{format}");
    }
}
