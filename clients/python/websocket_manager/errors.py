"""What the client raises."""

from typing import Any

Json = dict[str, Any]


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
    """Closed by the application, or by the server for good. What was asked before may have taken effect."""


class RequestTooLarge(Exception):
    """The server takes no frame as large as this request: send less, or use REST, which takes more."""


class ConnectionLost(Exception):
    """A request that ends with its connection has lost it."""
