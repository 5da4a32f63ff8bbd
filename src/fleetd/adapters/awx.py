# Copyright: (c) 2026, The baremetal.fleet authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Playbooks as jobs of AWX (or the automation controller), over its REST API ``/api/v2``.

A run is a job of a template that the user has made for the playbook. It is found again by a marker in its extra variables, so that a
launch whose answer was lost, or that was followed by a SIGKILL, is not repeated. What is remembered is a directory per run::

    run.json       what to do, written before the launch
    job.json       {"job": id}, written after it
"""

from __future__ import annotations

import contextlib
import json
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from fleetcore.errors import (
    AuthenticationFailed,
    BadResponse,
    Busy,
    FatalError,
    FleetError,
    InvalidInput,
    NotFound,
    PermissionDenied,
    TransientError,
)
from fleetcore.ports import Http, HttpRequest

from fleetd.adapters.ansible_runner import Recorder
from fleetd.runner_ports import HostOutcome, PlaybookRun, RunProgress

MARKER = "fleetd_run"
"""The extra variable that holds a run's id."""

_ENDED = ("successful", "failed", "error", "canceled")
_EVENTS = "runner_on_start,runner_on_ok,runner_on_failed,runner_on_unreachable"
_RECENT = 200  # jobs of a template among which a run is looked for
_LATE_SECONDS = 60.0  # a launch that AWX has not shown by then did not happen
_LOOK_SECONDS = 2.0

Hosts = Callable[[Sequence[str], str, Sequence[str]], dict[str, dict[str, Any]]]


@dataclass
class _Seen:
    """What is known of a run's job so far; it is read on from there."""

    recorder: Recorder
    outcomes: list[HostOutcome] = field(default_factory=list)
    counter: int = 0
    looked_at: float = 0.0
    progress: RunProgress = field(default_factory=RunProgress)


