"""The notification service for a worker: its REST routes over the standard library's HTTP client.

Every call may be repeated: a confirmation has a key, a heartbeat is a lease, progress is a state. After a fault on the way
(no connection, a lost reply, 503 while a node or its store is away) the same call is made again for `patience` seconds.
Then `Unavailable` is raised. What the service refuses (4xx) it would refuse again: `Refused`.
"""

import http.client
import json
import logging
import random
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

Json = dict[str, Any]
RETRYABLE = (429, 502, 503, 504)
log = logging.getLogger(__name__)


class Unavailable(Exception):
    """The service could not be reached for `patience` seconds. Nothing was decided; try again later by the same key."""


class Refused(Exception):
    """The service said no: `code` is its word for why (CONFLICT, INVALID_MESSAGE, UNAUTHENTICATED...)."""

    def __init__(self, status: int, body: Json) -> None:
        super().__init__(f"{status} {body.get('code')}: {body.get('message')} {body.get('fields') or ''}".rstrip())
        self.status = status
        self.code: str | None = body.get("code")


class Notifications:
    def __init__(self, url: str, api_key: str | None = None, patience: float = 60) -> None:
        self._url = url.rstrip("/")
        self._headers = {"Content-Type": "application/json"} | ({"X-API-Key": api_key} if api_key else {})
        self._patience = patience

    def ask(self, user_id: str, task_id: str, step: int, step_result: Json, *, key: str, hold: float = 60, **options: Any) -> Json:
        """Asks once for each `key`, however often it is called, and waits up to `hold` seconds for the decision.

        Returns the confirmation: `state` is pending, answered, timed_out, cancelled or withdrawn; once decided there are
        `proceed` and what else was answered. `options` are those of the route: timeout, on_timeout, choices, risk...
        """
        question = {"user_id": user_id, "task_id": task_id, "step": step, "step_result": step_result} | options
        until = time.monotonic() + hold
        found = self._call("POST", "/ws/confirmations", question, key=key)
        while found["state"] == "pending" and (left := until - time.monotonic()) > 0:
            wait = min(left, 30)
            found = self._call("GET", f"/ws/confirmations/{found['callback_id']}?wait={wait:.3f}", wait=wait)
        return found

    def send(self, user_id: str, message: Json) -> None:
        self._call("POST", f"/ws/users/{quote(user_id, safe='')}/messages", message)

    def progress(self, user_id: str, task_id: str, progress: float, message: str) -> None:
        self.send(user_id, {"type": "task_progress", "task_id": task_id, "progress": progress, "message": message})

    def heartbeat(self, user_id: str, task_id: str, interval: float = 30, ttl: float = 120) -> None:
        """The service sends a heartbeat every `interval` seconds until `ttl` is over. Repeat it while the task runs."""
        self._renew_heartbeat(user_id, task_id, interval, ttl, self._patience)

    def _renew_heartbeat(self, user_id: str, task_id: str, interval: float, ttl: float, patience: float) -> None:
        lease = {"user_id": user_id, "interval": interval, "ttl": ttl}
        self._call("POST", f"/ws/tasks/{quote(task_id, safe='')}/heartbeat", lease, patience=patience)

    @contextmanager
    def heartbeats(self, user_id: str, task_id: str, interval: float = 30, ttl: float = 120) -> Iterator[None]:
        """Renews the heartbeat's lease in a thread of its own while the block runs, and stops the heartbeat after it.

        A service that is away then costs the block nothing but a warning in the log: the lease ends by itself.
        """
        ended = threading.Event()

        def renew() -> None:
            while not ended.wait(ttl / 3):
                quietly(lambda: self._renew_heartbeat(user_id, task_id, interval, ttl, patience=0))

        def quietly(call: Callable[[], None]) -> None:
            try:
                call()
            except (Unavailable, Refused) as error:
                log.warning("the heartbeat of %s: %s", task_id, error)

        self.heartbeat(user_id, task_id, interval, ttl)
        thread = threading.Thread(target=renew, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()  # a renewal that is under way would begin the heartbeat again
            quietly(lambda: self._stop_heartbeat(task_id, patience=0))

    def stop_heartbeat(self, task_id: str) -> None:
        self._stop_heartbeat(task_id, self._patience)

    def _stop_heartbeat(self, task_id: str, patience: float) -> None:
        self._call("DELETE", f"/ws/tasks/{quote(task_id, safe='')}/heartbeat", patience=patience)

    def cancel(self, task_id: str, reason: str | None = None) -> None:
        self._call("POST", f"/ws/tasks/{quote(task_id, safe='')}/cancel", {"reason": reason} if reason else {})

    def is_cancelled(self, task_id: str) -> bool:
        try:
            return bool(self._call("GET", f"/ws/tasks/{quote(task_id, safe='')}")["cancelled"])
        except Refused as refused:
            if refused.code == "NOT_FOUND":  # no call has named it yet
                return False
            raise

    def _call(
        self,
        method: str,
        path: str,
        body: Json | None = None,
        *,
        key: str | None = None,
        wait: float = 0,
        patience: float | None = None,
    ) -> Json:
        data = None if body is None else json.dumps(body).encode()
        headers = self._headers | ({"Idempotency-Key": key} if key else {})
        request = urllib.request.Request(self._url + path, data, headers, method=method)
        until, pause = time.monotonic() + (self._patience if patience is None else patience) + wait, 0.1
        while True:
            try:
                with urllib.request.urlopen(request, timeout=wait + 10) as response:
                    return json.loads(response.read() or b"{}")
            except urllib.error.HTTPError as error:
                if error.code not in RETRYABLE:
                    raise Refused(error.code, _json(error.read())) from error
                problem: Exception = error
            except (OSError, http.client.HTTPException) as error:
                problem = error
            if time.monotonic() > until:
                raise Unavailable(f"{method} {path}: {problem}") from problem
            time.sleep(pause * random.uniform(0.5, 1))
            pause = min(pause * 2, 5)


def _json(body: bytes) -> Json:
    try:
        return dict(json.loads(body))
    except (ValueError, TypeError):  # a proxy's own page
        return {"message": body.decode(errors="replace")[:200]}
