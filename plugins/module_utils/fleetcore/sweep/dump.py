# SPDX-License-Identifier: BSD-2-Clause

"""Files with what is compared when a device document is published: they show why something is a change, and serve as
fixtures of tests.

``<machine>.device.json``               the document
``<machine>.current.components.json``   the components of the document that the server has, of the same source
``<machine>.new.components.json``       the components of the new one
``<machine>.changes.json``              the changes from the one to the other, as ``diff.py`` finds them
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Optional

from ..document.components import components
from ..document.diff import diff
from ..document.model import Device, to_dict
from ..errors import InvalidInput
from ..host.files import safe_name, write_private

# What operators of Alloy know.
ALWAYS = "DEBUG_DUMP_FIXTURES"
DIFFERING = "DEBUG_DUMP_DIFFERS"
_YES = ("1", "true", "yes", "on")
_NO = ("", "0", "false", "no", "off")


@dataclass(frozen=True)
class DumpOptions:
    """Where the files go.

    :ivar only_differing: write nothing when there is no change.
    """

    folder: str
    only_differing: bool = False


def dump_options(folder: Optional[str], environment: Mapping[str, str]) -> Optional[DumpOptions]:
    """Read what the option ``dump_dir`` and the environment ask for; None: no dump. The environment alone means the
    working directory.

    :raises InvalidInput: a variable is neither true nor false.
    """
    always = _flag(environment, ALWAYS)
    differing = _flag(environment, DIFFERING)
    if folder:
        return DumpOptions(folder, only_differing=differing and not always)
    return DumpOptions(".", only_differing=not always) if always or differing else None


def _flag(environment: Mapping[str, str], name: str) -> bool:
    value = environment.get(name, "").strip().lower()
    if value not in _YES + _NO:
        raise InvalidInput(f"{name}: {value!r} is neither true nor false", field=name)
    return value in _YES


def write_dump(options: DumpOptions, machine: str, before: Optional[Device], after: Device) -> list[str]:
    """Write the files and return their paths: none if only differences were asked for and there are none.

    :raises InvalidInput: the folder can't be made or written.
    """
    changes = diff(before, after)
    if options.only_differing and not changes:
        return []
    try:
        os.makedirs(options.folder, mode=0o700, exist_ok=True)
    except OSError as error:
        raise InvalidInput(
            f"dump_dir: {options.folder} can't be made ({(error.strerror or str(error)).lower()})", field="dump_dir"
        ) from error
    contents: dict[str, Any] = {
        "device": to_dict(after),
        "current.components": components(before),
        "new.components": components(after),
        "changes": changes,
    }
    paths = []
    for kind, content in contents.items():
        path = os.path.join(options.folder, f"{safe_name(machine)}.{kind}.json")
        write_private(path, (json.dumps(content, indent=2, sort_keys=kind == "device") + "\n").encode(), "dump_dir")
        paths.append(path)
    return paths
