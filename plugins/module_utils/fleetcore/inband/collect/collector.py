# SPDX-License-Identifier: BSD-2-Clause

"""A whole in-band collection: live, recorded or replayed."""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from queue import Empty, Queue
from typing import Any, Optional

from ... import __version__
from ...document.model import Collector, Coverage, Device, Stats, Verdict
from ...errors import InvalidInput
from ...ports import Clock, CommandRunner, FileReader
from .capture import Capture, Recorder, Replay
from .join import join
from .probe import Options, Probe
from .sources import SOURCES

NAME = "host_inventory"
CONCURRENCY = 4
"""Sources at once. Most of them wait for the hardware."""


def collect(
    runner: CommandRunner,
    files: FileReader,
    clock: Clock,
    options: Optional[Options] = None,
) -> tuple[Device, Capture]:
    """The document of the machine behind the ports, and the capture that replays to the same one.

    Nothing that a tool does or a file holds raises: what could not be collected is in ``coverage``, by source.
    """
    options = options or Options()
    recorder = Recorder(runner, files)
    begin = clock.monotonic()
    probes, late = _run(recorder, clock, options)
    # What is not an answer of the machine but part of the document.
    recorder.capture.about = {
        "options": asdict(options),
        "seconds": round(clock.monotonic() - begin, 3),
        "collected_at": clock.now(),
        "version": __version__,
        "late": sorted(late),
    }
    return _document(probes, options, recorder.capture.about), recorder.capture


def replay(capture: Capture, full: Optional[bool] = None) -> Device:
    """The document of a capture. ``full`` None is as it was captured: then it is the same document, byte for byte.

    :raises InvalidInput: the capture's description of itself is damaged.
    """
    about = {"late": (), **capture.about}
    try:
        options = Options(**about["options"]) if "options" in about else Options(updates=True)
        about["late"] = [str(name) for name in about["late"]]
    except TypeError as error:
        raise InvalidInput(f"the capture is damaged ({error})", field="from_capture") from None
    options = options if full is None else replace(options, full=full)
    adapter = Replay(capture)
    probes = {name: Probe(adapter, adapter, options, capture.named) for name in SOURCES}
    for name, source in SOURCES.items():
        if name not in about["late"]:
            _guarded(name, source, probes[name])
    device = _document(probes, options, about)
    unused = adapter.unused()
    if unused:
        said = f"neither name nor content say which tool's output it is, or no source asks for it: {', '.join(unused)}"
        device = replace(device, coverage={**device.coverage, "capture": Coverage(Verdict.SKIPPED, said[:600])})
    return device


def _run(recorder: Recorder, clock: Clock, options: Options) -> tuple[dict[str, Probe], frozenset[str]]:
    """Run all sources, a few at a time; those that have not ended at the deadline are left behind, and named."""
    waiting = deque(SOURCES)
    done: Queue[str] = Queue()
    probes = {name: Probe(recorder, recorder, options) for name in SOURCES}

    def work() -> None:
        with contextlib.suppress(IndexError):
            while True:
                name = waiting.popleft()
                _guarded(name, SOURCES[name], probes[name])
                done.put(name)

    end = clock.monotonic() + options.deadline
    for _number in range(CONCURRENCY):
        # Daemons: a read that hangs in the kernel must not keep the process from ending.
        threading.Thread(target=work, name="collect", daemon=True).start()
    missing = set(SOURCES)
    with contextlib.suppress(Empty):
        while missing:
            missing.discard(done.get(timeout=max(0.0, end - clock.monotonic())))
    waiting.clear()  # nobody begins with what is too late
    return probes, frozenset(missing)


def _guarded(name: str, source: Callable[[Probe], None], probe: Probe) -> None:
    try:
        source(probe)
    except Exception as error:  # noqa: BLE001  (a bug in one source must not cost the others' results)
        probe.problem(Verdict.FAILED, f"bug in the source {name}: {type(error).__name__}: {error}")


def _document(probes: Mapping[str, Probe], options: Options, about: Mapping[str, Any]) -> Device:
    """The document of what the probes found; ``about`` is that of the capture."""
    late = about["late"]
    used = {name: probe for name, probe in probes.items() if name not in late}
    too_late = Coverage(Verdict.TIMEOUT, f"not finished {options.deadline:g} s after the start")
    return replace(
        join([(name, piece) for name, probe in used.items() for piece in probe.pieces]),
        collected_at=about.get("collected_at"),
        collector=Collector(name=NAME, version=about.get("version")),
        coverage={name: probe.coverage() if name in used else too_late for name, probe in probes.items()},
        stats=Stats(
            requests=sum(probe.commands for probe in used.values()),
            bytes=sum(probe.bytes for probe in used.values()),
            seconds=about.get("seconds"),
        ),
    )
