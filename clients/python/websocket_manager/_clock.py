"""The server's clock, learned from its replies, so that a wrong clock here moves no deadline."""

import time


class ServerClock:
    def __init__(self) -> None:
        # By a clock that does not jump. Until the first reply, this machine's clock is taken for the server's.
        self._offset = time.time() - time.monotonic()

    def on_reply(self, timestamp: float, asked_at: float) -> None:
        """`timestamp` is the server's; `asked_at` is when it was asked for, by `time.monotonic`."""
        self._offset = timestamp - (asked_at + time.monotonic()) / 2

    def now(self) -> float:
        """Unix seconds."""
        return time.monotonic() + self._offset
