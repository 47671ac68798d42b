# Puts and gets blocks with boto3, asked by lines of JSON on standard input.

import base64
import hashlib
import json
import sys
from concurrent.futures import ThreadPoolExecutor

import boto3
from botocore.config import Config

BLOCK_BYTES = 524_288
CALLS_AT_ONCE = 16

tokens = {}


def client_of(load):
    return boto3.client(
        "ebs",
        endpoint_url=load["endpoint"],
        region_name=load["region"],
        aws_access_key_id=load["accessKeyId"],
        aws_secret_access_key=load["secretAccessKey"],
        config=Config(max_pool_connections=CALLS_AT_ONCE),
    )


def checksum_of(data):
    return base64.b64encode(hashlib.sha256(data).digest()).decode()


def run_all(load, work):
    with ThreadPoolExecutor(CALLS_AT_ONCE) as pool:
        for _ in pool.map(work, range(load["count"])):
            pass


def put(load):
    client = client_of(load)
    body = bytes(hashlib.shake_128(b"boto3 body").digest(BLOCK_BYTES - 64))

    def put_one(index):
        # Each block is another one.
        data = f"{load['name']} {index}".encode().ljust(64) + body
        client.put_snapshot_block(
            SnapshotId=load["snapshotId"],
            BlockIndex=index,
            BlockData=data,
            DataLength=BLOCK_BYTES,
            Checksum=checksum_of(data),
            ChecksumAlgorithm="SHA256",
        )

    run_all(load, put_one)


def read_tokens(load):
    client = client_of(load)
    tokens.clear()
    asked = {"SnapshotId": load["snapshotId"]}
    while True:
        page = client.list_snapshot_blocks(**asked)
        for block in page["Blocks"]:
            tokens[block["BlockIndex"]] = block["BlockToken"]
        if not page.get("NextToken"):
            return
        asked["NextToken"] = page["NextToken"]


def get(load):
    client = client_of(load)

    def get_one(number):
        index = number % len(tokens)
        answer = client.get_snapshot_block(
            SnapshotId=load["snapshotId"], BlockIndex=index, BlockToken=tokens[index]
        )
        if checksum_of(answer["BlockData"].read()) != answer["Checksum"]:
            raise RuntimeError("wrong bytes")

    run_all(load, get_one)


COMMANDS = {"put": put, "readTokens": read_tokens, "get": get}

for line in sys.stdin:
    asked = json.loads(line)
    try:
        COMMANDS[asked["command"]](asked["load"])
        print("{}", flush=True)
    except Exception as error:
        print(json.dumps({"error": repr(error)}), flush=True)
