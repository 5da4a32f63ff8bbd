# SPDX-License-Identifier: BSD-2-Clause
"""The page for people: server-rendered, works without scripts, no external assets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote, urlencode, urlsplit

from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse
from fleetcore.errors import NotFound
from jinja2 import Environment, PackageLoader, select_autoescape
from starlette.exceptions import HTTPException

from fleetd import __version__
from fleetd.api.auth import COOKIE, Policy, Who, check_csrf, counted, ensure
from fleetd.api.errors import Forbidden
from fleetd.domain import DeviceSummary, State
from fleetd.ports import MachineFilter
from fleetd.services.container import Services
from fleetd.services.machines import MachineView, checked_id
from fleetd.services.tokens import May, Principal

router = APIRouter(include_in_schema=False)

PAGE_SIZE = 200
_STATIC = Path(__file__).parent / "static"
_TYPES = {"fleet.css": "text/css", "fleet.js": "text/javascript", "icon.svg": "image/svg+xml"}


# -- the fleet


def _seen(view: MachineView) -> datetime | None:
    """When the machine was last heard of: its monitor's last event, else its last collection."""
    times = [view.machine.description.last_updated]
    collected = view.machine.device.collected_at if view.machine.device else None
    if collected:
        try:
            times.append(datetime.fromisoformat(collected))
        except ValueError:
            times.append(None)
    known = [time if time.tzinfo else time.replace(tzinfo=UTC) for time in times if time]
    return max(known, default=None)


def _status(view: MachineView) -> tuple[str, str]:
    """``(kind, words)``: kind is ok, warn or bad."""
    held = view.machine.description.held()
    if view.powercycle and view.powercycle.state == State.FAILED:
        return "bad", "power cycle failed"
    if held:
        return "warn", held
    if view.machine.lifecycle != "active":
        return "info", view.machine.lifecycle
    return "ok", "ok"


def _device(view: MachineView) -> DeviceSummary:
    return view.machine.device or DeviceSummary()


COLUMNS: Mapping[str, tuple[str, Callable[[MachineView], Any]]] = {
    "id": ("Machine", lambda view: view.machine.id),
    "status": ("State", lambda view: {"bad": 0, "warn": 1, "info": 2, "ok": 3}[_status(view)[0]]),
    "power": ("Power", lambda view: _device(view).power_state or ""),
    "cycle": ("Power cycle", lambda view: view.powercycle.state.value if view.powercycle else ""),
    "controller": ("Controller", lambda view: view.machine.description.powercycle_state.value),
    "vendor": ("Vendor", lambda view: (_device(view).vendor or "").lower()),
    "model": ("Model", lambda view: (_device(view).model or "").lower()),
    "serial": ("Serial", lambda view: _device(view).serial or ""),
    "site": ("Site", lambda view: view.machine.site or ""),
    "rack": ("Rack", lambda view: (view.machine.rack or "", view.machine.position or "")),
    "seen": ("Last seen", lambda view: -(_seen(view) or datetime.fromtimestamp(0, UTC)).timestamp()),
}

SHOW: Mapping[str, tuple[str, Callable[[MachineView], bool]]] = {
    "all": ("All machines", lambda _view: True),
    "trouble": ("In trouble", lambda view: _status(view)[0] in ("bad", "warn")),
    "cycling": ("Power cycle open", lambda view: view.power_cycle),
    "in_error": ("Controller in error", lambda view: view.machine.description.powercycle_state.value == "in_error"),
}


