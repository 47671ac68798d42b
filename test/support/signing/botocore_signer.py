"""Signs requests with botocore, one line of JSON after another, for signers.ts."""

import base64
import json
import sys

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

for line in sys.stdin:
    asked = json.loads(line)
    credentials = Credentials(
        asked["accessKeyId"], asked["secretAccessKey"], asked.get("sessionToken")
    )
    request = AWSRequest(
        method=asked["method"],
        url=asked["url"],
        headers=asked["headers"],
        data=base64.b64decode(asked["body"]),
    )
    SigV4Auth(credentials, "ebs", asked["region"]).add_auth(request)
    print(json.dumps(dict(request.headers.items())), flush=True)
