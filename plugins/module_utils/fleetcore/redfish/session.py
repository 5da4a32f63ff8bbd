# SPDX-License-Identifier: BSD-2-Clause

"""Performs the protocol of one login: :class:`Session` on threads, :class:`AsyncSession` in an event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from concurrent.futures import Future, wait
from typing import Any, Optional, TypeVar, Union

from ..errors import FleetError
from ..ports import AsyncHttp, Clock, Http, HttpRequest, HttpResponse
from .protocol import LOGOUT_SECONDS, LoginRequest, Pause, Protocol, Steps
from .wants import Outcome

T = TypeVar("T")


class Session(Protocol):
    """Performs the protocol on threads. A context manager that logs in when entered, and always logs out.

    Without a user name it does not log in. When the service has no sessions it uses Basic authentication.
    Errors on entering are those of :meth:`Protocol.opening`.
    """

    def __init__(self, http: Http, clock: Clock, address: str, **options: Any) -> None:
        super().__init__(clock, address, **options)
        self._http = http
        self._interruption: Optional[BaseException] = None

    def __enter__(self) -> Session:
        self.open()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def open(self) -> None:
        """Log in; errors as of the class."""
        try:
            self._perform(self.opening())
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Log out. Never raises for what the BMC does. Idempotent."""
        try:
            self._perform(self.closing())
        finally:
            self._http.close()

    def get(self, url: str, fresh: bool = False) -> Outcome:
        """See :meth:`Protocol.getting`. Thread-safe."""
        return self._perform(self.getting(url, fresh))

    def send(
        self,
        method: str,
        url: str,
        body: Optional[bytes] = None,
        *,
        headers: Optional[Mapping[str, str]] = None,
        timeout: float = 0,
        renew: bool = True,
        patient: bool = True,
    ) -> HttpResponse:
        """See :meth:`Protocol.acting`."""
        return self._perform(
            self.acting(method, url, body, headers=headers, timeout=timeout, renew=renew, patient=patient)
        )

    def _perform(self, steps: Steps[T]) -> T:
        try:
            step = next(steps)
            while True:
                try:
                    self._raise_interruption()
                    answer = self._do(step)
                except BaseException as error:  # noqa: BLE001  (the steps decide what becomes of it)
                    step = steps.throw(error)
                else:
                    step = steps.send(answer)
        except StopIteration as done:
            self._raise_interruption()
            return done.value  # type: ignore[no-any-return]

    def _raise_interruption(self) -> None:
        """Raise what came during a login, now that it is known where the session is."""
        error, self._interruption = self._interruption, None
        if error is not None:
            raise error

    def _do(self, step: Union[HttpRequest, Pause]) -> Optional[HttpResponse]:
        if isinstance(step, Pause):
            self._clock.sleep(step.seconds)
            return None
        return self._log_in(step) if isinstance(step, LoginRequest) else self._http.send(step)

    def _log_in(self, request: LoginRequest) -> HttpResponse:
        """Send a login from a thread of its own. Who interrupts it has to wait for its end."""
        done: Future[HttpResponse] = Future()

        def send() -> None:
            try:
                done.set_result(self._http.send(request))
            except BaseException as error:  # noqa: BLE001  (raised where the result is taken)
                done.set_exception(error)

        threading.Thread(target=send, name="login", daemon=True).start()
        try:
            return done.result()
        except FleetError:
            raise
        except BaseException as error:
            wait([done], LOGOUT_SECONDS)
            if not done.done():
                raise
            self._interruption = error
            return done.result()


class AsyncSession(Protocol):
    """Performs the protocol in an event loop, as an asynchronous context manager.

    Logs out when it is cancelled, too.
    """

    def __init__(self, http: AsyncHttp, clock: Clock, address: str, **options: Any) -> None:
        super().__init__(clock, address, **options)
        self._http = http

    async def __aenter__(self) -> AsyncSession:
        opening = asyncio.ensure_future(self._perform(self.opening()))
        try:
            await asyncio.shield(opening)
        except BaseException:
            if not opening.done():  # cancelled: a login under way would leave a session behind that nobody knows
                await asyncio.wait([opening], timeout=LOGOUT_SECONDS)
                opening.cancel()
            await self.close()
            raise
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Log out. Never raises for what the BMC does. Idempotent."""
        try:
            await self._perform(self.closing())
        finally:
            self._http.close()

    async def get(self, url: str, fresh: bool = False) -> Outcome:
        """See :meth:`Protocol.getting`."""
        return await self._perform(self.getting(url, fresh))

    async def _perform(self, steps: Steps[T]) -> T:
        try:
            step = next(steps)
            while True:
                try:
                    answer = await self._do(step)
                except BaseException as error:  # noqa: BLE001  (the steps decide what becomes of it)
                    step = steps.throw(error)
                else:
                    step = steps.send(answer)
        except StopIteration as done:
            return done.value  # type: ignore[no-any-return]

    async def _do(self, step: Union[HttpRequest, Pause]) -> Optional[HttpResponse]:
        if isinstance(step, Pause):
            await asyncio.sleep(step.seconds)
            return None
        return await self._http.send(step)
