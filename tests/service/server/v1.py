# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of /api/v1 share: a device document, the one shape of errors, a machine."""

from __future__ import annotations

from typing import Any

import httpx

DEVICE = {
    "source": "oob",
    "vendor": "ACME",
    "model": "X1",
    "serial": "S1",
    "collected_at": "2026-03-01T11:00:00Z",
    "cpus": [{"slot": "1"}, {"slot": "2"}],
    "memory": [{"size_bytes": 1024}, {"size_bytes": 2048}],
    "nics": [{"nic_ports": [{"macaddress": "aa:bb:cc:00:00:01"}]}],
}


def error(answer: httpx.Response, status: int, code: str, *words: str, field: str | None = None) -> None:
    """The one error shape."""
    body = answer.json()
    assert answer.status_code == status, body
    assert set(body) == {"error"}
    assert set(body["error"]) == {"code", "message", "details"}
    assert body["error"]["code"] == code
    for word in words:
        assert word in body["error"]["message"]
    if field is not None:
        assert body["error"]["details"]["field"] == field
        assert field in body["error"]["message"]


def make(client: httpx.Client, name: str = "m1", **values: Any) -> dict[str, Any]:
    answer = client.post("/api/v1/machines", json={"id": name, **values})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made
