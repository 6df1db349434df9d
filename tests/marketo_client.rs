//! An independent client against the simulator: `marketorestpython`, as PyPI has it.
//!
//! The virtual environment is made below `target/`, once for all runs. Nothing of the client is changed
//! but the address it talks to, which it would otherwise make from the munchkin id.

#![cfg(feature = "simulator")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/python.rs"]
mod python_environment;

use std::{collections::BTreeSet, process::Command, time::Duration};

use lakehand::simulator::{
    self, Options,
    marketo::{DEMO_CLIENT_ID, DEMO_CLIENT_SECRET, DEMO_MUNCHKIN_ID, MarketoOptions},
};
use python_environment::python;
use serde_json::Value;

/// The activity type Delete Lead.
const DELETE_LEAD: i64 = 37;
const CLIENT: &str = "marketorestpython==0.5.25";

/// What the client does, and what it says it got, as JSON.
const SCRIPT: &str = r#"
import csv, hashlib, io, json, sys, time
from marketorestpython.client import MarketoClient

base_url, munchkin, client_id, client_secret, lead_ids = sys.argv[1:6]
client = MarketoClient(munchkin, client_id, client_secret, api_limit=None, max_retry_time=10)
client.host = base_url
got = {}

client.authenticate()
got['token_type'], got['scope'] = client.token_type, client.scope
got['expires_in'] = client.expires_in
types = client.execute(method='get_activity_types')
got['types'] = {str(kind['id']): [a['name'] for a in kind['attributes']] for kind in types}

ids = [str(kind['id']) for kind in types]
got['activities'] = {}
for start in range(0, len(ids), 10):
    rows = client.execute(method='get_lead_activities', activityTypeIds=ids[start:start + 10],
                          sinceDatetime='2026-01-25T00:00:00Z', batchSize=300)
    for row in rows:
        got['activities'][row['marketoGUID']] = [row['leadId'], row['activityTypeId'],
            row.get('primaryAttributeValue'), {a['name']: a['value'] for a in row['attributes']}]

leads = client.execute(method='get_multiple_leads_by_filter_type', filterType='id',
                       filterValues=lead_ids.split(','), fields=['email', 'utmCampaign', 'leadScore'], batchSize=100)
got['leads'] = {str(row['id']): row for row in leads}
got['fields'] = [field['rest']['name'] for field in client.execute(method='describe') if 'rest' in field]
got['usage'] = client.execute(method='get_daily_usage')[0]['total']

def export(kind, *args):
    job = getattr(client, 'create_%s_export_job' % kind)(*args)[0]
    getattr(client, 'enqueue_%s_export_job' % kind)(job['exportId'])
    for _ in range(100):
        status = getattr(client, 'get_%s_export_job_status' % kind)(job['exportId'])[0]
        if status['status'] == 'Completed':
            break
        time.sleep(0.1)
    content = getattr(client, 'get_%s_export_job_file' % kind)(job['exportId'])
    checksum = 'sha256:' + hashlib.sha256(content).hexdigest()
    # Python's reader ends lines at a bare CR, which the files have inside cells.
    text = content.decode('utf-8').replace('\r', '\\r').replace('\0', '\\0')
    rows = list(csv.DictReader(io.StringIO(text, newline='')))
    return {'checksum': [checksum, status['fileChecksum']], 'size': [len(content), status['fileSize']],
            'records': [len(rows), status['numberOfRecords']], 'rows': rows}

window = {'startAt': '2026-01-25T00:00:00Z', 'endAt': '2026-01-31T23:59:59Z'}
activities = export('activities', None, {'createdAt': window})
attributes = {row['marketoGUID']: json.loads(row.pop('attributes').replace('\\r', '\r').replace('\\0', '\0'), strict=False)
              for row in activities['rows']}
activities['rows'] = attributes
got['activity_export'] = activities
leads = export('leads', ['id', 'email', 'utmCampaign'], {'createdAt': {'startAt': '2026-01-01T00:00:00Z', 'endAt': '2026-01-31T23:59:59Z'}})
leads['rows'] = {row['id']: row['utmCampaign'] for row in leads['rows']}
got['lead_export'] = leads
got['jobs'] = [job['status'] for job in client.get_leads_export_jobs_list()]

job = client.create_leads_export_job(['id'], {'createdAt': window})[0]
got['cancelled'] = client.cancel_leads_export_job(job['exportId'])[0]['status']
try:
    client.execute(method='get_multiple_leads_by_filter_type', filterType='nosuch', filterValues=['1'])
except Exception as error:
    got['refused'] = error.args[0]['code']
