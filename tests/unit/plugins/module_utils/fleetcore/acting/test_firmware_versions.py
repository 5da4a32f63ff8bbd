# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which version is newer, in the formats of vendors."""

from __future__ import annotations

import pytest
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.acting.firmware_versions import compare


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("2.9.0", "2.14.2"),  # Dell BIOS
        ("1.6.11", "1.6.12"),
        ("6.10.80.00", "7.00.30.00"),  # iDRAC
        ("2.10 Oct 30 2019", "2.72 Sep 04 2022"),  # iLO
        ("2.72 Sep 04 2022", "2.72 Oct 01 2022"),
        ("2.72", "3.06 Jan 09 2024"),
        ("iLO 5 v2.72", "iLO 5 v2.99"),
        ("U46 v1.62 (08/11/2022)", "U46 v2.80 (07/20/2023)"),  # HPE BIOS
        ("CDI396I-2.80", "CDI3A4E-3.20"),  # Lenovo XCC
        ("01.01.12", "01.02.02"),  # Supermicro
        ("3.4", "3.4a"),
        ("3.4a", "3.4b"),
        ("1.2", "1.2.1"),
        ("9", "10"),
        ("14.31.1014", "22.37.1"),
    ],
)
def test_older_and_newer(older, newer):
    assert (compare(older, newer), compare(newer, older)) == (-1, 1)


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("2.72", "2.72 Sep 04 2022"),
        ("U46 v2.80 (07/20/2023)", "U46 v2.80"),
        ("2.8", "2.8.0"),
        ("v1.2", "1.2"),
        ("what ever", "what ever "),
    ],
)
def test_the_same(one, two):
    assert compare(one, two) == compare(two, one) == 0


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (None, "1.0"),
        ("U46 v2.80", "U30 v2.90"),
        ("AFE126J-1.60", "CDI3A4E-3.20"),
        ("1.5", "1.05"),
        ("BA02", "BA03-X"),
        ("2.0-beta", "2.0"),
        ("1.2 Foo 12 2020", "1.3"),
        ("", "1"),
    ],
)
def test_nobody_can_tell(one, two):
    assert compare(one, two) is compare(two, one) is None
