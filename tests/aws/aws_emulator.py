"""An AWS for tests: moto, with the holes filled that matter here.  usage: python aws_emulator.py PORT

Step Functions really run; Athena SQL really runs (DuckDB); Lambda runs the uploaded zip's `bootstrap`;
queries, crawlers and functions can fail. Patches moto 5.2.5: pin that version.
"""
import datetime, decimal, http.server, io, json, os, re, stat, subprocess, sys, tempfile, threading, time, uuid, zipfile

PORT = int(sys.argv[1])
os.environ["MOTO_PORT"] = str(PORT)          # Step Functions calls the other services at localhost:MOTO_PORT

from moto.core.config import default_user_config as config
config["lambda"] = {"use_docker": False}
config["stepfunctions"] = {"execute_state_machine": True}

# ------------------------------------------------------------------ Step Functions
import moto.stepfunctions.responses as sfn_http
from moto.core.responses import ActionResult
from moto.stepfunctions.exceptions import AWSError
from moto.stepfunctions.parser import models as sfn_models
from moto.stepfunctions.parser.api import HistoryEventType, TaskFailedEventDetails
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import FailureEvent, FailureEventException
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name import StatesErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name_type import StatesErrorNameType
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import state_task_service_aws_sdk as aws_sdk_task
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import state_task_service_unsupported as athena_task
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.resource import ResourceCondition
from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails
from moto.stepfunctions.parser.asl.utils.encoding import to_json_str
from moto.stepfunctions.parser.backend.execution import Execution


class DatesAsText:                           # a datetime in an output must not break DescribeExecution
    dumps = staticmethod(lambda value, **_: to_json_str(value))
    loads = staticmethod(json.loads)


sfn_http.json = DatesAsText

moto_start = sfn_models.StepFunctionsParserBackend.start_execution


def start_execution(self, state_machine_arn, name=None, execution_input=None, trace_header=None):
    return moto_start(self, state_machine_arn, name or str(uuid.uuid4()), execution_input, trace_header)


sfn_models.StepFunctionsParserBackend.start_execution = start_execution

SERVICE_NAMES = {"glue": "Glue", "athena": "Athena", "s3": "S3", "ssm": "Ssm", "sns": "Sns", "sqs": "Sqs"}
moto_sdk_error = aws_sdk_task.StateTaskServiceAwsSdk._from_error


def sdk_error(self, env, ex):                # AWS says Glue.EntityNotFoundException, moto says glue.…
    event = moto_sdk_error(self, env, ex)
    service, _, rest = (event.error_name.error_name if event.error_name else "").partition(".")
    if service in SERVICE_NAMES:
        event.error_name.error_name = f"{SERVICE_NAMES[service]}.{rest}"
        details = (event.event_details or {}).get("taskFailedEventDetails")
        if details:
            details["error"] = event.error_name.error_name
    return event


aws_sdk_task.StateTaskServiceAwsSdk._from_error = sdk_error

athena_task._SUPPORTED_INTEGRATION_PATTERNS.add(ResourceCondition.Sync)


def athena_sync(self, env, resource_runtime_part, normalised_parameters, state_credentials):
    query_id = env.stack.pop()["QueryExecutionId"]
    client = athena_task.boto_client_for(service="athena", region=resource_runtime_part.region)

    def poll():
        query = client.get_query_execution(QueryExecutionId=query_id)["QueryExecution"]
        if query["Status"]["State"] in ("QUEUED", "RUNNING"):
            return None
        if query["Status"]["State"] == "SUCCEEDED":
            return {"QueryExecution": query}
        raise FailureEventException(FailureEvent(
            env=env, error_name=StatesErrorName(typ=StatesErrorNameType.StatesTaskFailed), event_type=HistoryEventType.TaskFailed,
            event_details=EventDetails(taskFailedEventDetails=TaskFailedEventDetails(
                resource=self._get_sfn_resource(), resourceType=self._get_sfn_resource_type(),
                error="States.TaskFailed", cause=to_json_str({"QueryExecution": query})))))

    return poll


