# SPDX-License-Identifier: BSD-2-Clause

"""Record what a BMC says: a walker that writes down what it is told, and the archive of it.

The format is in ``capture.py``.

Secrets are taken out when recording (``redact.py``).
"""

from __future__ import annotations

import io
import json
import re
import tarfile
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Optional
from urllib.parse import unquote

from ..document.model import Verdict
from .capture import FORMAT, MANIFEST, RESPONSES
from .redact import MAX_DEPTH, Redactor
from .values import link
from .walker import Walker
from .wants import ROOT, Outcome, Want

_NO_FILE = re.compile(r"[\x00-\x1f\x7f\\]|(?:^|/)\.{1,2}(?:/|$)|//|[^/]{200}")


@dataclass
class Record:
    """A record of all that one walk fetched, and of IPMI, without secrets.

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
        """Number of values that were replaced."""
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
        """Note what became of a want, in the order in which the walker took it."""
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
        name = f"{RESPONSES}{len(self._loose) + 1:04d}.json"
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
        files = {MANIFEST: manifest, **{_file(path): body for path, body in self._tree.items()}, **self._loose}
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
    """A body as it would have come without ``$expand``: resources inside of it become links, and are handed to
    ``member``.

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
