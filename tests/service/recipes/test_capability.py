# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A new capability of the server by the recipe of CONTRIBUTING: a folder, a line in ``app.py``, a migration."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]

FILES = {
    "racks/__init__.py": '"""Racks."""\n',
    "racks/model.py": '''"""A rack."""

from dataclasses import dataclass
from datetime import datetime

from fleetd.server.kernel.events.model import NewEvent


@dataclass(frozen=True)
class Rack:
    """Where machines stand."""

    id: str
    name: str
    at: datetime


def of_rack(rack: Rack) -> list[NewEvent]:
    """The event of a rack that was built."""
    return [NewEvent("rack.built", data={"rack": rack.name})]
''',
    "racks/tables.py": '''"""Racks."""

from sqlalchemy import Column, String, Table

from fleetd.server.kernel.tables import UtcDateTime, key, metadata

racks = Table(
    "racks",
    metadata,
    Column("id", key(64), primary_key=True),
    Column("name", String(255), nullable=False),
    Column("at", UtcDateTime, nullable=False),
)
''',
    "racks/store.py": '''"""Racks in SQL."""

from collections.abc import Sequence
from dataclasses import asdict

from sqlalchemy import Connection, insert, select

from fleetd.server.kernel.engine import Transactions
from fleetd.server.racks.model import Rack, of_rack
from fleetd.server.racks.tables import racks


class RackStore:
    """Racks, in the order in which they were built."""

    def __init__(self, tx: Transactions) -> None:
        self._tx = tx

    def add(self, rack: Rack) -> Rack:
        def work(connection: Connection) -> Rack:
            connection.execute(insert(racks).values(**asdict(rack)))
            self._tx.tell(of_rack(rack))
            return rack

        return self._tx.write(work)

    def all(self) -> Sequence[Rack]:
        query = select(racks).order_by(racks.c.id)
        return self._tx.read(lambda connection: [Rack(**row._mapping) for row in connection.execute(query)])
''',
    "racks/service.py": '''"""The use cases around racks."""

from collections.abc import Sequence

from fleetd.server.kernel.engine import Clock, Transactions
from fleetd.server.kernel.ids import new_id
from fleetd.server.kernel.tally import Count, Tally
from fleetd.server.racks.model import Rack
from fleetd.server.racks.store import RackStore

BUILT = Count("racks_built", "Racks that were built")


class Racks:
    def __init__(self, tx: Transactions, clock: Clock, tally: Tally) -> None:
        self._store = RackStore(tx)
        self._clock = clock
        self._tally = tally

    def build(self, name: str) -> Rack:
        now = self._clock()
        made = self._store.add(Rack(new_id(now), name, now))
        self._tally.add(BUILT)
        return made

    def find(self) -> Sequence[Rack]:
        return self._store.all()
''',
    "racks/api.py": '''"""/api/v1/racks."""

from typing import Annotated

from fastapi import Response

from fleetd.server.kernel.auth.http import Operator, Reader
from fleetd.server.kernel.http import request as http
from fleetd.server.kernel.http.answers import Shape, errors, list_of
from fleetd.server.kernel.http.errors import Json
from fleetd.server.kernel.http.fields import Body, Short
from fleetd.server.racks.model import Rack
from fleetd.server.racks.service import Racks

router = http.router("racks")
Known = Annotated[Racks, http.service(Racks)]
RACK = Shape(Rack)


class NewRack(Body):
    """A rack to build."""

    name: Short


@router.post("/racks", status_code=201, responses={201: {"model": RACK.model}, **errors(400)})
def build_rack(body: NewRack, known: Known, _who: Operator) -> Response:
    """Build one."""
    return Json(RACK.json(known.build(body.name)), 201)


@router.get("/racks", responses={200: {"model": list_of(RACK)}})
def list_racks(known: Known, _who: Reader) -> Response:
    """All racks."""
    return Json(RACK.items(known.find()))
''',
    "racks/capability.py": '''"""Racks."""

from datetime import timedelta

from fleetd.server.kernel.capability import Capability, gauge
from fleetd.server.kernel.retention import Kept, prune_rows
from fleetd.server.racks import tables
from fleetd.server.racks.api import router
from fleetd.server.racks.service import BUILT, Racks

CAPABILITY = Capability(
    "racks",
    lambda services: Racks(services.tx, services.clock, services.tally),
    routers=(router,),
    events=("rack",),
    kept=(Kept("racks", timedelta(days=30), prune_rows(tables.racks)),),
    counts=(BUILT,),
    figures=lambda services: [gauge("fleetd_racks", "Racks", {(): len(services.of(Racks).find())})],
)
''',
    "migrations/versions/9999_racks.py": '''"""Racks."""

import sqlalchemy as sa
from alembic import op

revision = "9999"
down_revision = "{head}"


def upgrade() -> None:
    key = sa.String(64).with_variant(sa.String(64, collation="C"), "postgresql")
    op.create_table(
        "racks",
        sa.Column("id", key, nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_racks"),
    )
''',
}
# What a server with the default settings does, in a process that knows nothing but the copy.
LOOK = """
import json
from datetime import timedelta

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from fastapi.testclient import TestClient

from fleetd.server import app
from fleetd.server.config import Settings
from fleetd.server.kernel import migrate
from fleetd.server.kernel.auth.model import Scope
from fleetd.server.kernel.tables import metadata

settings = Settings.model_validate({"database": {"url": "sqlite:///racks.db"}})
store = app.make_store(settings)
before, after = migrate.upgrade(store.engine)
with store.engine.begin() as connection:
    difference = compare_metadata(MigrationContext.configure(connection), metadata)
now = app.utc_now()
app.utc_now = lambda: now
services = app.make_services(settings, store)
_token, secret = services.tokens.create("admin", Scope.ADMIN)
client = TestClient(app.make_app(settings, services), headers={"Authorization": f"Bearer {secret}"})
found = {
    "head": after,
    "difference": [str(item) for item in difference],
    "made": client.post("/api/v1/racks", json={"name": "r1"}).status_code,
    "refused": client.post("/api/v1/racks", json={"nmae": "r1"}).status_code,
    "names": [item["name"] for item in client.get("/api/v1/racks").json()["items"]],
    "events": client.get("/api/v1/events?kind=rack").json()["items"],
    "pretended": client.post("/api/v1/events", json={"items": [{"kind": "rack.built"}]}).status_code,
    "metrics": client.get("/metrics").text,
    "documented": "/api/v1/racks" in client.get("/openapi.json").json()["paths"],
    "young": services.retention.prune()["racks"],
}
now += timedelta(days=31)
found["old"] = services.retention.prune()["racks"]
found["left"] = client.get("/api/v1/racks").json()["items"]
print(json.dumps(found))
"""


