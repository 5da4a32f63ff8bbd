# Copyright: (c) 2026, The baremetal.fleet authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Virtual media: an image on the network that the machine sees as a drive."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

from ..errors import InvalidInput, NotFound, Unsupported
from ..redfish.actions import action_target
from ..redfish.service import Service
from ..redfish.values import link, text, word
from .base import Change, carry_out, read_back, seconds

MEDIA = {"cd": ("CD", "DVD"), "usb": ("USBStick",), "floppy": ("Floppy",)}
# Where a slot does not say what it takes: how its name begins.
_NAMES = {"cd": ("cd", "dvd"), "usb": ("usb", "hd", "removable"), "floppy": ("fd", "floppy")}

_INSERT, _EJECT = "VirtualMedia.InsertMedia", "VirtualMedia.EjectMedia"
_DEFAULTS = ("Inserted", "WriteProtected")  # true, unless said otherwise (DSP0268)

Slots = list[tuple[str, Mapping[str, Any]]]


def prepare_media(service: Service, params: Mapping[str, Any]) -> Change:
    """Insert an image into one slot, or empty the slots that are meant.

    :raises NotFound: no slot of that kind or name. :raises InvalidInput: options that do not go together.
    """
    inserting, image = params["state"] == "inserted", text(params.get("image"))
    if inserting and image is None:
        raise InvalidInput("image: say what to insert", field="image")
    every = slots(service)
    chosen = choose(service.host, every, params, inserting, image)
    before = {_id(path, body): shown(body) for path, body in chosen}
    protected = bool(params["write_protected"])
    target = (
        {"inserted": True, "image": image, "write_protected": protected}
        if inserting
        else {"inserted": False, "image": None, "write_protected": None}
    )

    def differs(body: Mapping[str, Any]) -> bool:
        have = shown(body)
        return bool(have["inserted"]) != inserting or (inserting and not _is_image(have, image))

    todo = [(path, body) for path, body in chosen if differs(body)]
    after = {**before, **{_id(path, body): target for path, body in todo}}

    def apply() -> Mapping[str, Any]:
        for path, body in todo:
            if shown(body)["inserted"]:
                _eject(service, path, body, params)
            if inserting:
                _insert(service, path, body, params, str(image))
        return {"virtual_media": {_id(path, body): shown(service.get(path)) for path, body in chosen}}

    return Change(before=before, after=after, apply=apply, facts={"virtual_media": after})


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
    """The slots that are meant: the one that is named; to insert, one of the kind, where the image is already, or else an
    empty one; to eject, those of the kind that hold the image, or anything when no image is named."""
    if params.get("slot") is not None:
        named = [item for item in every if _id(*item) == params["slot"]]
        if not named:
            names = ", ".join(_id(*item) for item in every)
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
    return _id(path, body).lower().startswith(_NAMES[media])


def _is_image(have: Mapping[str, Any], image: Optional[str]) -> bool:
    """Some BMCs show the name of the file only."""
    shown_image = str(have["image"] or "")
    return shown_image == image or ("/" not in shown_image and shown_image == str(image).rsplit("/", 1)[-1])


def _id(path: str, body: Mapping[str, Any]) -> str:
    return text(body.get("Id")) or path.rsplit("/", 1)[-1]


def _insert(service: Service, path: str, body: Mapping[str, Any], params: Mapping[str, Any], image: str) -> None:
    request: dict[str, Any] = {"Image": image, "Inserted": True, "WriteProtected": bool(params["write_protected"])}
    for name, option in (("UserName", "image_username"), ("Password", "image_password")):
        if params.get(option) is not None:
            request[name] = params[option]

    def write() -> None:
        asked = request
        while True:
            try:
                if action_target(body, _INSERT):
                    service.act(body, _INSERT, asked)
                else:
                    service.patch(path, asked)
                return
            except Unsupported as error:
                other = adapted(asked, error.message, body) if error.details.get("status") in (400, 422) else None
                if other is None:
                    raise
                asked = other

    carry_out(write, lambda: _until(service, path, params, True, image))


def adapted(request: Mapping[str, Any], refusal: str, body: Mapping[str, Any]) -> Optional[dict[str, Any]]:
    """Another way to ask for the same, after a refusal; None when there is none. What the BMC misses is added, else what is only said for
    clarity is left out: both are what the standard leaves open."""
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


def _eject(service: Service, path: str, body: Mapping[str, Any], params: Mapping[str, Any]) -> None:
    def write() -> None:
        if action_target(body, _EJECT):
            service.act(body, _EJECT, {})
        else:
            service.patch(path, {"Image": None, "Inserted": False})

    carry_out(write, lambda: _until(service, path, params, False, None))


def _until(service: Service, path: str, params: Mapping[str, Any], inserted: bool, image: Optional[str]) -> None:
    read_back(
        service.clock,
        lambda: shown(service.get(path)),
        # Some BMCs show their own name of the image.
        lambda found: found["inserted"] == inserted and bool(found["image"]) == bool(image),
        "the virtual medium",
        timeout=seconds(params, "verify_timeout"),
    )
