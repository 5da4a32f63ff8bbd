# SPDX-License-Identifier: BSD-2-Clause

"""Captures as files: a tar archive that replays to the same document, byte for byte, and folders of tools' outputs.

An archive holds ``commands/NNNN/{command.json,stdout,stderr}``, ``files.json`` (folders, links, and what could not be
read) and ``files/...``, and ``capture.json``: when, with what options, by which version.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import os
import posixpath
import re
import tarfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from ...document.outputs import decoded
from ...errors import (
    FatalError,
    FleetError,
    InvalidInput,
    MissingDependency,
    NotFound,
    PermissionDenied,
    TransientError,
)
from ...host.files import write_private
from ...ports import CommandResult
from .capture import Capture, Outcome, redacted
from .filenames import argv_of_content, argv_of_file

FORMAT = 1
MAX_MEMBER = 64 * 1024 * 1024

_ERRORS: Mapping[str, type[FleetError]] = {
    item.code: item for item in (MissingDependency, NotFound, PermissionDenied, FatalError, TransientError)
}


def save(capture: Capture, path: str) -> bytes:
    """Write the archive, for the owner only; what was written. The same capture gives the same bytes.

    :raises InvalidInput: the file cannot be written.
    """
    content = packed(capture)
    write_private(path, content, "capture_path")
    return content


def packed(capture: Capture) -> bytes:
    """The archive as bytes."""
    members: dict[str, bytes] = {"capture.json": _json({"format": FORMAT, **capture.about})}
    for index, (argv, outcome) in enumerate(sorted(capture.commands.items()), 1):
        base = f"commands/{index:04d}"
        entry: dict[str, Any] = {"argv": list(argv)}
        if isinstance(outcome, FleetError):
            entry["error"] = outcome.to_dict()
        else:
            entry["rc"] = outcome.rc
            members[f"{base}/stdout"] = _encoded(outcome.stdout)
            members[f"{base}/stderr"] = _encoded(outcome.stderr)
        members[f"{base}/command.json"] = _json(entry)
    unread = {}
    for path, content in capture.files.items():
        if isinstance(content, FleetError):
            unread[path] = content.to_dict()
        else:
            members["files" + posixpath.normpath(path)] = content
    members["files.json"] = _json(
        {"unread": unread, "folders": _plain(capture.folders), "links": _plain(capture.links)},
    )
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name in sorted(members):
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(members[name]), 0o600
            archive.addfile(info, io.BytesIO(members[name]))
    return out.getvalue()


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=1, sort_keys=True) + "\n").encode()


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _plain(memory: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: {"error": value.to_dict()} if isinstance(value, FleetError) else {"value": value}
        for key, value in memory.items()
    }


def load(path: str) -> Capture:
    """A capture: an archive that :func:`save` wrote (also compressed), or a folder of tools' outputs.

    In a folder, or an archive of one, files are known by their names (``lshw.json``, ``dmidecode``,
    ``smartctl/sda.json``) or by their content (see :mod:`filenames`), also compressed with gzip; ``sys/...`` and
    ``proc/...`` are the machine's files. What is not known is in :attr:`Capture.unused`.

    :raises InvalidInput: it cannot be read, or nothing in it is known.
    """
    members, links = _folder(path) if os.path.isdir(path) else _archive(path)
    capture = _packed(members) if "capture.json" in members else _loose(_unpacked(members), links)
    if not capture.commands and not capture.files:
        raise InvalidInput(f"{path}: no capture, and no file in it is known as a tool's output", field="from_capture")
    return capture


_OF_THE_MACHINE = re.compile(r"^(?:.*/)?((?:sys|proc)/.*)$")
# Archives and version control write a link as a file with its target; attributes of the kernel end with a line feed.
_LINK = re.compile(rb"^\.\./[\x21-\x7e]{1,300}\Z")
Members = tuple[dict[str, bytes], dict[str, str]]
"""Files, and what links of ``/sys`` and ``/proc`` say, by name."""


def _folder(path: str) -> Members:
    members: dict[str, bytes] = {}
    links = {}
    for folder, folders, files in os.walk(path):
        for item in (*folders, *files):
            full = os.path.join(folder, item)
            name = os.path.relpath(full, path).replace(os.sep, "/")
            try:
                if os.path.islink(full) and _OF_THE_MACHINE.match(name):
                    links[name] = os.readlink(full)
                elif item in files:
                    with open(full, "rb") as handle:
                        members[name] = handle.read(MAX_MEMBER)
            except OSError as error:
                raise InvalidInput(f"{full}: {error.strerror}", field="from_capture") from None
    return members, links


def _archive(path: str) -> Members:
    members: dict[str, bytes] = {}
    links = {}
    try:
        with tarfile.open(path) as archive:
            for info in archive:
                name = posixpath.normpath(info.name)
                content = archive.extractfile(info) if info.isfile() else None
                if content is not None:
                    members[name] = content.read(MAX_MEMBER)
                elif info.issym() and _OF_THE_MACHINE.match(name):
                    links[name] = info.linkname
    except FileNotFoundError:
        raise InvalidInput(f"{path}: no such capture", field="from_capture") from None
    except (OSError, EOFError, tarfile.TarError, ValueError) as error:
        raise InvalidInput(f"{path}: not a capture ({error})", field="from_capture") from None
    return members, links


def _unpacked(members: Mapping[str, bytes]) -> dict[str, bytes]:
    """``lshw.json.gz`` as ``lshw.json``; what is not whole is kept as it is."""
    out = {}
    for name, content in members.items():
        if name.endswith(".gz"):
            with contextlib.suppress(OSError, EOFError, zlib.error), gzip.open(io.BytesIO(content)) as packed_:
                name, content = name[: -len(".gz")], packed_.read(MAX_MEMBER)  # noqa: PLW2901
        out[name] = content
    return out


def _packed(members: Mapping[str, bytes]) -> Capture:
    capture = Capture()
    try:
        capture.about = json.loads(members["capture.json"])
        if capture.about.pop("format", None) != FORMAT:
            raise InvalidInput("the capture is of another version of baremetal.fleet", field="from_capture")
        for name in sorted(members):
            if name.startswith("commands/") and name.endswith("/command.json"):
                base = name.rsplit("/", 1)[0]
                entry = json.loads(members[name])
                argv = tuple(entry["argv"])
                capture.commands[argv] = (
                    _error(entry["error"])
                    if "error" in entry
                    else CommandResult(
                        argv, entry["rc"], _text(members[f"{base}/stdout"]), _text(members[f"{base}/stderr"])
                    )
                )
            elif name.startswith("files/"):
                capture.files["/" + name[len("files/") :]] = members[name]
        listed = json.loads(members.get("files.json", b"{}"))
        for path, error in listed.get("unread", {}).items():
            capture.files[path] = _error(error)
        for target, key in ((capture.folders, "folders"), (capture.links, "links")):
            for path, entry in listed.get(key, {}).items():
                target[path] = _error(entry["error"]) if "error" in entry else entry["value"]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InvalidInput(f"the capture is damaged ({error})", field="from_capture") from None
    return capture


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogatepass")


def _error(entry: Mapping[str, Any]) -> FleetError:
    kind = _ERRORS.get(entry["code"], TransientError)
    return kind(str(entry["message"]), **dict(entry.get("details") or {}))


def _loose(members: Mapping[str, bytes], links: Mapping[str, str]) -> Capture:
    """Outputs by file name, then by content. What several files say of one command (``dmidecode/psu``,
    ``dmidecode/tpm``) is put together, unless only their content says that they belong to it: then the first one
    counts.
    """
    capture = Capture()
    unnamed = []
    capture.links = {_OF_THE_MACHINE.sub(r"/\1", name): target for name, target in links.items()}
    for name in sorted(members):
        found = _OF_THE_MACHINE.match(name)
        if found and _LINK.match(members[name]):
            capture.links["/" + found[1]] = members[name].decode("ascii", "replace")
            continue
        if found or re.match(r"^(.*/)?cpuinfo(\.txt)?$", name):
            capture.files["/" + found[1] if found else "/proc/cpuinfo"] = members[name]
            continue
        content = decoded(members[name])
        argv = argv_of_file(name, content)
        if argv is None:
            unnamed.append((name, content))
        else:
            _add_output(capture, argv, name, content)
    for name, content in unnamed:
        argv = argv_of_content(content)
        if argv is None or argv in capture.commands:
            capture.unused.append(name)
        else:
            _add_output(capture, argv, name, content)
    capture.folders = _folders([*capture.files, *capture.links])
    return capture


def _folders(paths: Iterable[str]) -> dict[str, Outcome[Sequence[str]]]:
    """The names in each folder of these paths, sorted."""
    inside: dict[str, set[str]] = {}
    for path in map(PurePosixPath, paths):
        for place in (path, *path.parents):
            if place.name:  # the root is in no folder
                inside.setdefault(str(place.parent), set()).add(place.name)
    return {folder: sorted(names) for folder, names in inside.items()}


def _add_output(capture: Capture, argv: tuple[str, ...], name: str, content: str) -> None:
    before = capture.commands.get(argv)
    if isinstance(before, CommandResult):
        content = before.stdout + "\n\n" + content
    capture.commands[argv] = CommandResult(argv, 0, redacted(content), "")
    capture.named.setdefault(argv, []).append(name)