athena_task.StateTaskServiceUnsupported._build_sync_resolver = athena_sync


def whole_history(execution):
    earlier = getattr(execution, "earlier_events", [])
    offset = len(earlier)
    now = [dict(e, id=e["id"] + offset - 1, previousEventId=max(e["previousEventId"] + offset - 1, offset))
           for e in execution.to_history_output()["events"] if not (offset and e["type"] == "ExecutionStarted")]
    return earlier + (now if offset else execution.to_history_output()["events"])


def get_execution_history(self):             # moto ignores paging and order
    events = whole_history(self.stepfunction_backend.describe_execution(self._get_param("executionArn")))
    if self._get_param("reverseOrder"):
        events = events[::-1]
    start, size = int(self._get_param("nextToken") or 0), int(self._get_param("maxResults") or 100)
    page = {"events": events[start:start + size]}
    if start + size < len(events):
        page["nextToken"] = str(start + size)
    return ActionResult(page)


sfn_http.StepFunctionResponse.get_execution_history = get_execution_history


import states_language  # noqa: F401  intrinsic functions and paths, beside this file

# The context object of a redriven execution says so: $$.Execution.RedriveCount and RedriveTime.
import moto.stepfunctions.parser.backend.execution_worker as sfn_worker

redriven = {}


def execution_data(**fields):
    return dict(fields, **redriven.get(fields["Id"], {}))


sfn_worker.ExecutionData = execution_data


class ExecutionNotRedrivable(AWSError):
    TYPE = "ExecutionNotRedrivable"
    STATUS = 400


def redrive_execution(self):                 # top level only: a failed Map or Parallel starts again as a whole
    backend, arn = self.stepfunction_backend, self._get_param("executionArn")
    old = backend.describe_execution(arn)
    if old.status not in ("FAILED", "ABORTED", "TIMED_OUT"):
        raise ExecutionNotRedrivable(f"Execution is {old.status} and not redrivable")
    events, definition = whole_history(old), json.loads(old.state_machine.definition)
    entered = [e["stateEnteredEventDetails"] for e in events if "stateEnteredEventDetails" in e]
    at = [d for d in entered if d["name"] in definition["States"]][-1]
    old.state_machine.definition = json.dumps(dict(definition, StartAt=at["name"]))
    again = Execution(name=old.name, sm_type=old.sm_type, role_arn=old.role_arn, exec_arn=arn, account_id=old.account_id,
                      region_name=old.region_name, state_machine=old.state_machine, start_date=old.start_date,
                      cloud_watch_logging_session=None, input_data=at.get("input", "{}"), activity_store={})
    again.execution_input = old.execution_input
    again.redrive_count = getattr(old, "redrive_count", 0) + 1
    date = datetime.datetime.now(tz=datetime.timezone.utc)
    again.earlier_events = events + [{"id": len(events) + 1, "previousEventId": len(events), "timestamp": date, "type": "ExecutionRedriven",
                                      "executionRedrivenEventDetails": {"redriveCount": again.redrive_count}}]
    redriven[arn] = {"RedriveCount": again.redrive_count, "RedriveTime": date.isoformat()}
    owner = next(m for m in backend.state_machines if old in m.executions)
    owner.executions[owner.executions.index(old)] = again
    again.start()
    return ActionResult({"redriveDate": date})


sfn_http.StepFunctionResponse.redrive_execution = redrive_execution
moto_describe = sfn_http.StepFunctionResponse.describe_execution


def describe_execution(self):
    answer = moto_describe(self)
    execution = self.stepfunction_backend.describe_execution(self._get_param("executionArn"))
    body = answer.result if hasattr(answer, "result") else answer._result
    body["redriveCount"] = getattr(execution, "redrive_count", 0)
    body["redriveStatus"] = "REDRIVABLE" if execution.status in ("FAILED", "ABORTED", "TIMED_OUT") else "NOT_REDRIVABLE"
    if execution.stop_date:
        body["stopDate"] = execution.stop_date
    return answer


