# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The power controller, over a machine of ours and a clock that does not wait."""

from __future__ import annotations

import pytest
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.errors import (
    AuthenticationFailed,
    Busy,
    FleetError,
    InvalidInput,
    NotVerified,
    Unreachable,
    Unsupported,
)
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.ports import (
    BMC_ACTIONS,
    PowerAction,
    PowerState,
)
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.power.base import (
    PowerController,
    PowerOptions,
    plan,
)

ON, OFF, UNKNOWN = PowerState.ON, PowerState.OFF, PowerState.UNKNOWN


class Machine:
    """A clock and a driver in one. ``obey`` maps an action to seconds until it takes effect (None: never), or to a list
    of errors and seconds, one for each time."""

    name = "ours"
    actions = BMC_ACTIONS
    reads_state = True

    def __init__(self, state=ON, **obey):
        self.time = 0.0
        self.state = state
        self.obey = {"on": 0, "off": 0, "shutdown": None, "reset": 0, "nmi": 0, **obey}
        self.coming = []
        self.told = []
        self.queries = []

    def monotonic(self):
        return self.time

    def now(self):
        return f"{self.time:g}"

    def sleep(self, seconds):
        self.time += seconds

    def power_state(self):
        if self.queries:
            answer = self.queries.pop(0)
            if answer is not None:
                raise answer
        for at, state in sorted(self.coming):
            if at <= self.time:
                self.state = state
        self.coming = [item for item in self.coming if item[0] > self.time]
        return self.state

    def set_power(self, action):
        self.told.append(action.value)
        delay = self.obey[action.value]
        if isinstance(delay, list):
            delay = delay.pop(0) if len(delay) > 1 else delay[0]
        if isinstance(delay, BaseException):
            raise delay
        if delay is not None and action in (PowerAction.ON, PowerAction.OFF, PowerAction.SHUTDOWN):
            self.coming.append((self.time + delay, ON if action is PowerAction.ON else OFF))

    def close(self):
        pass


def run(machine, state, **options):
    return PowerController(machine, machine, PowerOptions(**options)).run(state)


@pytest.mark.parametrize("state", [ON, OFF])
def test_nothing_to_do(state):
    machine = Machine(state)
    result = run(machine, state.value)
    assert (result.changed, result.verified, machine.told, result.steps) == (False, True, [], [])


def test_a_state_that_is_known_is_not_asked_for_again_until_something_was_done():
    machine = Machine(OFF)
    asked = []
    query = machine.power_state
    machine.power_state = lambda: asked.append(list(machine.told)) or query()
    controller = PowerController(machine, machine)
    assert controller.run("on", known=OFF).verified
    assert asked == [["on"]]


def test_each_step_is_told_when_it_is_done():
    machine = Machine(off=3)
    told = []
    controller = PowerController(
        machine, machine, PowerOptions(graceful_timeout=0), lambda s: told.append((s, machine.state))
    )
    result = controller.run("cycle")
    assert [step for step, _state in told] == result.steps
    off = next(state for step, state in told if step.action == "wait for off")
    assert off is OFF, "told while the machine is off, not at the end"


@pytest.mark.parametrize("state", ["off", "cycle", "reset", "nmi"])
def test_without_permission_nothing_is_done(state):
    machine = Machine()

    def refuse():
        raise Busy("somebody else has it")

    with pytest.raises(Busy) as caught:
        PowerController(machine, machine, permit=refuse).run(state)
    assert machine.told == []
    assert "may_be_off" not in caught.value.details


def test_switching_on_needs_no_permission():
    machine = Machine(OFF)
    PowerController(machine, machine, permit=lambda: pytest.fail("asked")).run("on")
    assert machine.state is ON


def test_on():
    machine = Machine(OFF, on=3)
    result = run(machine, "on")
    assert (result.changed, result.verified, result.after, machine.told) == (True, True, ON, ["on"])


def test_off_asks_the_os_first():
    machine = Machine(shutdown=30)
    result = run(machine, "off")
    assert (result.soft, result.verified, machine.told) == (True, True, ["shutdown"])


