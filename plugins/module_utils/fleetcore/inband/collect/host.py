# SPDX-License-Identifier: BSD-2-Clause

"""The live adapters: commands and files of the machine that this runs on."""

from __future__ import annotations

import contextlib
import os
import selectors
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from typing import Optional

from ...document.outputs import decoded
from ...errors import FatalError, MissingDependency, NotFound, PermissionDenied, TransientError
from ...ports import CommandResult

MAX_OUTPUT = 24 * 1024 * 1024
"""Bytes of output that a tool may print; one that prints more is stopped there."""
BMC_DEVICE = "/dev/ipmi0"
"""In place of a tool: our own conversation with the BMC through the kernel (:mod:`openipmi`)."""
OUTPUT_FILE = "{output-file}"
"""Stands in a command line for a new file, for tools that don't write to their standard output; its content is taken
as that."""

# Where vendors install tools, beside the usual folders that an ordinary user's PATH may lack.
_FOLDERS = (
    *("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"),
    *(f"/opt/MegaRAID/{tool}" for tool in ("storcli", "perccli", "storcli2", "perccli2")),
    *("/opt/dell/srvadmin/sbin", "/opt/dell/srvadmin/bin"),
    *("/opt/smartstorageadmin/ssacli/bin", "/opt/rocm/bin", "/opt/marvell/bin", "/opt/msecli", "/usr/local/nvidia/bin"),
)
_GRACE = 2.0
SEARCH_PATH = os.pathsep.join(
    dict.fromkeys([*_FOLDERS, *(item for item in os.environ.get("PATH", "").split(os.pathsep) if os.path.isabs(item))])
)
"""Folders in which tools are looked for."""


class SystemRunner:
    """:class:`fleetcore.ports.CommandRunner` of this machine.

    Every tool gets a session of its own, no terminal, no input, the locale C, and is killed with all its children at
    its time-out. What a killed tool had printed is kept.
    """

    def __init__(self, path: str = SEARCH_PATH) -> None:
        self._path = path

    def run(self, argv: Sequence[str], timeout: float) -> CommandResult:
        """:raises MissingDependency: not installed. :raises FatalError: it cannot be started."""
        if argv[0] == BMC_DEVICE:
            from ...ipmi import device as openipmi  # noqa: PLC0415  (few machines have a BMC and no ipmitool)

            return openipmi.talk(argv, timeout)
        program = shutil.which(argv[0], path=self._path)
        if program is None:
            raise MissingDependency(f"{argv[0]} is not installed", tool=argv[0])
        if OUTPUT_FILE not in argv:
            return self._run(argv, [program, *argv[1:]], timeout)
        with tempfile.TemporaryDirectory(prefix="baremetal.fleet.") as folder:
            target = os.path.join(folder, "output")
            result = self._run(
                argv, [program, *(target if item == OUTPUT_FILE else item for item in argv[1:])], timeout
            )
            with contextlib.suppress(OSError), open(target, "rb") as handle:
                return CommandResult(argv, result.rc, decoded(handle.read(MAX_OUTPUT)), result.stderr)
            return result

    def _run(self, argv: Sequence[str], command: Sequence[str], timeout: float) -> CommandResult:
        environment = {
            "PATH": self._path,
            "LC_ALL": "C",
            "LANGUAGE": "C",
            "TERM": "dumb",
            "HOME": os.environ.get("HOME", "/"),
        }
        try:
            process = subprocess.Popen(  # noqa: S603  (no shell; the program is one of our own list)
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=environment,
                cwd="/",
                start_new_session=True,
            )
        except OSError as error:
            raise FatalError(f"{argv[0]} cannot be started: {error.strerror}", tool=argv[0]) from None
        stdout, stderr, finished = _drain(process, timeout)
        if not finished:
            _kill(process)
        try:
            code: Optional[int] = process.wait(_GRACE)
        except subprocess.TimeoutExpired:  # in the kernel, where no signal reaches it
            code = None
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()
        return CommandResult(tuple(argv), code if finished else None, decoded(stdout), decoded(stderr))


def _drain(process: subprocess.Popen[bytes], timeout: float) -> tuple[bytes, bytes, bool]:
    """Both outputs, and whether the process ended them in time. It is left running when not."""
    end = time.monotonic() + timeout
    chunks: dict[int, bytearray] = {}
    with selectors.DefaultSelector() as selector:
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                os.set_blocking(stream.fileno(), False)
                selector.register(stream, selectors.EVENT_READ)
                chunks[stream.fileno()] = bytearray()
        outputs = list(chunks.values())
        finished = True
        while selector.get_map():
            rest = end - time.monotonic()
            # A child that outlives its tool may hold the pipes: that the tool ended is enough.
            if rest <= 0 or sum(map(len, outputs)) >= MAX_OUTPUT:
                finished = False
                break
            for key, _events in selector.select(min(rest, 0.5)):
                data = os.read(key.fd, 1 << 18)
                if data:
                    chunks[key.fd] += data
                else:
                    selector.unregister(key.fileobj)
            if process.poll() is not None and not selector.select(0.05):
                break
        else:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, end - time.monotonic()))
            finished = process.poll() is not None
    return bytes(outputs[0]), bytes(outputs[1]), finished


def _kill(process: subprocess.Popen[bytes]) -> None:
    """The whole group: a tool's children would go on with the hardware."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


class SystemFiles:
    """:class:`fleetcore.ports.FileReader` of this machine."""

    def read(self, path: str, limit: int) -> bytes:
        content = bytearray()
        with _translated(path), open(path, "rb", buffering=0, opener=_without_waiting) as handle:
            while len(content) < limit:
                data = handle.read(min(1 << 20, limit - len(content)))
                if not data:
                    break
                content += data
        return bytes(content)

    def names(self, path: str) -> Sequence[str]:
        with _translated(path):
            return sorted(os.listdir(path))

    def link(self, path: str) -> str:
        with _translated(path):
            return os.readlink(path)


def _without_waiting(path: str, flags: int) -> int:
    """Open a file; not to wait for a writer, should it be a pipe."""
    return os.open(path, flags | os.O_NONBLOCK)


@contextlib.contextmanager
def _translated(path: str) -> Iterator[None]:
    try:
        yield
    except (FileNotFoundError, NotADirectoryError):
        raise NotFound(f"{path}: no such file", path=path) from None
    except PermissionError:
        raise PermissionDenied(f"{path}: permission denied (only root may read it)", path=path) from None
    except OSError as error:
        raise TransientError(f"{path}: {error.strerror}", path=path) from None