sfn_http.StepFunctionResponse.describe_execution = describe_execution

# ------------------------------------------------------------------ Athena on DuckDB
# A Glue database is a schema of DuckDB. Its silver tables are views over the Parquet files of its bucket, which is
# found by name: database `lakehand_dev` reads the bucket `lakehand-dev-std`. Nothing has to be crawled. Gold tables are
# tables of DuckDB, and Iceberg tables for whoever else reads the lake (iceberg_tables.py).
import csv, duckdb, hashlib, re, sqlglot
import iceberg_tables, lake_tables
from moto.s3.models import s3_backends
import moto.athena.models as athena_models, moto.athena.responses as athena_http

database, database_lock = duckdb.connect(), threading.Lock()
iceberg = iceberg_tables.IcebergTables(database, f"http://127.0.0.1:{PORT}")


def query_reads(query):                      # a SELECT, whose result has a header row; comments may stand before it
    lines = [line for line in query.split("\n") if line.strip() and not line.strip().startswith("--")]
    return " ".join(lines).lstrip(" (").upper().startswith(("SELECT", "WITH", "VALUES", "SHOW", "DESCRIBE"))


def in_duckdb(query):                        # SHOW TABLES 'begins_with_*' is Athena's own; it has no header row either
    shown = re.fullmatch(r"\s*SHOW\s+TABLES\s+(?:LIKE\s+)?'([^']*)'\s*", query, re.IGNORECASE)
    if not shown:
        return lake_tables.for_duckdb(query)
    pattern = re.sub(r"\.?\*", ".*", shown[1])
    return f"SELECT table_name AS tab_name FROM duckdb_tables() WHERE schema_name = current_schema() AND regexp_full_match(table_name, '{pattern}')"


moto_start_query = athena_models.AthenaBackend.start_query_execution


fetched = tempfile.mkdtemp(prefix="athena-files-")


def fetched_path(key):                       # an object as a file, fetched once; its path keeps the partition
    path = os.path.join(fetched, hashlib.md5(key.etag.encode()).hexdigest(), key.name)
    if not os.path.exists(path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path + ".part", "wb") as file:
            file.write(key.value)
        os.rename(path + ".part", path)
    return path


def use_database(name, account_id):
    database.execute(f'CREATE SCHEMA IF NOT EXISTS "{name}"')
    database.execute(f'USE "{name}"')
    bucket = s3_backends[account_id]["aws"].buckets.get(name.replace("_", "-") + "-std")
    keys = dict(bucket.keys.items()) if bucket else {}
    wanted = {key: found for key, found in keys.items() if lake_tables.table_of(key) or key.startswith("reference/")}
    paths = {key: fetched_path(found) for key, found in wanted.items()}
    lake_tables.make_views(database, paths)
    for key, path in paths.items():
        if key.startswith("reference/"):
            table = key.split("/")[1]
            database.execute(f"CREATE OR REPLACE VIEW {table} AS SELECT * FROM read_csv('{path}', all_varchar=true)")


ATHENA_TYPES = {"VARCHAR": "varchar", "BIGINT": "bigint", "INTEGER": "integer", "SMALLINT": "smallint", "TINYINT": "tinyint",
                "DOUBLE": "double", "FLOAT": "float", "BOOLEAN": "boolean", "DATE": "date", "TIMESTAMP": "timestamp",
                "TIMESTAMP WITH TIME ZONE": "timestamp with time zone", "HUGEINT": "bigint"}


