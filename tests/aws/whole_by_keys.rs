//! The way of a first day in the console, key by key, on a deployment of its own: credentials set, a collection, a
//! report and the datamart started and watched, crawlers, statements and the report read.
//!
//! `whole.rs` walks the same way by the command line and compares what comes out; what is proved here is that nothing on
//! that way needs a shell. The clock is the script's, calls and functions are real ones.

#![cfg(all(feature = "simulator", feature = "console", feature = "lambda"))]

use std::{sync::Arc, time::Duration};

use lakehand::{
    config::{Config, Home},
    ops::Operations,
    platform::aws::Platform,
    simulator::{self, RunningSimulator},
};
use secrecy::ExposeSecret;

use super::{
    account::sdk,
    deploy::Site,
    script::Script,
    whole::{deployed, simulated, sources},
};

/// How long a workflow may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(180);

fn operations(site: &Site) -> Arc<dyn Operations> {
    let home = Home::below(site.home.path());
    let text = std::fs::read_to_string(site.home.path().join("config.toml")).unwrap();
    let config = Config::parse(&text, &home).unwrap();
    let mut profile = config.profile(Some("cloud")).unwrap().clone();
    profile.aws.endpoint_url = Some(site.emulator.url.clone());
    let opening = Platform::open_with(Arc::new(profile), sdk());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(opening).unwrap().operations()
}

/// Starts a workflow over the last week of January by the form, and watches it to its end.
fn runs(script: &mut Script, workflow: &str) {
    script.press("1T").see("Start a workflow");
    // The form begins with the workflow of the selected execution.
    while !script.0.screen().contains(&format!("‹ {workflow} ›")) {
        script.press("<right>").not_see("‹ scheduled ›");
    }
    script
        .press("<tab><^u>2026-01-24<tab><^u>2026-01-31")
        .see(&format!(
            "lakehand run {workflow} --from 2026-01-24 --to 2026-01-31"
        ))
        .press("<tab><enter>")
        .see(workflow)
        .until(&format!("✓ OK  {workflow}"), PATIENCE);
}

fn credentials(script: &mut Script, simulator: &RunningSimulator) {
    script
        .press("8")
        .wait(1_000)
        .see("Credentials of cloud")
        .see("✗ MISSING");
    let set = |script: &mut Script, path: &str, value: &str, how: &str| {
        script
            .press(&format!("g/{path}<enter>S"))
            .see(&format!("Set {path}"))
            .wait(400)
            .paste(value)
            .press(how)
            .see(&format!("{path} is set, version 1"))
            .not_see(value);
    };
    // A wrong key is tried first, and is not stored.
    script
        .press("g/ApiKey<enter>S")
        .wait(400)
        .paste("0123456789abcdef0123456789abcdef")
        .press("<tab> <tab><tab><enter>")
        .see("nothing was stored")
        .press("<esc>");
    let signing_in = "<tab> <tab><tab><enter>";
    let at_once = "<tab><tab><tab><enter>";
    set(
        script,
        "/affise/ApiKey",
        simulator::DEMO_API_KEY,
        signing_in,
    );
    set(
        script,
        "/marketo/ClientId",
        simulator::marketo::DEMO_CLIENT_ID,
        at_once,
    );
    set(
        script,
        "/marketo/ClientSecret",
        simulator::marketo::DEMO_CLIENT_SECRET,
        at_once,
    );
    let key = simulator.service_account_key();
    set(
        script,
        "/google/ServiceAccountKey",
        key.expose_secret(),
        signing_in,
    );
    script.press("r").wait(1_000).not_see("✗ MISSING");
}

fn looked_at(script: &mut Script, site: &Site) {
    script.press("1").wait(1_000);
    for workflow in ["✓ collect", "✓ daily-report", "✓ datamart"] {
        script.see(workflow);
    }
    script
        .press("4")
        .wait(1_000)
        .see("adverts-bykeys-silver")
        .see("adverts-bykeys-ga");
    script
        .press("5")
        .wait(2_000)
        .see("marketing_datamart, a table: ")
        .see("✓ current");
    script.press("<tab>").wait(2_000).see("✓ done").see("MERGE");
    script
        .press("/MERGE INTO<enter><enter>")
        .see("MERGE INTO")
        .press("<esc>");
    let report = site.run(&["reports", "get", "latest"]);
    let rows = String::from_utf8(report.stdout).unwrap().lines().count() - 1;
    script
        .press("6")
        .wait(1_000)
        .see("sub5")
        .press("<enter>")
        .wait(1_000)
        .see("affiliate_manager")
        .see(&format!("row 1 of {rows}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_day_by_keys_ends_with_a_report_on_the_screen() {
    let simulator = simulated(600).await;
    let by_keys = move || {
        // Parameters of its own: another deployment's lie in the same account.
        let own = "[profiles.cloud.aws]\nparameter_prefix = \"/bykeys\"\n";
        let settings = sources("cloud", &simulator.base_url()) + own;
        let site = Site::new("bykeys", &settings);
        deployed(&site);
        let mut script = Script::over(operations(&site));
        credentials(&mut script, &simulator);
        for workflow in ["collect", "daily-report", "datamart"] {
            runs(&mut script, workflow);
        }
        looked_at(&mut script, &site);
    };
    tokio::task::spawn_blocking(by_keys).await.unwrap();
}
