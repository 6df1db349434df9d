//! A small lake for tests: silver written straight from rows, and the report computed without SQL.

use std::{
    collections::{BTreeMap, HashMap},
    fs::File,
    path::Path,
    sync::{Arc, Mutex},
};

use arrow::{
    array::{
        ArrayRef, BooleanArray, Decimal128Array, Int64Array, StringArray,
        TimestampMicrosecondArray, new_null_array,
    },
    record_batch::RecordBatch,
    util::display::{ArrayFormatter, FormatOptions},
};
use futures::TryStreamExt;
use jiff::{Timestamp, civil::Date, tz::TimeZone};
use parquet::arrow::ArrowWriter;
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

use crate::{
    engine::{EngineSettings, LocalEngine},
    lake::LocalStore,
};
use lakehand_config::{AffiseSettings, GoldSettings, NormaliseSettings, PlatformKind, Profile};
use lakehand_pipeline::{
    dataset::SilverTable,
    jobs::{JobContext, JobLog, Level},
    normalise::contract,
    ports::{FixedClock, Lake, ParameterError, ParameterStore, QueryEngine},
};

/// A cent in silver's units of money.
const CENT: i128 = 10_000_000_000_000_000;

/// A click of silver.
#[derive(Debug, Clone)]
pub(crate) struct Click {
    pub(crate) day: Date,
    pub(crate) key: Key,
    pub(crate) uniq: Option<bool>,
}

/// What both facts are grouped by, but the day.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) affiliate: Option<i64>,
    pub(crate) offer: Option<i64>,
    /// country, sub5, sub6, os, os_version
    pub(crate) texts: [Option<String>; 5],
}

/// A version of a conversion.
#[derive(Debug, Clone)]
pub(crate) struct Conversion {
    pub(crate) id: String,
    pub(crate) day: Date,
    pub(crate) key: Key,
    pub(crate) updated_at: Option<i64>,
    pub(crate) collected_at: i64,
    pub(crate) status: &'static str,
    /// Cents.
    pub(crate) income: i128,
    pub(crate) payouts: i128,
}

/// A source of numbers that is the same on every machine.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }

    fn pick(&mut self, texts: &[Option<&str>]) -> Option<String> {
        let index = usize::try_from(self.roll(texts.len() as u64)).unwrap();
        texts[index].map(str::to_owned)
    }

    pub(crate) fn key(&mut self) -> Key {
        let number = |roll: u64| i64::try_from(roll).unwrap();
        Key {
            affiliate: Some(number(self.roll(4))).filter(|id| *id > 0),
            offer: Some(number(self.roll(4))).filter(|id| *id > 0),
            texts: [
                self.pick(&[None, Some("DE"), Some("US"), Some("XX")]),
                self.pick(&[None, Some("=1+1"), Some("a,\"b\"\nc"), Some("юникод 🚀")]),
                self.pick(&[None, Some("NULL")]),
                self.pick(&[None, Some("iOS"), Some("Android")]),
                self.pick(&[None, Some("17.1")]),
            ],
        }
    }
}

/// The facts of a lake.
#[derive(Debug, Clone, Default)]
pub(crate) struct Facts {
    pub(crate) clicks: Vec<Click>,
    pub(crate) conversions: Vec<Conversion>,
}

/// Days of the generated facts: the last two lie outside the window of the tests.
pub(crate) const DAYS: i64 = 6;

pub(crate) fn day(index: i64) -> Date {
    Date::constant(2026, 1, 1)
        .checked_add(jiff::Span::new().days(index))
        .unwrap()
}

