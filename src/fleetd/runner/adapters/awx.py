# SPDX-License-Identifier: BSD-2-Clause
"""Playbooks as jobs of AWX (or the automation controller), over its REST API ``/api/v2``.

A run is a job of a template that the user has made for the playbook. It is found again by a marker in its extra
variables, so that a launch whose answer was lost, or that was followed by a SIGKILL, is not repeated. A job that is not
for exactly the machines of its run is cancelled until AWX says that it has ended. What is remembered is a directory per
run::

    run.json       what to do, written before the launch
    job.json       {"job": id, "refused": why it is cancelled}, written after it
"""

from __future__ import annotations

import contextlib
import json
import math
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, asdict, dataclass, field
from datetime import datetime
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

from fleetd.common import logs
from fleetd.runner.adapters.ansible_runner import make_private
from fleetd.runner.adapters.recorder import Recorder
from fleetd.runner.ports import HostOutcome, Hosts, PlaybookRun, RunProgress

MARKER = "fleetd_run"
"""The extra variable that holds a run's id."""

_REFUSALS: dict[int, tuple[type[FleetError], str]] = {
    401: (AuthenticationFailed, "the token is refused; check runner.awx.token_file"),
    403: (PermissionDenied, "the token may not do this"),
    404: (NotFound, "there is none"),
    **{status: (Busy, f"HTTP {status}") for status in (429, 502, 503, 504)},
    **dict.fromkeys((400, 405, 409), (InvalidInput, "")),
}
"""Class by status, and what to say; empty: AWX says it."""

_ENDED = ("successful", "failed", "error", "canceled")
_EVENTS = "runner_on_start,runner_on_ok,runner_on_failed,runner_on_unreachable"
_PAGE = 200
_LATE_SECONDS = (
    180.0  # a launch that AWX has not shown by then did not happen: its web server gives a request up after 120 s
)
_EARLIER_SECONDS = 86400.0  # how far AWX's clock may be behind ours
_LOOK_SECONDS = 2.0


_log = logs.get("fleetd.runner")


@dataclass
class _Seen:
    """State of a run's job as far as it was read; reading goes on from there. Times are of the monotonic clock."""

    recorder: Recorder
    since: float
    outcomes: list[HostOutcome] = field(default_factory=list)
    counter: int = 0
    looked_at: float | None = None
    missing_since: float | None = None  # since then AWX has answered, and did not show the job
    progress: RunProgress = field(default_factory=RunProgress)


