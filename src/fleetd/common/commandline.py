# SPDX-License-Identifier: BSD-2-Clause
"""Helpers of every command: how it fails, how it prints a table.

Imports nothing heavy: `fleetd --help` is to be quick.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import IO, TYPE_CHECKING, Any, TypeVar

import click
from fleetcore.errors import FleetError

if TYPE_CHECKING:
    from fleetd.common.settings import ProgramSettings

S = TypeVar("S", bound="ProgramSettings")


class Failure(click.ClickException):
    """A known problem: one line on standard error and exit code 1, no traceback."""

    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(f"fleetd: {self.message}", file=file, err=True)


class ConfigError(Failure):
    """The configuration can't be used. The message names the file or variable, the key and the fix; exit code 2."""

    exit_code = 2


@contextlib.contextmanager
def errors_of(program: str) -> Iterator[None]:
    """End a program that can't go on with one line; exit code 2 if its settings are the reason."""
    try:
        yield
    except FleetError as error:
        click.echo(f"fleetd {program}: {error.message}", err=True)
        sys.exit(2 if error.code == "invalid_input" else 1)


@contextlib.contextmanager
def one_line_errors() -> Iterator[None]:
    """Turn known problems, of the fleet and of the system, into a :class:`Failure`."""
    try:
        yield
    except FleetError as error:
        raise Failure(error.message) from error
    except OSError as error:
        raise Failure(error.strerror or str(error)) from error


def load_settings(ctx: click.Context, model: type[S], **overrides: Mapping[str, Any]) -> S:
    """Read the settings that hold for this call, and set up logging by them.

    :raises ConfigError: they can't be used.
    """
    from fleetd.common import logs, settings  # noqa: PLC0415 - see the module

    found = settings.load(model, ctx.find_root().obj, overrides)
    logs.configure(found.log.format, found.log.level)
    return found


def print_table(rows: Iterable[Iterable[object]], headings: Iterable[str] = (), right: Iterable[int] = ()) -> None:
    """Print rows as columns. A terminal's width is kept; into a file or pipe lines are as long as they need to be.

    :param right: numbers of the columns that are aligned to the right.
    """
    from rich.console import Console  # noqa: PLC0415 - see the module
    from rich.table import Table  # noqa: PLC0415

    lines = [[str(cell) for cell in row] for row in rows]
    titles = list(headings)
    table = Table(box=None, show_header=bool(titles), header_style="bold", padding=(0, 2, 0, 0), pad_edge=False)
    for number in range(max(len(titles), *(len(line) for line in lines), 0)):
        title = titles[number] if titles else ""
        table.add_column(title, justify="right" if number in set(right) else "left", overflow="fold")
    for line in lines:
        table.add_row(*line)
    width = None if sys.stdout.isatty() else 10_000
    Console(width=width, highlight=False, markup=False).print(table)
