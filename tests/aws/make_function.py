"""Makes a Lambda function in the emulator.  usage: python make_function.py URL NAME PROGRAM

PROGRAM is a body of Python that gets `event` and `request` (the request id), prints log lines, and sets `answer` or
raises. The zip's `bootstrap` runs it against the Lambda Runtime API.
"""
import io, json, sys, textwrap, zipfile

import boto3

url, name, program = sys.argv[1:4]
bootstrap = f"""#!{sys.executable}
import json, os, urllib.request
runtime = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"] + "/2018-06-01/runtime/invocation/"
opener = urllib.request.build_opener(urllib.request.ProxyHandler({{}}))
with opener.open(runtime + "next") as invocation:
    request = invoked = invocation.headers["Lambda-Runtime-Aws-Request-Id"]
    event = json.load(invocation)
answer, path = None, "/response"
try:
{textwrap.indent(program, "    ")}
except Exception as error:
    answer, path = {{"errorType": type(error).__name__, "errorMessage": str(error)}}, "/error"
import sys
sys.stdout.flush()
data = json.dumps(answer).encode()
opener.open(urllib.request.Request(runtime + invoked + path, data=data, method="POST")).read()
"""
packed = io.BytesIO()
with zipfile.ZipFile(packed, "w") as archive:
    archive.writestr("bootstrap", bootstrap)

iam, functions = boto3.client("iam", endpoint_url=url), boto3.client("lambda", endpoint_url=url)
trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
try:
    iam.create_role(RoleName="anybody", AssumeRolePolicyDocument=json.dumps(trust))
except iam.exceptions.EntityAlreadyExistsException:
    pass
functions.create_function(FunctionName=name, Runtime="provided.al2023", Role="arn:aws:iam::123456789012:role/anybody",
                          Handler="bootstrap", Code={"ZipFile": packed.getvalue()}, Timeout=20)