impl Facts {
    /// Facts with few values, so that keys meet, versions move between days and nulls are common.
    pub(crate) fn random(seed: u64) -> Self {
        let mut dice = Dice(seed);
        let any_day = |dice: &mut Dice| day(i64::try_from(dice.roll(6)).unwrap());
        let clicks = (0..300)
            .map(|_| Click {
                day: any_day(&mut dice),
                key: dice.key(),
                uniq: [None, Some(true), Some(false)][usize::try_from(dice.roll(3)).unwrap()],
            })
            .collect();
        let conversions = (0..200)
            .map(|_| {
                let (income, share) = (i128::from(dice.roll(10_000)), i128::from(dice.roll(100)));
                Conversion {
                    id: format!("c{}", dice.roll(120)),
                    day: any_day(&mut dice),
                    key: dice.key(),
                    updated_at: Some(i64::try_from(dice.roll(3)).unwrap()).filter(|at| *at > 0),
                    collected_at: i64::try_from(dice.roll(3)).unwrap(),
                    status: ["confirmed", "declined", "pending", "hold"]
                        [usize::try_from(dice.roll(4)).unwrap()],
                    income,
                    payouts: income * share / 100,
                }
            })
            .collect();
        let mut facts = Self {
            clicks,
            conversions,
        };
        // Normalising leaves one version of a conversion in a day.
        let mut seen = HashMap::new();
        for conversion in std::mem::take(&mut facts.conversions) {
            seen.insert((conversion.id.clone(), conversion.day), conversion);
        }
        facts.conversions = seen.into_values().collect();
        facts
            .conversions
            .sort_by(|a, b| (&a.id, a.day).cmp(&(&b.id, b.day)));
        facts
    }

    /// Puts the facts into silver, each day as a whole; days without facts lose their file.
    pub(crate) fn write(&self, std_dir: &Path) {
        for index in 0..DAYS {
            let day = day(index);
            let clicks: Vec<_> = self
                .clicks
                .iter()
                .filter(|click| click.day == day)
                .collect();
            let conversions: Vec<_> = self
                .conversions
                .iter()
                .filter(|conversion| conversion.day == day)
                .collect();
            write_table(
                std_dir,
                SilverTable::Clicks,
                Some(day),
                clicks.len(),
                click_columns(&clicks),
            );
            write_table(
                std_dir,
                SilverTable::Conversions,
                Some(day),
                conversions.len(),
                conversion_columns(&conversions),
            );
        }
    }

    /// The newest version of each conversion.
    fn newest(&self) -> Vec<&Conversion> {
        let mut newest: HashMap<&str, &Conversion> = HashMap::new();
        for next in &self.conversions {
            let version = |c: &Conversion| (c.updated_at.unwrap_or(0), c.collected_at, c.day);
            let known = newest.entry(&next.id).or_insert(next);
            if version(next) > version(known) {
                *known = next;
            }
        }
        newest.into_values().collect()
    }

    /// The report of the days, computed row by row: column texts as Arrow prints them, in table order.
    pub(crate) fn report(&self, from: Date, to: Date) -> Vec<Vec<String>> {
        let mut totals: BTreeMap<(Date, Key), [i128; 9]> = BTreeMap::new();
        let inside = |day: Date| from <= day && day <= to;
        for click in self.clicks.iter().filter(|click| inside(click.day)) {
            let total = totals.entry((click.day, click.key.clone())).or_default();
            total[0] += 1;
            total[1] += i128::from(click.uniq == Some(true));
        }
        for conversion in self
            .newest()
            .into_iter()
            .filter(|conversion| inside(conversion.day))
        {
            let total = totals
                .entry((conversion.day, conversion.key.clone()))
                .or_default();
            let (confirmed, declined) = (
                i128::from(conversion.status == "confirmed"),
                i128::from(conversion.status == "declined"),
            );
            let parts = [
                0,
                0,
                conversion.income - conversion.payouts,
                confirmed,
                conversion.payouts,
                confirmed * conversion.income,
                declined * conversion.income,
                confirmed,
                declined,
            ];
            total
                .iter_mut()
                .zip(parts)
                .for_each(|(sum, part)| *sum += part);
        }
        totals
            .iter()
            .map(|((day, key), total)| report_row(*day, key, total))
            .collect()
    }
}

fn money(cents: i128) -> String {
    format!("{}.{:02}0000000000000000", cents / 100, cents % 100)
}

