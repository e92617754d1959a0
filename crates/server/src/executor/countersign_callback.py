# The callback that countersignd gives ansible-playbook: results host by host, as one JSON object in
# the file COUNTERSIGN_RESULTS. Plain ansible-core has no callback that does this.
#
# It also ends a run whose play would reach a host that was not asked for (COUNTERSIGN_HOSTS).
from __future__ import absolute_import, division, print_function

__metaclass__ = type

import json
import os

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
    name: countersign
    type: stdout
    short_description: results host by host, for countersignd
    description: Writes what each task did on each host into the file COUNTERSIGN_RESULTS.
"""

TASKS_MAX = 2000
TEXT_MAX = 4000


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "countersign"

    def __init__(self, *args, **kwargs):
        super(CallbackModule, self).__init__(*args, **kwargs)
        self.allowed = set(json.loads(os.environ["COUNTERSIGN_HOSTS"]))
        self.results = {"hosts": {}, "refused": None, "finished": False}

    def _host(self, name):
        empty = {"tasks": [], "failed": None, "unreachable": None, "snapshot": None, "done": 0}
        return self.results["hosts"].setdefault(name, empty)

    def _write(self):
        path = os.environ["COUNTERSIGN_RESULTS"]
        with open(path + ".new", "w") as file:
            json.dump(self.results, file, default=str)
        os.rename(path + ".new", path)

    def v2_playbook_on_play_start(self, play):
        inventory = play.get_variable_manager()._inventory
        reached = set(host.name for host in inventory.get_hosts(play.hosts))
        strangers = sorted(reached - self.allowed)
        if strangers:
            self.results["refused"] = strangers[:10]
            self._write()
            # A callback has no other way to stop a run before its first task.
            os._exit(97)

    def _message(self, result):
        if result.get("_ansible_no_log"):
            return "hidden by no_log"
        for key in ("msg", "stderr", "stdout"):
            value = result.get(key)
            if value:
                return str(value)[:TEXT_MAX]
        return ""

    def _record(self, result, status):
        host = self._host(result._host.get_name())
        if status in ("ok", "changed"):
            host["done"] += 1
        task = {"name": result.task_name or "", "action": result._task.action, "status": status, "diff": []}
        values = result._result
        hidden = values.get("_ansible_no_log")
        if not hidden and values.get("diff"):
            text = self._get_diff(values["diff"])
            for line in text.splitlines():
                # The names of temporary files differ from run to run.
                if line.startswith(("--- ", "+++ ")):
                    continue
                task["diff"].append(line[:TEXT_MAX])
        facts = values.get("ansible_facts")
        if not hidden and isinstance(facts, dict) and "countersign_snapshot" in facts:
            host["snapshot"] = facts["countersign_snapshot"]
        if len(host["tasks"]) < TASKS_MAX:
            host["tasks"].append(task)
        return host, task

    def v2_runner_on_ok(self, result):
        self._record(result, "changed" if result._result.get("changed") else "ok")

    def v2_runner_on_skipped(self, result):
        self._record(result, "skipped")

    def v2_runner_on_failed(self, result, ignore_errors=False):
        host, task = self._record(result, "ignored" if ignore_errors else "failed")
        if not ignore_errors:
            host["failed"] = "%s: %s" % (task["name"], self._message(result._result))

    def v2_runner_on_unreachable(self, result):
        host, _ = self._record(result, "unreachable")
        host["unreachable"] = self._message(result._result)

    def v2_playbook_on_stats(self, stats):
        for name in stats.processed:
            summary = stats.summarize(name)
            # A failure that a block rescued is none.
            if not summary["failures"]:
                self._host(name)["failed"] = None
        self.results["finished"] = True
        self._write()
