"""The notification service for a user: connects, comes back, recovers, and delivers every answer once.

1. The last position of each channel is kept and offered on every connect, so that a break misses nothing (`_channels`).
2. An answer waits while there is no connection, and is sent again until the server has replied (`_requests`). The same
   answer again changes nothing, so it counts once.
3. Close codes say whether to come back: 4500 to 4999 end the client for good.
"""

import asyncio
import inspect
import json
import logging
import math
import random
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Self

import websockets
from websockets.exceptions import ConnectionClosed

from ._channels import ChannelEvents, Channels
from ._clock import ServerClock
from ._requests import Requests
from ._snapshots import Hook, Snapshots
from .errors import AlreadyResolved, ClientClosed, ConnectionLost, Json, RequestTooLarge, ServerError

__all__ = ["AlreadyResolved", "Client", "ClientClosed", "RequestTooLarge", "ServerError"]

Handler = Callable[[Json], Any]
REMEMBERED = 1000
EXPIRING_SHARE = 0.8
CLOSE_TIMEOUT = 1
log = logging.getLogger(__name__)


class Client:
    """Use it as `async with Client(url, user_id="ann") as client`. In secure mode `token` returns a valid token.

    `on_gap` gets a channel of which messages are lost for good; `on_error` what handlers raise, and which channel the server
    refused. Both may be coroutine functions.
    """

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
        self._token, self._on_gap, self._on_error = token, on_gap, on_error
        # A peer that is dead closes nothing: the client waits `CLOSE_TIMEOUT` for it at each step of closing.
        self._timings = {"ping_interval": ping_interval, "ping_timeout": ping_timeout, "close_timeout": CLOSE_TIMEOUT}
        self._requests = Requests(self._send)
        events = ChannelEvents(self._on_ready, self._on_subscribing, self._retain, self._stale, lambda _, error: self._report(error))
        self._channels = Channels(self._requests, events)
        self._clock = ServerClock()
        self._snapshots = Snapshots(self._deliver, self._report, self._spawn)
        self._handlers: dict[str, list[Handler]] = {}
        self._judged: set[str] = set()
        self._decided: OrderedDict[str, None] = OrderedDict()
        self._handled: OrderedDict[str, bool] = OrderedDict()
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = ""
        self._away_since: float | None = None
        self._runner: asyncio.Task[None] | None = None
        self._socket: Any = None
        self._changed = asyncio.Condition()

    async def __aenter__(self) -> Self:
        self._runner = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Ends for good. What still waits raises `ClientClosed`."""
        # Before Python 3.12 `asyncio.wait_for`, which `websockets` uses, may swallow a cancellation.
        while self._runner and not self._runner.done():
            self._runner.cancel()
            await asyncio.wait([self._runner], timeout=0.1)
        await self._end("closed by the application")

    # What the application calls

    async def answer(self, callback_id: str, **answer: Any) -> None:
        """Answers with `proceed`, `choice`, `feedback`, `values`, `edited`. Waits until the server has said what counts.

        Cancelled before it was sent, it is not sent any more. Cancelled later, it may count.
        """
        digest = self.open.get(callback_id, {}).get("digest")
        frame = {"action": "confirm", "callback_id": callback_id, **({"digest": digest} if digest else {}), **answer}
        try:
            await self._ask(frame)
        except AlreadyResolved:
            await self._remove(callback_id)
            raise
        await self._remove(callback_id)

    async def dismiss(self, callback_id: str, until: float | None = None) -> None:
        """Hides a confirmation on this user's devices until `until` (Unix seconds), or until it expires soon. Decides nothing."""
        frame = {"action": "dismiss", "callback_id": callback_id} | ({} if until is None else {"until": until})
        reply = await self._ask(frame)
        await self._change(callback_id, dismissed_until=reply["dismissed_until"])

    async def seen(self, callback_id: str) -> None:
        """Says that this device has shown a confirmation."""
        await self._ask({"action": "seen", "callback_id": callback_id})

    @property
    def shown(self) -> list[Json]:
        """The open confirmations that are not dismissed at the moment, in the order in which they arrived."""
        now = self._clock.now()
        return [one for one in self.open.values() if (one.get("dismissed_until") or 0) <= now]

    def remaining(self, confirmation: Json) -> float:
        """Seconds until a confirmation's deadline by the server's clock; `math.inf` without one."""
        expires_at = confirmation.get("expires_at")
        return math.inf if expires_at is None else expires_at - self._clock.now()

    async def cancel(self, task_id: str, reason: str | None = None) -> None:
        def frame() -> Json:  # the user is known once a token was accepted
            return {"action": "cancel", "user_id": self.user_id, "task_id": task_id} | ({"reason": reason} if reason else {})

        await self._ask(frame)

    async def confirmations(self) -> AsyncIterator[Json]:
        """Each open confirmation once, as it arrives, until the client is closed."""
        seen: set[str] = set()
        while True:
            async with self._changed:
                await self._changed.wait_for(lambda: self._closed or self.open.keys() - seen)
            if self._closed:
                return
            seen &= self.open.keys()
            for callback_id in [one for one in self.open if one not in seen]:
                seen.add(callback_id)
                if confirmation := self.open.get(callback_id):
                    yield confirmation

    def on(self, message_type: str, handler: Handler) -> None:
        """Messages of a type. One that wants to be acknowledged is, after its handlers have ended without an error."""
        self._handlers.setdefault(message_type, []).append(handler)

    async def subscribe(self, channel: str, *, snapshot: Hook | None = None) -> None:
        """Wants a channel (`task:<id>`, `broadcast` or a name) from now on and over reconnects. `on_error` gets a refusal.

        `snapshot(channel)` loads what the channel is about: when it is first subscribed, and after messages were lost. It may
        be a coroutine function. Messages of the channel wait until it has ended.
        """
        if snapshot:
            self._snapshots.add(channel, snapshot)
            if self._channels.has(channel):
                self._snapshots.load(channel)
        await self._channels.want(channel)

    async def unsubscribe(self, channel: str) -> None:
        """Leaves a channel: no message of it comes any more, and its position is forgotten."""
        self._snapshots.remove(channel)
        await self._channels.leave(channel)

    # The connection

    async def _run(self) -> None:
        try:
            await self._stay_connected()
        except Exception as error:
            self._report(error)
            await self._end(f"the client failed: {error}")

    async def _stay_connected(self) -> None:
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
                self._socket = None
                self._channels.on_lost()
                self._requests.on_lost(code)
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
        """Says who the client is, then asks for every channel."""
        try:
            if token is not None:
                self.user_id = (await self._requests.ask({"action": "authenticate", "token": token}))["user_id"]
            self._spawn(self._read_clock())
            await self._channels.on_connected(self.user_id and f"user:{self.user_id}")
        except (ConnectionLost, ClientClosed):
            return
        except Exception as error:
            self._report(error)
            await asyncio.sleep(1)
            await self._socket.close()

    async def _read_clock(self) -> None:
        asked_at = time.monotonic()
        try:
            self._clock.on_reply((await self._requests.ask({"action": "ping"}))["timestamp"], asked_at)
        except (ConnectionLost, ClientClosed, ServerError):
            pass  # the next connection asks again

    async def _on_ready(self) -> None:
        self._away_since = None
        await self._requests.on_ready()

    async def _send(self, text: str) -> bool:
        if self._socket is None:
            return False
        await self._socket.send(text)
        return True

    async def _end(self, reason: str) -> None:
        if self._closed:
            return
        self.state, self._closed = "closed", reason
        self._requests.close(reason)
        for task in self._tasks:
            task.cancel()
        async with self._changed:
            self._changed.notify_all()

    async def _ask(self, frame: Json | Callable[[], Json]) -> Json:
        if self._runner is None:
            raise RuntimeError("use the client as `async with Client(…) as client`")
        return await self._requests.ask(frame, lasting=True)

    # Frames

    async def _on_frame(self, frame: Json) -> None:
        is_new = await self._channels.on_frame(frame)
        self._requests.on_frame(frame)
        if not is_new or self._is_foreign(frame):
            return
        kind, callback_id = frame.get("type", ""), frame.get("callback_id", "")
        if kind == "task_step_result":
            await self._show(frame, callback_id)
        elif kind == "confirmation_dismissed":
            await self._change(callback_id, dismissed_until=frame["dismissed_until"])
        elif kind == "confirmation_expiring":
            await self._change(callback_id, expiring=True, dismissed_until=None)
        elif kind == "confirmation_resolved":
            await self._remove(callback_id)
        if not self._snapshots.hold(frame):
            self._deliver(frame)

    def _deliver(self, frame: Json) -> None:
        if handlers := self._handlers.get(frame.get("type", "")):
            self._spawn(self._handle(frame, handlers))

    def _is_foreign(self, frame: Json) -> bool:
        """Until an open-mode connection is its user's, it is anonymous and gets what is everybody's."""
        owner = frame.get("target_user_id") or frame.get("user_id")
        return bool(self.user_id and owner and owner != self.user_id and not self._channels.is_ready)

    async def _show(self, frame: Json, callback_id: str) -> None:
        """A prompt has arrived, perhaps not for the first time: what the server says now counts."""
        if callback_id in self._decided:
            return
        timestamp, expires_at = frame["timestamp"], frame.get("expires_at")
        late = expires_at is not None and self._clock.now() > timestamp + (expires_at - timestamp) * EXPIRING_SHARE
        expiring = late or self.open.get(callback_id, {}).get("expiring", False)
        self.open[callback_id] = frame | {"expiring": expiring}
        await self._notify()

    def _on_subscribing(self, channel: str) -> None:
        if channel == self._channels.user:
            self._judged = set(self.open)

    async def _retain(self, subscribed: Json) -> None:
        """The server has named all that is open: what was here before and is not named was decided meanwhile."""
        if subscribed["channel"] == self._channels.user:
            for callback_id in self._judged - set(subscribed["pending"]):
                self.open.pop(callback_id, None)
            await self._notify()

    async def _change(self, callback_id: str, **changes: Any) -> None:
        if callback_id in self.open:
            self.open[callback_id] = self.open[callback_id] | changes
            await self._notify()

    async def _remove(self, callback_id: str) -> None:
        _remember(self._decided, callback_id, None)
        if self.open.pop(callback_id, None):
            await self._notify()

    async def _notify(self) -> None:
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
                await self._ask({"action": "ack", "message_id": message_id})
            except (ServerError, ClientClosed):
                pass  # another device was quicker, or the message is shown again

    # What the application is called with

    def _stale(self, channel: str, is_gap: bool) -> None:
        if is_gap and self._on_gap:
            self._call(self._on_gap, channel)
        self._snapshots.load(channel)

    def _report(self, error: BaseException) -> None:
        if self._on_error:
            self._call(self._on_error, error)
        else:
            log.error("a handler or a channel failed", exc_info=error)

    def _call(self, function: Callable[[Any], Any], value: Any) -> None:
        """What raises here has nobody else to be reported to."""
        try:
            result = function(value)
        except Exception:
            log.exception("on_gap or on_error failed")
        else:
            if inspect.isawaitable(result):
                self._spawn(self._await(result))

    async def _await(self, result: Awaitable[Any]) -> None:
        try:
            await result
        except Exception:
            log.exception("on_gap or on_error failed")

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _remember(store: "OrderedDict[str, Any]", key: str, value: Any) -> None:
    store[key] = value
    while len(store) > REMEMBERED:
        store.popitem(last=False)


def wait_after(code: int, away: float) -> float:
    """Seconds before the next attempt: up to a quarter of the time away, a restart's random moment, or later without room."""
    if code == 1012:
        return random.uniform(0, 3)
    jitter = random.uniform(0, min(30, max(0.25, away / 4)))
    return 5 + jitter if code in (1008, 1013) else jitter