@dataclass
class AwxRunner:
    """Adapter of :class:`fleetd.runner.ports.PlaybookRunner`.

    :param http: transport whose base is AWX's address.
    :param read_token: gives the OAuth2 token, read again for each request.
    :param templates: playbook -> id or name of its job template.
    :param hosts: reads the inventory. AWX has one of its own, with the same names.
    :param timeout: seconds after which a job is cancelled, as a last resort; they begin anew when the runner does.
    :param monotonic: seconds that nobody sets: a clock that jumps neither ends a run nor starts it twice.
    """

    root: Path
    http: Http
    read_token: Callable[[], str]
    templates: Mapping[str, str]
    hosts: Hosts
    _: KW_ONLY
    timeout: float = 1800.0
    monotonic: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    look_seconds: float = _LOOK_SECONDS
    _seen: dict[str, _Seen] = field(default_factory=dict, init=False)
    _said: str = field(default="", init=False)

    def __post_init__(self) -> None:
        make_private(self.root)

    def check(self, playbooks: Sequence[str]) -> None:
        """Look at the templates of these playbooks.

        :raises InvalidInput: one has no template, or its template does not let the limit and variables be given.
        """
        for playbook in playbooks:
            self._template(playbook)

    def start(self, run: PlaybookRun) -> None:
        if not run.hosts:
            raise InvalidInput("a run needs at least one host: an empty limit would select everything")
        template = self._template(run.playbook)
        directory = self.root / run.id
        try:
            directory.mkdir(mode=0o700)
            spec = asdict(run) | {"template": template, "started_at": self.wall()}
            _write(directory / "run.json", spec)
        except OSError as error:
            raise FatalError(f"can't start a playbook run in {directory}: {error}") from error
        body: dict[str, Any] = {"extra_vars": {**run.extra_vars, MARKER: run.id}}
        if run.on_controller:
            body["extra_vars"]["target"] = ",".join(run.hosts)
        else:
            body["limit"] = ",".join(run.hosts)
        try:
            answer = self._call("POST", f"/api/v2/job_templates/{template}/launch/", body)
        except TransientError:
            return  # it may have been launched: the marker tells
        except FleetError:
            shutil.rmtree(directory, ignore_errors=True)
            raise
        if answer.get("job") or answer.get("workflow_job"):
            self._remember(directory, spec, answer)

    def progress(self, run_id: str) -> RunProgress:
        directory = self.root / run_id
        try:
            spec = json.loads((directory / "run.json").read_text())
        except (OSError, ValueError):
            return RunProgress(finished=True, launched=False)
        seen = self._seen.get(run_id) or self._begin(run_id, spec)
        now = self.monotonic()
        if seen.progress.finished or (seen.looked_at is not None and now - seen.looked_at < self.look_seconds):
            return seen.progress
        seen.looked_at = now
        try:
            seen.progress = self._look(directory, spec, seen)
        except FleetError as error:  # AWX is away, or wants no more of us: nothing is known, so nothing is decided
            if error.code != self._said:
                _log.warning("awx_away", run=run_id, code=error.code, message=error.message)
            self._said = error.code
        else:
            if self._said:
                _log.info("awx_back", run=run_id)
            self._said = ""
        return seen.progress

    def known(self) -> list[str]:
        return sorted(p.parent.name for p in self.root.glob("*/run.json"))

    def discard(self, run_id: str) -> None:
        shutil.rmtree(self.root / run_id, ignore_errors=True)
        self._seen.pop(run_id, None)

    def _begin(self, run_id: str, spec: Mapping[str, Any]) -> _Seen:
        outcomes: list[HostOutcome] = []
        together = spec["hosts"] if spec["on_controller"] else None
        recorder = Recorder(lambda line: outcomes.append(HostOutcome(**line)), spec["report"], together)
        self._seen[run_id] = _Seen(recorder, self.monotonic(), outcomes)
        return self._seen[run_id]

    def _look(self, directory: Path, spec: Mapping[str, Any], seen: _Seen) -> RunProgress:
        known = self._job(directory, spec)
        if known is None:
            late = self._missing(seen)
            return RunProgress(finished=late, launched=not late)
        job, path = known["job"], _path(known)
        try:
            found = self._call("GET", path)
        except NotFound:
            # Also what AWX answers of a job that the token may not see any more.
            return RunProgress(tuple(seen.outcomes), self._missing(seen), True, f"job {job} is not in AWX (any more)")
        seen.missing_since = None
        if not known["refused"] and _wrong(spec, found):
            known = self._remember(directory, spec, found)
        refused = known["refused"]
        overdue = self.monotonic() - seen.since > self.timeout
        status = found.get("status")
        ended = status in _ENDED and (found.get("event_processing_finished") is not False or overdue)
        self._read(path, seen)
        problem = refused
        if ended and status not in ("successful", "failed"):
            why = f"job {job} of AWX ended with {status}: {found.get('job_explanation') or 'no explanation'}"
            problem = f"{problem}; {why}" if problem else why
        if ended:
            if set(spec["hosts"]) - seen.recorder.settled:
                seen.counter = 0  # AWX stores events side by side: one may have come after a later one was read
                self._read(path, seen)
            seen.recorder.settle_idle(spec["hosts"], problem)
            others = sorted(seen.recorder.begun - {*spec["hosts"], "localhost"})
            if others:
                _log.error(
                    "awx_others",
                    job=job,
                    machines=others,
                    message="the job has worked on these too: look whether they are on",
                )
        elif refused or overdue:
            self._cancel(path)
        return RunProgress(tuple(seen.outcomes), ended, True, problem)

    def _missing(self, seen: _Seen) -> bool:
        """Whether AWX has answered without the job for so long that there is none."""
        now = self.monotonic()
        if seen.missing_since is None:
            seen.missing_since = now
        return now - seen.missing_since > _LATE_SECONDS

    def _read(self, path: str, seen: _Seen) -> None:
        if "workflow" in path:
            return
        query = {"event__in": _EVENTS, "counter__gt": seen.counter, "order_by": "counter", "page_size": _PAGE}
        for event in self._pages(f"{path}job_events/", query):
            data = {"host": event.get("host_name"), **(event.get("event_data") or {})}
            seen.recorder({"event": event.get("event"), "event_data": data})
            seen.counter = max(seen.counter, int(event.get("counter") or 0))

    def _remember(self, directory: Path, spec: Mapping[str, Any], job: Mapping[str, Any]) -> dict[str, Any]:
        """Write a run's job into ``job.json`` before anything is decided on it.

        One that is not what was asked for is cancelled.

        :param job: as AWX shows it, or its answer to the launch.
        """
        sliced = job.get("workflow_job")
        number = sliced or job.get("job") or job["id"]
        kind = "workflow_jobs" if sliced else "jobs"
        known = {"job": number, "kind": kind, "refused": _wrong(spec, job)}
        _write(directory / "job.json", known)
        if known["refused"]:
            _log.error("awx_refused", run=spec["id"], job=number, message=f"{known['refused']}; it is cancelled")
            self._cancel(_path(known))
        return known

    def _job(self, directory: Path, spec: Mapping[str, Any]) -> dict[str, Any] | None:
        """The run's job, as :meth:`_remember` remembers it; None: AWX shows none."""
        with contextlib.suppress(OSError, ValueError):
            known: dict[str, Any] = json.loads((directory / "job.json").read_text())
            return known
        found: Mapping[str, Any] | None = None
        path = f"/api/v2/job_templates/{spec['template']}/jobs/"
        for job in self._pages(path, {"order_by": "-id", "page_size": _PAGE}):
            if _seconds(job.get("created")) < spec["started_at"] - _EARLIER_SECONDS:
                break
            if _marker(job) == spec["id"]:
                found = job  # the last one is the oldest: those after it were launched again by a person
        return None if found is None else self._remember(directory, spec, found)

    def _template(self, playbook: str) -> int:
        """The id of a playbook's template, if it can be used."""
        wanted = self.templates.get(playbook)
        if wanted is None:
            raise _unusable(f"runner.awx.templates: no job template for {playbook}")
        if wanted.isdigit():
            template = self._call("GET", f"/api/v2/job_templates/{wanted}/")
        else:
            found = self._call("GET", f"/api/v2/job_templates/?{urlencode({'name': wanted})}").get("results") or []
            if len(found) != 1:
                many = f"AWX has {len(found)} job templates with the name {wanted!r}"
                raise _unusable(f"runner.awx.templates: {many}: give the id")
            template = found[0]
        number = int(template["id"])
        if int(template.get("job_slice_count") or 1) > 1:
            raise _unusable(f"job template {wanted}: set job_slice_count to 1 in AWX: the runner follows one job")
        how = self._call("GET", f"/api/v2/job_templates/{number}/launch/")
        missing = [n for n in ("ask_limit_on_launch", "ask_variables_on_launch") if not how.get(n)]
        if missing:
            raise _unusable(f"job template {wanted}: set {' and '.join(missing)} (prompt on launch) in AWX")
        if how.get("passwords_needed_to_start") or how.get("variables_needed_to_start"):
            raise _unusable(f"job template {wanted} asks for more than a limit and variables")
        return number

    def _cancel(self, path: str) -> None:
        with contextlib.suppress(FleetError):  # it has ended, or AWX is away: tried again at the next look
            self._call("POST", f"{path}cancel/")

    # -- requests

    def _pages(self, path: str, query: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        following: str | None = f"{path}?{urlencode(query)}"
        while following:
            answer = self._call("GET", following)
            yield from answer.get("results") or []
            following = answer.get("next")

    def _call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.read_token()}", "Accept": "application/json"}
        payload = b"" if method == "POST" else None
        if body is not None:
            headers["Content-Type"] = "application/json"
            payload = json.dumps(body).encode()
        response = self.http.send(HttpRequest(method, path, headers, payload))
        where = f"AWX: {method} {path.partition('?')[0]}"
        if not 200 <= response.status < 300:
            kind, words = _REFUSALS.get(response.status, (BadResponse, f"HTTP {response.status}"))
            said = response.body[:300].decode("utf-8", "replace")
            raise kind(f"{where}: {words or said}", status=response.status)
        try:
            data = json.loads(response.body or b"{}")
        except ValueError:
            raise BadResponse(f"{where}: the answer is not JSON. Is this AWX?", status=response.status) from None
        return data if isinstance(data, dict) else {}


