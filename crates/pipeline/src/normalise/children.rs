//! The tables below an offer: caps, the affiliates they name, payments.
//!
//! They are made from the merged offers, not from the input: so they always agree with the offers that
//! readers see, and a cap that vanished from an offer vanishes here. A value that does not fit its column
//! is null there and whole in `_extra`; the offer itself is not put aside for it.

use std::path::{Path, PathBuf};

use arrow::{
    array::{Array, AsArray},
    datatypes::{Int64Type, TimestampMicrosecondType},
    record_batch::RecordBatch,
};

use super::{
    contract::{self, COLLECTED_AT, SOURCE},
    decode::Decoder,
    json::{Cursor, Seen},
    part::{self, Layout, PartWriter, broken},
    plan::Plan,
    publish::existing,
    rows::Rows,
};
use crate::dataset::SilverTable;
use crate::jobs::{ErrorType, JobContext, JobError};
use crate::ports::PutCondition;

const CHILDREN: [SilverTable; 3] = [
    SilverTable::OfferCaps,
    SilverTable::OfferCapAffiliates,
    SilverTable::OfferPayments,
];

/// Makes the child tables from the stored offers, when the offers `changed` or a child table is missing.
///
/// # Errors
/// A storage error.
pub(super) async fn rebuild(
    ctx: &JobContext,
    folder: &Path,
    changed: bool,
) -> Result<(), JobError> {
    let store = &*ctx.lake.std;
    let mut missing = changed;
    for table in CHILDREN {
        missing = missing
            || existing(store, &table.part_key(None), folder.join("unused"))
                .await?
                .is_none();
    }
    let offers = existing(
        store,
        &SilverTable::Offers.part_key(None),
        folder.join("offers.parquet"),
    )
    .await?;
    let Some((offers, _)) = offers.filter(|_| missing) else {
        return Ok(());
    };
    let target = folder.to_owned();
    let made = tokio::task::spawn_blocking(move || make(&offers, &target)).await;
    let made = made.map_err(|why| {
        JobError::new(
            ErrorType::StorageError,
            format!("making the offers' tables stopped: {why}"),
        )
    })??;
    for (table, file) in CHILDREN.into_iter().zip(made) {
        store
            .put_file(&table.part_key(None), file, PutCondition::Always)
            .await?;
    }
    Ok(())
}

/// A child table under way. Its rows are held for one batch of offers.
struct Child<'l> {
    plan: &'l Plan,
    writer: PartWriter<'l>,
    path: PathBuf,
}

fn make(offers: &Path, folder: &Path) -> Result<Vec<PathBuf>, JobError> {
    let layouts = CHILDREN.map(Layout::new);
    let plans = CHILDREN.map(|table| Plan::new(contract::columns(table), None, true));
    let mut children = Vec::new();
    for (layout, plan) in layouts.iter().zip(&plans) {
        let path = folder.join(format!("{}.parquet", layout.table.short()));
        children.push(Child {
            plan,
            writer: PartWriter::create(layout, &path)?,
            path,
        });
    }
    let layout = Layout::new(SilverTable::Offers);
    let columns = [
        "id",
        "payments",
        "partner_payments",
        "caps",
        COLLECTED_AT,
        SOURCE,
    ];
    for batch in part::read(offers, &layout, Some(&columns), None)? {
        let batch = batch?;
        for row in 0..batch.num_rows() {
            add_offer(&batch, row, &mut children, &layouts)?;
        }
    }
    children
        .into_iter()
        .map(|child| child.writer.finish().map(|_| child.path))
        .collect()
}

