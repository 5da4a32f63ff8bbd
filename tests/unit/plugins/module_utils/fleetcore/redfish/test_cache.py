# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is kept of a BMC's answers from one run to the next."""

from __future__ import annotations

import os
import stat

import pytest
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.errors import InvalidInput
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.redfish import cache
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.redfish.cache import Cache

BMC = "192.0.2.1:443"


def test_it_holds_what_the_last_run_saw(tmp_path):
    first = Cache(str(tmp_path), BMC)
    first.keep("/a", '"1"', b'{"a": "\xc3\xbc"}')
    first.keep("/b", 'W/"1"', b"{}")
    first.keep("/c?$expand=.", '"1"', b"{}")
    first.save()
    assert stat.S_IMODE(os.stat(first.path).st_mode) == 0o600
    second = Cache(str(tmp_path), BMC)
    assert [second.etag(url) for url in ("/a", "/b", "/c?$expand=.", "/d")] == ['"1"', 'W/"1"', None, None]
    assert second.again("/a") == b'{"a": "\xc3\xbc"}'
    second.save()
    assert Cache(str(tmp_path), BMC).etag("/b") is None, "no longer seen"
    assert Cache(str(tmp_path), "192.0.2.2:443").etag("/a") is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"\xff",
        b'{"format": 2, "resources": {}}',
        b'{"format": 1, "resources": {"/a": 5}}',
        b"[" * 10000,
    ],
)
def test_a_broken_file_is_none(tmp_path, content):
    path = Cache(str(tmp_path), BMC).path
    with open(path, "wb") as handle:
        handle.write(content)
    assert Cache(str(tmp_path), BMC).etag("/a") is None


def test_it_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "MAX_BYTES", 100)
    one = Cache(str(tmp_path), BMC)
    for number in range(5):
        one.keep(f"/{number}", '"1"', b"1234" * 10)
    one.save()
    again = Cache(str(tmp_path), BMC)
    assert [again.etag(f"/{number}") for number in range(5)] == ['"1"', '"1"', None, None, None]


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(InvalidInput, match="cache_dir"):
        Cache(str(tmp_path / "no"), BMC).save()