def _unusable(message: str) -> InvalidInput:
    return InvalidInput(message, field="runner.awx.templates")


def _wrong(spec: Mapping[str, Any], job: Mapping[str, Any]) -> str:
    """Why a job is not for exactly the machines of its run; empty when it is."""
    if job.get("workflow_job"):
        return f"AWX made several jobs of it: set job_slice_count of job template {spec['template']} to 1"
    ignored = sorted({"limit", "extra_vars"} & set(job.get("ignored_fields") or {}))
    if ignored:
        return f"AWX ignored {' and '.join(ignored)} of job template {spec['template']}"
    limit = str(job.get("limit") or "")
    if not spec["on_controller"] and limit != ",".join(spec["hosts"]):
        return f"AWX launched job template {spec['template']} with the limit {limit[:200]!r} instead of its machines"
    return ""


def _path(known: Mapping[str, Any]) -> str:
    return f"/api/v2/{known.get('kind') or 'jobs'}/{known['job']}/"


def _marker(job: Mapping[str, Any]) -> Any:
    try:
        variables = json.loads(job.get("extra_vars") or "{}")
    except ValueError:
        return None
    return variables.get(MARKER) if isinstance(variables, dict) else None


def _seconds(created: Any) -> float:
    """A time of AWX; without one that can be read: late enough."""
    try:
        return datetime.fromisoformat(str(created)).timestamp()
    except ValueError:
        return math.inf


def _write(path: Path, data: Mapping[str, Any]) -> None:
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(dict(data)))
    temporary.replace(path)