def column_info(column):
    kind = re.sub("^TIMESTAMP_(S|MS|NS)$", "TIMESTAMP", str(column[1]).upper())
    decimal = re.fullmatch(r"DECIMAL\((\d+),(\d+)\)", kind)
    precision, scale = (int(decimal[1]), int(decimal[2])) if decimal else (0, 0)
    return dict(CatalogName="hive", SchemaName="", TableName="", Name=column[0], Label=column[0], Precision=precision, Scale=scale,
                Type="decimal" if decimal else ATHENA_TYPES.get(kind, "varchar"), Nullable="UNKNOWN", CaseSensitive=kind == "VARCHAR")


def in_words(value):                         # as Athena writes a value in a result
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime.datetime):
        words = value.strftime("%Y-%m-%d %H:%M:%S.") + f"{value.microsecond // 1000:03}"
        return words + " UTC" if value.tzinfo else words
    if isinstance(value, decimal.Decimal):
        return f"{value:f}"                  # never 0E-18
    if isinstance(value, float) and value == int(value) and abs(value) < 1e7:
        return f"{value:.1f}"
    return str(value)


def store_result(self, query_id):            # quoted cells, nothing at all for null
    result, location = self.query_results[query_id], self.executions[query_id].config["OutputLocation"]
    lines = []
    for row in result.rows:
        quoted = ['"' + cell["VarCharValue"].replace('"', '""') + '"' if "VarCharValue" in cell else "" for cell in row["Data"]]
        lines.append(",".join(quoted) + "\n")
    bucket, _, prefix = location.removeprefix("s3://").partition("/")
    backend = s3_backends[self.account_id][self.partition]
    if bucket in backend.buckets:
        backend.put_object(bucket, prefix, "".join(lines).encode())


def start_query_execution(self, query, context, config, workgroup, execution_parameters):
    group = self.work_groups.get(workgroup or "primary")
    default = (group.configuration.get("ResultConfiguration") or {}).get("OutputLocation") if group else None
    config = dict(config or {})
    if default and (group.configuration.get("EnforceWorkGroupConfiguration") or "OutputLocation" not in config):
        config["OutputLocation"] = default
    query_id = moto_start_query(self, query, context, config, workgroup or "primary", execution_parameters)
    execution = self.executions[query_id]
    execution.reason, began = None, time.time()
    try:
        place = self.region_name, (context or {}).get("Database") or "default"
        with database_lock:                  # S3 and Glue, which Iceberg asks over HTTP meanwhile, never take it
            use_database(place[1], self.account_id)
            sql = in_duckdb(iceberg.before(query, *place))
            cursor = database.execute(sql, [p.strip("'") for p in execution_parameters or []])
            columns, rows = cursor.description or [], cursor.fetchall()
            iceberg.after(query, *place, rows)
        reads = query_reads(query)
        execution.update_count = None if reads or not rows or columns[0][0] != "Count" else rows[0][0]
        columns, rows = (columns, rows) if reads else ([], [])
        # Athena calls what has no name _col0, _col1, …
        columns = [(f"_col{i}" if re.search(r"\W", c[0]) else c[0], *c[1:]) for i, c in enumerate(columns)]
        info = [column_info(c) for c in columns]
        cells = [[{} if v is None else {"VarCharValue": in_words(v)} for v in row] for row in rows]
        header = [[{"VarCharValue": c[0]} for c in columns]] if reads and not query.lstrip().upper().startswith("SHOW") else []
        self.query_results[query_id] = athena_models.QueryResults([{"Data": r} for r in header + cells], info)
        store_result(self, query_id)
    except sqlglot.errors.ParseError as e:
        execution.reason = "SYNTAX_ERROR: " + str(e).split(". Line")[0]
    except duckdb.CatalogException as e:
        execution.reason = "TABLE_NOT_FOUND: " + str(e).split("\n")[0]
    except duckdb.BinderException as e:
        execution.reason = "COLUMN_NOT_FOUND: " + str(e).split("\n")[0]
    except Exception as e:
        execution.reason = "GENERIC_USER_ERROR: " + str(e).split("\n")[0]
    execution.millis = int((time.time() - began) * 1000) + 1
    if "/*fail:" in query:                   # a test asks for any message: SELECT 1 /*fail: ICEBERG_COMMIT_ERROR: … */
        execution.reason = query.split("/*fail:", 1)[1].split("*/")[0].strip()
    if execution.reason:
        execution._transitions = [("QUEUED", "RUNNING"), ("RUNNING", "FAILED")]
    if "/*endless*/" in query:               # runs until it is stopped
        execution._transitions = [("QUEUED", "RUNNING")]
    return query_id


