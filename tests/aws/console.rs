//! The console's screens on an AWS profile, driven by keys against the emulator. The clock is the script's, the calls are
//! real ones.

use std::{sync::Arc, time::Duration};

use lakehand::ops::Operations;
use serde_json::json;

use super::{
    desk::{Desk, ROLE, reads_parameter, start},
    proxy::Fault,
    script::Script,
};

/// How long the emulator may take for what a script waits for.
const PATIENCE: Duration = Duration::from_secs(30);

/// Something on every screen: a failed run, a crawler, a report, a workgroup.
async fn furnished(name: &str, aws: &str) -> Desk {
    let desk = Desk::new(name, aws).await;
    desk.account.workgroup().await;
    desk.machine("datamart", &super::desk::waits(0)).await;
    desk.machine("daily-report", &reads_parameter(&format!("/{name}/late")))
        .await;
    let target = format!("s3://{}/silver/affise/", desk.account.profile.std_bucket());
    let crawler = json!({ "Name": format!("{name}-test-affise"), "Role": ROLE, "DatabaseName": "x", "Targets": { "S3Targets": [{ "Path": target }] } });
    desk.glue("CreateCrawler", crawler).await;
    let id = desk
        .operations()
        .start(start("daily-report", Some("at-night-4711")))
        .await
        .unwrap();
    desk.ended(&id).await;
    desk
}

/// Runs a script on a thread of its own: the driver has its own runtime.
async fn script(
    operations: Arc<dyn Operations>,
    script: impl FnOnce(&mut Script) + Send + 'static,
) {
    let run = move || script(&mut Script::over(operations));
    tokio::task::spawn_blocking(run).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_run_is_found_explained_and_redriven_by_keys() {
    let desk = furnished("co-run", "").await;
    desk.parameter("/co-run/late").await;
    script(desk.operations(), |script| {
        script
            .see("daily-report")
            .see("at-night-4711")
            .see("co-run · eu-west-1 · 123456789012");
        script.press("<enter>").see("ParameterNotFound").see("Read");
        script
            .press("D")
            .see("Redrive this execution?")
            .see("Runs again")
            .see("Read");
        script
            .wait(400)
            .press("y")
            .until("✓ OK  daily-report", PATIENCE);
        script
            .press("1")
            .until("✓ OK", PATIENCE)
            .not_see("ParameterNotFound");
    })
    .await;
    let id = "daily-report:at-night-4711".into();
    let detail = desk.operations().execution(&id, 0).await.unwrap();
    assert_eq!(detail.summary.redrives, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_screen_shows_what_the_account_holds() {
    let desk = furnished("co-all", "").await;
    let proxy = desk.account.proxy.clone();
    script(desk.operations(), move |script| {
        script
            .press("4")
            .wait(1_000)
            .see("co-all-test-affise")
            .see("affise.clicks");
        script.press("5").wait(1_000).not_see("cannot be read");
        script.press("6").wait(1_000).see("no report");
        script.press("8").wait(1_000).see("MISSING");
        script.press("!").see("lakehand status");
        proxy.fault(
            "ListExecutions",
            1,
            Fault::Refuse(400, "ThrottlingException"),
        );
        script.press("1").press("r").see("THROTTLED").see("STALE");
        script.press("r").see("THROTTLED").not_see("STALE");
        script
            .press("!")
            .see("calls to AWS")
            .see("states:ListExecutions");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_protected_profile_asks_for_its_name_and_only_then_changes() {
    let desk = furnished("co-guard", "").await;
    let operations = desk.as_profile(|profile| profile.protected = true).await;
    let before = desk.account.proxy.seen("RedriveExecution").len();
    let proxy = desk.account.proxy.clone();
    script(operations, move |script| {
        script.see("PROTECTED");
        script
            .press("<enter>")
            .press("D")
            .wait(400)
            .press("y")
            .see("Change something in a protected profile?");
        script.press("guard<esc>").wait(1_000);
        assert_eq!(
            proxy.seen("RedriveExecution").len(),
            before,
            "half of the name is not enough"
        );
        script
            .press("D")
            .wait(400)
            .press("y")
            .see("Type the name")
            .press("co-guard<enter>")
            .wait(1_000);
        assert_eq!(proxy.seen("RedriveExecution").len(), before + 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn expired_credentials_make_one_banner_and_silence_until_somebody_signs_in() {
    let desk = furnished("co-login", "login_command = \"aws-vault login prod\"\n").await;
    let proxy = desk.account.proxy.clone();
    script(desk.operations(), move |script| {
        script.see("at-night-4711");
        // Everything is refused from now on, for as long as anybody asks.
        proxy.fault(
            "POST / ",
            1_000,
            Fault::Refuse(400, "ExpiredTokenException"),
        );
        script
            .press("r")
            .see("Your AWS credentials do not work any more")
            .see("aws-vault login prod");
        script.see("at-night-4711").see("STALE");
        let asked = proxy.seen("POST / ").len();
        let polled = proxy.seen("AWSStepFunctions").len();
        script.wait(600_000);
        assert_eq!(
            proxy.seen("AWSStepFunctions").len(),
            polled,
            "nothing is polled meanwhile"
        );
        // Once a minute it is asked whether they work again.
        let looked = proxy.seen("POST / ").len() - asked;
        assert!((8..=11).contains(&looked), "{looked}");
        proxy.clear();
        script.press("L").wait(1_000);
        assert!(
            script
                .0
                .terminal()
                .contains(&"run aws-vault login prod".to_owned()),
            "{:?}",
            script.0.terminal()
        );
        script.not_see("do not work any more").not_see("STALE");
        assert!(proxy.seen("AWSStepFunctions").len() > polled);
        script.wait(30_000);
    })
    .await;
}