def test_off_without_force_fails_when_the_os_hangs():
    machine = Machine()
    with pytest.raises(NotVerified, match="force: true"):
        run(machine, "off", graceful_timeout=60)
    assert machine.told == ["shutdown"]
    assert machine.state is ON


@pytest.mark.parametrize("shutdown", [None, Unsupported("no graceful here"), Busy("not now")])
def test_force_cuts_the_power_then(shutdown):
    machine = Machine(shutdown=shutdown)
    result = run(machine, "off", force=True)
    assert (result.soft, result.after, machine.told) == (False, OFF, ["shutdown", "off"])


def test_cycle():
    machine = Machine(off=1, on=1)
    result = run(machine, "cycle", graceful_timeout=0, off_seconds=7)
    assert machine.told == ["off", "on"]
    assert (result.changed, result.verified, result.before, result.after) == (True, True, ON, ON)
    assert [step.action for step in result.steps] == ["off", "wait for off", "wait", "on", "wait for on"]
    assert result.steps[2].seconds == 7


def test_cycle_of_a_machine_that_is_off_switches_it_on():
    machine = Machine(OFF)
    assert run(machine, "cycle").verified
    assert machine.told == ["on"]


def test_off_that_takes_40_seconds():
    machine = Machine(off=40)
    assert run(machine, "cycle", graceful_timeout=0).verified
    assert machine.state is ON


def test_a_controller_that_begins_anew_whenever_it_is_told():
    """Its off takes 40 s from the last time on: told again every 20 s, the machine would never be off."""
    machine = Machine(off=40)
    tell = machine.set_power

    def anew(action):
        machine.coming.clear()
        tell(action)

    machine.set_power = anew
    assert run(machine, "cycle", graceful_timeout=0).verified
    assert machine.state is ON


def test_accepted_and_nothing_done_is_a_failure():
    machine = Machine(off=None)
    with pytest.raises(NotVerified, match="still on, not off") as caught:
        run(machine, "cycle", graceful_timeout=0)
    assert machine.told == ["off"] * 3
    assert caught.value.details["power"]["after"] == "on"
    assert "may_be_off" not in caught.value.details, "it is known to be on"


def test_on_that_fails_twice_is_repeated():
    machine = Machine(on=[Busy("a"), Unreachable("b"), 1])
    assert run(machine, "cycle", graceful_timeout=0).verified
    assert machine.told == ["off", "on", "on", "on"]


@pytest.mark.parametrize("on", [None, Unreachable("gone"), AuthenticationFailed("expired")])
def test_a_machine_that_does_not_come_back_is_never_silent(on):
    machine = Machine(on=on)
    with pytest.raises(FleetError, match="THE MACHINE MAY BE OFF") as caught:
        run(machine, "cycle", graceful_timeout=0)
    assert caught.value.details["may_be_off"] is True
    assert machine.told.count("on") == (1 if isinstance(on, AuthenticationFailed) else 5)


def test_an_off_that_was_lost_and_took_effect_is_followed_by_on():
    machine = Machine(off=Unreachable("gone"))
    machine.coming = [(5, OFF)]  # it took effect all the same
    assert run(machine, "cycle", graceful_timeout=0).verified
    assert machine.state is ON


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt(), SystemExit("TERM")])
def test_an_interrupted_cycle_comes_back_on(interrupt):
    machine = Machine()
    sleep = machine.sleep

    def once(seconds):
        machine.sleep = sleep
        raise interrupt

    machine.sleep = once  # called first in the pause without power
    with pytest.raises(type(interrupt)):
        run(machine, "cycle", graceful_timeout=0)
    assert machine.state is ON


def test_a_cycle_interrupted_while_it_switches_on():
    machine = Machine(on=[SystemExit("TERM"), 0])
    with pytest.raises(SystemExit):
        run(machine, "cycle", graceful_timeout=0)
    assert machine.state is ON


@pytest.mark.parametrize("seconds", [0, 3, 40])
def test_a_cycle_interrupted_while_the_machine_is_going_off(seconds):
    machine = Machine(off=seconds)
    query = machine.power_state

    def interrupted():
        if machine.told == ["off"]:
            machine.power_state = query
            raise SystemExit("TERM")
        return query()

    machine.power_state = interrupted
    with pytest.raises(SystemExit):
        run(machine, "cycle", graceful_timeout=0)
    machine.sleep(1000)
    assert query() is ON
    assert machine.told == ["off", "on"]


