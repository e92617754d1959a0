#!/usr/bin/env python3
"""A webhook executor: a receiver of signed requests that keeps one state for each system.

    receiver.py PORT CERTIFICATE.pem PUBLIC_KEY.pem

It checks each signature with `openssl`, does each Idempotency-Key once, refuses what comes late, and
works on `apply` for a moment, so that it is asked how that stands. docs/operations.md walks through it.
"""
import base64
import hashlib
import http.server
import json
import re
import ssl
import subprocess
import sys
import tempfile
import threading
import time

COVERED = ["@method", "@target-uri", "content-digest", "idempotency-key", "countersign-operation", "countersign-fencing-token"]
# What was answered, by idempotency key; a real receiver keeps it where it survives a restart.
ANSWERS = {}
# The highest fencing token seen, by operation and system.
FENCES = {}
STATES = {}
LOCK = threading.Lock()


def is_signed(handler, body, public_key):
    header = handler.headers.get
    digest = "sha-256=:%s:" % base64.b64encode(hashlib.sha256(body).digest()).decode()
    match = re.fullmatch(r'countersign=(\(.*\);created=(\d+);expires=(\d+);.*)', header("signature-input", ""))
    signature = re.fullmatch(r"countersign=:([A-Za-z0-9+/=]+):", header("signature", ""))
    if not match or not signature or header("content-digest") != digest:
        return False
    covered = "(%s)" % " ".join('"%s"' % name for name in COVERED)
    if not match.group(1).startswith(covered) or not int(match.group(2)) - 5 <= time.time() < int(match.group(3)):
        return False
    own = {"@method": handler.command, "@target-uri": "https://%s%s" % (header("host"), handler.path)}
    lines = ['"%s": %s' % (name, own[name] if name in own else header(name)) for name in COVERED]
    lines.append('"@signature-params": %s' % match.group(1))
    with tempfile.NamedTemporaryFile() as text, tempfile.NamedTemporaryFile() as proof:
        text.write("\n".join(lines).encode())
        text.flush()
        proof.write(base64.b64decode(signature.group(1)))
        proof.flush()
        verify = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", public_key, "-rawin", "-in", text.name, "-sigfile", proof.name]
        return subprocess.run(verify, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0


def serve(call):
    verb = call["verb"]
    if verb == "plan":
        return {"ok": True, "steps": ["%s: switch it over" % system for system in call["systems"]]}
    system = call["system"]
    if verb == "snapshot":
        return {"ok": True, "snapshot": {"state": STATES.get(system, "old")}}
    fence = (call["operation"], system)
    if FENCES.get(fence, 0) > call["sequence"]:
        return {"ok": False, "message": "a later call came before"}
    FENCES[fence] = call["sequence"]
    STATES[system] = "new" if verb == "apply" else call["snapshot"]["state"]
    return {"ok": True}


class Handler(http.server.BaseHTTPRequestHandler):
    def say(self, status, answer, headers=()):
        text = json.dumps(answer).encode()
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def handle_signed(self):
        body = self.rfile.read(int(self.headers.get("content-length", "0")))
        if not is_signed(self, body, sys.argv[3]):
            return self.say(401, {"ok": False, "message": "wrong signature"})
        key = self.headers["idempotency-key"]
        with LOCK:
            if self.command == "POST" and key not in ANSWERS:
                ANSWERS[key] = serve(json.loads(body))
                if '"verb":"apply"' in body.decode():
                    return self.say(202, {}, [("location", "/work"), ("retry-after", "0")])
            return self.say(200, ANSWERS.get(key, {"ok": False, "message": "no such work"}))

    do_GET = do_POST = handle_signed

    def log_message(self, *_):
        pass


def main():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[2])
    server.socket = context.wrap_socket(server.socket, server_side=True)
    print(server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
