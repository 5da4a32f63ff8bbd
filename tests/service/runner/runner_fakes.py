# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fakes of the runner's ports, and a stand-in collection whose bmc_power switches a machine that is a file."""

from __future__ import annotations

import itertools
import json
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fleetcore.errors import ConflictError, FleetError, Unreachable
from fleetcore.ports import PowerState

from fleetd.runner.ports import Entry, HostOutcome, PlaybookRun, RunProgress, Wanted


class FakeClock:
    """Time that only passes when somebody sleeps."""

    def __init__(self) -> None:
        self.time = 1000.0

    def monotonic(self) -> float:
        return self.time

    def now(self) -> str:
        return "2026-01-01T00:00:00Z"

    def sleep(self, seconds: float) -> None:
        self.time += max(seconds, 0.01)


class MemoryJournal:
    def __init__(self) -> None:
        self.rows: dict[str, Entry] = {}
        self.machines: list[str] = []
        self.own_session: str | None = None
        self.claimed: dict[str, tuple[str, dict[str, int]]] = {}

    def work(self, process: str) -> dict[str, dict[str, int]]:
        return {run: dict(tokens) for run, (name, tokens) in self.claimed.items() if name == process}

    def save_work(self, process: str, run: str, tokens: Mapping[str, int]) -> None:
        self.claimed[run] = (process, dict(tokens))

    def forget_work(self, run: str) -> None:
        self.claimed.pop(run, None)

    def session(self) -> str | None:
        return self.own_session

    def save_session(self, session: str | None) -> None:
        self.own_session = session

    def entries(self) -> list[Entry]:
        return list(self.rows.values())

    def save(self, entries: Sequence[Entry]) -> None:
        self.rows.update((e.key, e) for e in entries)

    def forget(self, keys: Sequence[str]) -> None:
        for key in keys:
            del self.rows[key]

    def served(self) -> list[str]:
        return self.machines

    def save_served(self, machines: Sequence[str]) -> None:
        self.machines = list(machines)

    def close(self) -> None:
        pass


class FakeRunner:
    """Runs whose progress the test sets. ``facts``: host variables by host."""

    def __init__(self, hosts: Sequence[str] = ("a", "b")) -> None:
        self.names: list[str] | FleetError = list(hosts)
        self.runs: dict[str, PlaybookRun] = {}
        self.results: dict[str, RunProgress] = {}
        self.discarded: list[str] = []
        self.refuse: FleetError | None = None
        self.facts: dict[str, dict[str, Any]] = {}

    def hosts(
        self, inventories: Sequence[str], pattern: str, variables: Sequence[str] = ()
    ) -> dict[str, dict[str, Any]]:
        if isinstance(self.names, FleetError):
            raise self.names
        return {n: {k: v for k, v in self.facts.get(n, {}).items() if k in variables} for n in self.names}

    def start(self, run: PlaybookRun) -> None:
        if self.refuse:
            raise self.refuse
        self.runs[run.id] = run

    def progress(self, run_id: str) -> RunProgress:
        if run_id not in self.runs:
            return RunProgress(finished=True, launched=False)
        return self.results.get(run_id, RunProgress())

    def known(self) -> list[str]:
        return list(self.runs)

    def discard(self, run_id: str) -> None:
        self.discarded.append(run_id)

    def of(self, prefix: str) -> list[PlaybookRun]:
        return [r for r in self.runs.values() if r.id.startswith(prefix)]


class FakeServer:
    """A machine server whose requests are claimed; with request None they are those of one that has no ids.

    ``elsewhere``: machines that another runner has claimed. ``over``: tokens whose claim has ended.
    """

    def __init__(self) -> None:
        self.open: list[Wanted] = []
        self.down = False
        self.calls: list[tuple[Any, ...]] = []
        self.states: dict[str, str] = {}
        self.elsewhere: set[str] = set()
        self.over: set[int | None] = set()
        self.held: dict[str, int] = {}
        self.tokens = itertools.count(1)

    def _check(self, entry: Entry | None = None) -> None:
        if self.down:
            raise Unreachable("machine server http://x: connection refused")
        if entry is not None and entry.token in self.over:
            raise ConflictError("lost", reason="session_expired")

    def wanted(self, served: frozenset[str], known: Mapping[str, int]) -> list[Wanted]:
        self._check()
        return [w for w in self.open if w.machine in served and w.machine not in self.held]

    def claim(self, wanted: Sequence[Wanted], known: Mapping[str, int]) -> dict[str, int | None]:
        self._check()
        found: dict[str, int | None] = {}
        for want in wanted:
            if want.request is None:
                found[want.machine] = None
            elif want.machine not in self.elsewhere:
                found[want.machine] = self.held[want.machine] = next(self.tokens)
        return found

    def claim_of(self, entry: Entry) -> Mapping[str, Any] | None:
        return None if entry.token is None else {"machine": entry.machine, "fencing_token": entry.token}

    def lose_session(self) -> None:
        self.over.update(self.held.values())
        self.held.clear()

    def release(self, machine: str) -> None:
        self._check()
        self.calls.append(("release", machine))
        self.held.pop(machine, None)

    def step(self, entry: Entry, state: PowerState, message: str) -> None:
        self._check(entry)
        self.calls.append((state, entry.machine))

    def verified(self, entry: Entry) -> None:
        self._check(entry)
        self.calls.append(("verified", entry.machine, entry.request))
        self.open = [w for w in self.open if (w.request or w.machine) != (entry.request or entry.machine)]
        self.held.pop(entry.machine, None)

    def failed(self, entry: Entry) -> None:
        self._check(entry)
        self.calls.append(("failed", entry.request, entry.detail["error"]["code"]))
        self.held.pop(entry.machine, None)

    def availability(self, states: Mapping[str, str]) -> None:
        self._check()
        self.states.update(states)


