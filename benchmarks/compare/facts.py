# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a program says of a machine, counted by what is known of the machine.

A fact is a list of values that the machine has, for example the serial numbers of its DIMMs. A program reports as many
of them as stand somewhere in its answer, whatever it calls them and wherever it puts them. So no program is measured by
the words of another one.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SHORTEST = 4  # characters of a value that can be looked for in a text


@dataclass(frozen=True)
class Fact:
    """Values that the machine has, of one kind."""

    name: str
    values: tuple[str, ...]

    @classmethod
    def of(cls, name: str, values: Iterable[object]) -> Fact:
        """Without repetitions, and without what is too short to be looked for."""
        words = dict.fromkeys(plain(value) for value in values if value)
        return cls(name, tuple(word for word in words if len(word) >= SHORTEST))


@dataclass
class Answer:
    """What a program said, or why it could not be run; and what it cost."""

    program: str
    said: Any = None
    problem: str = ""
    figures: dict[str, object] = field(default_factory=dict)

    def has(self, fact: Fact) -> str:
        """How many of the values it names: ``4 of 4``."""
        if self.said is None:
            return "not run"
        text = "\n".join(plain(leaf) for leaf in leaves(self.said))
        count = sum(value in text for value in fact.values)
        return f"{count} of {len(fact.values)}" if count else "-"


def plain(value: object) -> str:
    """Text in which values are compared: lower case, one space between words."""
    return " ".join(str(value).lower().split())


def leaves(value: Any) -> Iterable[object]:
    """All names and values in JSON data."""
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield name
            yield from leaves(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from leaves(item)
    elif value is not None:
        yield value


def table(facts: Sequence[Fact], answers: Sequence[Answer]) -> str:
    """A row for each fact that the machine has, a column for each program; what each cost comes last."""
    heads = ["", *(answer.program for answer in answers)]
    rows = [[fact.name, *(answer.has(fact) for answer in answers)] for fact in facts if fact.values]
    names = dict.fromkeys(name for answer in answers for name in answer.figures)
    rows += [[name, *(str(answer.figures.get(name, "-")) for answer in answers)] for name in names]
    widths = [max(len(row[place]) for row in [heads, *rows]) for place in range(len(heads))]
    lines = [heads, ["-" * width for width in widths], *rows]
    text = "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in lines
    )
    problems = [f"- {answer.program}: {answer.problem}" for answer in answers if answer.problem]
    return text + ("\n\n" + "\n".join(problems) if problems else "") + "\n"


def write(page: Path | None, name: str, text: str) -> None:
    """Print a table, and put it into a page between the comments ``name`` and ``end of name``."""
    print(text)
    if page is None:
        return
    begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
    before, found, rest = page.read_text().partition(begin)
    _old, closed, after = rest.partition(end)
    if not (found and closed):
        raise SystemExit(f"{page} has no comments {begin.strip()} and {end}")
    page.write_text(f"{before}{begin}\n{text}\n{end}{after}")


def keep(folder: Path | None, name: str, answer: Answer) -> None:
    """Keep a whole answer, to look at, and to be compared again without running the program."""
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.json").write_text(json.dumps(vars(answer), indent=1, default=str))


def kept(folder: Path | None, name: str) -> Answer | None:
    """An answer that was kept; None: there is none."""
    path = folder / f"{name}.json" if folder is not None else None
    return Answer(**json.loads(path.read_text())) if path and path.exists() else None