class AwxRunner:
    """Adapter of :class:`fleetd.runner_ports.PlaybookRunner`.

    :param http: transport whose base is AWX's address.
    :param token: gives the OAuth2 token, read again for each request.
    :param templates: playbook -> id or name of its job template.
    :param hosts: reads the inventory. AWX has one of its own, with the same names.
    :param timeout: seconds after which a job is cancelled, as a last resort.
    """

    def __init__(
        self,
        root: Path,
        http: Http,
        token: Callable[[], str],
        templates: Mapping[str, str],
        hosts: Hosts,
        *,
        timeout: float = 1800.0,
        wall: Callable[[], float] = time.time,
        look_seconds: float = _LOOK_SECONDS,
    ) -> None:
        self._root = root
        self._http = http
        self._token = token
        self._templates = dict(templates)
        self._hosts = hosts
        self._timeout = timeout
        self._wall = wall
        self._look_seconds = look_seconds
        self._seen: dict[str, _Seen] = {}
        root.mkdir(mode=0o700, parents=True, exist_ok=True)

    def hosts(
        self, inventories: Sequence[str], pattern: str, variables: Sequence[str] = ()
    ) -> dict[str, dict[str, Any]]:
        return self._hosts(inventories, pattern, variables)

    def check(self, playbooks: Sequence[str]) -> None:
        """:raises InvalidInput: a playbook has no template, or one that does not let the limit and variables be given."""
        for playbook in playbooks:
            self._template(playbook)

    def start(self, run: PlaybookRun) -> None:
        if not run.hosts:
            raise InvalidInput("a run needs at least one host: an empty limit would select everything")
        template = self._template(run.playbook)
        directory = self._root / run.id
        try:
            directory.mkdir(mode=0o700)
            spec = asdict(run) | {"template": template, "started_at": self._wall()}
            _write(directory / "run.json", spec)
        except OSError as error:
            raise FatalError(f"can't start a playbook run in {directory}: {error}") from error
        names = ",".join(run.hosts)
        variables = {**run.extra_vars, MARKER: run.id}
        body: dict[str, Any] = {"limit": names, "extra_vars": variables}
        if run.on_controller:
            body = {"extra_vars": {**variables, "target": names}}
        try:
            answer = self._call("POST", f"/api/v2/job_templates/{template}/launch/", body)
        except TransientError:
            return  # it may have been launched: the marker tells
        except FleetError:
            shutil.rmtree(directory, ignore_errors=True)
            raise
        job = answer.get("job") or answer.get("id")
        ignored = {"limit", "extra_vars"} & set(answer.get("ignored_fields") or {})
        if ignored:
            self._cancel(job)  # it would work on all machines
            shutil.rmtree(directory, ignore_errors=True)
            raise InvalidInput(
                f"AWX ignored {', '.join(sorted(ignored))} of template {template}: job {job} is cancelled"
            )
        _write(directory / "job.json", {"job": job})

    def progress(self, run_id: str) -> RunProgress:
        directory = self._root / run_id
        try:
            spec = json.loads((directory / "run.json").read_text())
        except (OSError, ValueError):
            return RunProgress(finished=True, launched=False)
        seen = self._seen.get(run_id) or self._begin(run_id, spec)
        if seen.progress.finished or self._wall() - seen.looked_at < self._look_seconds:
            return seen.progress
        seen.looked_at = self._wall()
        with contextlib.suppress(FleetError):  # AWX is away: nothing is known, so nothing is decided
            seen.progress = self._look(directory, spec, seen)
        return seen.progress

    def known(self) -> list[str]:
        return sorted(p.parent.name for p in self._root.glob("*/run.json"))

    def discard(self, run_id: str) -> None:
        shutil.rmtree(self._root / run_id, ignore_errors=True)
        self._seen.pop(run_id, None)

    def _begin(self, run_id: str, spec: Mapping[str, Any]) -> _Seen:
        outcomes: list[HostOutcome] = []
        together = spec["hosts"] if spec["on_controller"] else None
        recorder = Recorder(lambda line: outcomes.append(HostOutcome(**line)), spec["report"], together)
        self._seen[run_id] = _Seen(recorder, outcomes)
        return self._seen[run_id]

    def _look(self, directory: Path, spec: Mapping[str, Any], seen: _Seen) -> RunProgress:
        job = self._job(directory, spec)
        if job is None:
            late = self._wall() - spec["started_at"] > _LATE_SECONDS
            return RunProgress(finished=late, launched=not late)
        try:
            found = self._call("GET", f"/api/v2/jobs/{job}/")
        except NotFound:
            return RunProgress(tuple(seen.outcomes), True, True, f"job {job} was deleted in AWX")
        for event in self._pages(
            f"/api/v2/jobs/{job}/job_events/",
            {"event__in": _EVENTS, "counter__gt": seen.counter, "order_by": "counter", "page_size": 200},
        ):
            data = {"host": event.get("host_name"), **(event.get("event_data") or {})}
            seen.recorder({"event": event.get("event"), "event_data": data})
            seen.counter = max(seen.counter, int(event.get("counter") or 0))
        status = found.get("status")
        ended = status in _ENDED and found.get("event_processing_finished") is not False
        problem = ""
        if ended and status not in ("successful", "failed"):
            problem = f"job {job} of AWX ended with {status}: {found.get('job_explanation') or 'no explanation'}"
        if ended:
            seen.recorder.settle_idle(spec["hosts"], problem)
        elif self._wall() - spec["started_at"] > self._timeout:
            self._cancel(job)
        return RunProgress(tuple(seen.outcomes), ended, True, problem)

    def _job(self, directory: Path, spec: Mapping[str, Any]) -> Any:
        """The id of the run's job; None: AWX shows none."""
        try:
            return json.loads((directory / "job.json").read_text())["job"]
        except (OSError, ValueError):
            pass
        path = f"/api/v2/job_templates/{spec['template']}/jobs/"
        jobs = self._call("GET", f"{path}?{urlencode({'order_by': '-id', 'page_size': _RECENT})}").get("results") or []
        for job in jobs:
            try:
                variables = json.loads(job.get("extra_vars") or "{}")
            except ValueError:
                continue
            if variables.get(MARKER) == spec["id"]:
                _write(directory / "job.json", {"job": job["id"]})
                return job["id"]
        return None

    def _template(self, playbook: str) -> int:
        """The id of a playbook's template, if it can be used."""
        wanted = self._templates.get(playbook)
        if wanted is None:
            raise InvalidInput(f"runner.awx.templates: no job template for {playbook}", field="runner.awx.templates")
        if str(wanted).isdigit():
            number = int(wanted)
        else:
            found = self._call("GET", f"/api/v2/job_templates/?{urlencode({'name': wanted})}").get("results") or []
            if len(found) != 1:
                raise InvalidInput(
                    f"runner.awx.templates: AWX has {len(found)} job templates with the name {wanted!r}: give the id",
                    field="runner.awx.templates",
                )
            number = int(found[0]["id"])
        how = self._call("GET", f"/api/v2/job_templates/{number}/launch/")
        missing = [n for n in ("ask_limit_on_launch", "ask_variables_on_launch") if not how.get(n)]
        if missing:
            raise InvalidInput(
                f"job template {wanted}: set {' and '.join(missing)} (prompt on launch) in AWX",
                field="runner.awx.templates",
            )
        if how.get("passwords_needed_to_start") or how.get("variables_needed_to_start"):
            raise InvalidInput(
                f"job template {wanted} asks for more than a limit and variables", field="runner.awx.templates"
            )
        return number

    def _cancel(self, job: Any) -> None:
        try:
            self._call("POST", f"/api/v2/jobs/{job}/cancel/")
        except FleetError:
            return  # it has ended, or AWX is away: tried again at the next look

    # -- requests

    def _pages(self, path: str, query: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        following: str | None = f"{path}?{urlencode(query)}"
        while following:
            answer = self._call("GET", following)
            yield from answer.get("results") or []
            following = answer.get("next")

    def _call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self._token()}", "Accept": "application/json"}
        payload = b"" if method == "POST" else None
        if body is not None:
            headers["Content-Type"] = "application/json"
            payload = json.dumps(body).encode()
        response = self._http.send(HttpRequest(method, path, headers, payload))
        where = f"AWX: {method} {path.partition('?')[0]}"
        if response.status == 401:
            raise AuthenticationFailed(f"{where}: the token is refused; check runner.awx.token_file")
        if response.status == 403:
            raise PermissionDenied(f"{where}: the token may not do this")
        if response.status == 404:
            raise NotFound(f"{where}: there is none")
        if response.status in (429, 502, 503, 504):
            raise Busy(f"{where}: HTTP {response.status}")
        if response.status in (400, 405, 409):
            raise InvalidInput(f"{where}: {response.body[:300].decode('utf-8', 'replace')}")
        if not 200 <= response.status < 300:
            raise BadResponse(f"{where}: HTTP {response.status}", status=response.status)
        if not response.body:
            return {}
        try:
            data = json.loads(response.body)
        except ValueError:
            raise BadResponse(f"{where}: the answer is not JSON. Is this AWX?", status=response.status) from None
        return data if isinstance(data, dict) else {}


def _write(path: Path, data: Mapping[str, Any]) -> None:
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(dict(data)))
    temporary.replace(path)
