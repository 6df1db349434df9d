"""What Athena's catalog is to our SQL, for DuckDB: silver tables over the files of a lake, statements in Athena's
spelling, and gold tables of Delta Lake read by hand.  Used by the emulator and by tests/other_engines.rs.
"""
import json, logging, os, urllib.parse

import sqlglot
from sqlglot import exp

logging.getLogger("sqlglot").setLevel(logging.ERROR)     # table properties that DuckDB has no word for

SOURCES = {"ga4": "ga"}                                    # folder -> beginning of the table's name


def table_of(key):
    """`silver/ga4/traffic/date=2026-01-01/part-0.parquet` -> `ga_traffic`; None for what is no silver file."""
    parts = key.split("/")
    if len(parts) < 4 or parts[0] != "silver" or not key.endswith(".parquet") or any(p.startswith(("_", ".")) for p in parts):
        return None
    return f"{SOURCES.get(parts[1], parts[1])}_{parts[2]}"


def make_views(connection, files):
    """A view for each table, over {key: local path}."""
    tables = {}
    for key, path in files.items():
        if table := table_of(key):
            tables.setdefault(table, []).append(path)
    for table, paths in tables.items():
        listed = ", ".join("'" + path.replace("'", "''") + "'" for path in sorted(paths))
        connection.execute(f"CREATE OR REPLACE VIEW {table} AS SELECT * FROM read_parquet([{listed}], hive_partitioning=true, union_by_name=true)")
    return tables


def for_duckdb(statement):
    """A statement of ours in DuckDB's words."""
    tree = sqlglot.parse_one(statement, read="athena").transform(in_a_zone)
    return tree.sql(dialect="duckdb")


def in_a_zone(node):
    """`t AT TIME ZONE z`: Trino takes a timestamp without zone for UTC and says it in z; DuckDB takes it for one of z."""
    if isinstance(node, exp.AtTimeZone) and not isinstance(node.this, exp.AtTimeZone):
        return exp.AtTimeZone(this=exp.AtTimeZone(this=node.this, zone=exp.Literal.string("UTC")), zone=node.args["zone"])
    return node


def files_below(folder):
    """{key: path} of a lake in a folder."""
    found = {}
    for base, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(base, name)
            found[os.path.relpath(path, folder).replace(os.sep, "/")] = path
    return found


def delta_view(connection, name, folder):
    """A view over the newest version of a Delta table: the log is replayed here, by its specification, without a
    Delta library. Values of partition columns stand in the log, not in the files."""
    live, schema = {}, None
    log = os.path.join(folder, "_delta_log")
    for commit in sorted(entry for entry in os.listdir(log) if entry.endswith(".json")):
        for line in open(os.path.join(log, commit), encoding="utf-8"):
            action = json.loads(line)
            if "metaData" in action:
                schema = json.loads(action["metaData"]["schemaString"])["fields"]
            if "add" in action:
                assert not action["add"].get("deletionVector"), "a deletion vector: this reader knows none"
                live[action["add"]["path"]] = action["add"].get("partitionValues", {})
            if "remove" in action:
                live.pop(action["remove"]["path"], None)
    types = {"string": "VARCHAR", "long": "BIGINT", "integer": "INTEGER", "double": "DOUBLE", "timestamp_ntz": "TIMESTAMP"}
    selects = []
    for path, values in live.items():
        columns = []
        for field in schema:
            kind = field["type"]
            kind = types.get(kind, kind.upper()) if isinstance(kind, str) else "VARCHAR"
            column = '"' + field["name"] + '"'
            if field["name"] in values:
                value = values[field["name"]]
                literal = "NULL" if value is None else "'" + value.replace("'", "''") + "'"
                columns.append(f"CAST({literal} AS {kind}) AS {column}")
            else:
                columns.append(column)
        place = os.path.join(folder, urllib.parse.unquote(path)).replace("'", "''")
        selects.append(f"SELECT {', '.join(columns)} FROM read_parquet('{place}', hive_partitioning=false)")
    connection.execute(f"CREATE OR REPLACE VIEW {name} AS " + " UNION ALL ".join(selects))
    return len(live)
