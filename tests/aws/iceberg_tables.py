"""Gold tables of the emulator as real Iceberg tables in moto's Glue catalog and S3, for readers that are not us.

DuckDB stays the engine: it runs every statement on a table of its own. What the statement left there is written through
pyiceberg afterwards, as one snapshot for one statement, as Athena commits. The history and the older states of a table are
read from Iceberg again, so they are what a reader of the lake sees and not what DuckDB remembers.

Not Athena's writer: MERGE, UPDATE and DELETE write the whole table anew, where Athena adds delete files; and DuckDB never
learns what others commit, so others may only read. pyiceberg is loaded by the first table that wants it.
"""
import re

import duckdb, sqlglot
from sqlglot import exp

HISTORY = re.compile(r'"(\w+)\$snapshots"')
OLDER = re.compile(r'"?(\w+)"? FOR VERSION AS OF (\d+)')
NEW_COLUMN = re.compile(r"ADD COLUMNS \((\w+ \w+)\)")
WRITES = ("CREATE", "INSERT", "MERGE", "UPDATE", "DELETE", "DROP", "ALTER")


def parsed(query):
    """The tree of a statement that may change a table; None for all others."""
    code = re.sub(r"^\s*--.*$", "", query, flags=re.MULTILINE).lstrip()
    tree = sqlglot.parse_one(query, read="athena") if code.upper().startswith(WRITES) else None
    return None if isinstance(tree, exp.Command) else tree


def makes_iceberg(tree):
    kinds = [p.args["value"].name.upper() for p in tree.find_all(exp.Property) if p.this.name == "table_type"]
    return isinstance(tree, exp.Create) and kinds == ["ICEBERG"]


def targets(tree):
    """The tables that a statement changes."""
    return [table.find(exp.Table).name.lower() for table in tree.args.get("tables") or [tree.this]]


def location_of(tree):
    location = tree.find(exp.LocationProperty)
    if not location:
        raise ValueError("No location was specified for table. An S3 location must be specified")
    return location.this.name


