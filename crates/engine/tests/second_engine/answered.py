"""Answers statements in Trino's spelling with DuckDB.

Reads a JSON list of rounds from standard input: {"tables": [statements of DuckDB], "asked": [statements of Trino]}.
Writes a list of answers a round: rows of cells, or the error as a text.
"""

import datetime
import decimal
import json
import sys

import duckdb
import sqlglot


def cell(value):
    """NULL, a double as a number, everything else as a text."""
    if value is None or isinstance(value, float):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, decimal.Decimal):
        return format(value, "f")
    # A date plus an interval is a timestamp to DuckDB.
    if isinstance(value, datetime.datetime) and value.time() == datetime.time():
        return value.date().isoformat()
    if isinstance(value, (datetime.date, datetime.datetime)):
        return value.isoformat()
    return str(value)


def answered(engine, statement):
    try:
        [translated] = sqlglot.transpile(statement, read="trino", write="duckdb")
        rows = engine.execute(translated).fetchall()
    except (duckdb.Error, sqlglot.errors.SqlglotError, ValueError) as error:
        return f"{type(error).__name__}: {error}"
    return [[cell(value) for value in row] for row in rows]


def main():
    told = []
    for round_ in json.load(sys.stdin):
        engine = duckdb.connect()
        engine.execute("SET threads = 1")
        for statement in round_["tables"]:
            engine.execute(statement)
        told.append([answered(engine, statement) for statement in round_["asked"]])
    json.dump(told, sys.stdout)


main()
