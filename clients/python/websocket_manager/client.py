"""The notification service for a user: connects, comes back, recovers, and delivers every answer once.

1. The last position of each channel is kept and offered on every connect, so that a break misses nothing. What arrives
   twice is dropped by its offset. What is lost for good is a gap, which is reported.
2. An answer waits while there is no connection, and is sent again until the server has replied. The same answer again
   changes nothing, so it counts once.
3. Close codes say whether to come back: 4500 to 4999 end the client for good.
"""

import asyncio
import inspect
import json
import logging
import random
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Self

import websockets
from websockets.exceptions import ConnectionClosed

Json = dict[str, Any]
Handler = Callable[[Json], Any]
CONFLATED = ("task_progress", "heartbeat")
TEMPORARY = ("UNAVAILABLE", "BUSY", "RATE_LIMITED", "UNAUTHENTICATED")
CONTROL = (
    "pong",
    "error",
    "subscription_confirmed",
    "unsubscribed",
    "recovered",
    "acknowledged",
    "authenticated",
    "pending",
    "seen",
    "dismissed",
)
REMEMBERED = 1000
MOST_WAITING = 10_000
CLOSE_TIMEOUT = 1
log = logging.getLogger(__name__)


class ServerError(Exception):
    """An error that the server answered; `code` says which, `fields` what is wrong with which field."""

    def __init__(self, frame: Json) -> None:
        super().__init__(f"{frame.get('code')}: {frame.get('message')}")
        self.code: str | None = frame.get("code")
        self.fields: dict[str, str] = frame.get("fields") or {}


class AlreadyResolved(ServerError):
    """Decided before; `decision` is what counts."""

    def __init__(self, frame: Json) -> None:
        super().__init__(frame)
        self.decision: Json = frame["confirmation"]


class ClientClosed(Exception):
    """Closed by the application, or by the server for good."""


class _ConnectionLost(Exception):
    """A request that ends with its connection has lost it."""


class _Request:
    def __init__(self, frame: Json, lasting: bool) -> None:
        self.frame, self.lasting, self.sent = frame, lasting, False
        self.reply: asyncio.Future[Json] = asyncio.get_running_loop().create_future()


