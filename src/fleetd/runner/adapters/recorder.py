# SPDX-License-Identifier: BSD-2-Clause
"""Events of a playbook run, made into outcomes of hosts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from fleetd.runner.ports import HostOutcome, problem

_RESULT_KEYS = ("power", "changed")


class Recorder:
    """Turns the events of ansible-runner (those of AWX are the same) into outcomes of hosts.

    :param together: the hosts of a playbook that works on localhost for all of them; None: each host is one of
        Ansible's.
    """

    def __init__(
        self, write: Callable[[Mapping[str, Any]], None], report: Sequence[str], together: Sequence[str] | None = None
    ) -> None:
        self._write = write
        self._report = set(report)
        self._together = together
        self.begun: set[str] = set()  # hosts on which a reported module was started
        self.settled: set[str] = set()
        self._open: dict[str, Mapping[str, Any]] = {}  # results that are good unless a later task fails

    def __call__(self, event: Mapping[str, Any]) -> bool:
        data = event.get("event_data") or {}
        host = data.get("host")
        kind = event.get("event")
        reported = bool(self._report & {data.get("task_action"), data.get("resolved_action")})
        if host and kind == "runner_on_start" and reported:
            self.begun.add(host)
        if host and host not in self.settled:
            result = data.get("res") or {}
            if kind == "runner_on_ok" and reported:
                if (result.get("power") or {}).get("final") is False:
                    self._open[host] = result
                else:
                    self._settle(host, True, result)
            elif kind in ("runner_on_failed", "runner_on_unreachable") and not data.get("ignore_errors"):
                done = {k: v for k, v in self._open.get(host, {}).items() if k in _RESULT_KEYS}
                self._settle(host, False, {**result, **done})
        # ansible-runner keeps no copy: results are larger than what is needed, and may hold more than is good.
        return False

    def _settle(self, host: str, ok: bool, result: Mapping[str, Any]) -> None:
        error: Mapping[str, Any] = {}
        if not ok:
            message = str(result.get("msg", "the task failed"))[:500]
            error = {**problem("failed", message), **(result.get("failure") or {})}
        if self._together is not None:
            for outcome in outcomes_together(self._together, ok, result, error):
                self.settle(outcome)
            return
        self.settle(HostOutcome(host, ok, {k: result[k] for k in _RESULT_KEYS if k in result}, error))

    def settle_idle(self, hosts: Sequence[str], why: str) -> None:
        """Settle the hosts that are left once all events were seen.

        Without a start nothing was done on a host; without a failure later tasks have found nothing wrong.
        """
        for host, result in self._open.items():
            if host not in self.settled:
                self._settle(host, True, {**result, "power": {**result["power"], "verified": True}})
        for host in hosts:
            if host not in self.settled and not self.begun & {host, "localhost" if self._together else host}:
                error = problem("not_started", why or "the playbook did nothing for this host")
                self.settle(HostOutcome(host, False, {}, error))

    def settle(self, outcome: HostOutcome) -> None:
        self.settled.add(outcome.host)
        self._write(asdict(outcome))


def outcomes_together(
    hosts: Sequence[str], ok: bool, result: Mapping[str, Any], error: Mapping[str, Any]
) -> Iterator[HostOutcome]:
    """The outcome of each host from the one result of a module that worked on all of them."""
    failures = {str(f.get("machine")): f for f in result.get("failures") or []}
    for host in hosts:
        if host in failures:
            code, message = failures[host].get("code"), failures[host].get("message")
            yield HostOutcome(host, False, {}, {"code": code, "message": message, "details": {}})
        else:  # a failure that names nobody is everybody's
            fine = ok or bool(failures)
            yield HostOutcome(host, fine, {}, {} if fine else error)
