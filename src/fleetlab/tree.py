# SPDX-License-Identifier: BSD-2-Clause
"""Redfish trees: what a virtual BMC serves before anybody changed anything.

A tree maps canonical paths (no trailing slash, not percent-encoded) to resources. It is never changed after it was
made, so any number of BMCs share one: what a BMC changes lies in its own overlay (`fleetlab.state`).

Texts of a tree may hold placeholders `@{name}`, which a BMC fills in with its own values (`fleetlab.identity`) in the
finished text of an answer. They are what makes a thousand BMCs with one tree a fleet of different machines.
"""

from __future__ import annotations

import hashlib
import json
import re
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

Resource = dict[str, Any]

ROOT = "/redfish/v1"
_CACHE_BYTES = 64 * 1024 * 1024


class TreeError(ValueError):
    """A tree that can't be loaded: unknown name, missing file, no Redfish service root inside."""


def canonical(path: str) -> str:
    """`/redfish/v1/Systems/` and `/redfish/v1/Systems#/x` -> `/redfish/v1/Systems`."""
    return path.partition("#")[0].rstrip("/") or "/"


def link(value: object) -> str:
    """The canonical path that a reference object points to, or "" when it isn't one."""
    target = value.get("@odata.id") if isinstance(value, dict) else None
    return canonical(target) if isinstance(target, str) else ""


def members(collection: object) -> list[str]:
    """The canonical paths of a collection's members."""
    found = collection.get("Members") if isinstance(collection, dict) else None
    return [path for path in map(link, found or []) if path]


def encode(resource: object) -> bytes:
    return json.dumps(resource, separators=(",", ":"), ensure_ascii=False).encode()


def etag_of(resource: Resource) -> str:
    """The resource's own `@odata.etag` if it has one, otherwise a weak tag made from its content."""
    own = resource.get("@odata.etag")
    if isinstance(own, str) and own:
        return own if own.endswith('"') else f'"{own}"'
    return f'W/"{hashlib.blake2s(encode(resource), digest_size=8).hexdigest()}"'


class Tree:
    """An immutable set of resources. `name` is for people."""

    def __init__(self, name: str, resources: Mapping[str, Resource]) -> None:
        if ROOT not in resources:
            raise TreeError(f"{name}: no service root ({ROOT})")
        self.name = name
        self._resources = dict(resources)
        self._folded = {path.lower(): path for path in resources}
        # Finished answers by (path, query), with the paths they were made from. Shared by all BMCs with this tree.
        self._answers: dict[object, tuple[bytes, frozenset[str]]] = {}
        self._answer_bytes = 0
        self._etags: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self._resources)

    def __iter__(self) -> Iterator[str]:
        return iter(self._resources)

    def get(self, path: str) -> Resource | None:
        """The resource at a canonical path. Not to be changed by the caller."""
        return self._resources.get(path)

    def find(self, path: str) -> str:
        """The canonical path of a requested one. Real services ignore case, and captures of them rely on it."""
        path = canonical(path)
        return path if path in self._resources else self._folded.get(path.lower(), path)

    def etag(self, path: str) -> str:
        if path not in self._etags:
            self._etags[path] = etag_of(self._resources[path])
        return self._etags[path]

    def cached(self, key: object) -> tuple[bytes, frozenset[str]] | None:
        return self._answers.get(key)

    def cache(self, key: object, body: bytes, made_from: frozenset[str]) -> None:
        if self._answer_bytes > _CACHE_BYTES:
            self._answers.clear()
            self._answer_bytes = 0
        self._answers[key] = (body, made_from)
        self._answer_bytes += len(body)

    def replace(self, changes: Mapping[str, Resource]) -> Tree:
        """A tree with some resources replaced; the others are shared with this one."""
        return Tree(self.name, {**self._resources, **changes})

    def with_expand(self, levels: int) -> Tree:
        """Make a copy of this tree that advertises `$expand` with this maximum of levels (0: not at all)."""
        root = self._resources[ROOT]
        features = dict(root.get("ProtocolFeaturesSupported") or {})
        if levels:
            features["ExpandQuery"] = {
                "ExpandAll": True,
                "Levels": True,
                "Links": True,
                "MaxLevels": levels,
                "NoLinks": True,
            }
        else:
            features.pop("ExpandQuery", None)
        return self.replace({ROOT: {**root, "ProtocolFeaturesSupported": features}})

    def made_unique(self) -> Tree:
        """Make a copy of this tree with placeholders for what identifies it: system serial, service tag, UUID and MACs.

        For captures of one real machine that shall stand for a fleet of them. Serials of parts stay as they are.
        """
        words = dict(self._identifying_words())
        if not words:
            return self
        pattern = re.compile(
            r'"(' + "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True)) + ')"', re.IGNORECASE
        )

        def unique(resource: Resource) -> Resource:
            text = json.dumps(resource, ensure_ascii=False)
            changed: Resource = json.loads(pattern.sub(lambda hit: f'"{words[hit[1].lower()]}"', text))
            return changed

        return Tree(self.name, {path: unique(resource) for path, resource in self._resources.items()})

    def _identifying_words(self) -> Iterator[tuple[str, str]]:
        for number, path in enumerate(self.systems()):
            system = self._resources.get(path) or {}
            for name in ("SerialNumber", "SKU"):
                if isinstance(word := system.get(name), str) and len(word) > 3:
                    yield word.lower(), "@{serial}" + (f"-{number}" if number else "")
            if isinstance(word := system.get("UUID"), str) and len(word) == 36:
                yield word.lower(), f"@{{uuid}}{number:04x}"
        macs = {mac.lower() for resource in self._resources.values() for mac in _mac_addresses(resource)}
        for number, mac in enumerate(sorted(macs - {"00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff"})):
            yield mac, f"@{{mac}}:{number % 256:02x}"

    def systems(self) -> list[str]:
        """Canonical paths of the ComputerSystems."""
        root = self._resources[ROOT]
        return [self.find(path) for path in members(self.get(self.find(link(root.get("Systems")))))]


