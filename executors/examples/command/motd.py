#!/usr/bin/env python3
"""A command executor in 60 lines: `config-change` of one file on systems that are folders here.

Called by countersignd with one JSON object on standard input; answers with one on standard output.
MOTD_SYSTEMS is the folder of systems, MOTD_CONTENT the folder with new contents, each file called as
its SHA-256. docs/operations.md walks through it.
"""
import hashlib
import json
import os
import pathlib
import sys


class Failure(Exception):
    """Why it was not done; the text reaches people."""


def file_of(system, action):
    # The name comes from outside: it must be one part of a path and nothing else.
    for name in (system, action["parameters"]["path"]):
        if not name or "/" in name or name.startswith("."):
            raise Failure("a name that is no file's: " + repr(name))
    return pathlib.Path(os.environ["MOTD_SYSTEMS"]) / system / action["parameters"]["path"]


def write(path, text):
    # All or nothing, so that doing it twice is as good as once.
    new = path.with_name(path.name + ".new")
    new.write_bytes(text)
    os.replace(new, path)


def approved(digest):
    text = (pathlib.Path(os.environ["MOTD_CONTENT"]) / digest).read_bytes()
    if hashlib.sha256(text).hexdigest() != digest:
        raise Failure("the content is not what was approved")
    return text


def serve(call):
    action = call["action"]
    if action["type"] != "config-change":
        raise Failure("only config-change is done here")
    if call["verb"] == "plan":
        steps = ["%s: write %d bytes to %s" % (system, len(approved(action["parameters"]["digest"])), action["parameters"]["path"])
                 for system in call["systems"]]
        return {"ok": True, "steps": steps}
    path = file_of(call["system"], action)
    if call["verb"] == "snapshot":
        return {"ok": True, "snapshot": {"content": path.read_text()}}
    if call["verb"] == "apply":
        write(path, approved(action["parameters"]["digest"]))
    elif call["verb"] == "revert":
        write(path, call["snapshot"]["content"].encode())
    return {"ok": True}


def main():
    try:
        answer = serve(json.load(sys.stdin))
    except (Failure, OSError, KeyError, ValueError) as error:
        answer = {"ok": False, "message": "%s: %s" % (type(error).__name__, error)}
    print(json.dumps(answer))
    return 0 if answer["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
