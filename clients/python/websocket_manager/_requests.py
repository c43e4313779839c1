"""Frames that want a reply, and the futures that wait for it.

A *lasting* request survives its connection: it is sent again on the next one until the server has answered it. That is safe
for what this client sends: the same answer or cancellation again changes nothing. A *passing* one ends with its connection.
"""

import asyncio
import json
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from websockets.exceptions import ConnectionClosed

from .errors import AlreadyResolved, ClientClosed, ConnectionLost, Json, RequestTooLarge, ServerError

TEMPORARY = ("UNAVAILABLE", "BUSY", "RATE_LIMITED", "UNAUTHENTICATED")
MOST_WAITING = 10_000
PAUSE = 1
TOO_LARGE = 1009


class _Request:
    def __init__(self, encode: Callable[[], str], lasting: bool) -> None:
        self.encode, self.lasting, self.sent = encode, lasting, False
        self.reply: asyncio.Future[Json] = asyncio.get_running_loop().create_future()

    def fail(self, error: Exception) -> None:
        if not self.reply.done():
            self.reply.set_exception(error)


class Requests:
    def __init__(self, send: Callable[[str], Awaitable[bool]]) -> None:
        """`send` returns whether there was a connection."""
        self._send = send
        self._waiting: OrderedDict[int, _Request] = OrderedDict()
        self._next_id, self._ready, self._closed_by = 1, False, ""
        self._retry: asyncio.Task[None] | None = None

    async def ask(self, frame: Json | Callable[[], Json], lasting: bool = False) -> Json:
        """A function makes the frame whenever it is sent. One that is cancelled before it was sent is not sent any more."""
        if self._closed_by:
            raise ClientClosed(self._closed_by)
        if lasting and len(self._waiting) >= MOST_WAITING:
            raise OverflowError(f"{MOST_WAITING} requests wait already")
        request_id, self._next_id = self._next_id, self._next_id + 1

        def encode() -> str:
            return json.dumps((frame() if callable(frame) else frame) | {"request_id": request_id}, allow_nan=False)

        text = encode()  # what JSON cannot hold raises here, and not when it is sent
        request = self._waiting[request_id] = _Request(encode if callable(frame) else lambda: text, lasting)
        try:
            if self._ready or not lasting:
                await self._transmit(request)
            return await request.reply
        except asyncio.CancelledError:
            request.reply.cancel()
            if not request.sent:
                self._waiting.pop(request_id, None)
            raise

    async def on_ready(self) -> None:
        """The connection is the user's: sends what waits."""
        self._ready = True
        for request in list(self._waiting.values()):
            if not request.sent and not request.reply.done():
                await self._transmit(request)

    def on_lost(self, code: int) -> None:
        """After 1009 the largest request is the one that the server refused, since smaller ones pass."""
        self._ready = False
        self._stop_retry()
        sent = [request for request in self._waiting.values() if request.sent]
        if code == TOO_LARGE and sent:
            largest = max(sent, key=lambda request: len(request.encode()))
            largest.fail(RequestTooLarge(f"the server takes no frame of {len(largest.encode())} bytes"))
        for request_id, request in list(self._waiting.items()):
            request.sent = False
            if not request.lasting:
                request.fail(ConnectionLost())
            if request.reply.done():
                del self._waiting[request_id]

    def on_frame(self, frame: Json) -> None:
        request_id = frame.get("request_id")
        request = self._waiting.get(request_id) if isinstance(request_id, int) else None
        if request is None:
            return
        is_error = frame["type"] == "error"
        if is_error and request.lasting and frame.get("code") in TEMPORARY:
            request.sent = False
            self._retry = self._retry or asyncio.create_task(self._send_later())
            return
        del self._waiting[request_id]
        if is_error:
            is_decided = frame.get("code") == "ALREADY_RESOLVED" and "confirmation" in frame
            request.fail(AlreadyResolved(frame) if is_decided else ServerError(frame))
        elif not request.reply.done():
            request.reply.set_result(frame)

    def close(self, reason: str) -> None:
        self._closed_by = reason
        self._stop_retry()
        for request in self._waiting.values():
            request.fail(ClientClosed(reason))
        self._waiting.clear()

    async def _transmit(self, request: _Request) -> None:
        request.sent = True
        try:
            if await self._send(request.encode()):
                return
        except ConnectionClosed:
            pass  # the next connection sends what lasts
        request.sent = False
        if not request.lasting:
            request.fail(ConnectionLost())

    async def _send_later(self) -> None:
        await asyncio.sleep(PAUSE)
        self._retry = None
        if self._ready:
            await self.on_ready()

    def _stop_retry(self) -> None:
        if self._retry:
            self._retry.cancel()
        self._retry = None
