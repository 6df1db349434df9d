"""What others read of a deployed lake, compared with what our program says of the same days.

usage: python other_readers.py DATABASE LAKEHAND        (prints one JSON document, or fails with the difference)

awswrangler goes the way of a notebook: Glue's entry of a table, then its files in S3. pyiceberg loads the gold tables from
the same catalog, and takes our silver files into a table of its own. The other side of each comparison is LAKEHAND with
the profile `local`, which collected the same sources without any of AWS, or the ddl files, or the files' own schemas.
"""
import collections, datetime, decimal, functools, io, json, logging, os, pathlib, re, subprocess, sys

import awswrangler as wr
import boto3, pyarrow
import pyarrow.compute, pyarrow.parquet
from pyiceberg.catalog.glue import GlueCatalog
from pyiceberg.expressions import EqualTo

DATABASE, LAKEHAND = sys.argv[1:3]
DDL = pathlib.Path(__file__).parents[2] / "assets" / "sql"
GOLD = ["daily_report_sub5", "marketing_datamart"]
logging.getLogger("pyiceberg.io.pyarrow").setLevel(logging.ERROR)    # our files have no statistics of text, and mean it


def ours(sql):
    """Rows as our program says them on the embedded platform."""
    asked = subprocess.run([LAKEHAND, "query", sql, "--format", "json", "--profile", "local"], capture_output=True, text=True)
    assert asked.returncode == 0, f"{sql}\n{asked.stderr}"
    return [json.loads(line) for line in asked.stdout.split("\n") if line]


def as_json(value):
    """A value as our program writes it: exact numbers and days as text."""
    if isinstance(value, decimal.Decimal):
        return f"{value:f}"
    return value.isoformat() if isinstance(value, datetime.date) else value


def same(what, theirs, ours):
    assert theirs == ours, f"{what}: they say {theirs!r}, we say {ours!r}"


def sums(table, columns):
    """How many rows, and what the columns of numbers add up to."""
    return {"rows": table.num_rows} | {f"sum of {name}": as_json(pyarrow.compute.sum(table[name]).as_py()) for name in columns}


def our_sums(table, columns):
    wanted = ["count(*) AS rows", *(f'sum("{name}") AS "sum of {name}"' for name in columns)]
    return ours(f"SELECT {', '.join(wanted)} FROM {table}")[0]


# ------------------------------------------------------------------ silver: awswrangler
def is_report(name):
    """A report of Google Analytics: its columns come into the catalog with its first crawl, and the emulator crawls nothing."""
    return name.startswith("ga_") and name != "ga_day_quality"


def read_silver(entry):
    name, location = entry["Name"], entry["StorageDescriptor"]["Location"]
    partitions = {key["Name"]: key["Type"] for key in entry.get("PartitionKeys", [])}
    declared = {column["Name"]: column["Type"] for column in entry["StorageDescriptor"]["Columns"]}
    if not wr.s3.list_objects(location):
        same(name, {"rows": 0}, our_sums(name, []))
        return {"rows": 0, "files": 0, "sums": 0}
    in_files, in_folders = wr.s3.read_parquet_metadata(path=location, dataset=True)
    same(f"types of {name}", {k: v for k, v in in_files.items() if k in declared or not is_report(name)}, declared)
    same(f"partitions of {name}", list(partitions), list(in_folders or {}))
    if partitions:
        same(f"days of {name}", days_by_projection(entry), our_days(name))
    frame = wr.s3.read_parquet_table(database=DATABASE, table=name, dtype_backend="pyarrow")
    numbers = [column for column, kind in in_files.items() if kind == "bigint" or kind.startswith("decimal")]
    said = sums(pyarrow.Table.from_pandas(frame, preserve_index=False), numbers)
    same(name, said, our_sums(name, numbers))
    return taken_over(name, wr.s3.list_objects(location), numbers, said)


def our_days(name):
    return [row["day"] for row in ours(f"SELECT DISTINCT CAST(date AS varchar) AS day FROM {name} ORDER BY day")]


def days_by_projection(entry):
    """The days that Athena finds by the properties of a table that has no partition in the catalog; every file is on one."""
    properties, days = entry["Parameters"], set()
    same("key", entry["PartitionKeys"], [{"Name": "date", "Type": "date"}])
    same("projection", [properties[f"projection.{name}"] for name in ("enabled", "date.type", "date.format")], ["true", "date", "yyyy-MM-dd"])
    first, last = properties["projection.date.range"].split(",")
    same("newest day", last, "NOW+1DAYS")
    newest = datetime.datetime.now(datetime.timezone.utc).date() + datetime.timedelta(days=1)
    for file in wr.s3.list_objects(entry["StorageDescriptor"]["Location"]):
        day = re.search(r"date=([^/]*)/", file)[1]
        folder = properties["storage.location.template"].replace("${date}", day)
        assert re.fullmatch(re.escape(folder) + "[^/]+", file), f"{file} is not in {folder}"
        assert datetime.date.fromisoformat(first) <= datetime.date.fromisoformat(day) <= newest, f"{file} is not within {first},{last}"
        days.add(day)
    return sorted(days)


def read_countries(entry):
    """The one table of CSV: everything in it is text, also the NA of Namibia."""
    frame = wr.s3.read_csv(entry["StorageDescriptor"]["Location"], dtype=str, keep_default_na=False)
    same("columns", list(frame.columns), [column["Name"] for column in entry["StorageDescriptor"]["Columns"]])
    theirs = sorted(frame.to_dict("records"), key=lambda row: row["country"])
    same("country_region", theirs, ours("SELECT * FROM country_region ORDER BY country"))
    return {"rows": len(theirs)}


