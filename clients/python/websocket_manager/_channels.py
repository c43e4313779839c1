"""The channels that are wanted, and where this client stands in each.

1. The last position of each channel is kept and offered on every connect. What arrives twice is dropped by its offset.
   What is lost for good is a gap.
2. One frame subscribes to all channels, the user's first. Where the server refuses it, each is tried alone, so that one that
   is not allowed or not available does not stop the others. Only the user's must stand before answers are sent.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from ._requests import TEMPORARY, Requests
from .errors import ClientClosed, ConnectionLost, Json, ServerError

CONFLATED = ("task_progress", "heartbeat")
REPLIES = ("pong", "subscription_confirmed", "acknowledged", "authenticated", "pending", "seen", "dismissed")
CONTROL = ("error", "unsubscribed", "recovered")
PER_FRAME = 32
PAUSE = 1


@dataclass
class ChannelEvents:
    on_ready: Callable[[], Awaitable[None]]
    """The connection is the user's."""
    on_subscribing: Callable[[str], None]
    on_subscribed: Callable[[Json], Awaitable[None]]
    on_stale: Callable[[str, bool], None]
    """The channel has no state yet, or (True) has lost messages for good."""
    on_ended: Callable[[str, ServerError], None]
    """The server does not, or no longer, let this client have the channel."""


class Channels:
    def __init__(self, requests: Requests, events: ChannelEvents) -> None:
        self._requests, self._events = requests, events
        self.user = ""
        self._positions: dict[str, Json | None] = {}
        self._confirmed: set[str] = set()
        self._retry: asyncio.Task[None] | None = None
        self._connected = False

    async def want(self, channel: str) -> None:
        """From now on and over reconnects. Resolves once the server has answered, or later if there is no connection."""
        self._positions.setdefault(channel, None)
        if self.is_ready and channel not in self._confirmed:
            await self._subscribe_all([channel])

    async def leave(self, channel: str) -> None:
        known = channel in self._positions
        self._positions.pop(channel, None)
        self._confirmed.discard(channel)
        if not known or not self._connected or channel == "broadcast":
            return
        try:
            await self._requests.ask({"action": "unsubscribe", "channel": channel})
        except (ConnectionLost, ClientClosed, ServerError):
            pass  # the subscription ends with its connection anyway

    def has(self, channel: str) -> bool:
        """Whether the channel is subscribed on this connection."""
        return channel in self._confirmed

    async def on_connected(self, user: str | None) -> None:
        if user:
            self.user = user
            self._positions.setdefault(user, None)
        self._connected = True
        await self._subscribe_all()

    def on_lost(self) -> None:
        self._connected = False
        self._confirmed.clear()
        if self._retry:
            self._retry.cancel()
        self._retry = None

    @property
    def is_ready(self) -> bool:
        """Whether the connection is the user's."""
        return self._connected and (self.user not in self._positions or self.user in self._confirmed)

    async def _subscribe_all(self, only: list[str] | None = None) -> None:
        """Also what is wanted while this is at work."""
        asked: set[str] = set()
        try:
            if self.is_ready:
                await self._events.on_ready()
            while missing := [one for one in only or self._in_order() if one not in self._confirmed | asked]:
                asked.update(missing[:PER_FRAME])
                if not await self._subscribe(missing[:PER_FRAME]):
                    return
        except (ConnectionLost, ClientClosed):
            pass  # the next connection subscribes

    def _in_order(self) -> list[str]:
        return sorted(self._positions, key=lambda channel: channel != self.user)

    async def _subscribe(self, channels: list[str]) -> bool:
        """Returns whether further channels may be asked for."""
        for channel in channels:
            self._events.on_subscribing(channel)
        wanted = [{"channel": name} | ({"recover": at} if (at := self._positions.get(name)) else {}) for name in channels]
        try:
            await self._requests.ask({"action": "subscribe", "channels": wanted})
        except ServerError as error:
            if len(channels) > 1:
                for channel in channels:
                    if not await self._subscribe([channel]):
                        return False
            elif error.code in TEMPORARY:
                self._subscribe_later()
            else:
                self._end(channels[0], error)
        if self.is_ready:
            await self._events.on_ready()
        return self.is_ready

    def _subscribe_later(self) -> None:
        async def subscribe() -> None:
            await asyncio.sleep(PAUSE)
            self._retry = None
            await self._subscribe_all()

        if self._connected and not self._retry:
            self._retry = asyncio.create_task(subscribe())

    def _end(self, channel: str, error: ServerError) -> None:
        self._positions.pop(channel, None)
        self._events.on_ended(channel, error)

    # Frames

    async def on_frame(self, frame: Json) -> bool:
        """Keeps what a frame says of positions. Returns False for a message that was had, or that recovery repeats."""
        if frame.get("type") == "subscription_confirmed":
            for one in frame.get("subscriptions") or [frame]:
                if one["channel"] in self._positions:
                    await self._on_subscribed(one)
            return True
        channel = frame.get("channel")
        if channel is None:
            return not self._will_repeat(frame)
        if frame.get("type") == "unsubscribed":
            if "request_id" not in frame:
                self._on_unsubscribed(channel, frame.get("reason"))
            return False
        return channel in self._positions and ("offset" not in frame or self._is_new(channel, frame))

    async def _on_subscribed(self, subscribed: Json) -> None:
        channel, epoch, offset = subscribed["channel"], subscribed["epoch"], subscribed["offset"]
        known = self._positions[channel]
        # The reply to `recover` repeats the position.
        missed = known is not None and (known["epoch"] != epoch or offset > known["offset"])
        self._confirmed.add(channel)
        self._advance(channel, epoch, offset)
        await self._events.on_subscribed(subscribed)
        if missed or known is None:
            self._events.on_stale(channel, missed)

    def _is_new(self, channel: str, frame: Json) -> bool:
        known, offset = self._positions[channel], frame["offset"]
        if "epoch" in frame:
            missed = known is not None and known["epoch"] == frame["epoch"] and offset > known["offset"]
            self._advance(channel, frame["epoch"], offset)
            if frame.get("recovered") is False or missed:
                self._events.on_stale(channel, True)
        elif known:
            if channel not in self._confirmed or offset <= known["offset"]:
                return False
            if offset > known["offset"] + 1:
                self._events.on_stale(channel, True)
            self._positions[channel] = {"epoch": known["epoch"], "offset": offset}
        return True

    def _on_unsubscribed(self, channel: str, reason: str | None) -> None:
        self._confirmed.discard(channel)
        if reason == "unavailable":
            self._subscribe_later()
        elif channel in self._positions:
            self._end(channel, ServerError({"code": "FORBIDDEN", "message": f"the server ended the subscription to {channel}"}))

    def _advance(self, channel: str, epoch: str, offset: int) -> None:
        known = self._positions.get(channel)
        if channel in self._positions and not (known and known["epoch"] == epoch and known["offset"] > offset):
            self._positions[channel] = {"epoch": epoch, "offset": offset}

    def _will_repeat(self, frame: Json) -> bool:
        kind = frame.get("type", "")
        if "message_id" in frame or kind in CONFLATED + CONTROL + REPLIES or kind.startswith(("confirmation_", "task_")):
            return False
        user_id, task_id = frame.get("target_user_id"), frame.get("task_id")
        channel = f"user:{user_id}" if user_id else f"task:{task_id}" if task_id else "broadcast"
        return bool(self._positions.get(channel)) and channel not in self._confirmed
