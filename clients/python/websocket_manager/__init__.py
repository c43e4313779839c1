"""The worker's side: `Notifications`. The user's side, which needs `websockets`, is in `websocket_manager.client`."""

from .worker import Notifications, Refused, Unavailable

__all__ = ["Notifications", "Refused", "Unavailable"]
