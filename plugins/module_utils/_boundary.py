# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ends every module: plan -> changed, diff and check mode; FleetError -> ``fail_json``. Private to this collection."""

from __future__ import annotations

import signal
import traceback
from collections.abc import Callable, Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule, env_fallback

from .fleetcore.errors import FleetError
from .fleetcore.option import Options
from .fleetcore.ports import Plan


class Interrupted(BaseException):
    """Somebody stops the module: Ctrl-C, a time-out of whoever runs the play, a terminal that is gone."""


_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def _interrupted(number: int, _frame: Any) -> None:
    for each in _SIGNALS:
        signal.signal(each, signal.SIG_IGN)  # what follows is short, and must not be interrupted again
    raise Interrupted(signal.Signals(number).name)


def argument_spec(options: Options) -> dict[str, Any]:
    """Leave out what only the documentation says, and put the fallback to environment variables in."""
    spec: dict[str, Any] = {}
    for name, option in options.items():
        spec[name] = {word: value for word, value in option.items() if word not in ("description", "env", "play")}
        if "env" in option:
            spec[name]["fallback"] = (env_fallback, [option["env"]])
        if "options" in option:
            spec[name]["options"] = argument_spec(option["options"])
    return spec


def run(main: Callable[[Mapping[str, Any]], Plan], options: Options, **kwargs: Any) -> None:
    """Run a module that takes ``options``: ``main`` gets them and returns the plan.

    A FleetError, from either, fails the module.

    A module that is told to stop puts right what it has begun: a machine that is off is switched on again, a session is
    closed.
    """
    module = AnsibleModule(argument_spec=argument_spec(options), supports_check_mode=True, **kwargs)
    for number in _SIGNALS:
        signal.signal(number, _interrupted)
    try:
        plan = main(module.params)
        changed = plan.before != plan.after
        try:
            result = plan.apply() if (changed or plan.always) and not module.check_mode else plan.preview()
        finally:
            plan.close()
    except FleetError as error:
        module.fail_json(msg=error.message, failure={"code": error.code, "details": error.details})
    except Interrupted as error:
        module.fail_json(
            msg=f"interrupted ({error}): a power cycle or password change that was begun was brought to an end; what "
            "the BMC was told besides goes on there",
            failure={"code": "interrupted", "details": {"signal": str(error)}},
        )
    except Exception as error:  # noqa: BLE001  (the last line of defence)
        module.fail_json(
            msg=f"This is a bug in baremetal.fleet, please report it: {type(error).__name__}: {error}",
            exception=traceback.format_exc(),
            failure={"code": "bug", "details": {}},
        )
    else:
        result = {**plan.besides, **result}
        for warning in result.pop("warnings", ()):
            module.warn(warning)
        diff: dict[str, Any] = {"before": plan.before, "after": plan.after}
        where = module.params.get("address")
        if where:  # whose diff it is: Ansible shows it before the name of the host
            diff.update(before_header=str(where), after_header=str(where))
        module.exit_json(**{"changed": changed, "diff": diff, **result})
