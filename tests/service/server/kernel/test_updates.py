# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bus that tells when something looks different."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest
from fleetcore.errors import Busy

from fleetd.server.app import CAPABILITIES
from fleetd.server.kernel.capability import Services
from fleetd.server.kernel.http.updates import Subscription, Updates
from fleetd.server.legacy.api import Descriptions
from fleetd.server.machines import service as changes
from fleetd.server.machines.service import Machines


@pytest.fixture
def services(clock: Any, make_database: Any) -> Services:
    made = Services(CAPABILITIES, make_database(clock), clock)
    for name in ("m1", "m2"):
        made.machines.create(name, {})
    return made


def note(services: Services, text: str, machine: str = "m1") -> None:
    services.machines.describe(machine, changes.set_note(text, "alice"))


async def listening(stack: contextlib.ExitStack, bus: Updates, machine: str = "m1") -> Subscription:
    made = stack.enter_context(bus.subscribe(machine))
    await made.ready()
    return made


def test_only_those_who_listen_to_the_machine_are_told(services: Services) -> None:
    async def scenario() -> None:
        bus = Descriptions(services.of(Machines), period=0.1)
        with contextlib.ExitStack() as stack:
            first, second, other = [await listening(stack, bus, name) for name in ("m1", "m1", "m2")]
            note(services, "look")
            assert await first.wait(60)
            assert await second.wait(60)
            assert not await other.wait(0.3)
            assert not await first.wait(0.3)
            services.powercycles.request("m2", "alice")
            assert await other.wait(60)

    asyncio.run(scenario())


def test_a_wake_is_quicker_than_the_period(services: Services) -> None:
    async def scenario() -> None:
        bus = Descriptions(services.of(Machines), period=600)
        with contextlib.ExitStack() as stack:
            first = await listening(stack, bus)
            note(services, "look")
            bus.wake()
            assert await first.wait(60)

    asyncio.run(scenario())


def test_machines_that_appear_and_vanish(services: Services) -> None:
    async def scenario() -> None:
        bus = Descriptions(services.of(Machines), period=0.05)
        with contextlib.ExitStack() as stack:
            first = await listening(stack, bus, "new")
            services.machines.create("new", {})
            assert await first.wait(60)
            services.machines.delete("new")
            assert await first.wait(60)

    asyncio.run(scenario())


def test_a_thousand_listeners_cost_one_look(services: Services) -> None:
    async def scenario() -> None:
        bus = Descriptions(services.of(Machines), period=600)
        with contextlib.ExitStack() as stack:
            made = [stack.enter_context(bus.subscribe("m1")) for _ in range(1000)]
            await asyncio.gather(*(item.ready() for item in made))
            before = bus.looks
            assert before <= 2
            note(services, "look")
            bus.wake()
            assert all(await asyncio.gather(*(item.wait(60) for item in made)))
            assert bus.looks - before <= 2

    asyncio.run(scenario())


def test_without_listeners_nobody_looks(services: Services) -> None:
    async def scenario() -> None:
        bus = Descriptions(services.of(Machines), period=0.02)
        with contextlib.ExitStack() as stack:
            await listening(stack, bus)
        assert bus._task
        await asyncio.wait_for(bus._task, 60)  # which looks, and ends
        with contextlib.ExitStack() as stack:
            first = await listening(stack, bus)
            note(services, "again")
            assert await first.wait(60)

    asyncio.run(scenario())


def test_a_database_that_is_gone_for_a_while_loses_no_change(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        bus = Descriptions(services.of(Machines), period=0.05)
        with contextlib.ExitStack() as stack:
            first = await listening(stack, bus)

            def gone(_ids: object) -> None:
                raise Busy("gone")

            with monkeypatch.context() as patch:
                patch.setattr(services.machines._store, "some", gone)
                note(services, "meanwhile")
                assert not await first.wait(0.3)
            assert await first.wait(60)

    asyncio.run(scenario())


def test_the_end_of_the_server_ends_all_waiting_at_once(services: Services) -> None:
    async def scenario() -> None:
        bus = Descriptions(services.of(Machines), period=600, gap=600)
        with contextlib.ExitStack() as stack:
            first = await listening(stack, bus)
            late = stack.enter_context(bus.subscribe("m2"))  # the next look is minutes away
            bus.close()
            await late.ready()
            assert await first.wait(60)
            assert await late.wait(60)
            assert bus.closed

    asyncio.run(asyncio.wait_for(scenario(), 200))
