"""Runs the statements of executions in DuckDB over the same silver files, and compares what comes out with the gold
tables that Lakehand wrote.  usage: other_engines.py STD_FOLDER COUNTRY_CSV < statements.json  (a list of statements)
"""
import json, os, sys

import duckdb

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "aws"))
import lake_tables

std, countries = sys.argv[1:3]
engine = duckdb.connect()
engine.execute("SET TimeZone='UTC'")
lake_tables.make_views(engine, lake_tables.files_below(std))
engine.execute(f"CREATE VIEW country_region AS SELECT * FROM read_csv('{countries}', all_varchar=true)")
statements = json.load(sys.stdin)
for statement in statements:
    engine.execute(lake_tables.for_duckdb(statement))
answer = {"statements": len(statements), "tables": {}}
for table in sorted(os.listdir(os.path.join(std, "gold"))):
    ours = "written_" + table
    files = lake_tables.delta_view(engine, ours, os.path.join(std, "gold", table))
    columns = ", ".join('"' + row[0] + '"' for row in engine.execute(f"DESCRIBE {table}").fetchall())
    difference = "SELECT count(*) FROM (SELECT {0} FROM {1} EXCEPT ALL SELECT {0} FROM {2})"
    answer["tables"][table] = {
        "files": files,
        "rows": engine.execute(f"SELECT count(*) FROM {ours}").fetchone()[0],
        "only_ours": engine.execute(difference.format(columns, ours, table)).fetchone()[0],
        "only_theirs": engine.execute(difference.format(columns, table, ours)).fetchone()[0],
    }
print(json.dumps(answer))