fn add_offer(
    batch: &RecordBatch,
    row: usize,
    children: &mut [Child<'_>],
    layouts: &[Layout],
) -> Result<(), JobError> {
    let text = |name: &str| {
        let column = batch.column_by_name(name)?.as_string_opt::<i32>()?;
        column.is_valid(row).then(|| column.value(row))
    };
    let Some(offer) = batch
        .column_by_name("id")
        .map(|ids| ids.as_primitive::<Int64Type>().value(row))
    else {
        return Ok(());
    };
    let received = batch.column_by_name(COLLECTED_AT).map_or(0, |at| {
        at.as_primitive::<TimestampMicrosecondType>().value(row)
    });
    let mut rows: Vec<Rows> = children
        .iter()
        .map(|child| Rows::new(child.plan.columns))
        .collect();
    let [caps, affiliates, payments] = rows.as_mut_slice() else {
        return Ok(());
    };
    add_caps(
        text("caps").unwrap_or("[]"),
        offer,
        children[0].plan,
        caps,
        affiliates,
    );
    for list in ["payments", "partner_payments"] {
        add_payments(
            text(list).unwrap_or("[]"),
            offer,
            list,
            children[2].plan,
            payments,
        );
    }
    for ((child, rows), layout) in children.iter_mut().zip(rows).zip(layouts) {
        if rows.rows > 0 {
            let batch = rows.finish(&layout.schema, received, text(SOURCE).unwrap_or_default());
            child
                .writer
                .push(&batch.map_err(|why| broken("build rows of", &child.path, why))?)?;
        }
    }
    Ok(())
}

/// The elements of a JSON list, each as its text; nothing when it is no list.
fn elements(list: &str) -> Vec<&[u8]> {
    let mut cursor = Cursor::new(list.as_bytes());
    let mut found = Vec::new();
    cursor.space();
    if !cursor.take(b"[") {
        return found;
    }
    loop {
        cursor.space();
        match cursor.value(&mut Seen::default()) {
            Ok(element) => found.push(element),
            Err(_) => return found,
        }
        cursor.space();
        if !cursor.take(b",") {
            return found;
        }
    }
}

/// Decodes `element` into the open row and sets what its parent knows. An element that is no object
/// is a row of nulls with the element in `_extra`.
fn begin(element: &[u8], plan: &Plan, rows: &mut Rows) {
    let mut decoder = Decoder::new(plan);
    if decoder.decode_member(element, rows).is_err() {
        let extra = [b"{\"\":", element, b"}"].concat();
        rows.cells[plan.columns.len()].set_text(rows.rows, &extra);
    }
}

fn add_caps(list: &str, offer: i64, plan: &Plan, caps: &mut Rows, affiliates: &mut Rows) {
    for (position, element) in elements(list).into_iter().enumerate() {
        begin(element, plan, caps);
        caps.cells[0].set_whole(caps.rows, offer);
        caps.cells[1].set_whole(caps.rows, position as i64);
        let named = plan
            .columns
            .iter()
            .position(|column| column.name == "affiliates")
            .and_then(|at| caps.cells[at].text(caps.rows));
        let named = named
            .and_then(|text| std::str::from_utf8(text).ok())
            .unwrap_or("[]")
            .to_owned();
        caps.rows += 1;
        for affiliate in elements(&named) {
            let digits = affiliate
                .strip_prefix(b"\"")
                .and_then(|rest| rest.strip_suffix(b"\""))
                .unwrap_or(affiliate);
            let Ok(affiliate) = super::values::whole_number(digits) else {
                continue;
            };
            affiliates.cells[0].set_whole(affiliates.rows, offer);
            affiliates.cells[1].set_whole(affiliates.rows, position as i64);
            affiliates.cells[2].set_whole(affiliates.rows, affiliate);
            affiliates.rows += 1;
        }
    }
}

fn add_payments(list: &str, offer: i64, name: &str, plan: &Plan, payments: &mut Rows) {
    for (position, element) in elements(list).into_iter().enumerate() {
        begin(element, plan, payments);
        payments.cells[0].set_whole(payments.rows, offer);
        payments.cells[1].set_text(payments.rows, name.as_bytes());
        payments.cells[2].set_whole(payments.rows, position as i64);
        payments.rows += 1;
    }
}