class FakeBrake:
    def __init__(self) -> None:
        self.why: Mapping[str, Any] | None = None

    def engaged(self) -> Mapping[str, Any] | None:
        return self.why

    def engage(self, why: Mapping[str, Any]) -> None:
        self.why = why

    def release(self) -> None:
        self.why = None


def cycled(host: str) -> HostOutcome:
    return HostOutcome(host, True, {"power": {"before": "on", "after": "on", "verified": True, "driver": "redfish"}})


def broken(host: str, code: str = "unreachable", **details: Any) -> HostOutcome:
    return HostOutcome(host, False, {}, {"code": code, "message": f"{host} did not work", "details": details})


BMC_POWER = """
    import json, os, time
    from ansible.module_utils.basic import AnsibleModule

    def main():
        module = AnsibleModule(dict(state=dict(), machine=dict(type="path"), password=dict(no_log=True)))
        path = module.params["machine"]
        with open(path) as f:
            machine = json.load(f)

        def switch(power):
            with open(path + ".log", "a") as log:
                log.write(power + "\\n")
            machine["power"] = power
            with open(path + ".tmp", "w") as f:
                json.dump(machine, f)
            os.replace(path + ".tmp", path)

        before = machine["power"]
        if machine.get("fail"):
            module.fail_json(msg="no", failure=machine["fail"])
        if module.params["state"] == "cycle":
            switch("off")
            while machine.get("held") and not os.path.exists(path + ".released"):
                time.sleep(0.02)
        if machine["power"] != "on":
            switch("on")
        module.exit_json(changed=True, power=dict(before=before, after="on", verified=True, driver="file"))

    main()
"""

BMC_INFO = """
    from ansible.module_utils.basic import AnsibleModule
    AnsibleModule({}).exit_json()
"""

PLAYBOOK = """
    - hosts: all
      gather_facts: false
      connection: local
      vars: {ansible_python_interpreter: "{{ ansible_playbook_python }}"}
      tasks:
        - baremetal.fleet.bmc_power:
            state: "STATE"
            machine: "{{ machine_file }}"
            password: "{{ bmc_password | default('none') }}"
"""


class FileLab:
    """Machines that are files, below one directory, and a collection that switches them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        collection = root / "collections" / "ansible_collections" / "baremetal" / "fleet"
        (collection / "plugins" / "modules").mkdir(parents=True)
        (collection / "playbooks").mkdir()
        (collection / "plugins" / "modules" / "bmc_power.py").write_text(textwrap.dedent(BMC_POWER))
        (collection / "plugins" / "modules" / "bmc_info.py").write_text(textwrap.dedent(BMC_INFO))
        check = textwrap.dedent(PLAYBOOK).partition("tasks:")[0] + "tasks: [{baremetal.fleet.bmc_info: {}}]"
        (collection / "playbooks" / "powercycle_check.yml").write_text(check)
        for name, state in (("powercycle", "cycle"), ("power_on", "on")):
            (collection / "playbooks" / f"{name}.yml").write_text(textwrap.dedent(PLAYBOOK).replace("STATE", state))
        (root / "ansible.cfg").touch()
        self.hosts: dict[str, dict[str, Any]] = {}
        self.inventory = root / "inventory.json"

    def machine(self, name: str, **state: Any) -> None:
        """Make a machine that is on. ``held``: a cycle leaves it off until :meth:`release`."""
        path = self.root / f"machine-{len(self.hosts)}.json"
        path.write_text(json.dumps({"power": "on", **state}))
        self.hosts[name] = {"machine_file": str(path), "bmc_password": "s3cret-pw"}
        self.inventory.write_text(json.dumps({"all": {"hosts": self.hosts}}))

    def log(self, name: str) -> list[str]:
        path = Path(self.hosts[name]["machine_file"] + ".log")
        return path.read_text().split() if path.exists() else []

    def release(self, name: str) -> None:
        Path(self.hosts[name]["machine_file"] + ".released").touch()

    def power(self, name: str) -> str:
        return str(json.loads(Path(self.hosts[name]["machine_file"]).read_text())["power"])

    @property
    def env(self) -> dict[str, str]:
        return {
            "ANSIBLE_COLLECTIONS_PATH": str(self.root / "collections"),
            "ANSIBLE_CONFIG": str(self.root / "ansible.cfg"),
        }
