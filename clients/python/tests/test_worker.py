"""The worker's side against a service that goes away."""

import logging
import threading
import time
import unittest
from http.server import BaseHTTPRequestHandler, HTTPServer

from websocket_manager import Notifications, Refused, Unavailable


class Handler(BaseHTTPRequestHandler):
    status = 200

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(Handler.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


class WorkerTest(unittest.TestCase):
    def setUp(self) -> None:
        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def test_work_ends_well_although_the_service_has_gone_meanwhile(self) -> None:
        with self.assertLogs("websocket_manager.worker", logging.WARNING) as logs:
            with Notifications(self.url, patience=5).heartbeats("ann", "task", ttl=0.06):
                self.stop()
                time.sleep(0.1)
                threads = threading.active_count()
                left_at = time.monotonic()
        self.assertLess(time.monotonic() - left_at, 4)
        self.assertEqual(threading.active_count(), threads - 1)
        self.assertGreaterEqual(len(logs.output), 2)

    def test_work_does_not_begin_without_its_heartbeat(self) -> None:
        Handler.status = 403
        self.addCleanup(setattr, Handler, "status", 200)
        with self.assertRaises(Refused):
            with Notifications(self.url).heartbeats("ann", "task"):
                self.fail("the block runs")
        self.stop()
        with self.assertRaises(Unavailable):
            with Notifications(self.url, patience=0).heartbeats("ann", "task"):
                self.fail("the block runs")


if __name__ == "__main__":
    unittest.main()