fn report_row(day: Date, key: &Key, total: &[i128; 9]) -> Vec<String> {
    let text = |value: Option<&str>| value.map_or_else(|| "NULL".to_owned(), str::to_owned);
    let number =
        |value: Option<i64>| value.map_or_else(|| "NULL".to_owned(), |value| value.to_string());
    // Affiliate 1 and offer 1 have everything; 2 lacks names of people; 3 is in no dimension.
    let affiliate = match key.affiliate {
        Some(1) => [Some("Aff, \"One\""), Some("Ann Lee")],
        Some(2) => [Some("Aff Two"), None],
        _ => [None, None],
    };
    let offer = match key.offer {
        Some(1) => [
            Some("Adv One"),
            Some("Bob"),
            Some("Offer One"),
            Some("active"),
            Some("public"),
        ],
        Some(2) => [None, None, Some("Offer Two"), Some("stopped"), None],
        _ => [None; 5],
    };
    let region = match key.texts[0].as_deref() {
        Some("DE") => Some("Europe"),
        Some("US") => Some("North America"),
        _ => None,
    };
    let mut row = vec![day.to_string(), number(key.affiliate)];
    row.extend(affiliate.into_iter().chain(offer).map(text));
    row.push(number(key.offer));
    row.extend(key.texts.iter().map(|value| text(value.as_deref())));
    let [
        clicks,
        hosts,
        earnings,
        approved,
        payouts,
        approved_revenue,
        declined_revenue,
        confirmed,
        declined,
    ] = *total;
    row.extend([
        clicks.to_string(),
        hosts.to_string(),
        money(earnings),
        approved.to_string(),
        money(payouts),
    ]);
    row.extend([
        money(approved_revenue),
        money(declined_revenue),
        confirmed.to_string(),
        declined.to_string(),
        text(region),
    ]);
    row
}

pub(crate) type Columns = Vec<(&'static str, ArrayRef)>;

pub(crate) fn texts<'a>(values: impl Iterator<Item = Option<&'a str>>) -> ArrayRef {
    Arc::new(values.collect::<StringArray>())
}

fn key_columns<'a>(keys: impl Iterator<Item = &'a Key> + Clone) -> Columns {
    let text = |index: usize| texts(keys.clone().map(|key| key.texts[index].as_deref()));
    vec![
        (
            "partner_id",
            Arc::new(
                keys.clone()
                    .map(|key| key.affiliate)
                    .collect::<Int64Array>(),
            ) as ArrayRef,
        ),
        (
            "offer__id",
            Arc::new(keys.clone().map(|key| key.offer).collect::<Int64Array>()),
        ),
        ("country", text(0)),
        ("sub5", text(1)),
        ("sub6", text(2)),
        ("os", text(3)),
        ("os_version", text(4)),
    ]
}

pub(crate) fn instants(values: impl Iterator<Item = Option<i64>>) -> ArrayRef {
    Arc::new(
        values
            .map(|seconds| seconds.map(|seconds| seconds * 1_000_000))
            .collect::<TimestampMicrosecondArray>(),
    )
}

fn click_columns(clicks: &[&Click]) -> Columns {
    let mut columns = key_columns(clicks.iter().map(|click| &click.key));
    let ids: Vec<String> = (0..clicks.len()).map(|index| format!("k{index}")).collect();
    columns.push(("id", texts(ids.iter().map(|id| Some(id.as_str())))));
    columns.push((
        "uniq",
        Arc::new(
            clicks
                .iter()
                .map(|click| click.uniq)
                .collect::<BooleanArray>(),
        ),
    ));
    columns
}

