"""Loads what a channel is about: when it is first subscribed, and after every gap.

Meanwhile the channel's messages wait, so that an application applies them to the state that it has just loaded.
"""

import inspect
from collections.abc import Callable
from typing import Any

from .errors import Json

MOST_HELD = 1000
"""More messages than this are not kept: the state is loaded again instead."""

Hook = Callable[[str], Any]


class Snapshots:
    def __init__(
        self, deliver: Callable[[Json], None], report: Callable[[BaseException], None], spawn: Callable[[Any], None]
    ) -> None:
        self._deliver, self._report, self._spawn = deliver, report, spawn
        self._hooks: dict[str, Hook] = {}
        self._held: dict[str, list[Json]] = {}

    def add(self, channel: str, hook: Hook) -> None:
        self._hooks[channel] = hook

    def remove(self, channel: str) -> None:
        self._hooks.pop(channel, None)
        self._held.pop(channel, None)

    def load(self, channel: str) -> None:
        if channel not in self._hooks:
            return
        is_loading = channel in self._held
        self._held[channel] = []
        if not is_loading:  # else the load under way begins again
            self._spawn(self._load(channel))

    def hold(self, frame: Json) -> bool:
        """Returns whether the message waits for its channel's state."""
        channel = frame.get("channel")
        held = self._held.get(channel) if isinstance(channel, str) else None
        if held is None:
            return False
        held.append(frame)
        if len(held) > MOST_HELD:
            self.load(str(channel))
        return True

    async def _load(self, channel: str) -> None:
        held: list[Json] | None = None
        while (now := self._held.get(channel)) is not held and channel in self._hooks:
            held = now
            try:
                result = self._hooks[channel](channel)
                if inspect.isawaitable(result):
                    await result
            except Exception as error:
                self._report(error)
        for frame in self._held.pop(channel, []):
            self._deliver(frame)