def test_a_bmc_that_reboots_in_the_middle():
    machine = Machine(off=3, on=3)
    machine.queries = [None, Unreachable("a"), Unreachable("b"), Unreachable("c")]
    assert run(machine, "cycle", graceful_timeout=0).verified
    assert machine.told == ["off", "on"]


def test_a_wrong_password_is_not_tried_again():
    machine = Machine()
    machine.queries = [AuthenticationFailed("no")]
    with pytest.raises(AuthenticationFailed):
        run(machine, "cycle")
    assert machine.told == []


@pytest.mark.parametrize("state", ["reset", "nmi"])
def test_reset_and_nmi_act_once(state):
    machine = Machine()
    result = run(machine, state)
    assert (machine.told, result.changed, result.verified) == ([state], True, True)
    machine = Machine(**{state: Unreachable("lost")})
    with pytest.raises(Unreachable):
        run(machine, state)
    assert machine.told == [state], "it may have been done: not repeated"


@pytest.mark.parametrize(
    ("state", "before", "options", "actions"),
    [
        ("on", ON, {}, ()),
        ("on", UNKNOWN, {}, ("on",)),
        ("off", ON, {}, ("shutdown",)),
        ("off", ON, {"force": True}, ("shutdown|off",)),
        ("off", ON, {"graceful_timeout": 0}, ("off",)),
        ("cycle", ON, {}, ("shutdown|off", "wait", "on")),
        ("cycle", OFF, {}, ("wait", "on")),
        ("reset", ON, {}, ("reset",)),
    ],
)
def test_plan(state, before, options, actions):
    assert plan(state, before, PowerOptions(**options)) == actions


def test_plans_that_are_refused():
    with pytest.raises(Unsupported, match="the machine is off"):
        plan("reset", OFF, PowerOptions())
    with pytest.raises(InvalidInput):
        plan("", ON, PowerOptions())


# -- drivers that can do less ------------------------------------------------------------------------------------------


class Outlet(Machine):
    """No operating system behind it."""

    actions = frozenset({PowerAction.ON, PowerAction.OFF})


class Blind(Outlet):
    """Nobody can ask it."""

    reads_state = False

    def power_state(self):
        return UNKNOWN


class Button(Machine):
    """Cycles by itself, off for 4 seconds."""

    actions = frozenset({PowerAction.CYCLE})

    def __init__(self, works=True):
        super().__init__(cycle=None)
        self.works = works

    def set_power(self, action):
        super().set_power(action)
        if self.works:
            self.coming += [(self.time + 1, OFF), (self.time + 5, ON)]


def test_an_outlet_is_not_asked_to_shut_down():
    machine = Outlet()
    result = run(machine, "cycle", graceful_timeout=60)
    assert (machine.told, result.verified, result.soft) == (["off", "on"], True, False)


def test_a_driver_that_can_not_read_the_state_never_verifies():
    machine = Blind()
    result = run(machine, "cycle")
    assert (machine.told, result.changed, result.verified, result.after) == (["off", "on"], True, False, UNKNOWN)
    assert machine.time < 20, "it does not wait for what nobody can see"


def test_a_driver_that_can_not_read_the_state_still_brings_the_machine_back():
    machine = Blind(on=[Busy("x"), Busy("x"), 0], off=[Unreachable("x")])
    with pytest.raises(Unreachable):
        run(machine, "cycle")
    assert machine.told[-1] == "on"


def test_a_cycle_in_one_has_to_be_seen():
    result = run(Button(), "cycle")
    assert (result.verified, result.after) == (True, ON)
    with pytest.raises(NotVerified, match="not seen off"):
        run(Button(works=False), "cycle")


@pytest.mark.parametrize(
    ("machine", "state"), [(Outlet(), "reset"), (Button(), "off"), (Button(), "on"), (Blind(), "nmi")]
)
def test_what_a_driver_can_not_do_is_not_tried(machine, state):
    with pytest.raises(Unsupported, match="it can do"):
        run(machine, state)
    assert not machine.told
