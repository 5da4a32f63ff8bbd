# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Paths that the documentation names exist, and the check says so of those that don't."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]

_spec = importlib.util.spec_from_file_location("paths", ROOT / "scripts" / "paths.py")
assert _spec is not None
assert _spec.loader is not None
paths = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(paths)


@pytest.fixture
def repository(tmp_path):
    """``repository(page, text)``: problems of a small repository with that page."""
    for name in ("src/fleetd/server/app.py", "plugins/module_utils/fleetcore/power/base.py"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
    (tmp_path / "docs").mkdir()

    def problems(page, text):
        (tmp_path / page).write_text(text, encoding="utf-8")
        return paths.problems(tmp_path)

    return problems


def test_what_the_documentation_names_is_there():
    assert paths.problems(ROOT) == []


@pytest.mark.parametrize(
    "text",
    [
        "`src/fleetd/server/`",
        "`server/app.py`",
        "`app.py`",
        "`fleetcore/power/<name>.py`",
        "`plugins/module_utils/fleetcore/power/*.py`",
        "`fleetcore/network/nos/<name>.py` (to come)",
        "in\n`src/fleetd/server/boot/`\n(to come)",
        "```text\nsrc/fleetd/old.py `src/fleetd/old.py`\n```",
        "`/api/v1/machines`, `build/results/summary.txt`, `redfish | inband`, `~/x.py`",
        "[the server](../src/fleetd/server/app.py#part), [elsewhere](https://example.org/x.md)",
    ],
)
def test_good_pages(repository, text):
    assert repository("docs/architecture.md", text) == []


@pytest.mark.parametrize(
    ("page", "text", "said"),
    [
        ("docs/architecture.md", "`src/fleetd/services/`", "docs/architecture.md: there is no src/fleetd/services/"),
        ("docs/architecture.md", "`old.py`", "docs/architecture.md: there is no old.py"),
        (
            "docs/architecture.md",
            "`fleetcore/nos/<name>.py`",
            "docs/architecture.md: there is no fleetcore/nos/<name>.py",
        ),
        ("CONTRIBUTING.md", "`drivers/redfish.py`", "CONTRIBUTING.md: there is no drivers/redfish.py"),
        ("docs/other.md", "`src/fleetd/old.py` and `old.py`", "docs/other.md: there is no src/fleetd/old.py"),
        ("docs/other.md", "[old](old.md)", "docs/other.md: there is no old.md"),
        (
            "docs/architecture.md",
            "`server/app.py` (to come)",
            "docs/architecture.md: server/app.py is there: it is not to come any more",
        ),
    ],
)
def test_bad_pages(repository, page, text, said):
    assert repository(page, text) == [said]
