"""The user's side against a scripted server, where it says what a real one says seldom."""

import asyncio
import json
import logging
import unittest
from collections.abc import Callable
from typing import Any

import websockets
from websocket_manager import _channels, _requests
from websocket_manager.client import Client, ClientClosed, RequestTooLarge

Json = dict[str, Any]
WAIT = 10
_channels.PAUSE = _requests.PAUSE = 0.05


class Connection:
    def __init__(self, socket: Any) -> None:
        self.socket, self.frames = socket, asyncio.Queue[Json]()

    async def next(self, action: str) -> Json:
        while True:
            frame = await asyncio.wait_for(self.frames.get(), WAIT)
            if frame["action"] == action:
                return frame

    async def reply(self, frame: Json, **reply: Any) -> None:
        await self.send(**reply, request_id=frame["request_id"])

    async def refuse(self, frame: Json, code: str) -> None:
        await self.reply(frame, type="error", code=code, message=code)

    async def send(self, **frame: Any) -> None:
        await self.socket.send(json.dumps(frame))

    async def prompt(self, callback_id: str, **more: Any) -> None:
        await self.send(**{"type": "task_step_result", "callback_id": callback_id, "timestamp": 0, "expires_at": None} | more)

    async def welcome(self) -> list[str]:
        return await self.confirm(await self.next("subscribe"))

    async def confirm(self, frame: Json, pending: tuple[str, ...] = ()) -> list[str]:
        names = [one["channel"] for one in frame["channels"]]
        subscriptions = [{"channel": name, "epoch": "e", "offset": 0, "pending": pending} for name in names]
        await self.reply(frame, type="subscription_confirmed", subscriptions=subscriptions)
        return names


