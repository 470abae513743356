"""Print what the webhook bridge posts and has signed. Arguments: a port, and the secret, whsec_..."""

import base64
import hashlib
import hmac
import json
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

KEY = base64.b64decode(sys.argv[2].removeprefix("whsec_"))


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        id, at = self.headers["webhook-id"], self.headers["webhook-timestamp"]
        digest = hmac.new(KEY, f"{id}.{at}.".encode() + body, hashlib.sha256).digest()
        signed = hmac.compare_digest(
            self.headers["webhook-signature"], "v1," + base64.b64encode(digest).decode()
        )
        if signed and abs(time.time() - int(at)) < 300:  # an older one is somebody else's recording
            print(id, json.loads(body)["station"], json.loads(body)["title"], flush=True)
        self.send_response(204 if signed else 401)
        self.end_headers()


HTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver).serve_forever()
