# Copyright: (c) 2026, The baremetal.fleet authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Record and replay of what a BMC said: a Redfish tree, or the commands and answers of IPMI.

A capture is a ``.tar.gz`` of one folder:

- ``<name>/redfish/v1/**/index.json``: every resource that was fetched, as a DMTF mockup, so that other tools can serve it. Members
  that came inside an expanded collection have files of their own, pages of a collection are joined;
- ``<name>/responses/NNNN.json``: bodies that are not a resource as it would be served without ``$expand`` or pages;
- ``<name>/manifest.json``: each request with its status, its verdict and reason if it failed, and the file of its body; and each
  command of IPMI (``commands``) with its answer.

A replay answers a request from the manifest, so that the walk is the same as it was; what is not in there (a newer walker asks
for more, or the tree is somebody else's mockup) comes from the mockup. Secrets are taken out when recording (``redact.py``).
"""

from __future__ import annotations

import dataclasses
import heapq
import io
import json
import os
import re
import tarfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Optional
from urllib.parse import unquote

from ..document.model import Attempt, Device, Verdict
from ..errors import InvalidInput
from ..ports import HttpResponse
from .answers import outcome_of
from .interpret import interpret
from .redact import MAX_DEPTH, Redactor
from .values import link
from .walker import ROOT, Limits, Outcome, Walker, Want

FORMAT = 1
MAX_BYTES = 1024 * 1024 * 1024
"""Of all files of a capture that is read; real ones have some megabytes."""
_MANIFEST = "manifest.json"
_RESPONSES = "responses/"
_NO_FILE = re.compile(r"[\x00-\x1f\x7f\\]|(?:^|/)\.{1,2}(?:/|$)|//|[^/]{200}")


# -- recording -------------------------------------------------------------------------------------------------------------


@dataclass
class Record:
    """What one walk fetched, and what was said over IPMI, without its secrets.

    :param secrets: values to redact wherever they stand. :param salt: random bytes for the hashes of user names.
    """

    secrets: tuple[str, ...] = field(default=(), repr=False)
    salt: bytes = field(default=b"", repr=False)
    requests: list[dict[str, Any]] = field(default_factory=list)
    commands: list[dict[str, Any]] = field(default_factory=list)
    bodies: dict[str, dict[str, Any]] = field(default_factory=dict)
    stopped: Optional[str] = None

    def __post_init__(self) -> None:
        self._redactor = Redactor(self.secrets, self.salt)
        self._tree: dict[str, dict[str, Any]] = {}
        self._loose: dict[str, dict[str, Any]] = {}
        self._expanded: set[str] = set()

    @property
    def redacted(self) -> int:
        """How many values were replaced."""
        return self._redactor.count

    @property
    def silent(self) -> bool:
        """Whether the BMC said nothing at all."""
        return not self.requests and not any(item["answer"].get("data") for item in self.commands)

    def add_command(self, request: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
        """One command of IPMI and its answer: ``data`` in hexadecimal, ``code`` and ``error``, or ``raised``.

        None of those that are recorded carries a secret: the login is below them.
        """
        self.commands.append({**request, "answer": answer})

    def add(self, want: Want, outcome: Outcome) -> None:
        """What became of a want, in the order in which the walker took it."""
        entry: dict[str, Any] = {"url": self._redactor.text(want.url, known=False), "status": outcome.status}
        if outcome.verdict is not Verdict.COLLECTED or outcome.body is None:
            entry["verdict"] = outcome.verdict.value
            entry["reason"] = self._redactor.text(outcome.reason or "")
        else:
            entry["file"] = self._store(want, self._redactor.clean(outcome.body))
        self.requests.append(entry)

    def _store(self, want: Want, body: dict[str, Any]) -> str:
        path = want.page_of or want.path
        plain = want.url.rstrip("/") == path and not body.get("Members@odata.nextLink")
        if plain and _folder(path) is not None:
            self._tree[path] = body
            return _file(path)
        name = f"{_RESPONSES}{len(self._loose) + 1:04d}.json"
        self._loose[name] = body
        if want.only and not isinstance(body.get("Members"), list):
            member = link(body.get("@odata.id"), path)
            if member is not None:
                self._loose_member(member, body)
                self._loose_member(path, {"@odata.id": path, "Members": [{"@odata.id": member}]})
            return name
        if want.expanded:
            self._expanded.add(path)  # so are its next pages
        whole = _collapse(body, path, self._loose_member) if path in self._expanded else dict(body)
        whole.pop("Members@odata.nextLink", None)
        before = self._tree.get(path)
        if want.page_of is not None and before is not None and isinstance(before.get("Members"), list):
            before["Members"] = before["Members"] + list(whole.get("Members") or [])
        else:
            self._loose_member(path, whole)
        return name

    def _loose_member(self, path: str, body: dict[str, Any]) -> None:
        if _folder(path) is not None:
            self._tree.setdefault(path, body)

    def pack(self, name: str, facts: Mapping[str, Any]) -> bytes:
        """The capture as ``.tar.gz``; the same record gives the same bytes.

        :param name: of the folder in it. :param facts: added to the manifest.
        """
        manifest = {
            "format": FORMAT,
            **facts,
            "stopped": self.stopped,
            "redacted": self.redacted,
            "requests": self.requests,
        }
        if self.commands:
            manifest["commands"] = self.commands
        files = {_MANIFEST: manifest, **{_file(path): body for path, body in self._tree.items()}, **self._loose}
        plain = io.BytesIO()
        with tarfile.open(fileobj=plain, mode="w") as archive:
            for file in sorted(files):
                data = (json.dumps(files[file], indent=1) + "\n").encode()
                member = tarfile.TarInfo(f"{name}/{file}")
                member.size, member.mode = len(data), 0o644
                archive.addfile(member, io.BytesIO(data))
        packer = zlib.compressobj(6, zlib.DEFLATED, 31)
        return packer.compress(plain.getvalue()) + packer.flush()


class RecordingWalker(Walker):
    """A :class:`Walker` that writes down what it is told."""

    def __init__(self, record: Record, sections: Optional[Iterable[str]] = None, system: Optional[str] = None) -> None:
        super().__init__(sections, system)
        self._record = record

    def took(self, want: Want, outcome: Outcome) -> None:
        self._record.add(want, outcome)
        super().took(want, outcome)

    def skip_rest(self, verdict: Verdict, reason: str) -> None:
        self._record.stopped = reason
        super().skip_rest(verdict, reason)


def _folder(path: str) -> Optional[str]:
    """The folder of a resource in a mockup, or None if it can't have one (a query, another tree, an odd name)."""
    folder = unquote(path)
    ours = folder == ROOT or folder.startswith(ROOT + "/")
    if not ours or "?" in path or "%2f" in path.lower() or _NO_FILE.search(folder):
        return None
    return folder.strip("/")


def _file(path: str) -> str:
    return f"{_folder(path)}/index.json"


def _collapse(value: Any, own: str, member: Any, depth: int = 0) -> Any:
    """A body as it would have come without ``$expand``: resources inside of it become links, and are handed to ``member``.

    What stands under ``Oem`` came with the resource itself, and stays.
    """
    if depth > MAX_DEPTH + 2:
        return value
    if isinstance(value, list):
        return [_collapse(item, own, member, depth + 1) for item in value]
    if not isinstance(value, Mapping):
        return value
    target = value.get("@odata.id")
    inside = isinstance(target, str) and "#" not in target and any(key in value for key in _WHOLE) and depth > 0
    path = link(value, own) if inside else own
    if path is None or (inside and path == own):
        inside, path = False, own
    body = {
        name: item if name in ("Oem", "Links") else _collapse(item, path, member, depth + 1)
        for name, item in value.items()
    }
    if not inside:
        return body
    member(path, body)
    return {"@odata.id": target}


_WHOLE = ("Id", "@odata.type", "Members")


# -- reading ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Recording:
    """A capture that was read: bodies of the mockup by resource path, and the manifest's requests by URL, if there is one.

    :ivar commands: of IPMI with their answers, in the order of sending.
    :ivar facts: the manifest without its requests: ``collected_at``, ``system``, ``sections``, ``attempts``, ``stopped``, ...
    """

    bodies: Mapping[str, bytes]
    requests: Mapping[str, Outcome] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    commands: tuple[Mapping[str, Any], ...] = ()

    @property
    def collected_at(self) -> Optional[str]:
        at = self.facts.get("collected_at")
        return at if isinstance(at, str) else None

    @property
    def driver(self) -> str:
        """What the document came from, or was to come from."""
        tried = self.attempts("ipmi" if self.commands and ROOT not in self.bodies else "redfish")
        return tried[-1].driver or ""

    def sections(self, asked: Optional[Iterable[str]]) -> Optional[Iterable[str]]:
        """Those that were asked for now, else then."""
        then = self.facts.get("sections")
        return [str(item) for item in then] if asked is None and isinstance(then, list) else asked

    def attempts(self, driver: str) -> tuple[Attempt, ...]:
        """The drivers that were tried then."""
        found = self.facts.get("attempts")
        tried = tuple(
            Attempt(
                *(item.get(name) if isinstance(item.get(name), str) else None for name in ("driver", "error", "reason"))
            )
            for item in (found if isinstance(found, list) else [])
            if isinstance(item, dict)
        )
        return tried or (Attempt(driver),)


def load(path: str) -> dict[str, bytes]:
    """Bodies by resource path of a mockup directory or of a tar archive of one; a capture's manifest is not looked at.

    :raises InvalidInput: as :func:`read`.
    """
    return dict(read(path).bodies)


def read(path: str) -> Recording:
    """Read a capture or any DMTF mockup: a directory, or a tar archive of one, compressed or not.

    :raises InvalidInput: it can't be read, is too large, or has no ``redfish/v1/index.json`` in it.
    """
    bodies: dict[str, bytes] = {}
    others: dict[str, bytes] = {}
    size = 0
    try:
        for name, data in _directory(path) if os.path.isdir(path) else _archive(path):
            size += len(data)
            if size > MAX_BYTES:
                raise InvalidInput(f"{path}: larger than {MAX_BYTES} bytes", field="from_capture", path=path)
            if os.path.basename(name) == "index.json":
                bodies[_resource(os.path.dirname(name))] = data
            else:
                others[name] = data
    except (OSError, EOFError, tarfile.TarError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise InvalidInput(f"{path}: can't be read as a capture ({reason})", field="from_capture", path=path) from error
    recording = _with_manifest(path, bodies, others)
    if ROOT not in bodies and not recording.commands:
        raise InvalidInput(f"{path}: no Redfish mockup (redfish/v1/index.json) here", field="from_capture", path=path)
    return recording


def _directory(path: str) -> Iterator[tuple[str, bytes]]:
    for folder, _folders, files in os.walk(path):
        for name in files:
            if _is_ours(folder, name):
                with open(os.path.join(folder, name), "rb") as handle:
                    yield os.path.join(folder, name).replace(os.sep, "/"), handle.read(MAX_BYTES + 1)


def _archive(path: str) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(path) as archive:
        for member in archive:
            folder, name = os.path.split(member.name)
            content = archive.extractfile(member) if member.isfile() and _is_ours(folder, name) else None
            if content is not None:
                yield member.name, content.read(MAX_BYTES + 1)


def _is_ours(folder: str, name: str) -> bool:
    return name in ("index.json", _MANIFEST) or os.path.basename(folder) == _RESPONSES.strip("/")


def _resource(folder: str) -> str:
    unix = "/" + folder.replace(os.sep, "/").strip("/")
    index = unix.find(ROOT)
    return unix[index:] if index >= 0 else unix


def _with_manifest(path: str, bodies: dict[str, bytes], others: Mapping[str, bytes]) -> Recording:
    name = min((item for item in others if os.path.basename(item) == _MANIFEST), key=len, default=None)
    manifest = _json(others[name]) if name is not None else None
    if name is None or not isinstance(manifest, dict) or not isinstance(manifest.get("requests"), list):
        return Recording(bodies)
    if manifest.get("format") != FORMAT:
        raise InvalidInput(
            f"{path}: a capture of format {manifest.get('format')!r}, this version reads {FORMAT}",
            field="from_capture",
            path=path,
        )
    base = name[: -len(_MANIFEST)]
    requests = {}
    for entry in manifest["requests"]:
        if isinstance(entry, dict) and isinstance(entry.get("url"), str):
            requests[entry["url"]] = _outcome(entry, base, bodies, others)
    commands = manifest.get("commands")
    return Recording(
        bodies,
        requests,
        {key: value for key, value in manifest.items() if key not in ("requests", "commands")},
        tuple(item for item in commands if isinstance(item, dict)) if isinstance(commands, list) else (),
    )


def _outcome(entry: Mapping[str, Any], base: str, bodies: Mapping[str, bytes], others: Mapping[str, bytes]) -> Outcome:
    status = entry.get("status") if isinstance(entry.get("status"), int) else None
    file = entry.get("file")
    if isinstance(file, str):
        data = others.get(base + file) if file.startswith(_RESPONSES) else bodies.get(_resource(os.path.dirname(file)))
        return outcome_of(HttpResponse(200, {}, data if data is not None else b""))
    verdicts = {verdict.value: verdict for verdict in Verdict if verdict is not Verdict.COLLECTED}
    verdict = verdicts.get(str(entry.get("verdict")), Verdict.FAILED)
    return Outcome(verdict, reason=str(entry.get("reason") or "") or None, status=status)


def _json(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


# -- replay ----------------------------------------------------------------------------------------------------------------


def replay(recording: Recording, sections: Optional[Iterable[str]] = None, system: Optional[str] = None) -> Device:
    """The device document of a capture of Redfish: as it was when it was recorded, but for ``stats``.

    Without ``sections`` and ``system`` those of the recording count.

    :raises FleetError: no or several systems; an unknown section.
    """
    facts = recording.facts
    if system is None and isinstance(facts.get("system"), str):
        system = facts["system"]
    stopped = facts.get("stopped")
    walker = Walker(recording.sections(sections), system)
    walker = _walk(recording, walker, stopped if isinstance(stopped, str) else None)
    device = interpret(walker.tree, walker.coverage(), collected_at=recording.collected_at)
    return dataclasses.replace(device, attempts=recording.attempts("redfish"))


def from_capture(bodies: Mapping[str, bytes], system: Optional[str] = None, limits: Optional[Limits] = None) -> Device:
    """The device document of a mockup, as :func:`load` gives it.

    :raises FleetError: as :func:`replay`.
    """
    walker = _walk(Recording(bodies), Walker(None, system, limits), None)
    return interpret(walker.tree, walker.coverage())


def _walk(recording: Recording, walker: Walker, stopped: Optional[str]) -> Walker:
    """Walk over the recording. Answers come in the order in which they came when it was recorded, others at the end."""
    lower = {path.lower(): path for path in recording.bodies}
    order = {url: number for number, url in enumerate(recording.requests)}
    waiting: list[tuple[int, int, Want]] = []
    asked = 0
    while not walker.done:
        for want in walker.wants():
            asked += 1
            heapq.heappush(waiting, (order.get(want.url, len(order)), asked, want))
        _number, _asked, want = heapq.heappop(waiting)
        outcome = recording.requests.get(want.url)
        gave_up = outcome is None and stopped is not None
        if gave_up:
            outcome = Outcome(Verdict.TIMEOUT, reason=stopped)
        walker.took(want, outcome or _answer(recording.bodies, lower, want.path))
        if gave_up and stopped is not None:
            walker.skip_rest(Verdict.TIMEOUT, stopped)
    if walker.problem is not None:
        raise walker.problem
    return walker


def _answer(bodies: Mapping[str, bytes], lower: Mapping[str, str], path: str) -> Outcome:
    found = bodies.get(path) or bodies.get(unquote(path)) or bodies.get(lower.get(path.lower(), ""))
    if found is None:
        return Outcome(Verdict.ABSENT, reason="not in the capture", status=404)
    return outcome_of(HttpResponse(200, {}, found))