class ClientTest(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self) -> None:
        self.connections: asyncio.Queue[Connection] = asyncio.Queue()
        self.errors: list[BaseException] = []

        async def serve(socket: Any) -> None:
            connection = Connection(socket)
            self.connections.put_nowait(connection)
            try:
                async for text in socket:
                    connection.frames.put_nowait(json.loads(text))
            except websockets.ConnectionClosed:
                pass

        server = await websockets.serve(serve, "127.0.0.1", 0)  # type: ignore[attr-defined]
        self.addAsyncCleanup(server.wait_closed)
        self.addCleanup(server.close)
        self.url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/ws"

    async def client(self, user_id: str | None = "ann", **options: Any) -> Client:
        client = Client(self.url, user_id, **{"on_error": self.errors.append} | options)
        await self.enterAsyncContext(client)
        return client

    async def next(self) -> Connection:
        return await asyncio.wait_for(self.connections.get(), WAIT)

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(WAIT):
            while not condition():
                await asyncio.sleep(0.005)

    async def shown(self, client: Client, *callback_ids: str) -> None:
        await self.until(lambda: list(client.open) == list(callback_ids))

    async def test_answers_while_another_channel_is_not_available(self) -> None:
        client = await self.client()
        await client.subscribe("news")
        connection = await self.next()
        for _ in range(2):
            frame = await connection.next("subscribe")
            if frame["channels"] == [{"channel": "user:ann"}]:
                break
            await connection.refuse(frame, "UNAVAILABLE")
        await connection.confirm(frame)
        await connection.refuse(await connection.next("subscribe"), "UNAVAILABLE")
        answer = asyncio.create_task(client.answer("p1", proceed=True))
        await connection.reply(await connection.next("confirm"), type="confirmation_accepted", callback_id="p1")
        await answer
        self.assertEqual(await connection.welcome(), ["news"])

    async def test_subscribes_to_what_is_wanted_while_it_subscribes(self) -> None:
        client = await self.client()
        connection = await self.next()
        frame = await connection.next("subscribe")
        await client.subscribe("news")
        await connection.confirm(frame)
        self.assertEqual(await connection.welcome(), ["news"])

    async def test_subscribes_again_after_unavailable_and_reports_what_is_forbidden(self) -> None:
        client = await self.client()
        await client.subscribe("news")
        connection = await self.next()
        await connection.welcome()
        await connection.send(type="unsubscribed", channel="news", reason="unavailable")
        self.assertEqual((await connection.next("subscribe"))["channels"], [{"channel": "news", "recover": {"epoch": "e", "offset": 0}}])
        await connection.send(type="unsubscribed", channel="news", reason="forbidden")
        await connection.prompt("marker")
        await self.shown(client, "marker")
        self.assertEqual([getattr(error, "code", error) for error in self.errors], ["FORBIDDEN"])
        await connection.socket.close(1011)
        self.assertEqual(await (await self.next()).welcome(), ["user:ann"])

    async def test_leaves_a_channel_and_gets_nothing_of_it_any_more(self) -> None:
        numbers: list[int] = []
        client = await self.client()
        client.on("n", lambda message: numbers.append(message["number"]))
        await client.subscribe("news")
        connection = await self.next()
        await connection.welcome()
        await connection.send(type="n", number=1, channel="news", offset=1)
        await connection.prompt("before")
        await self.shown(client, "before")
        leaving = asyncio.create_task(client.unsubscribe("news"))
        frame = await connection.next("unsubscribe")
        self.assertEqual(frame["channel"], "news")
        await connection.send(type="n", number=2, channel="news", offset=2)  # on its way before the server had read that
        await connection.reply(frame, type="unsubscribed", channel="news")
        await asyncio.wait_for(leaving, WAIT)
        await connection.prompt("marker")
        await self.shown(client, "before", "marker")
        self.assertEqual(numbers, [1])
        await connection.socket.close(1011)
        self.assertEqual(await (await self.next()).welcome(), ["user:ann"])

    async def test_loads_what_a_channel_is_about_at_first_and_after_a_gap_before_its_messages(self) -> None:
        events: list[Any] = []
        loaded = asyncio.Event()

        async def load(channel: str) -> None:
            events.append(channel)
            await loaded.wait()

        client = await self.client(on_gap=lambda channel: events.append("gap"))
        client.on("n", lambda message: events.append(message["number"]))
        await client.subscribe("news", snapshot=load)
        connection = await self.next()
        await connection.welcome()
        await connection.send(type="n", number=1, channel="news", offset=1)
        await connection.prompt("first")
        await self.shown(client, "first")
        await self.until(lambda: bool(events))
        self.assertEqual(events, ["news"])  # the message waits for what it applies to
        loaded.set()
        await connection.send(type="n", number=3, channel="news", offset=3)
        await self.until(lambda: 3 in events)
        self.assertEqual(events, ["news", 1, "gap", "news", 3])

    async def test_counts_down_by_the_clock_of_the_server(self) -> None:
        client = await self.client()
        connection = await self.next()
        server_time = 1_000_000.0
        await connection.welcome()
        await connection.reply(await connection.next("ping"), type="pong", timestamp=server_time, original_data={})
        await self.until(lambda: abs(client.remaining({"expires_at": server_time})) < WAIT)
        await connection.prompt("hurry", timestamp=server_time - 90, expires_at=server_time + 10)
        await connection.prompt("whenever")
        await self.shown(client, "hurry", "whenever")
        hurry, whenever = client.open.values()
        self.assertAlmostEqual(client.remaining(hurry), 10, delta=WAIT / 2)
        self.assertEqual((hurry["expiring"], client.remaining(whenever)), (True, float("inf")))

    async def test_a_break_cancels_no_task_of_the_application(self) -> None:
        client = await self.client()
        connection = await self.next()
        await connection.welcome()
        await connection.prompt("marker")
        await self.shown(client, "marker")
        subscribing = asyncio.create_task(client.subscribe("news"))
        await connection.next("subscribe")
        await connection.socket.close(1011)
        await asyncio.wait_for(subscribing, WAIT)
        self.assertEqual(await (await self.next()).welcome(), ["user:ann", "news"])

    async def test_does_not_send_an_answer_that_was_cancelled_before(self) -> None:
        client = await self.client()
        answer = asyncio.create_task(client.answer("cancelled", proceed=True))
        await asyncio.sleep(0)
        answer.cancel()
        other = asyncio.create_task(client.answer("other", proceed=True))
        connection = await self.next()
        await connection.welcome()
        confirm = await connection.next("confirm")
        self.assertEqual(confirm["callback_id"], "other")
        await connection.reply(confirm, type="confirmation_accepted", callback_id="other")
        await other

    async def test_rejects_the_request_that_is_too_large_and_goes_on_with_the_others(self) -> None:
        client = await self.client()
        connection = await self.next()
        await connection.welcome()
        large, small = (
            asyncio.create_task(client.answer(name, proceed=True, feedback=name * 100)) for name in ("large", "few")
        )
        for _ in range(2):
            await connection.next("confirm")
        await connection.socket.close(1009)
        with self.assertRaises(RequestTooLarge):
            await asyncio.wait_for(large, WAIT)
        again = await self.next()
        await again.welcome()
        await again.reply(await again.next("confirm"), type="confirmation_accepted", callback_id="few")
        await small

    async def test_keeps_its_connection_when_a_callback_raises_or_a_value_is_no_json(self) -> None:
        gaps: list[str] = []

        def on_error(error: BaseException) -> None:
            raise ValueError("broken reporter") from error

        async def on_gap(channel: str) -> None:
            await asyncio.sleep(0)
            gaps.append(channel)
            raise ValueError("broken gap")

        logging.getLogger("websocket_manager.client").disabled = True
        client = await self.client(on_error=on_error, on_gap=on_gap)
        client.on("n", lambda message: 1 / 0)
        connection = await self.next()
        await connection.welcome()
        await connection.send(type="n", channel="user:ann", offset=3)
        for value in (object(), float("nan")):
            with self.assertRaises((TypeError, ValueError)):
                await client.answer("p1", proceed=True, values={"count": value})
        await connection.prompt("marker")
        await self.shown(client, "marker")
        await self.until(lambda: gaps == ["user:ann"])

    async def test_keeps_a_prompt_that_comes_before_the_reply_to_subscribe(self) -> None:
        client = await self.client()
        first = await self.next()
        await first.welcome()
        for name in ("decided", "open"):
            await first.prompt(name)
        await self.shown(client, "decided", "open")
        await first.socket.close(1011)
        again = await self.next()
        frame = await again.next("subscribe")
        await again.prompt("new")
        await self.shown(client, "decided", "open", "new")
        await again.confirm(frame, ("open",))
        await self.shown(client, "open", "new")

    async def test_cancels_by_the_user_whom_its_token_names(self) -> None:
        client = await self.client(None, token=lambda: "token")
        cancel = asyncio.create_task(client.cancel("task"))
        connection = await self.next()
        await connection.reply(await connection.next("authenticate"), type="authenticated", user_id="ann", expires_at=None)
        await connection.welcome()
        frame = await connection.next("cancel")
        self.assertEqual(frame["user_id"], "ann")
        await connection.reply(frame, type="task_cancelled", user_id="ann", task_id="task")
        await cancel

    async def test_refuses_to_answer_before_it_is_entered_and_after_it_is_closed(self) -> None:
        client = Client(self.url, "ann")
        with self.assertRaises(RuntimeError):
            await client.answer("p1", proceed=True)
        async with client:
            pass
        with self.assertRaises(ClientClosed):
            await client.answer("p1", proceed=True)


if __name__ == "__main__":
    unittest.main()
