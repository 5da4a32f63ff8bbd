# SPDX-License-Identifier: BSD-2-Clause

"""How a firmware image gets to a BMC: pushed as a file, or pulled by the BMC from a URI (DSP0266, section 12.6)."""

from __future__ import annotations

import contextlib
import hashlib
import json
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Callable

from ..errors import FleetError, InvalidInput, Unsupported
from ..ports import HttpResponse
from ..redfish.actions import action_of, action_target, allowable
from ..redfish.service import Service
from ..redfish.values import link
from .firmware_catalogue import Item

_PULL = "UpdateService.SimpleUpdate"


def check_image(host: str, item: Item) -> None:
    """Is the image there, and the one that the catalogue means? Nothing is sent before all of them are.

    :raises InvalidInput: it is missing, is not a file, or is not the one that its checksum names.
    :raises Unsupported: the BMC says that the component can't be updated.
    """
    if not item.updateable:
        raise Unsupported(f"{host}: {item.component}: the BMC says that it can't be updated", component=item.component)
    if item.image is None:
        raise InvalidInput.of("catalogue", f"{item.component} {item.wanted} has no image")
    if "://" in item.image:
        return
    path = Path(item.image)
    if not path.is_file():
        raise InvalidInput.of("catalogue", f"{item.image}: no such file where the module runs")
    if item.sha256 is not None:
        digest = hashlib.sha256()
        with path.open("rb") as file:
            for chunk in iter(lambda: file.read(1 << 20), b""):
                digest.update(chunk)
        if digest.hexdigest() != item.sha256.lower():
            raise InvalidInput.of("catalogue", f"{item.image} has the SHA-256 {digest.hexdigest()}, not {item.sha256}")


def check_way(host: str, update: Mapping[str, Any], method: str, item: Item) -> None:
    """Can the image get to this BMC in this way?

    :param update: the UpdateService. ``method``: auto, push or pull.
    :raises InvalidInput: the method or the protocol does not fit the image.
    :raises Unsupported: the BMC does not offer it.
    """
    image = str(item.image)
    scheme, remote, _rest = image.partition("://")
    if method == "push" and remote:
        raise InvalidInput(f"{item.component}: to push, the image has to be a file, not {image}", field="method")
    if method == "pull" and not remote:
        raise InvalidInput(
            f"{item.component}: for the BMC to pull, the image has to be a URI, not {image}", field="method"
        )
    if not remote:
        if not any(link(update.get(name)) for name in ("MultipartHttpPushUri", "HttpPushUri")):
            raise Unsupported(f"{host}: the BMC takes no images by push; give a URI that it can pull")
        return
    if action_target(update, _PULL) is None:
        raise Unsupported(f"{host}: the BMC does not pull images; give a file to push")
    allowed = _protocols(update)
    if allowed and scheme.upper() not in allowed:
        raise InvalidInput(
            f"{item.component}: the BMC pulls over {', '.join(allowed)}, not {scheme.upper()}",
            field="catalogue",
            allowed=allowed,
        )


def _protocols(update: Mapping[str, Any]) -> list[str]:
    return allowable(action_of(update, _PULL), "TransferProtocol")


class Sender:
    """Sends images to one BMC.

    :param update: its UpdateService. ``timeout``: seconds for an upload.
    """

    def __init__(self, service: Service, update: Mapping[str, Any], timeout: float) -> None:
        self._service = service
        self._update = update
        self._timeout = timeout

    def send(self, item: Item) -> HttpResponse:
        """Begin the update of one component; :func:`check_way` said that it is possible."""
        image = str(item.image)
        if "://" in image:
            return self._pull(item, image)
        data = Path(image).read_bytes()
        target = link(self._update.get("MultipartHttpPushUri"))
        if target is not None:

            def push(parameters: Mapping[str, Any]) -> HttpResponse:
                body, kind = multipart(parameters, Path(image).name, data)
                return self._service.post(str(target), body, headers={"Content-Type": kind}, timeout=self._timeout)

            return self._aimed(item, push)
        return self._push_plain(item, str(link(self._update.get("HttpPushUri"))), data)

    def _push_plain(self, item: Item, target: str, data: bytes) -> HttpResponse:
        """Push to HttpPushUri. Where the service has HttpPushUriTargets, what the image is for is said there before."""
        home = link(self._service.root.get("UpdateService"))
        says = home is not None and "HttpPushUriTargets" in self._update
        if says and home is not None:
            self._service.patch(home, {"HttpPushUriTargets": [item.path]})
        try:
            return self._service.post(
                target, data, headers={"Content-Type": "application/octet-stream"}, timeout=self._timeout
            )
        finally:
            if says and home is not None:
                with contextlib.suppress(FleetError):
                    self._service.patch(home, {"HttpPushUriTargets": []})

    def _pull(self, item: Item, image: str) -> HttpResponse:
        parameters = {"ImageURI": image}
        if _protocols(self._update):
            parameters["TransferProtocol"] = image.partition("://")[0].upper()
        return self._aimed(item, lambda aim: self._service.act(self._update, _PULL, {**parameters, **aim}))

    @staticmethod
    def _aimed(item: Item, send: Callable[[Mapping[str, Any]], HttpResponse]) -> HttpResponse:
        """Said what the image is for, unless the BMC finds that out from the image, and refuses to be told (Dell)."""
        try:
            return send({"Targets": [item.path]})
        except Unsupported as error:
            if "Targets" not in error.message:
                raise
            return send({})


def multipart(parameters: Mapping[str, Any], name: str, image: bytes) -> tuple[bytes, str]:
    """Body and Content-Type of a multipart HTTP push (DSP0266, section 12.6.2.2)."""
    boundary = secrets.token_hex(16)
    safe = name.replace('"', "_").replace("\r", "_").replace("\n", "_")
    head = (
        f"--{boundary}\r\n"
        'Content-Disposition: form-data; name="UpdateParameters"\r\n'
        "Content-Type: application/json\r\n\r\n"
        f"{json.dumps(parameters)}\r\n"
        f"--{boundary}\r\n"
        f'Content-Disposition: form-data; name="UpdateFile"; filename="{safe}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    )
    return head.encode() + image + f"\r\n--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"