athena_models.AthenaBackend.start_query_execution = start_query_execution
moto_get_query = athena_http.AthenaResponse.get_query_execution


def describe_query(self, query_id):
    known = self.athena_backend.executions
    if query_id not in known:
        return None
    param, self._get_param = self._get_param, lambda *_: query_id
    query = json.loads(moto_get_query(self))["QueryExecution"]
    self._get_param = param
    execution, status = known[query_id], query["Status"]
    query["Statistics"].update(EngineExecutionTimeInMillis=execution.millis, TotalExecutionTimeInMillis=execution.millis,
                               DataScannedInBytes=0 if execution.reason else 10_485_760)
    if status["State"] == "FAILED":
        status.update(StateChangeReason=execution.reason,
                      AthenaError={"ErrorCategory": 2, "ErrorType": 1006, "Retryable": False, "ErrorMessage": execution.reason})
    if status["State"] in ("QUEUED", "RUNNING"):
        status.pop("CompletionDateTime", None)
    return query


def get_query_execution(self):
    query_id = self._get_param("QueryExecutionId")
    query = describe_query(self, query_id)
    return json.dumps({"QueryExecution": query}) if query else self.error(f"QueryExecution {query_id} was not found", 400)


def batch_get_query_execution(self):
    ids = self._get_param("QueryExecutionIds")
    found = {i: describe_query(self, i) for i in ids}
    missing = [{"QueryExecutionId": i, "ErrorCode": "INVALID_INPUT", "ErrorMessage": "not found"} for i in ids if not found[i]]
    return json.dumps({"QueryExecutions": [q for q in found.values() if q], "UnprocessedQueryExecutionIds": missing})


def list_query_executions(self):             # the newest first, by the page
    ids = list(self.athena_backend.list_query_executions(self._get_param("WorkGroup")))[::-1]
    start, size = int(self._get_param("NextToken") or 0), int(self._get_param("MaxResults") or 50)
    page = {"QueryExecutionIds": ids[start:start + size]}
    return json.dumps(dict(page, NextToken=str(start + size)) if len(ids) > start + size else page)


def get_query_results(self):                 # pages as Athena has them, the header row being one of the first page's rows
    query_id, start = self._get_param("QueryExecutionId"), int(self._get_param("NextToken") or 0)
    end = start + int(self._get_param("MaxResults") or 1000)
    answer = self.athena_backend.get_query_results(query_id).to_dict()
    rows = answer["ResultSet"]["Rows"]
    answer["ResultSet"]["Rows"] = rows[start:end]
    if len(rows) > end:
        answer["NextToken"] = str(end)
    count = getattr(self.athena_backend.executions[query_id], "update_count", None)
    return json.dumps(answer if count is None else dict(answer, UpdateCount=count))


athena_http.AthenaResponse.list_query_executions = list_query_executions
athena_http.AthenaResponse.get_query_results = get_query_results
athena_http.AthenaResponse.get_query_execution = get_query_execution
athena_http.AthenaResponse.batch_get_query_execution = batch_get_query_execution

# ------------------------------------------------------------------ S3: checksums of parts
# S3 keeps the checksum of a part only where the upload declared the algorithm when it began: a completion that names one
# of an undeclared upload is refused, and so is one of a declared upload that leaves it out (API CompletedPart; recorded in
# aws-sdk-java-v2 #6518).
import moto.s3.responses as s3_http
from moto.s3.exceptions import InvalidPart
from xml.dom import minidom

