# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The parts of the plugin that need no Ansible around them; the whole: tests/service/client."""

from __future__ import annotations

import pytest
from ansible.utils.unsafe_proxy import AnsibleUnsafe
from ansible_collections.baremetal.fleet.plugins.inventory import machines

try:
    from ansible.template import is_trusted_as_template
except ImportError:  # before ansible-core 2.19
    is_trusted_as_template = None

DATA = {
    "hosts": {"a": {"fleet_lifecycle": "active"}, "b": {"fleet_lifecycle": "broken"}, "c": {}},
    "groups": {"site_x": {"hosts": ["a", "b"]}, "lifecycle_broken": {"hosts": ["b"]}, "rack_1": {"hosts": ["c"]}},
}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("machines.yml", True),
        ("ber1.machines.yaml", True),
        ("prod_fleet.yml", True),
        ("fleet.yaml", True),
        ("hosts.yml", False),
        ("machines.json", False),
    ],
)
def test_file_names(tmp_path, name, expected):
    (tmp_path / name).write_text("plugin: baremetal.fleet.machines\n")
    assert machines.InventoryModule().verify_file(str(tmp_path / name)) is expected
    assert machines.InventoryModule().verify_file(str(tmp_path / "gone" / name)) is False


def test_lifecycle_keeps_hosts_and_drops_empty_groups():
    assert machines._only(DATA, []) is DATA
    assert machines._only(DATA, ["active", "retired"]) == {
        "hosts": {"a": {"fleet_lifecycle": "active"}},
        "groups": {"site_x": {"hosts": ["a"]}},
    }
    assert machines._only(DATA, ["typo"]) == {"hosts": {}, "groups": {}}


@pytest.mark.parametrize("value", ["{{ x }}", "a {% y %}", "{# z #}", "#jinja2:variable_start_string:'[%'\n[% x %]"])
def test_strings_that_could_be_templates_are_not_evaluated(value):
    marked = machines._marked(value)
    assert marked == value
    if machines.trust_as_template:
        assert not is_trusted_as_template(marked)
    else:
        assert isinstance(marked, AnsibleUnsafe)


def test_ordinary_strings_stay_ordinary():
    marked = machines._strings({"a": ["plain", 1, None, True], "b": {"c": "d"}}, machines._marked)
    assert marked == {"a": ["plain", 1, None, True], "b": {"c": "d"}}
    assert not isinstance(marked["b"]["c"], AnsibleUnsafe)
    if machines.trust_as_template:
        assert is_trusted_as_template(marked["a"][0])