def _mac_addresses(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for name, item in value.items():
            if name in {"MACAddress", "PermanentMACAddress", "MacAddress"} and isinstance(item, str):
                if re.fullmatch(r"[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){5}", item):
                    yield item
            else:
                yield from _mac_addresses(item)
    elif isinstance(value, list):
        for item in value:
            yield from _mac_addresses(item)


@lru_cache(maxsize=32)
def load_tree(source: str, expand: int | None = None, unique: bool = False) -> Tree:
    """A tree by name of a built-in one, or from a directory or .tar.gz that holds a mockup. Cached: trees are shared.

    `expand`: maximum `$expand` levels to advertise, 0 for none, None for what the tree itself says.
    `unique`: see `Tree.made_unique`. Raises TreeError.
    """
    from fleetlab.trees import BUILTIN  # noqa: PLC0415 - the builders stand on this module

    tree = Tree(source, BUILTIN[source]()) if source in BUILTIN else load_mockup(Path(source))
    if unique:
        tree = tree.made_unique()
    return tree if expand is None else tree.with_expand(expand)


def load_mockup(source: Path) -> Tree:
    """Load `<anything>/redfish/v1/**/index.json`, or a short mockup, whose top index.json is the service root.

    Raises TreeError naming the file.
    """
    if source.is_dir():
        files: Iterable[tuple[str, bytes]] = _directory_files(source)
    elif source.is_file():
        files = _archive_files(source)
    else:
        from fleetlab.trees import BUILTIN  # noqa: PLC0415

        raise TreeError(f"no such tree: {source} (built in: {', '.join(sorted(BUILTIN))}; or a directory or .tar.gz)")
    resources: dict[str, Resource] = {}
    tops: list[str] = []
    for name, data in files:
        folder = PurePosixPath(name).parent.as_posix()
        try:
            resource = json.loads(data)
        except ValueError as error:
            raise TreeError(f"{source}: {name}: {error}") from None
        if not isinstance(resource, dict):
            raise TreeError(f"{source}: {name}: not a JSON object")
        resources[folder] = resource
        if link(resource) == ROOT:
            tops.append(folder)
    if not tops:
        raise TreeError(f"{source}: no index.json of a service root ({ROOT})")
    top = min(tops, key=len)
    inside = "" if top == "." else top + "/"
    return Tree(
        source.name,
        {
            ROOT + ("" if folder == top else "/" + folder[len(inside) :]): resource
            for folder, resource in resources.items()
            if folder == top or folder.startswith(inside)
        },
    )


def _directory_files(top: Path) -> Iterator[tuple[str, bytes]]:
    for file in top.rglob("index.json"):
        yield file.relative_to(top).as_posix(), file.read_bytes()


def _archive_files(source: Path) -> Iterator[tuple[str, bytes]]:
    try:
        with tarfile.open(source) as archive:
            for entry in archive:
                if entry.isfile() and PurePosixPath(entry.name).name == "index.json":
                    file = archive.extractfile(entry)
                    if file is not None:
                        yield entry.name, file.read()
    except tarfile.TarError as error:
        raise TreeError(f"{source}: {error}") from None