fn conversion_columns(conversions: &[&Conversion]) -> Columns {
    let mut columns = key_columns(conversions.iter().map(|conversion| &conversion.key));
    let amounts = |amount: fn(&Conversion) -> i128| -> ArrayRef {
        let values: Decimal128Array = conversions
            .iter()
            .map(|conversion| Some(amount(conversion) * CENT))
            .collect();
        Arc::new(
            values
                .with_precision_and_scale(contract::MONEY_PRECISION, contract::MONEY_SCALE)
                .unwrap(),
        )
    };
    columns.push((
        "id",
        texts(
            conversions
                .iter()
                .map(|conversion| Some(conversion.id.as_str())),
        ),
    ));
    columns.push((
        "status",
        texts(conversions.iter().map(|conversion| Some(conversion.status))),
    ));
    columns.push((
        "updated_at",
        instants(conversions.iter().map(|conversion| conversion.updated_at)),
    ));
    columns.push((
        contract::COLLECTED_AT,
        instants(
            conversions
                .iter()
                .map(|conversion| Some(conversion.collected_at)),
        ),
    ));
    columns.push(("income", amounts(|conversion| conversion.income)));
    columns.push(("payouts", amounts(|conversion| conversion.payouts)));
    columns.push((
        "earnings",
        amounts(|conversion| conversion.income - conversion.payouts),
    ));
    columns
}