moto_key_post = s3_http.S3Response._key_response_post
declared = {}


def key_response_post(self, request, body, bucket_name, query, key_name):
    if query.get("uploadId"):
        parts = minidom.parseString(body).getElementsByTagName("Part")
        named = [any(child.nodeName.startswith("Checksum") for child in part.childNodes) for part in parts]
        if any(named) != (query["uploadId"][0] in declared) or any(named) != all(named):
            raise InvalidPart()
    answer = moto_key_post(self, request, body, bucket_name, query, key_name)
    algorithm = request.headers.get("x-amz-checksum-algorithm")
    if algorithm and "uploads" in query:
        text = answer[2] if isinstance(answer[2], str) else answer[2].decode()
        declared[re.search("<UploadId>([^<]+)<", text)[1]] = algorithm
    return answer


s3_http.S3Response._key_response_post = key_response_post

# ------------------------------------------------------------------ Secrets Manager
import moto.secretsmanager.models as secrets_models
from moto.secretsmanager.exceptions import SecretNotFoundException

moto_versions = secrets_models.SecretsManagerBackend.list_secret_version_ids


def list_secret_version_ids(self, secret_id):
    if secret_id not in self.secrets:
        raise SecretNotFoundException()
    return moto_versions(self, secret_id)


secrets_models.SecretsManagerBackend.list_secret_version_ids = list_secret_version_ids

# ------------------------------------------------------------------ Glue crawlers
import moto.glue.models as glue_models, moto.glue.responses as glue_http

moto_crawler = glue_models.FakeCrawler.as_dict


def crawler_as_dict(self):                   # GetCrawler moves the crawl on; outcomes carry AWS's names; "#fail: why" in the description fails
    if self.crawls:
        self.crawls[-1].advance()
    crawler = moto_crawler(self)
    last = crawler.get("LastCrawl")
    if last and crawler["State"] == "RUNNING":
        crawler.pop("LastCrawl")
    elif last:
        last["Status"] = {"COMPLETED": "SUCCEEDED", "STOPPED": "CANCELLED"}.get(last["Status"], last["Status"])
        if "#fail" in (self.description or "") and last["Status"] == "SUCCEEDED":
            last.update(Status="FAILED", ErrorMessage=self.description.split("#fail", 1)[1].strip(": "))
    return crawler


def deprecated(self):                        # what "add new columns only" does to a table whose attributes it would set otherwise
    for target in (self.targets or {}).get("CatalogTargets", []):
        for name in target["Tables"]:
            try:
                table = self.backend.get_table(target["DatabaseName"], name)
            except Exception:
                continue
            entry = table.get_version(str(table._current_version))
            if entry.get("Parameters", {}).get("compressionType") != "none":
                entry["Parameters"]["DEPRECATED_BY_CRAWLER"] = self.name


moto_start_crawl = glue_models.FakeCrawler.start_crawler


def start_crawl(self):
    moto_start_crawl(self)
    deprecated(self)


glue_models.FakeCrawler.start_crawler = start_crawl


def get_crawler_metrics(self):
    names = self.parameters.get("CrawlerNameList") or list(self.glue_backend.crawlers)
    return ActionResult({"CrawlerMetricsList": [
        dict(CrawlerName=n, TimeLeftSeconds=0.0, StillEstimating=False, LastRuntimeSeconds=42.0, MedianRuntimeSeconds=40.0,
             TablesCreated=0, TablesUpdated=1, TablesDeleted=0) for n in names]})


glue_models.FakeCrawler.as_dict = crawler_as_dict
glue_http.GlueResponse.get_crawler_metrics = get_crawler_metrics

# ------------------------------------------------------------------ Lambda: the Runtime API, one process per invocation
from moto.awslambda_simple import models as lambda_models
from moto.logs.models import logs_backends


