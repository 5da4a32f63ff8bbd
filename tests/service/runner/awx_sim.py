# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A simulated AWX: the shapes of its documented REST API, no more.

Jobs are moved on by the test, or run by themselves (`performs`).
"""

from __future__ import annotations

import http.server
import json
import re
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

POWER = "baremetal.fleet.bmc_power"
CHECK = "baremetal.fleet.bmc_info"
PAGE = 2  # smaller than what is asked for: AWX has a maximum of its own

# Job templates: 7 as it has to be, 8 prompts for nothing, 9 is sliced; 17 and 18 do other playbooks.
TEMPLATES: dict[int, dict[str, Any]] = {
    7: {"name": "power cycle"},
    8: {"name": "silent", "ask_limit_on_launch": False, "ask_variables_on_launch": False},
    9: {"name": "sliced", "job_slice_count": 4},
    17: {"name": "check"},
    18: {"name": "power on"},
}


class Awx:
    """Its faults: `lose_answers` of launches, `ignore` as a launch's `ignored_fields`, `launch_with` changes the job
    that a launch makes, `refuse` is asked for a status for each request, `on_launch` is called when a job was made and
    before the launch is answered.
    """

    def __init__(self, performs: float | None = None, queue_seconds: float = 0.0) -> None:
        self.jobs: dict[int, dict[str, Any]] = {}
        self.performers: list[threading.Thread] = []
        self.events: dict[int, list[dict[str, Any]]] = {}
        self.launches = 0
        self.requests: list[str] = []
        self.lose_answers = False
        self.ignore: dict[str, Any] = {}
        self.launch_with: dict[str, Any] = {}
        self.refuse: Callable[[str, str], int | None] = lambda _method, _path: None
        self.on_launch: Callable[[int], None] = lambda _template: None
        self.cancelled: list[int] = []
        self.power: dict[str, list[str]] = {}  # what jobs that run by themselves did to machines
        self.performs, self.queue_seconds = performs, queue_seconds
        self.hurry = threading.Event()  # ends what takes its time
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.route(b"")

            def do_POST(self) -> None:
                self.route(self.rfile.read(int(self.headers.get("content-length") or 0)))

            def route(self, body: bytes) -> None:
                url = urlsplit(self.path)
                outer.requests.append(f"{self.command} {url.path}")
                if self.headers.get("authorization") != "Bearer right":
                    self.answer(401, {"detail": "Authentication credentials were not provided."})
                    return
                status = outer.refuse(self.command, url.path)
                if status:
                    self.answer(status, {"detail": "no"})
                    return
                query = {k: v[0] for k, v in parse_qs(url.query).items()}
                answer = outer.handle(self.command, url.path, query, json.loads(body or b"{}"))
                if answer is None:
                    self.close_connection = True
                else:
                    self.answer(*answer)

            def answer(self, status: int, data: Any) -> None:
                payload = json.dumps(data).encode()
                self.send_response(status)
                self.send_header("content-length", str(len(payload)))
                self.end_headers()
                self.wfile.write(payload)

            def log_message(self, *_: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self.hurry.set()
        self.server.shutdown()
        self.server.server_close()

    def of(self, template: int) -> list[dict[str, Any]]:
        """Its jobs, oldest first."""
        return [job for _number, job in sorted(self.jobs.items()) if job["job_template"] == template]

    def handle(self, method: str, path: str, query: dict[str, str], body: Any) -> tuple[int, Any] | None:  # noqa: PLR0911 - one per path
        if path == "/api/v2/job_templates/":
            return self.page(
                path, query, [self.template(n) for n, t in TEMPLATES.items() if t["name"] == query["name"]]
            )
        one = re.fullmatch(r"/api/v2/job_templates/(\d+)/(|launch/|jobs/)", path)
        if one and int(one[1]) in TEMPLATES:
            template = int(one[1])
            if one[2] == "jobs/":
                return self.page(path, query, self.of(template)[::-1])
            if method == "POST":
                return self.launch(template, body)
            return 200, self.template(template)
        one = re.fullmatch(r"/api/v2/(workflow_jobs|jobs)/(\d+)/(|job_events/|cancel/)", path)
        if not one or self.jobs.get(int(one[2]), {}).get("type") != one[1].removesuffix("s"):
            return 404, {"detail": "Not found."}
        number = int(one[2])
        if one[3] == "cancel/":
            self.cancelled.append(number)
            if self.performs is not None:
                self.end(number, "canceled")
            return 202, {}
        if one[3] == "":
            return 200, self.jobs[number]
        return self.page(path, query, [e for e in self.events[number] if e["counter"] > int(query["counter__gt"])])

    def page(self, path: str, query: dict[str, str], found: list[dict[str, Any]]) -> tuple[int, Any]:
        number = int(query.get("page", "1"))
        more = len(found) > number * PAGE
        left = "&".join(f"{k}={v}" for k, v in query.items() if k != "page")
        return 200, {
            "count": len(found), "next": f"{path}?{left}&page={number + 1}" if more else None, "previous": None,
            "results": found[(number - 1) * PAGE : number * PAGE],
        }  # fmt: skip

    def template(self, number: int) -> dict[str, Any]:
        return {
            "id": number, "type": "job_template", "job_type": "run", "job_slice_count": 1, "ask_limit_on_launch": True,
            "ask_variables_on_launch": True, "can_start_without_user_input": True, "passwords_needed_to_start": [],
            "variables_needed_to_start": [], **TEMPLATES[number],
        }  # fmt: skip

    def launch(self, template: int, body: Any) -> tuple[int, Any] | None:
        self.launches += 1
        number = 100 + self.launches
        self.events[number] = []
        self.jobs[number] = job = {
            "id": number, "type": "job", "job_template": template, "status": "pending", "limit": body.get("limit", ""),
            "job_explanation": "", "extra_vars": json.dumps(body["extra_vars"]), "event_processing_finished": False,
            "created": datetime.now(UTC).isoformat(), **self.launch_with,
        }  # fmt: skip
        if self.performs is not None:
            thread = threading.Thread(target=self.perform, args=(number,), daemon=True)
            self.performers.append(thread)
            thread.start()
        self.on_launch(template)
        if self.lose_answers:
            return None
        return 201, {job["type"]: number, "ignored_fields": self.ignore, **job}

    def perform(self, number: int) -> None:
        """A job, from the queue to its end; each machine is off for a while."""
        job = self.jobs[number]
        self.hurry.wait(self.queue_seconds)
        if job["status"] == "canceled":
            return
        job["status"] = "running"
        action = CHECK if job["job_template"] == 17 else POWER
        for host in job["limit"].split(","):
            self.happen(number, "runner_on_start", host, action)
            log = self.power.setdefault(host, [])
            if job["job_template"] == 7:
                log.append("off")
                self.hurry.wait(self.performs or 0)
                log.append("on")
            power = {"before": "on", "after": "on", "verified": True, "driver": "simulated"}
            self.happen(number, "runner_on_ok", host, action, power=power)
        self.end(number)

    def happen(self, number: int, event: str, host: str, action: str = POWER, **result: Any) -> None:
        data = {"host": host, "task_action": action, "resolved_action": action, "res": result}
        counter = len(self.events[number]) + 1
        self.events[number].append({"counter": counter, "event": event, "host_name": host, "event_data": data})

    def end(self, number: int, status: str = "successful", why: str = "") -> None:
        self.jobs[number].update(status=status, event_processing_finished=True, job_explanation=why)
