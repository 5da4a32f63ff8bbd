# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The EXAMPLES of every module parse, and name options, choices and action groups that there are."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
import yaml
from ansible_collections.baremetal.fleet.plugins.module_utils import _boundary

PLUGINS = Path(__file__).resolve().parents[4] / "plugins"
PREFIX = "baremetal.fleet."
MODULES = sorted(path.stem for path in (PLUGINS / "modules").glob("*.py") if path.stem != "__init__")
GROUPS = yaml.safe_load((PLUGINS.parent / "meta" / "runtime.yml").read_text(encoding="utf-8"))["action_groups"]
NOT_OPTIONS = {"name", "register", "when", "loop", "vars", "delegate_to", "check_mode", "diff", "become", "no_log"}


class Asked(Exception):
    """Instead of running the module."""


@pytest.fixture
def spec_of(monkeypatch):
    """The argument specification with which a module makes its AnsibleModule."""

    def ask(argument_spec, **_more):
        raise Asked(argument_spec)

    monkeypatch.setattr(_boundary, "AnsibleModule", ask)

    def of(name):
        module = importlib.import_module(f"ansible_collections.baremetal.fleet.plugins.modules.{name}")
        with pytest.raises(Asked) as caught:
            module.main()
        return module, caught.value.args[0]

    return of


def tasks_in(value):
    """Every task, wherever it is in plays and blocks."""
    for item in value or []:
        yield item
        for place in ("tasks", "pre_tasks", "block", "rescue", "always"):
            yield from tasks_in(item.get(place))


def problems(options, spec, where, complete=True):
    found = [f"{where}: no option {name}" for name in options if name not in spec]
    if complete:  # what comes from the environment may be left out
        found += [
            f"{where}: {name} is missing"
            for name, item in spec.items()
            if item.get("required") and "fallback" not in item and name not in options
        ]
    for name, value in options.items():
        item = spec.get(name, {})
        values = value if isinstance(value, list) else [value]
        for one in values:
            if item.get("choices") and "{{" not in str(one) and one not in item["choices"]:
                found.append(f"{where}: {name}: {one!r} is not one of {item['choices']}")
            if item.get("options") and isinstance(one, dict):
                found += problems(one, item["options"], f"{where}.{name}", complete)
    return found


def defaults_in(value):
    """module_defaults of groups, wherever they are."""
    for item in value or []:
        yield from (item.get("module_defaults") or {}).items()
        for place in ("tasks", "block"):
            yield from defaults_in(item.get(place))


@pytest.mark.parametrize("name", MODULES)
def test_examples(spec_of, name):
    module, spec = spec_of(name)
    parsed = yaml.safe_load(module.EXAMPLES)
    own = [task for task in tasks_in(parsed) if PREFIX + name in task]
    assert own, "an example that uses the module"
    grouped = {option for _group, options in defaults_in(parsed) for option in options}
    for task in own:
        options = {**dict.fromkeys(grouped & set(spec), "{{ }}"), **(task[PREFIX + name] or {})}
        assert problems(options, spec, str(task.get("name"))) == []
    for group, options in defaults_in(parsed):
        assert group.removeprefix("group/" + PREFIX) in GROUPS
        assert problems(options, spec, group, complete=False) == []


@pytest.mark.parametrize("group", ["bmc", "power"])
def test_every_module_of_an_action_group_takes_the_same_options(spec_of, group):
    shared = {
        "bmc": {
            "username",
            "password",
            "drivers",
            "redfish_scheme",
            "redfish_port",
            "ipmi_port",
            "validate_certs",
            "ca_path",
            "fingerprint",
            "timeout",
        },
        "power": {"pdu", "outlet_delay", "wake_on_lan", "command", "tasks"},
    }[group]
    for name in GROUPS[group]:
        _module, spec = spec_of(name)
        assert shared <= set(spec), f"{name} lacks {sorted(shared - set(spec))}"
        secrets = [option for option in ("password", "community", "auth_password") if option in spec]
        assert all(spec[option].get("no_log") for option in secrets)