/// Writes a partition of silver; columns that are not given are null, or something where they may not be.
pub(crate) fn write_table(
    std_dir: &Path,
    table: SilverTable,
    day: Option<Date>,
    rows: usize,
    given: Columns,
) {
    let file = std_dir.join(table.part_key(day));
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    if rows == 0 {
        let _ = std::fs::remove_file(file);
        return;
    }
    let schema = contract::schema(table);
    let columns = schema.fields().iter().map(|field| {
        match given.iter().find(|(name, _)| name == field.name()) {
            Some((_, column)) => Arc::clone(column),
            None if field.is_nullable() => new_null_array(field.data_type(), rows),
            None if *field.data_type() == arrow::datatypes::DataType::Utf8 => {
                texts((0..rows).map(|_| Some("x")))
            }
            None => instants((0..rows).map(|_| Some(0))),
        }
    });
    let batch = RecordBatch::try_new(Arc::clone(&schema), columns.collect()).unwrap();
    let mut writer = ArrowWriter::try_new(File::create(file).unwrap(), schema, None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

/// Two affiliates, two offers and one advertiser; affiliate 1 twice, its older row with another name.
fn write_dimensions(std_dir: &Path) {
    let ints = |values: &[i64]| Arc::new(Int64Array::from(values.to_vec())) as ArrayRef;
    let words = |values: &[Option<&str>]| texts(values.iter().copied());
    let affiliates = vec![
        ("id", ints(&[1, 1, 2])),
        (
            "title",
            words(&[Some("old name"), Some("Aff, \"One\""), Some("Aff Two")]),
        ),
        (
            "manager__first_name",
            words(&[Some("Old"), Some("Ann"), None]),
        ),
        ("manager__last_name", words(&[None, Some("Lee"), Some("")])),
        (
            contract::COLLECTED_AT,
            instants([Some(0), Some(9), Some(0)].into_iter()),
        ),
    ];
    write_table(std_dir, SilverTable::Affiliates, None, 3, affiliates);
    let offers = vec![
        ("id", ints(&[1, 2])),
        ("title", words(&[Some("Offer One"), Some("Offer Two")])),
        ("status", words(&[Some("active"), Some("stopped")])),
        ("privacy", words(&[Some("public"), None])),
        ("advertiser", words(&[Some("adv1"), Some("gone")])),
    ];
    write_table(std_dir, SilverTable::Offers, None, 2, offers);
    let advertisers = vec![
        ("id", words(&[Some("adv1")])),
        ("title", words(&[Some("Adv One")])),
        ("manager_obj__first_name", words(&[Some("Bob")])),
    ];
    write_table(std_dir, SilverTable::Advertisers, None, 1, advertisers);
}

/// Keeps every line.
#[derive(Debug, Default)]
pub(crate) struct Lines(pub(crate) Mutex<Vec<String>>);

#[async_trait::async_trait]
impl JobLog for Lines {
    fn line(&self, _: Level, message: &str) {
        self.0.lock().unwrap().push(message.to_owned());
    }

    fn progress(&self, _: &str) {}
}

#[derive(Debug)]
struct NoParameters;

#[async_trait::async_trait]
impl ParameterStore for NoParameters {
    async fn get(&self, path: &str) -> Result<SecretString, ParameterError> {
        Err(ParameterError::Missing {
            path: path.to_owned(),
        })
    }

    async fn put(&self, path: &str, _: SecretString) -> Result<u64, ParameterError> {
        Err(ParameterError::Missing {
            path: path.to_owned(),
        })
    }
}

/// The profile of a lake in `folder`.
pub(crate) fn profile(folder: &Path) -> Profile {
    Profile {
        name: "test".to_owned(),
        platform: PlatformKind::Local,
        project: "lakehand".to_owned(),
        env: "test".to_owned(),
        time_zone: TimeZone::get("Europe/Berlin").unwrap(),
        data_dir: folder.to_owned(),
        affise: AffiseSettings::default(),
        marketo: None,
        ga4: None,
        ga3: None,
        normalise: NormaliseSettings::default(),
        gold: GoldSettings::default(),
        credentials: lakehand_config::CredentialSettings::default(),
        datamart: lakehand_config::DatamartSettings::default(),
        schedules: Vec::new(),
        reports_prefix: None,
        read_only: false,
        protected: false,
        aws: <_>::default(),
    }
}

/// A lake in a folder that goes away with it.
pub(crate) struct TestLake {
    folder: tempfile::TempDir,
    pub(crate) context: JobContext,
    pub(crate) log: Arc<Lines>,
}

impl TestLake {
    pub(crate) fn new(execution: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let profile = profile(folder.path());
        write_dimensions(&profile.std_dir());
        let settings = EngineSettings {
            threads: 2,
            ..EngineSettings::for_profile(&profile)
        };
        let log = Arc::new(Lines::default());
        let now: Timestamp = "2026-01-31T08:05:00Z".parse().unwrap();
        let context = JobContext {
            lake: Lake {
                raw: Arc::new(LocalStore::open(profile.raw_dir()).unwrap()),
                std: Arc::new(LocalStore::open(profile.std_dir()).unwrap()),
            },
            profile: Arc::new(profile),
            parameters: Arc::new(NoParameters),
            engine: Arc::new(LocalEngine::new(&settings).unwrap()),
            clock: Arc::new(FixedClock(now)),
            log: Arc::clone(&log) as Arc<dyn JobLog>,
            cancel: CancellationToken::new(),
            execution: execution.to_owned(),
        };
        Self {
            folder,
            context,
            log,
        }
    }

    pub(crate) fn std_dir(&self) -> std::path::PathBuf {
        self.folder.path().join("std")
    }

    /// The same lake as another execution sees it.
    pub(crate) fn as_execution(&self, execution: &str) -> JobContext {
        JobContext {
            execution: execution.to_owned(),
            ..self.context.clone()
        }
    }

    /// All rows of a query as texts, sorted.
    pub(crate) async fn rows(&self, sql: &str) -> Vec<Vec<String>> {
        let mut rows = query(self.context.engine.as_ref(), sql).await;
        rows.sort();
        rows
    }

    /// The rows of the report table between two days, sorted.
    pub(crate) async fn report(&self, from: Date, to: Date) -> Vec<Vec<String>> {
        self.rows(&format!(
            "SELECT * FROM daily_report_sub5 WHERE datestamp BETWEEN date '{from}' AND date '{to}'"
        ))
        .await
    }
}

/// All rows of a query as texts, in order.
pub(crate) async fn query(engine: &dyn QueryEngine, sql: &str) -> Vec<Vec<String>> {
    let rows = engine.query(sql, &CancellationToken::new()).await.unwrap();
    let batches: Vec<RecordBatch> = rows.batches.try_collect().await.unwrap();
    let options = FormatOptions::default().with_null("NULL");
    let mut out = Vec::new();
    for batch in &batches {
        let columns: Vec<_> = batch
            .columns()
            .iter()
            .map(|column| ArrayFormatter::try_new(column, &options).unwrap())
            .collect();
        out.extend((0..batch.num_rows()).map(|row| {
            columns
                .iter()
                .map(|column| column.value(row).to_string())
                .collect()
        }));
    }
    out
}