wrong = MarketoClient(munchkin, client_id, 'wrong', max_retry_time=1)
wrong.host = base_url
try:
    wrong.execute(method='get_activity_types')
except Exception as error:
    got['wrong'] = str(error)
print(json.dumps(got))
"#;

#[tokio::test(flavor = "multi_thread")]
async fn the_client_reads_everything_it_knows_of() {
    let options = Options {
        scale: 4_000,
        seed: 5,
        marketo: MarketoOptions {
            status_refresh: Duration::ZERO,
            export_time: Duration::from_millis(200),
            ..MarketoOptions::default()
        },
        ..Options::new(jiff::civil::date(2026, 1, 31))
    };
    let simulator = simulator::start(options).await.unwrap();
    let truth = simulator.marketo_truth();
    let lead_ids: Vec<String> = truth
        .leads
        .keys()
        .take(150)
        .map(ToString::to_string)
        .collect();
    let base_url = simulator.base_url();
    let ids = lead_ids.join(",");
    let client = tokio::task::spawn_blocking(move || {
        let arguments = [
            base_url.as_str(),
            DEMO_MUNCHKIN_ID,
            DEMO_CLIENT_ID,
            DEMO_CLIENT_SECRET,
            &ids,
        ];
        Command::new(python("marketo-client", &[CLIENT]))
            .arg("-c")
            .arg(SCRIPT)
            .args(arguments)
            .output()
            .unwrap()
    });
    let done = client.await.unwrap();
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    let got: Value = serde_json::from_slice(&done.stdout).unwrap();

    assert_eq!(got["token_type"], "bearer");
    assert!(got["expires_in"].as_u64().unwrap() > 3_500);
    assert_eq!(got["types"].as_object().unwrap().len(), 19);
    assert!(
        got["types"]["11"]
            .as_array()
            .unwrap()
            .contains(&"Link".into())
    );

    let since = 1_769_299_200;
    let expected: Vec<_> = truth
        .activities
        .iter()
        .filter(|activity| activity.at >= since)
        .collect();
    assert!(expected.len() > 300, "{}", expected.len());
    let paged = got["activities"].as_object().unwrap();
    let exported = got["activity_export"]["rows"].as_object().unwrap();
    // A bulk export of activities leaves deletions of leads out.
    let deletions = expected
        .iter()
        .filter(|activity| activity.type_id == DELETE_LEAD)
        .count();
    assert!(deletions > 0);
    assert_eq!(
        (paged.len(), exported.len()),
        (expected.len(), expected.len() - deletions)
    );
    for activity in &expected {
        let attributes: Value = activity
            .attributes
            .iter()
            .cloned()
            .collect::<serde_json::Map<_, _>>()
            .into();
        let row = serde_json::json!([
            activity.lead,
            activity.type_id,
            activity.primary,
            attributes
        ]);
        assert_eq!(paged[&activity.guid], row);
        match activity.type_id {
            DELETE_LEAD => assert!(!exported.contains_key(&activity.guid)),
            _ => assert_eq!(exported[&activity.guid], attributes),
        }
    }

    let leads = got["leads"].as_object().unwrap();
    assert_eq!(leads.len(), 150);
    for (id, row) in leads {
        let lead = &truth.leads[&id.parse::<i64>().unwrap()];
        assert_eq!(row["utmCampaign"].as_str(), lead.campaign());
        assert_eq!(Some(&row["leadScore"]), lead.values.get("leadScore"));
    }
    assert!(
        got["fields"]
            .as_array()
            .unwrap()
            .contains(&"utmCampaign".into())
    );
    assert!(got["usage"].as_u64().unwrap() > 5);

    for export in ["activity_export", "lead_export"] {
        for pair in ["checksum", "size", "records"] {
            assert_eq!(
                got[export][pair][0], got[export][pair][1],
                "{export} {pair}"
            );
        }
    }
    let made: BTreeSet<String> = truth
        .leads
        .values()
        .filter(|lead| lead.created >= 1_767_225_600 && !truth.gone.contains_key(&lead.id))
        .map(|lead| lead.id.to_string())
        .collect();
    let rows = got["lead_export"]["rows"].as_object().unwrap();
    assert_eq!(rows.keys().cloned().collect::<BTreeSet<_>>(), made);
    for (id, campaign) in rows {
        let known = truth.leads[&id.parse::<i64>().unwrap()]
            .campaign()
            .unwrap_or("null");
        assert_eq!(campaign, known);
    }
    assert_eq!(got["jobs"], serde_json::json!(["Completed"]));
    assert_eq!(got["cancelled"], "Cancelled");
    assert_eq!(got["refused"], "1011");
    assert_eq!(got["wrong"], "Bad client credentials");
}