# ------------------------------------------------------------------ pyiceberg
@functools.cache
def catalog():
    url, region = os.environ["AWS_ENDPOINT_URL"], os.environ["AWS_REGION"]
    keys = {"s3.access-key-id": os.environ["AWS_ACCESS_KEY_ID"], "s3.secret-access-key": os.environ["AWS_SECRET_ACCESS_KEY"]}
    return GlueCatalog("other", **{"glue.endpoint": url, "glue.region": region, "s3.endpoint": url, "s3.region": region}, **keys)


def taken_over(name, files, numbers, said):
    """An Iceberg table over our files as they lie there: its schema and statistics come from them, and nothing is copied."""
    bucket, _, key = files[0].removeprefix("s3://").partition("/")
    first = boto3.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    identifier = (DATABASE, f"{name}_taken_over")
    table = catalog().create_table(identifier, pyarrow.parquet.read_schema(io.BytesIO(first)), location=f"s3://{bucket}/other-readers/{name}")
    table.add_files(files)
    same(f"{name} as Iceberg", sums(table.scan().to_arrow(), numbers), said)
    same(f"{name} by its statistics", int(table.current_snapshot().summary["total-records"]), said["rows"])
    catalog().drop_table(identifier)
    return {"rows": said["rows"], "files": len(files), "sums": len(numbers)}


def declared_in_ddl(name):
    text = (DDL / name / "ddl.sql").read_text()
    return dict(re.findall(r"^  (\w+) (\S+?),?$", text, re.MULTILINE)), re.search(r"^PARTITIONED BY \((.*)\)$", text, re.MULTILINE)[1]


def partition_of(table):
    field, = table.spec().fields
    column = table.schema().find_column_name(field.source_id)
    return column if str(field.transform) == "identity" else f"{field.transform}({column})"


def commits(name):
    """Statements on the table that Athena finished; each is to be a snapshot."""
    athena = boto3.client("athena")
    found = 0
    for group in athena.list_work_groups()["WorkGroups"]:
        pages = athena.get_paginator("list_query_executions").paginate(WorkGroup=group["Name"])
        for query_id in (one for page in pages for one in page["QueryExecutionIds"]):
            query = athena.get_query_execution(QueryExecutionId=query_id)["QueryExecution"]
            there = query["QueryExecutionContext"].get("Database") == DATABASE and query["Status"]["State"] == "SUCCEEDED"
            found += there and bool(re.search(rf"^MERGE INTO {name} ", query["Query"], re.MULTILINE))
    return found


def read_gold(name):
    table, (columns, partition) = catalog().load_table((DATABASE, name)), declared_in_ddl(name)
    spelled = {"string": "string", "bigint": "long"}
    same(f"types of {name}", {f.name: str(f.field_type).replace(" ", "") for f in table.schema().fields}, {k: spelled.get(v, v) for k, v in columns.items()})
    same(f"types of {name} in Glue", wr.catalog.get_table_types(database=DATABASE, table=name), columns)
    same(f"partition of {name}", partition_of(table), partition)
    theirs = [{column: as_json(value) for column, value in row.items()} for row in table.scan().to_arrow().to_pylist()]
    compare_rows(name, theirs, ours(f"SELECT * FROM {name}"))
    # Which row a scan gives first is chance: the busiest day.
    day = collections.Counter(row["datestamp"] for row in theirs).most_common(1)[0][0]
    of_day = table.scan(row_filter=EqualTo("datestamp", day)).to_arrow().num_rows
    same(f"rows of {name} on {day}", of_day, ours(f"SELECT count(*) AS n FROM {name} WHERE datestamp = DATE '{day}'")[0]["n"])
    same(f"snapshots of {name}", len(table.snapshots()), commits(name))
    return {"rows": len(theirs), "snapshots": len(table.snapshots()), "of_day": of_day}


def compare_rows(name, theirs, ours):
    theirs, ours = (collections.Counter(json.dumps(row, sort_keys=True) for row in rows) for rows in (theirs, ours))
    assert theirs == ours, f"{name}: only they have {list(theirs - ours)[:3]}, only we have {list(ours - theirs)[:3]}"


def main():
    entries = {entry["Name"]: entry for entry in wr.catalog.get_tables(database=DATABASE)}
    same("Iceberg tables", sorted(name for _, name in catalog().list_tables(DATABASE)), GOLD)
    gold = {name: read_gold(name) for name in GOLD}
    # A crawler marks what it would have made otherwise, and adds no columns to it.
    same("tables that a crawler gave up", [name for name, entry in entries.items() if "DEPRECATED_BY_CRAWLER" in entry["Parameters"]], [])
    typed = wr.catalog.get_table_types(database=DATABASE, table="ga_traffic")
    same("metrics in the catalog", {name: typed.get(name) for name in ("sessions", "total_users", "key_events")},
         {"sessions": "bigint", "total_users": "bigint", "key_events": "decimal(38,18)"})
    countries = read_countries(entries["country_region"])
    silver = {name: read_silver(entry) for name, entry in entries.items() if name not in (*GOLD, "country_region")}
    print(json.dumps({"gold": gold, "silver": silver, "countries": countries}))


main()