class IcebergTables:
    def __init__(self, connection, url):
        self.connection, self.url = connection, url
        self.catalogs, self.kept, self.shown = {}, set(), []

    def catalog(self, region):
        from pyiceberg.catalog.glue import GlueCatalog
        if region not in self.catalogs:
            keys = {"access-key-id": "testing", "secret-access-key": "testing", "endpoint": self.url, "region": region}
            both = {f"{service}.{name}": value for service in ("glue", "s3") for name, value in keys.items()}
            self.catalogs[region] = GlueCatalog("emulator", **both)
        return self.catalogs[region]

    def load(self, region, database, name):
        from pyiceberg.exceptions import NoSuchTableError
        try:
            return self.catalog(region).load_table((database, name))
        except NoSuchTableError as e:
            raise duckdb.CatalogException(str(e)) from e

    def show(self, name, rows):
        """Rows as a table of DuckDB, until the next statement."""
        self.connection.register(name, rows)
        self.shown.append(name)

    def before(self, query, region, database):
        """The statement for DuckDB, which knows neither histories nor older states: both become tables first."""
        while self.shown:
            self.connection.unregister(self.shown.pop())
        for name in set(HISTORY.findall(query)):
            self.show(f"{name}$snapshots", history(self.load(region, database, name)))
        for name, version in set(OLDER.findall(query)):
            older = self.load(region, database, name).scan(snapshot_id=int(version))
            self.show(f"{name}@{version}", older.to_arrow())
        tree = parsed(query)
        if tree and makes_iceberg(tree):
            location_of(tree)
            self.forget_what_is_not_in_the_catalog(region, database, targets(tree)[0])
        return NEW_COLUMN.sub(r"ADD COLUMN \1", OLDER.sub(r'"\1@\2"', query))

    def forget_what_is_not_in_the_catalog(self, region, database, name):
        """Whoever took the database away took its tables' entries: the next CREATE makes an empty table."""
        if not self.catalog(region).table_exists((database, name)):
            self.connection.execute(f'DROP TABLE IF EXISTS "{name}"')

    def after(self, query, region, database, rows):
        """Does to the Iceberg table what the statement did to DuckDB's; `rows` is what DuckDB answered."""
        tree = parsed(query)
        for name in targets(tree) if tree else []:
            place = (region, database, name)
            if makes_iceberg(tree):
                self.create(place, tree)
            elif place not in self.kept:
                continue
            elif isinstance(tree, exp.Drop):
                self.drop(place)
            elif isinstance(tree, exp.Alter):
                with self.load(*place).update_schema() as update:
                    update.union_by_name(self.content(name).schema)
            elif rows[0][0]:                 # nothing changed, nothing is committed
                self.commit(place, appends=isinstance(tree, exp.Insert))

    def content(self, name, since=0):
        """What DuckDB has, in the order in which it came; sums are wider there than in Athena."""
        columns = self.connection.execute(f'DESCRIBE "{name}"').fetchall()
        wanted = ", ".join(f'CAST("{c[0]}" AS BIGINT) AS "{c[0]}"' if c[1] == "HUGEINT" else f'"{c[0]}"' for c in columns)
        return self.connection.execute(f'SELECT {wanted} FROM "{name}" OFFSET {since}').to_arrow_table()

    def create(self, place, tree):
        region, database, name = place
        if self.catalog(region).table_exists((database, name)):
            return                           # IF NOT EXISTS
        content = self.content(name)
        compression = [p.args["value"].name for p in tree.find_all(exp.Property) if p.this.name == "write_compression"]
        properties = {"write.parquet.compression-codec": (compression or ["zstd"])[0]}
        making = self.catalog(region).create_table_transaction(
            (database, name), content.schema, location=location_of(tree), properties=properties)
        with making as transaction:
            with transaction.update_spec() as spec:
                for field in partition_fields(tree):
                    spec.add_field(*field)
            if tree.expression:              # AS SELECT …
                transaction.append(content)
        self.kept.add(place)

    def drop(self, place):
        region, *identifier = place
        if self.catalog(region).table_exists(tuple(identifier)):
            self.catalog(region).purge_table(tuple(identifier))
        self.kept.discard(place)

    def commit(self, place, appends):
        table = self.load(*place)
        current = table.current_snapshot()
        content = self.content(place[-1], since=int(current.summary["total-records"]) if appends and current else 0)
        if appends:
            table.append(content)
        elif content.num_rows:
            replace(table, content)
        else:
            table.delete()


def history(table):
    """The snapshots with their moments in UTC, as Athena has them; pyiceberg leaves the zone out."""
    import pyarrow
    snapshots = table.inspect.snapshots()
    moments = snapshots["committed_at"].cast(pyarrow.timestamp("ms", "UTC"))
    return snapshots.set_column(snapshots.schema.get_field_index("committed_at"), "committed_at", moments)


def replace(table, content):
    """One snapshot with other rows; pyiceberg's own overwrite makes two, one that deletes and one that appends."""
    from pyiceberg.io.pyarrow import _dataframe_to_data_files
    with table.transaction() as transaction, transaction.update_snapshot().overwrite() as snapshot:
        for task in table.scan().plan_files():
            snapshot.delete_data_file(task.file)
        for file in _dataframe_to_data_files(table.metadata, content, table.io):
            snapshot.append_data_file(file)


def partition_fields(tree):
    """Column, transform and name of each field in PARTITIONED BY."""
    from pyiceberg.transforms import IdentityTransform, MonthTransform
    partitioned = tree.find(exp.PartitionedByProperty)
    for field in partitioned.this.expressions if partitioned else []:
        column = field.find(exp.Identifier).name
        if isinstance(field, exp.Month):
            yield column, MonthTransform(), f"{column}_month"
        elif isinstance(field, exp.Identifier):
            yield column, IdentityTransform(), column
        else:
            raise ValueError(f"a partition that this emulator does not know: {field.sql()}")
