# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The published JSON schema is that of the code."""

from __future__ import annotations

import json
from pathlib import Path

from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.document import schema

SCHEMA = "docs/schema/device.schema.json"


def test_the_published_schema_is_current():
    here = Path(__file__).resolve()
    published = next(parent / SCHEMA for parent in here.parents if (parent / SCHEMA).exists())
    expected = json.loads(published.read_text(encoding="utf-8"))
    assert expected == schema.json_schema(), "write it anew: .venv/bin/python scripts/check_docs.py --write"
