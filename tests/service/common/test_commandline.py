# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line starts a program only when it is asked for."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from fleetd.cli import COMMANDS, main
from fleetd.common.commandline import print_table

HEAVY = (
    "alembic",
    "ansible_runner",
    "fastapi",
    "prometheus_client",
    "pydantic",
    "rich",
    "sqlalchemy",
    "structlog",
    "yaml",
)
PROGRAM = """
import json, sys
from fleetd.cli import main
try:
    main(sys.argv[1:])
finally:
    print(json.dumps(sorted(sys.modules)), file=sys.stderr)
"""


@pytest.mark.parametrize("arguments", [["--help"], ["runner", "--help"], ["serve", "--help"], ["version"]])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments], capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stdout
    loaded = set(json.loads(done.stderr.splitlines()[-1]))
    assert loaded & set(HEAVY) == set()
    assert not [name for name in loaded if name.startswith("fleetd.") and name.endswith(".app")]


def test_every_command_is_there_under_its_name() -> None:
    for name in COMMANDS:
        command = main.get_command(None, name)  # type: ignore[arg-type]
        assert command is not None
        assert (command.name, bool(command.help)) == (name, True)


def test_a_table_in_a_pipe_is_as_wide_as_it_needs_to_be(capsys: pytest.CaptureFixture[str]) -> None:
    print_table([["a" * 100, "[b]"], ["c", "d" * 100]], ["LEFT", "RIGHT"])
    print_table([[7, "x"], [1234, "y"]], right=[0])
    head, first, second, seven, many = capsys.readouterr().out.splitlines()
    assert head.split() == ["LEFT", "RIGHT"]
    assert first.split() == ["a" * 100, "[b]"]
    assert second.split() == ["c", "d" * 100]
    assert (seven.split(), many.split(), seven.index("7")) == (["7", "x"], ["1234", "y"], many.index("4"))
