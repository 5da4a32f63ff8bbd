# SPDX-License-Identifier: BSD-2-Clause
"""The process of one playbook run: ``python -m fleetd.runner.adapters.worker DIR``.

It runs ansible-runner and writes down what becomes of each host. See :mod:`.ansible_runner` for the directory.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from fleetd.runner.adapters.ansible_runner import GROUP, LOCK_FD, PROGRESS, first_error
from fleetd.runner.adapters.recorder import Recorder

_PATIENCE = 600  # seconds for a disk that takes no outcome


class Outcomes:
    """A file of lines, each on the disk when it is written.

    What the disk does not take is written with the next one, or at the end: a full disk must not interrupt a playbook.
    """

    def __init__(self, path: Path, sleep: Callable[[float], None] = time.sleep) -> None:
        self._file = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
        self._left = b""
        self._sleep = sleep

    def write(self, line: Mapping[str, Any]) -> None:
        self._left += json.dumps(line).encode() + b"\n"
        with contextlib.suppress(OSError):
            self._flush()

    def close(self) -> None:
        for _ in range(_PATIENCE):
            with contextlib.suppress(OSError):
                self._flush()
            if not self._left:
                break
            self._sleep(1)
        os.close(self._file)

    def _flush(self) -> None:
        while self._left:
            self._left = self._left[os.write(self._file, self._left) :]
        os.fsync(self._file)


def _work(directory: Path) -> int:
    import ansible_runner  # noqa: PLC0415 (half a second that only the worker needs)

    spec = json.loads((directory / "run.json").read_text())
    private = directory / "private"
    artifacts = private / "artifacts" / "run"

    def status(data: Mapping[str, Any], **_kwargs: Any) -> bool:
        if data.get("status") == "running":  # ansible-runner has just written the whole environment there
            (artifacts / "command").unlink(missing_ok=True)
        return True

    with contextlib.closing(Outcomes(directory / "events.jsonl")) as outcomes:
        write = outcomes.write
        together = spec["hosts"] if spec["on_controller"] else None
        recorder = Recorder(write, spec["report"], together)
        write({"launched": True})
        result = ansible_runner.run(
            private_data_dir=str(private),
            ident="run",
            playbook=spec["playbook"],
            inventory=[*spec["inventories"], str(directory / "group.yml")],
            limit=None if together else GROUP,
            extravars={
                **spec["extra_vars"],
                **({"target": GROUP} if together else {}),
                "powercycle_progress_directory": str(directory / PROGRESS),
            },
            forks=spec["forks"],
            timeout=int(spec["timeout"]),
            envvars={
                "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "true",
                "ANSIBLE_NOCOLOR": "1",
                "ANSIBLE_RETRY_FILES_ENABLED": "false",
            },
            event_handler=recorder,
            status_handler=status,
            cancel_callback=lambda: False,
            quiet=True,
            suppress_env_files=True,
        )
        output = artifacts / "stdout"
        text = output.read_text(errors="replace") if output.exists() else ""
        problem = (
            ""
            if result.rc in (0, 2)
            else f"ansible-playbook ended with {result.status} ({result.rc}): {first_error(text)}"
        )
        recorder.settle_idle(spec["hosts"], problem)
        write({"done": result.status, "problem": problem})
    if output.exists():
        shutil.move(output, directory / "stdout")
    shutil.rmtree(private, ignore_errors=True)
    return 0


def _main(argv: Sequence[str]) -> int:
    os.set_inheritable(int(os.environ.pop(LOCK_FD)), False)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: None)  # a handler, not SIG_IGN: children start with the default
    return _work(Path(argv[0]))


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