@router.get("/")
def fleet(
    request: Request,
    who: Who,
    *,
    q: Annotated[str, Query(max_length=255)] = "",
    site: Annotated[str, Query(max_length=255)] = "",
    rack: Annotated[str, Query(max_length=255)] = "",
    show: str = "all",
    sort: str = "id",
    page: Annotated[int, Query(ge=1, le=1_000_000)] = 1,
) -> Response:
    """The fleet table; what is filtered and how it is sorted is in the URL."""
    if not who.can(May.READ):
        return _login_page(request, who)
    q, site, rack = (_plain(value) for value in (q, site, rack))
    if show not in SHOW:
        show = "all"
    if sort.lstrip("-") not in COLUMNS:
        sort = "id"
    everything = _services(request).machines.find(MachineFilter(site or None, rack or None, {}, q or None))
    views = sorted((view for view in everything if SHOW[show][1](view)), key=lambda view: view.machine.id)
    views.sort(key=COLUMNS[sort.lstrip("-")][1], reverse=sort.startswith("-"))
    asked = {"q": q, "site": site, "rack": rack, "show": show, "sort": sort}

    def link(**changes: Any) -> str:
        values = {**asked, **changes}
        kept = {name: value for name, value in values.items() if value and (name, value) not in _DEFAULTS}
        return "/?" + urlencode(kept) if kept else "/"

    return _render(
        request,
        who,
        "fleet.html",
        views=views[(page - 1) * PAGE_SIZE : page * PAGE_SIZE],
        total=len(views),
        page=page,
        pages=max(1, -(-len(views) // PAGE_SIZE)),
        columns=COLUMNS,
        shows=SHOW,
        counts={name: sum(1 for view in everything if test(view)) for name, (_title, test) in SHOW.items()},
        asked=asked,
        link=link,
    )


_DEFAULTS = (("show", "all"), ("sort", "id"), ("page", 1))


def _plain(value: str) -> str:
    """Without characters that no stored text has."""
    return "".join(letter for letter in value if letter.isprintable()).strip()


# -- one machine


@router.get("/machine/{machine_id:path}")
def machine(request: Request, machine_id: str, who: Who) -> Response:
    """Everything about one machine."""
    if not who.can(May.READ):
        return _login_page(request, who)
    services = _services(request)
    view = services.machines.get(checked_id(machine_id))
    try:
        document: dict[str, Any] = services.devices.get(machine_id)
    except NotFound:
        document = {}
    return _render(
        request,
        who,
        "machine.html",
        view=view,
        device=document,
        components=components(document),
        uncovered=[
            (name, entry)
            for name, entry in sorted(document.get("coverage", {}).items())
            if entry.get("verdict") not in ("collected", "absent", "skipped")
        ],
        cycles=services.powercycles.find(machine_id, limit=10),
        history=services.devices.history(machine_id, 10),
    )


_SECTIONS = (
    ("cpus", "CPU", ("cores", "threads", "clock_speed_hz")),
    ("memory", "Memory", ("size_bytes", "type", "clock_speed_hz")),
    ("drives", "Drive", ("capacity_bytes", "protocol", "drive_type")),
    ("volumes", "Volume", ("size_bytes", "raid_type")),
    ("storage_controller", "Storage controller", ("speed_gbps",)),
    ("nics", "Network card", ()),
    ("gpus", "GPU", ("memory_bytes",)),
    ("accelerators", "Accelerator", ()),
    ("dpus", "DPU", ()),
    ("power_supplies", "Power supply", ("power_capacity_watts",)),
    ("fans", "Fan", ("reading", "reading_units")),
    ("tpms", "TPM", ("interface_type",)),
    ("enclosures", "Enclosure", ("chassis_type",)),
    ("batteries", "Battery", ("charge_percent",)),
    ("pcie_devices", "PCIe device", ("device_class",)),
)


def components(document: Mapping[str, Any]) -> list[dict[str, str]]:
    """Rows of the component table: kind, place, model, serial, firmware, health, details."""
    entries: list[tuple[str, Mapping[str, Any], Sequence[str]]] = [
        (title, document[name], ())
        for name, title in (("bmc", "BMC"), ("bios", "BIOS"), ("mainboard", "Mainboard"))
        if document.get(name)
    ]
    for name, title, details in _SECTIONS:
        entries += [(title, item, details) for item in document.get(name, [])]
    return [
        {
            "kind": title,
            "place": str(item.get("slot") or item.get("id") or item.get("physid") or ""),
            "model": " ".join(
                str(part)
                for part in (item.get("vendor"), item.get("model") or item.get("product_name") or item.get("name"))
                if part
            ),
            "serial": str(item.get("serial") or ""),
            "firmware": str((item.get("firmware") or {}).get("installed") or ""),
            "health": str((item.get("status") or {}).get("Health") or ""),
            "details": ", ".join(
                [quantity(name, item[name]) for name in details if item.get(name) is not None] + _macs(item)
            ),
        }
        for title, item, details in entries
    ]


def _macs(item: Mapping[str, Any]) -> list[str]:
    """MAC addresses of a network card's ports, or of a BMC's."""
    card = item.get("nic") or item
    return [port["macaddress"] for port in card.get("nic_ports", []) if port.get("macaddress")]


def quantity(name: str, value: Any) -> str:
    """A value with its unit, which is in the name of its field."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if name.endswith("_bytes"):
        return _scaled(value, 1024, ("B", "KiB", "MiB", "GiB", "TiB", "PiB"))
    if name.endswith("_hz"):
        return _scaled(value, 1000, ("Hz", "kHz", "MHz", "GHz"))
    for ending, unit in (("_watts", "W"), ("_percent", "%"), ("_gbps", "Gbit/s")):
        if name.endswith(ending):
            return f"{value:g} {unit}"
    return f"{value:g} {name}" if name in ("cores", "threads") else f"{value:g}"


def _scaled(value: float, step: int, units: Sequence[str]) -> str:
    for unit in units[:-1]:
        if abs(value) < step:
            return f"{value:.3g} {unit}"
        value /= step
    return f"{value:.3g} {units[-1]}"


# -- actions


def _same_site(request: Request) -> None:
    """:raises Forbidden: a form of another site sent this."""
    origin = request.headers.get("origin")
    if origin and urlsplit(origin).netloc != request.headers.get("host"):
        raise Forbidden("this request comes from another site")


def _actor(request: Request, who: Principal, csrf: str) -> None:
    _same_site(request)
    check_csrf(who, csrf)
    ensure(who, May.OPERATE)


@router.post("/actions/powercycle")
def request_powercycle(
    request: Request,
    who: Who,
    machine_id: Annotated[str, Form(alias="machine")],
    reason: Annotated[str, Form(max_length=1000)] = "",
    csrf: Annotated[str, Form()] = "",
) -> Response:
    """Ask for a power cycle."""
    _actor(request, who, csrf)
    _services(request).powercycles.request(checked_id(machine_id), who.name or "anonymous", _plain(reason))
    return _go(f"/machine/{quote(machine_id)}")


@router.post("/actions/cancel")
def cancel_powercycle(
    request: Request,
    who: Who,
    request_id: Annotated[str, Form(alias="powercycle", max_length=64)],
    csrf: Annotated[str, Form()] = "",
) -> Response:
    """Call an open request off."""
    _actor(request, who, csrf)
    found = _services(request).powercycles.cancel(_plain(request_id), who.name or "anonymous")
    return _go(f"/machine/{quote(found.machine)}")


@router.post("/login")
def login(
    request: Request,
    who: Who,
    token: Annotated[str, Form(max_length=500)],
    to: Annotated[str, Form(max_length=2000)] = "/",
) -> Response:
    """Log in with a token: the browser gets a session, never the token back."""
    _same_site(request)
    made = counted(request, token.strip(), _services(request).tokens.login)
    if made is None:
        return _login_page(request, who, "This token is unknown, expired or revoked.", to)
    policy: Policy = request.app.state.policy
    response = _go(to if to.startswith("/") and not to.startswith(("//", "/\\")) else "/")
    response.set_cookie(
        COOKIE,
        made.secret,
        max_age=made.seconds,
        httponly=True,
        samesite="strict",
        secure=policy.secure_cookies,
        path="/",
    )
    return response


@router.get("/login")
def login_form(request: Request, who: Who, to: Annotated[str, Query(max_length=2000)] = "/") -> Response:
    """The form for it."""
    return _login_page(request, who, to=to, status=200)


@router.post("/logout")
def logout(request: Request, who: Who, csrf: Annotated[str, Form()] = "") -> Response:
    """End the session."""
    _same_site(request)
    check_csrf(who, csrf)
    cookie = request.cookies.get(COOKIE)
    if cookie:
        _services(request).tokens.logout(cookie)
    response = _go("/")
    response.delete_cookie(COOKIE, path="/")
    return response


@router.get("/static/{name}")
def static(name: str) -> Response:
    """Style, script and icon."""
    if name not in _TYPES:
        raise HTTPException(404)
    return FileResponse(_STATIC / name, media_type=_TYPES[name], headers={"Cache-Control": "no-cache"})


# -- rendering


def _services(request: Request) -> Services:
    found: Services = request.app.state.services
    return found


def _go(path: str) -> Response:
    return RedirectResponse(path, 303)


def ago(value: datetime | None) -> str:
    """How long ago, in one unit."""
    if value is None:
        return "never"
    seconds = max(0, (datetime.now(UTC) - value).total_seconds())
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit} ago"
    return f"{int(seconds)} s ago"


def _stamp(value: datetime | None) -> str:
    return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if value else "never"


_environment = Environment(
    loader=PackageLoader("fleetd.api"),
    autoescape=select_autoescape(default=True, default_for_string=True),
    trim_blocks=True,
    lstrip_blocks=True,
)
_environment.filters.update(ago=ago, stamp=_stamp, quantity=quantity, status=_status, seen=_seen, path=quote)
_environment.globals.update(version=__version__)


def _render(request: Request, who: Principal, template: str, status: int = 200, **values: Any) -> HTMLResponse:
    here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    text = _environment.get_template(template).render(who=who, may=May, here=here, **values)
    return HTMLResponse(text, status)


def _login_page(
    request: Request, who: Principal, problem: str = "", to: str | None = None, status: int = 401
) -> Response:
    if to is None:
        to = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return _render(request, who, "login.html", status, problem=problem, to=to)


def error_page(request: Request, status: int, message: str) -> Response | None:
    """An error for people. 401 shows the login form."""
    nobody = Principal("", May.NOTHING)
    if status == 401:
        return _login_page(request, nobody, message, "/")
    return _render(request, nobody, "error.html", status, number=status, message=message)
