# SPDX-License-Identifier: BSD-2-Clause

"""Captures of what a BMC said: a Redfish tree, or the commands and answers of IPMI.

Written by ``record.py``, replayed by ``replay.py``.

A capture is a ``.tar.gz`` of one folder:

- ``<name>/redfish/v1/**/index.json``: every resource that was fetched, as a DMTF mockup, so that other tools can
  serve it. Members that came inside an expanded collection have files of their own, pages of a collection are joined;
- ``<name>/responses/NNNN.json``: bodies that are not a resource as it would be served without ``$expand`` or pages;
- ``<name>/manifest.json``: each request with its status, its verdict and reason if it failed, and the file of its
  body; and each command of IPMI (``commands``) with its answer.

A replay answers a request from the manifest, so that the walk is the same as it was; what is not in there (a newer
walker asks for more, or the tree is somebody else's mockup) comes from the mockup. Secrets are taken out when
recording (``redact.py``).
"""

from __future__ import annotations

import json
import os
import tarfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Optional

from ..document.model import Attempt, Verdict
from ..errors import InvalidInput
from ..ports import HttpResponse
from .answers import outcome_of
from .wants import ROOT, Outcome

FORMAT = 1
MAX_BYTES = 1024 * 1024 * 1024
"""Of all files of a capture that is read; real ones have some megabytes."""
MANIFEST = "manifest.json"
RESPONSES = "responses/"


@dataclass(frozen=True)
class Recording:
    """A capture that was read: bodies of the mockup by resource path, and the manifest's requests by URL, if there is
    one.

    :ivar commands: of IPMI with their answers, in the order of sending.
    :ivar facts: the manifest without its requests: ``collected_at``, ``system``, ``sections``, ``attempts``,
        ``stopped``, ...
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
        """The driver that the document came from, or was to come from."""
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
    return name in ("index.json", MANIFEST) or os.path.basename(folder) == RESPONSES.strip("/")


def _resource(folder: str) -> str:
    unix = "/" + folder.replace(os.sep, "/").strip("/")
    index = unix.find(ROOT)
    return unix[index:] if index >= 0 else unix


def _with_manifest(path: str, bodies: dict[str, bytes], others: Mapping[str, bytes]) -> Recording:
    name = min((item for item in others if os.path.basename(item) == MANIFEST), key=len, default=None)
    manifest = _json(others[name]) if name is not None else None
    if name is None or not isinstance(manifest, dict) or not isinstance(manifest.get("requests"), list):
        return Recording(bodies)
    if manifest.get("format") != FORMAT:
        raise InvalidInput(
            f"{path}: a capture of format {manifest.get('format')!r}, this version reads {FORMAT}",
            field="from_capture",
            path=path,
        )
    base = name[: -len(MANIFEST)]
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
        data = others.get(base + file) if file.startswith(RESPONSES) else bodies.get(_resource(os.path.dirname(file)))
        return outcome_of(HttpResponse(200, {}, data if data is not None else b""))
    verdicts = {verdict.value: verdict for verdict in Verdict if verdict is not Verdict.COLLECTED}
    verdict = verdicts.get(str(entry.get("verdict")), Verdict.FAILED)
    return Outcome(verdict, reason=str(entry.get("reason") or "") or None, status=status)


def _json(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None
