# SPDX-License-Identifier: BSD-2-Clause

"""Virtual media: an image on the network that the machine sees as a drive."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable, Optional

from ..errors import InvalidInput, NotFound, Unsupported
from ..option import Options, option
from ..ports import Plan
from ..redfish.actions import action_target
from ..redfish.service import Member, Service
from ..redfish.values import id_of, link, text, word
from .base import Change, reach

MEDIA = {"cd": ("CD", "DVD"), "usb": ("USBStick",), "floppy": ("Floppy",)}
# Where a slot does not say what it takes: how its name begins.
_NAMES = {"cd": ("cd", "dvd"), "usb": ("usb", "hd", "removable"), "floppy": ("fd", "floppy")}

_INSERT, _EJECT = "VirtualMedia.InsertMedia", "VirtualMedia.EjectMedia"
_DEFAULTS = ("Inserted", "WriteProtected")  # true, unless said otherwise (DSP0268)

Slots = list[Member]


def plan_redfish(service: Service, params: Mapping[str, Any]) -> Plan:
    """Plan to insert an image into one slot, or to empty the slots that are meant.

    :raises NotFound: no slot of that kind or name. :raises InvalidInput: options that do not go together.
    """
    inserting, image = params["state"] == "inserted", text(params.get("image"))
    if inserting and image is None:
        raise InvalidInput.of("image", "say what to insert")
    chosen = choose(service.host, slots(service), params, inserting, image)
    before = {id_of(path, body): shown(body) for path, body in chosen}
    want = {
        "inserted": inserting,
        "image": image if inserting else None,
        "write_protected": bool(params["write_protected"]) if inserting else None,
    }

    def differs(body: Mapping[str, Any]) -> bool:
        have = shown(body)
        return bool(have["inserted"]) != inserting or (inserting and not _is_image(have, image))

    todo = [(path, body) for path, body in chosen if differs(body)]
    after = {**before, **{id_of(path, body): want for path, body in todo}}

    def apply() -> Mapping[str, Any]:
        for path, body in todo:
            slot = _Slot(service, params, path, body)
            if shown(body)["inserted"]:
                slot.reach(slot.eject, None)
            if inserting:
                slot.reach(slot.insert, image)
        return {"virtual_media": {id_of(path, body): shown(service.get(path)) for path, body in chosen}}

    return Plan(before, after, lambda: {"virtual_media": after}, apply)


def slots(service: Service) -> Slots:
    """The virtual media of the system, else (older schema) of its manager."""
    path, system = service.system()
    found = service.members(link(system.get("VirtualMedia"), path))
    if not found:
        for manager, body in service.managers():
            found += service.members(link(body.get("VirtualMedia"), manager))
    if not found:
        raise NotFound(f"{service.host}: the BMC has no virtual media (a licence may be missing)")
    return found


def choose(host: str, every: Slots, params: Mapping[str, Any], inserting: bool, image: Optional[str]) -> Slots:
    """The slots that are meant.

    The one that is named; to insert, one of the kind, where the image is already, or else an empty one; to eject, those
    of the kind that hold the image, or anything when no image is named.
    """
    if params.get("slot") is not None:
        named = [item for item in every if id_of(*item) == params["slot"]]
        if not named:
            names = ", ".join(id_of(*item) for item in every)
            raise NotFound(f"{host}: there is no virtual medium {params['slot']!r}; there are: {names}")
        return named
    kind = [item for item in every if _takes(*item, params["media"])]
    if not kind:
        raise NotFound(f"{host}: the BMC has no virtual medium for {params['media']}")
    holding = [item for item in kind if image and _is_image(shown(item[1]), image)]
    if inserting:
        empty = [item for item in kind if not shown(item[1])["inserted"]]
        return (holding or empty or kind)[:1]
    return holding if image else kind


def shown(body: Mapping[str, Any]) -> dict[str, Any]:
    """``{inserted, image, write_protected}`` of one VirtualMedia."""
    inserted = body.get("Inserted")
    image = word(body.get("Image")) or word(body.get("ImageName"))
    inside = bool(inserted) if inserted is not None else image is not None
    protected = body.get("WriteProtected")
    return {
        "inserted": inside,
        "image": image if inside else None,
        "write_protected": protected if inside and isinstance(protected, bool) else None,
    }


def _takes(path: str, body: Mapping[str, Any], media: str) -> bool:
    types = body.get("MediaTypes")
    if isinstance(types, list) and types:
        return any(str(item).lower() == kind.lower() for item in types for kind in MEDIA[media])
    return id_of(path, body).lower().startswith(_NAMES[media])


def _is_image(have: Mapping[str, Any], image: Optional[str]) -> bool:
    """Some BMCs show the name of the file only."""
    shown_image = str(have["image"] or "")
    return shown_image == image or ("/" not in shown_image and shown_image == str(image).rsplit("/", 1)[-1])


def adapted(request: Mapping[str, Any], refusal: str, body: Mapping[str, Any]) -> Optional[dict[str, Any]]:
    """Another way to ask for the same, after a refusal; None when there is none.

    What the BMC misses is added, else what is only said for clarity is left out: both are what the standard leaves
    open.
    """
    missing = {
        "TransferProtocolType": str(request["Image"]).partition("://")[0].upper(),
        "TransferMethod": "Stream",
        "MediaType": next(iter(body.get("MediaTypes") or ()), None),
    }
    for name, value in missing.items():
        if name in refusal and name not in request and value:
            return {**request, name: value}
    least = {name: value for name, value in request.items() if name not in _DEFAULTS or value is not True}
    return least if least != request else None


class _Slot:
    """One VirtualMedia of a BMC."""

    def __init__(self, service: Service, params: Mapping[str, Any], path: str, body: Mapping[str, Any]) -> None:
        self._service = service
        self._params = params
        self._path = path
        self._body = body

    def reach(self, write: Callable[[], None], image: Optional[str]) -> None:
        """Write, then read until the slot holds an image, or none. Some BMCs show their own name of the image."""
        reach(
            self._service.clock,
            self._params,
            write,
            lambda: shown(self._service.get(self._path)),
            lambda found: found["inserted"] == bool(image) and bool(found["image"]) == bool(image),
            "the virtual medium",
        )

    def insert(self) -> None:
        """Insert the image of the options. After a refusal it is asked for in another way (:func:`adapted`)."""
        protected = bool(self._params["write_protected"])
        asked = {"Image": text(self._params["image"]), "Inserted": True, "WriteProtected": protected}
        for name, given in (("UserName", "image_username"), ("Password", "image_password")):
            if self._params.get(given) is not None:
                asked[name] = self._params[given]
        while True:
            try:
                return self._act(_INSERT, asked, asked)
            except Unsupported as error:
                refused = error.details.get("status") in (400, 422)
                other = adapted(asked, error.message, self._body) if refused else None
                if other is None:
                    raise
                asked = other

    def eject(self) -> None:
        """Empty the slot."""
        self._act(_EJECT, {}, {"Image": None, "Inserted": False})

    def _act(self, action: str, parameters: Mapping[str, Any], changes: Mapping[str, Any]) -> None:
        """By the action, or where there is none (older schema) by changing the resource."""
        if action_target(self._body, action):
            self._service.act(self._body, action, parameters)
        else:
            self._service.patch(self._path, changes)


OPTIONS: Options = {
    "state": option(
        "str",
        """
            V(inserted) puts O(image) into one drive. Another image in that drive is ejected first.

            V(ejected) empties the drive O(slot), or without it the drives of the kind O(media) that hold O(image), or
            without O(image) all of that kind.
        """,
        choices=["inserted", "ejected"],
        default="inserted",
    ),
    "image": option(
        "str",
        """
            URI of the image as the BMC reaches it, for example V(https://server/install.iso). Required for
            O(state=inserted).
        """,
    ),
    "media": option("str", "Kind of drive. The first free one is used.", choices=list(MEDIA), default="cd"),
    "slot": option("str", "Id of the virtual medium, where it has to be a certain one."),
    "write_protected": option("bool", "Whether the machine may not write to the image.", default=True),
    "image_username": option("str", "User of the server with the image."),
    "image_password": option("str", "Password of O(image_username).", no_log=True),
    "verify_timeout": option("float", "Seconds that the BMC has to show the image.", default=60),
}

CHANGE = Change("virtual media", OPTIONS, plan_redfish)
