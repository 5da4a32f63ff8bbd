# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Schemathesis against a running server: no request that OpenAPI allows is a 500, and answers are as it says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

CHECKS = ("not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance")


@pytest.mark.timeout(900)  # on a machine that does much else
@pytest.mark.parametrize("examples", ["2", pytest.param("20", marks=pytest.mark.storm)])
def test_answers_are_those_that_the_openapi_document_declares(
    tmp_path: Path, run_fleetd: Any, serve_fleetd: Any, fleetd_environment: Any, examples: str
) -> None:
    secret = run_fleetd("init", "--token-only").stdout.strip()
    key = run_fleetd("credential", "key").stdout.strip()
    with serve_fleetd(tmp_path, FLEETD_CREDENTIALS__KEY=key) as (url, _process):
        done = subprocess.run(
            [
                str(Path(sys.executable).with_name("schemathesis")),
                *("run", f"{url}/openapi.json", "--header", f"Authorization: Bearer {secret}"),
                *("--phases", "fuzzing", "--max-examples", examples, "--seed", "1", "--generation-database", "none"),
                *("--checks", ",".join(CHECKS), "--no-color"),
                *("--exclude-path-regex", "/stream|/sse/"),  # they have no end
            ],
            cwd=tmp_path,
            env=fleetd_environment(HOME=os.environ.get("HOME", str(tmp_path))),
            capture_output=True,
            text=True,
            timeout=850,
            check=False,
        )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    tested = re.search(r"Tested: (\d+)", done.stdout)
    assert tested
    assert int(tested[1]) > 50