def head(versions: Path) -> str:
    """The number of the newest migration."""
    return max(path.name[:4] for path in versions.glob("[0-9]*.py"))


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the server of a copy of the repository says that has the capability in it."""
    home = tmp_path_factory.mktemp("recipe")
    for name in ("src/fleetd", "plugins/module_utils/fleetcore"):
        shutil.copytree(ROOT / name, home / name, ignore=shutil.ignore_patterns("__pycache__"))
    server = home / "src/fleetd/server"
    for name, text in FILES.items():
        path = server / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text.replace("{head}", head(ROOT / "src/fleetd/server/migrations/versions")))

    app = server / "app.py"
    text = app.read_text()
    for line, added in (
        ("\n    legacy.CAPABILITY,\n", "\n    racks.CAPABILITY,"),
        ("\nfrom fleetd.server.work import", "\nfrom fleetd.server.racks import capability as racks"),
    ):
        assert text.count(line) == 1
        text = text.replace(line, added + line)
    app.write_text(text)

    path = os.pathsep.join(str(home / name) for name in ("src", "plugins/module_utils"))
    done = subprocess.run(
        [sys.executable, "-c", LOOK],
        cwd=home,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return said


def test_its_table_is_migrated(found: dict[str, Any]) -> None:
    assert (found["head"], found["difference"]) == ("9999", [])


def test_it_is_served_and_documented(found: dict[str, Any]) -> None:
    assert (found["made"], found["refused"], found["names"], found["documented"]) == (201, 422, ["r1"], True)


def test_its_event_is_in_the_log_and_nobody_else_tells_it(found: dict[str, Any]) -> None:
    assert [(item["kind"], item["data"]) for item in found["events"]] == [("rack.built", {"rack": "r1"})]
    assert found["pretended"] == 422


def test_its_figures_are_served(found: dict[str, Any]) -> None:
    for line in ("fleetd_racks 1.0", "fleetd_racks_built_total 1.0", 'fleetd_pruned_rows_total{what="racks"} 0.0'):
        assert line in found["metrics"]


def test_what_is_old_goes_without_a_setting(found: dict[str, Any]) -> None:
    """``retention.racks_days`` is not a setting: the age is what the capability declares."""
    assert (found["young"], found["old"], found["left"]) == (0, 1, [])
