# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A short run of the fuzzer; for a long one see benchmarks/fuzz_walker.py. FLEET_FUZZ_SECONDS makes it longer."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import pytest

FUZZER = Path(__file__).resolve().parents[3] / "benchmarks" / "fuzz_walker.py"


@pytest.mark.fuzz
def test_mutated_trees_give_a_document_or_a_reason():
    spec = importlib.util.spec_from_file_location("fuzz_walker", FUZZER)
    fuzzer = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(fuzzer)
    seconds = float(os.environ.get("FLEET_FUZZ_SECONDS", "8"))
    done, findings = fuzzer.run(fuzzer.sources([]), seed=20, seconds=seconds, rounds=200 if seconds == 8 else 10**9)
    assert done
    assert findings == 0
