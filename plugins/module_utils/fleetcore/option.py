# SPDX-License-Identifier: BSD-2-Clause

"""Declares options once: argument specifications and documentation follow from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Params = Mapping[str, Any]
"""The options that a module was given."""

Options = Mapping[str, Mapping[str, Any]]
"""Options by name, in the words of an argument specification (``type``, ``default``, ``choices``, ``no_log``,
``options``), and besides:

- ``description``: in Ansible's markup; a blank line begins a paragraph;
- ``env``: environment variable that is used without the option;
- ``play``: Ansible expression that the collection's playbooks give where the inventory says nothing.
"""


def option(kind: str, description: str, **more: Any) -> dict[str, Any]:
    """Make an option of a type; ``more`` as :data:`Options` has it."""
    return {"type": kind, **more, "description": description}
