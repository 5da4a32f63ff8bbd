# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""No silent skips: with ``CI=true`` or ``FLEET_REQUIRE_E2E=1`` only what allowed_skips.txt lists may be skipped."""

from __future__ import annotations

import fnmatch
import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))  # tests say `from fixtures_dir import ...` and `from warm import ...`


def _strict():
    return os.environ.get("CI", "").lower() in ("1", "true", "yes") or os.environ.get("FLEET_REQUIRE_E2E", "") not in (
        "",
        "0",
    )


def _allowed():
    """Patterns of the node ids that may be skipped: a line is ``pattern  # reason``, with a reason."""
    patterns = []
    for number, line in enumerate((HERE / "allowed_skips.txt").read_text(encoding="utf-8").splitlines(), 1):
        pattern, _hash, reason = line.partition("  # ")
        if not line.strip() or line.startswith("#"):
            continue
        if not reason.strip():
            raise ValueError(f"tests/allowed_skips.txt line {number}: write `pattern  # reason`")
        patterns.append(pattern.strip())
    return patterns


def _forbidden_skips(config):
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or not _strict():
        return []
    allowed = _allowed()
    return [
        report
        for report in reporter.stats.get("skipped", [])
        if not any(fnmatch.fnmatchcase(report.nodeid, pattern) for pattern in allowed)
    ]


def pytest_sessionfinish(session, exitstatus):
    if exitstatus == 0 and _forbidden_skips(session.config):
        session.exitstatus = 1


def pytest_terminal_summary(terminalreporter, exitstatus, config):
    skips = _forbidden_skips(config)
    if not skips:
        return
    terminalreporter.section("skipped, but must run here", red=True)
    for report in skips:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        terminalreporter.line(f"{report.nodeid}: {reason}", red=True)
    terminalreporter.line(
        "Install what they need (scripts/install-test-deps), or list them in tests/allowed_skips.txt with a reason."
    )