def run_bootstrap(function, event):
    folder = tempfile.mkdtemp(prefix="lambda-")
    zipfile.ZipFile(io.BytesIO(function.code_bytes)).extractall(folder)
    program = os.path.join(folder, "bootstrap")
    os.chmod(program, os.stat(program).st_mode | stat.S_IXUSR)
    answer, request_id, taken, done = {}, str(uuid.uuid4()), threading.Event(), threading.Event()

    class RuntimeApi(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_GET(self):                    # /2018-06-01/runtime/invocation/next
            if taken.is_set():
                done.wait()
                return
            taken.set()
            self.send_response(200)
            for name, value in {"Lambda-Runtime-Aws-Request-Id": request_id, "Content-Type": "application/json", "Content-Length": str(len(event)),
                                "Lambda-Runtime-Deadline-Ms": str(int((time.time() + function.timeout) * 1000)),
                                "Lambda-Runtime-Invoked-Function-Arn": function.function_arn}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(event)

        def do_POST(self):                   # …/response, …/error, /runtime/init/error
            answer["body"] = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            answer["failed"] = self.path.endswith("/error")
            self.send_response(202)
            self.send_header("Content-Length", "0")
            self.end_headers()
            done.set()

    api = http.server.ThreadingHTTPServer(("127.0.0.1", 0), RuntimeApi)
    threading.Thread(target=api.serve_forever, daemon=True).start()
    environment = dict(os.environ, AWS_ACCESS_KEY_ID="testing", AWS_SECRET_ACCESS_KEY="testing", AWS_ENDPOINT_URL=f"http://127.0.0.1:{PORT}",
                       AWS_REGION=function.region, LAMBDA_TASK_ROOT=folder, _HANDLER=function.handler or "bootstrap",
                       AWS_LAMBDA_RUNTIME_API=f"127.0.0.1:{api.server_port}", AWS_LAMBDA_FUNCTION_NAME=function.function_name,
                       AWS_LAMBDA_FUNCTION_VERSION="$LATEST", AWS_LAMBDA_FUNCTION_MEMORY_SIZE=str(function.memory_size), **(function.environment_vars or {}))
    with tempfile.TemporaryFile() as log:
        process, began = subprocess.Popen([program], env=environment, cwd=folder, stdout=log, stderr=subprocess.STDOUT), time.time()
        while not done.is_set() and process.poll() is None and time.time() - began < function.timeout:
            done.wait(0.02)
        process.kill()
        process.wait()
        api.shutdown()
        log.seek(0)
        lines = log.read().decode(errors="replace").splitlines()
    if "body" in answer:
        return answer["body"].decode(), answer["failed"], lines
    if time.time() - began >= function.timeout:
        fault = {"errorType": "Sandbox.Timedout", "errorMessage": f"RequestId: {request_id} Error: Task timed out after {function.timeout:.2f} seconds"}
    else:
        fault = {"errorType": "Runtime.ExitError", "errorMessage": f"RequestId: {request_id} Error: Runtime exited with error: exit status {process.returncode}"}
    return json.dumps(fault), True, lines


def invoke(self, function_name, qualifier, body, headers, response_headers):
    function = self.get_function(function_name, qualifier)
    text, failed, lines = run_bootstrap(function, body if isinstance(body, bytes) else (body or "{}").encode())
    if failed:
        response_headers["x-amz-function-error"] = "Unhandled"
    logs, group, stream = logs_backends[self.account_id][self.region_name], f"/aws/lambda/{function.function_name}", f"[$LATEST]{uuid.uuid4().hex}"
    if group not in logs.groups:
        logs.create_log_group(group, {})
    logs.create_log_stream(group, stream)
    logs.put_log_events(group, stream, [{"timestamp": int(time.time() * 1000), "message": line} for line in lines or ["(no output)"]])
    return text.encode()


lambda_models.LambdaSimpleBackend.invoke = invoke

import emulated_stacks  # noqa: F401  CloudFormation, beside this file

from moto.server import main
main(["-H", "127.0.0.1", "-p", str(PORT)])