class Client:
    """Use it as `async with Client(url, user_id="ann") as client`. In secure mode `token` returns a valid token."""

    def __init__(
        self,
        url: str,
        user_id: str | None = None,
        token: Callable[[], str | Awaitable[str]] | None = None,
        *,
        on_gap: Callable[[str], Any] | None = None,
        on_error: Callable[[BaseException], Any] | None = None,
        ping_interval: float = 25,
        ping_timeout: float = 10,
    ) -> None:
        self.url, self.user_id = url, user_id
        self.state = "connecting"
        self.open: dict[str, Json] = {}
        self._token, self._on_gap = token, on_gap
        self._report = on_error or (lambda error: log.error("a handler failed", exc_info=error))
        # A peer that is dead closes nothing: the client waits `CLOSE_TIMEOUT` for it at each step of closing.
        self._timings = {"ping_interval": ping_interval, "ping_timeout": ping_timeout, "close_timeout": CLOSE_TIMEOUT}
        self._positions: dict[str, Json | None] = {}
        self._confirmed: set[str] = set()
        self._handlers: dict[str, list[Handler]] = {}
        self._requests: OrderedDict[int, _Request] = OrderedDict()
        self._decided: OrderedDict[str, None] = OrderedDict()
        self._handled: OrderedDict[str, bool] = OrderedDict()
        self._tasks: set[asyncio.Task[None]] = set()
        self._next_id, self._ready, self._closed = 1, False, ""
        self._away_since: float | None = None
        self._socket: Any = None
        self._changed = asyncio.Condition()
        if user_id is not None and token is None:
            self._positions[f"user:{user_id}"] = None

    async def __aenter__(self) -> Self:
        self._runner = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Ends for good. What still waits raises `ClientClosed`."""
        # Before Python 3.12 `asyncio.wait_for`, which `websockets` uses, may swallow a cancellation.
        while not self._runner.done():
            self._runner.cancel()
            await asyncio.wait([self._runner], timeout=0.1)
        await self._end("closed by the application")

    # What the application calls

    async def answer(self, callback_id: str, **answer: Any) -> None:
        """Answers with `proceed`, `choice`, `feedback`, `values`. Waits until the server has said what counts."""
        digest = self.open.get(callback_id, {}).get("digest")
        frame = {"action": "confirm", "callback_id": callback_id, **({"digest": digest} if digest else {}), **answer}
        try:
            await self._request(frame, lasting=True)
        except AlreadyResolved:
            await self._remove(callback_id)
            raise
        await self._remove(callback_id)

    async def dismiss(self, callback_id: str, until: float | None = None) -> None:
        """Hides a confirmation on this user's devices until `until` (Unix seconds), or until it expires soon. Decides nothing."""
        frame = {"action": "dismiss", "callback_id": callback_id} | ({} if until is None else {"until": until})
        reply = await self._request(frame, lasting=True)
        await self._change(callback_id, dismissed_until=reply["dismissed_until"])

    async def seen(self, callback_id: str) -> None:
        """Says that this device has shown a confirmation."""
        await self._request({"action": "seen", "callback_id": callback_id}, lasting=True)

    @property
    def shown(self) -> list[Json]:
        """The open confirmations that are not dismissed at the moment, in the order in which they arrived."""
        now = time.time()
        return [one for one in self.open.values() if (one.get("dismissed_until") or 0) <= now]

    async def cancel(self, task_id: str, reason: str | None = None) -> None:
        frame = {"action": "cancel", "user_id": self.user_id, "task_id": task_id}
        await self._request(frame | ({"reason": reason} if reason else {}), lasting=True)

    async def confirmations(self) -> AsyncIterator[Json]:
        """Each open confirmation once, as it arrives, until the client is closed."""
        seen: set[str] = set()
        while True:
            async with self._changed:
                await self._changed.wait_for(lambda: self._closed or self.open.keys() - seen)
            if self._closed:
                return
            for callback_id in [one for one in self.open if one not in seen]:
                seen.add(callback_id)
                if confirmation := self.open.get(callback_id):
                    yield confirmation

    def on(self, message_type: str, handler: Handler) -> None:
        """Messages of a type. One that wants to be acknowledged is, after its handlers have ended without an error."""
        self._handlers.setdefault(message_type, []).append(handler)

    async def subscribe(self, channel: str) -> None:
        """Wants a channel (`task:<id>`, `broadcast` or a name) from now on and over reconnects."""
        if channel in self._positions:
            return
        self._positions[channel] = None
        if self._ready:
            try:
                await self._subscribe([channel])
            except _ConnectionLost:
                pass  # the next connection subscribes

    # The connection

    async def _run(self) -> None:
        while True:
            code, reason, self.state = 1006, "", "connecting"
            try:
                token = await self._get_token()
                async with websockets.connect(self.url, subprotocols=["notification.v1"], max_size=None, **self._timings) as socket:  # type: ignore[list-item]
                    self._socket, self.state = socket, "open"
                    greeting = asyncio.create_task(self._greet(token))
                    try:
                        async for text in socket:
                            await self._on_frame(json.loads(text))
                    finally:
                        greeting.cancel()
                        await asyncio.gather(greeting, return_exceptions=True)
                code, reason = socket.close_code or 1006, socket.close_reason or ""
            except ConnectionClosed as error:
                code, reason = (error.rcvd.code, error.rcvd.reason) if error.rcvd else (1006, "")
            except (OSError, websockets.WebSocketException) as error:
                reason = str(error)
            except Exception as error:  # `token` failed, or a frame was no JSON: the next attempt may do better
                reason = str(error)
                self._report(error)
            finally:
                self._lost()
            if 4500 <= code <= 4999:
                return await self._end(f"{code} {reason}")
            self.state = "waiting"
            now = time.monotonic()
            self._away_since = now if self._away_since is None else self._away_since
            await asyncio.sleep(wait_after(code, now - self._away_since))

    async def _get_token(self) -> str | None:
        token = self._token() if self._token else None
        return await token if inspect.isawaitable(token) else token

    async def _greet(self, token: str | None) -> None:
        """Says who the client is, asks for every channel, then sends what waits."""
        try:
            if token is not None:
                self.user_id = (await self._request({"action": "authenticate", "token": token}))["user_id"]
                self._positions.setdefault(f"user:{self.user_id}", None)
            channels = list(self._positions)
            for start in range(0, len(channels), 32):
                await self._subscribe(channels[start : start + 32])
        except _ConnectionLost:
            return
        except ServerError as error:
            self._report(error)
            await asyncio.sleep(1)
            await self._socket.close()
            return
        self._ready, self._away_since = True, None
        for request_id, request in list(self._requests.items()):
            if not request.sent:
                await self._send(request_id, request)

    async def _subscribe(self, channels: list[str]) -> None:
        wanted = [{"channel": name} | ({"recover": at} if (at := self._positions[name]) else {}) for name in channels]
        try:
            await self._request({"action": "subscribe", "channels": wanted})
        except ServerError as error:
            if error.code in TEMPORARY:
                raise
            if len(channels) > 1:
                for channel in channels:
                    await self._subscribe([channel])
            else:
                del self._positions[channels[0]]
                self._report(error)

    def _lost(self) -> None:
        self._socket, self._ready = None, False
        self._confirmed.clear()
        for request_id, request in list(self._requests.items()):
            request.sent = False
            if not request.lasting:
                del self._requests[request_id]
                if not request.reply.done():
                    request.reply.set_exception(_ConnectionLost())

    async def _end(self, reason: str) -> None:
        if self._closed:
            return
        self.state, self._closed = "closed", reason
        for request in self._requests.values():
            if not request.reply.done():
                request.reply.set_exception(ClientClosed(reason))
        self._requests.clear()
        for task in self._tasks:
            task.cancel()
        async with self._changed:
            self._changed.notify_all()

    # Requests

    async def _request(self, frame: Json, lasting: bool = False) -> Json:
        if self._closed:
            raise ClientClosed(self._closed)
        if len(self._requests) >= MOST_WAITING:
            raise OverflowError(f"{MOST_WAITING} requests wait already")
        request_id, self._next_id = self._next_id, self._next_id + 1
        request = self._requests[request_id] = _Request(frame, lasting)
        if self._ready or not lasting:
            await self._send(request_id, request)
        return await request.reply

    async def _send(self, request_id: int, request: _Request) -> None:
        if self._socket is None:
            return
        request.sent = True
        try:
            await self._socket.send(json.dumps(request.frame | {"request_id": request_id}))
        except ConnectionClosed:
            request.sent = False  # the next connection sends it

    async def _send_later(self, request_id: int, request: _Request) -> None:
        request.sent = False
        await asyncio.sleep(1)
        if self._ready and not request.sent and not request.reply.done():
            await self._send(request_id, request)

    # Frames

    async def _on_frame(self, frame: Json) -> None:
        is_new = self._take_position(frame)
        request_id = frame.get("request_id")
        if isinstance(request_id, int) and (request := self._requests.get(request_id)):
            self._on_reply(request_id, request, frame)
        if not is_new:
            return
        kind, callback_id = frame.get("type", ""), frame.get("callback_id", "")
        if kind == "subscription_confirmed":
            await self._retain(frame)
        elif kind == "task_step_result" and callback_id not in self._decided and callback_id not in self.open:
            self.open[callback_id] = frame
            async with self._changed:
                self._changed.notify_all()
        elif kind == "confirmation_dismissed":
            await self._change(callback_id, dismissed_until=frame["dismissed_until"])
        elif kind == "confirmation_expiring":
            await self._change(callback_id, expiring=True, dismissed_until=None)
        elif kind == "confirmation_resolved":
            await self._remove(callback_id)
        if handlers := self._handlers.get(kind):
            self._spawn(self._handle(frame, handlers))

    def _on_reply(self, request_id: int, request: _Request, frame: Json) -> None:
        if frame["type"] == "error" and request.lasting and frame.get("code") in TEMPORARY:
            return self._spawn(self._send_later(request_id, request))
        del self._requests[request_id]
        if request.reply.done():
            return
        if frame["type"] != "error":
            request.reply.set_result(frame)
        else:
            is_decided = frame.get("code") == "ALREADY_RESOLVED" and "confirmation" in frame
            request.reply.set_exception(AlreadyResolved(frame) if is_decided else ServerError(frame))

    def _take_position(self, frame: Json) -> bool:
        """Keeps what a frame says of positions. Returns False for a message that was had, or that recovery repeats."""
        if frame.get("type") == "subscription_confirmed":
            for one in frame.get("subscriptions") or [frame]:
                self._confirmed.add(one["channel"])
                self._advance(one["channel"], one["epoch"], one["offset"])
            return True
        channel = frame.get("channel")
        if channel is None:
            return not self._will_repeat(frame)
        if channel not in self._positions or "offset" not in frame:
            return frame.get("type") != "unsubscribed"
        known, offset = self._positions[channel], frame["offset"]
        if "epoch" in frame:
            missed = bool(known) and known["epoch"] == frame["epoch"] and offset > known["offset"]
            self._advance(channel, frame["epoch"], offset)
            if frame.get("recovered") is False or missed:
                self._gap(channel)
        elif known:
            if channel not in self._confirmed or offset <= known["offset"]:
                return False
            if offset > known["offset"] + 1:
                self._gap(channel)
            self._positions[channel] = {"epoch": known["epoch"], "offset": offset}
        return True

    def _advance(self, channel: str, epoch: str, offset: int) -> None:
        known = self._positions.get(channel)
        if channel in self._positions and not (known and known["epoch"] == epoch and known["offset"] > offset):
            self._positions[channel] = {"epoch": epoch, "offset": offset}

    def _will_repeat(self, frame: Json) -> bool:
        kind = frame.get("type", "")
        if "message_id" in frame or kind in CONFLATED + CONTROL or kind.startswith(("confirmation_", "task_")):
            return False
        user_id, task_id = frame.get("target_user_id"), frame.get("task_id")
        channel = f"user:{user_id}" if user_id else f"task:{task_id}" if task_id else "broadcast"
        return bool(self._positions.get(channel)) and channel not in self._confirmed

    def _gap(self, channel: str) -> None:
        if self._on_gap:
            self._on_gap(channel)

    async def _retain(self, frame: Json) -> None:
        for one in frame.get("subscriptions") or [frame]:
            if one["channel"] == f"user:{self.user_id}":
                for callback_id in self.open.keys() - set(one["pending"]):
                    await self._remove(callback_id)

    async def _change(self, callback_id: str, **changes: Any) -> None:
        if callback_id in self.open:
            self.open[callback_id] = self.open[callback_id] | changes
            async with self._changed:
                self._changed.notify_all()

    async def _remove(self, callback_id: str) -> None:
        _remember(self._decided, callback_id, None)
        if self.open.pop(callback_id, None):
            async with self._changed:
                self._changed.notify_all()

    async def _handle(self, frame: Json, handlers: list[Handler]) -> None:
        message_id = frame.get("message_id")
        if message_id in self._handled:
            if not self._handled[message_id]:
                return  # its handlers are at work
        else:
            if message_id:
                _remember(self._handled, message_id, False)
            try:
                for handler in handlers:
                    result = handler(frame)
                    if inspect.isawaitable(result):
                        await result
            except Exception as error:
                self._handled.pop(message_id, None)
                return self._report(error)
        if message_id:
            _remember(self._handled, message_id, True)
            try:
                await self._request({"action": "ack", "message_id": message_id}, lasting=True)
            except (ServerError, ClientClosed):
                pass  # another device was quicker, or the message is shown again

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _remember(store: "OrderedDict[str, Any]", key: str, value: Any) -> None:
    store[key] = value
    while len(store) > REMEMBERED:
        store.popitem(last=False)


def wait_after(code: int, away: float) -> float:
    """Seconds before the next attempt: up to half of the time away, a restart's random moment, or later without room."""
    if code == 1012:
        return random.uniform(0, 3)
    jitter = random.uniform(0, min(30, max(0.25, away / 2)))
    return 5 + jitter if code in (1008, 1013) else jitter
