"""Calls boto3 for boto3-cycle.test.ts: one JSON request per line in, one JSON answer per line out.

A request is {"service", "operation", "input", "body"?}; the body is a block in base64. An answer
is {"output", "body"?} or {"error": {"code", "message"}}. Operation "wait" is boto3's own waiter.
"""

import base64
import json
import sys

import boto3
import botocore.exceptions
from botocore import xform_name

clients = {name: boto3.client(name) for name in ("ebs", "ec2", "sts")}


def call(request):
    client = clients[request["service"]]
    members = request["input"]
    if request["operation"] == "wait":
        waiter = client.get_waiter("snapshot_completed")
        waiter.wait(WaiterConfig={"Delay": 1, "MaxAttempts": 60}, **members)
        return {"output": {}}
    if "body" in request:
        members["BlockData"] = base64.b64decode(request["body"])
    output = getattr(client, xform_name(request["operation"]))(**members)
    output.pop("ResponseMetadata")
    if "BlockData" not in output:
        return {"output": output}
    body = output.pop("BlockData").read()
    return {"output": output, "body": base64.b64encode(body).decode()}


for line in sys.stdin:
    try:
        answer = call(json.loads(line))
    except botocore.exceptions.ClientError as error:
        answer = {"error": {"code": error.response["Error"]["Code"], "message": str(error)}}
    print(json.dumps(answer, default=lambda time: time.isoformat()), flush=True)
