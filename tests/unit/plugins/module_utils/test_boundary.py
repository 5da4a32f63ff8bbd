# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.baremetal.fleet.plugins.module_utils import _boundary
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.errors import InvalidInput


class Ended(Exception):
    pass


@pytest.fixture
def run(monkeypatch):
    """Runs a module up to its end and returns what it ends with."""

    def run(main, check_mode=False):
        class FakeModule:
            def __init__(self, argument_spec, supports_check_mode):
                assert supports_check_mode
                self.params = {"name": "x"}
                self.check_mode = check_mode
                self.ended = None

            def exit_json(self, **result):
                raise Ended({"failed": False, **result})

            def fail_json(self, **result):
                raise Ended({"failed": True, **result})

        monkeypatch.setattr(_boundary, "AnsibleModule", FakeModule)
        with pytest.raises(Ended) as caught:
            _boundary.run(main, {})
        return caught.value.args[0]

    return run


def plan_of(before, after, **kwargs):
    done = []

    def apply():
        done.append(True)
        return {"result": "applied", **kwargs.get("says", {})}

    plan = _boundary.Plan(
        before,
        after,
        lambda: {"result": "planned"},
        kwargs.get("apply", apply),
        kwargs.get("always", False),
        **kwargs.get("more", {}),
    )
    return (lambda params: plan), done


def test_a_difference_is_applied(run):
    main, done = plan_of({"a": 1}, {"a": 2})
    assert run(main) == {
        "failed": False,
        "changed": True,
        "diff": {"before": {"a": 1}, "after": {"a": 2}},
        "result": "applied",
    }
    assert done


def test_check_mode_applies_nothing_and_says_changed(run):
    main, done = plan_of({"a": 1}, {"a": 2})
    result = run(main, check_mode=True)
    assert (result["changed"], result["result"], done) == (True, "planned", [])


def test_no_difference(run):
    main, done = plan_of({"a": 1}, {"a": 1})
    result = run(main)
    assert (result["changed"], result["result"], done) == (False, "planned", [])


def test_always_lets_the_result_say_what_changed(run):
    main, done = plan_of({}, {}, always=True, says={"changed": True})
    assert run(main)["changed"] is True
    assert done


def test_an_error_is_a_message_and_a_failure_for_playbooks(run):
    def main(params):
        raise InvalidInput("mac: no", field="mac")

    assert run(main) == {
        "failed": True,
        "msg": "mac: no",
        "failure": {"code": "invalid_input", "details": {"field": "mac"}},
    }


@pytest.mark.parametrize("check_mode", [False, True])
def test_what_a_plan_holds_open_is_given_back_and_what_it_tells_besides_is_returned(run, check_mode):
    closed = []
    main, _done = plan_of({}, {}, always=True, more={"besides": {"tried": 1}, "close": lambda: closed.append(True)})
    assert run(main, check_mode)["tried"] == 1
    assert closed == [True]


def test_a_plan_that_fails_is_closed_too(run):
    def fail():
        raise InvalidInput("no")

    closed = []
    main, _done = plan_of({}, {"a": 1}, apply=fail, more={"close": lambda: closed.append(True)})
    assert run(main)["failed"]
    assert closed == [True]
