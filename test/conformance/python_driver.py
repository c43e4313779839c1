"""Drives `clients/python`: one JSON object per line on standard input and output."""

import asyncio
import json
import sys
from typing import Any

from websocket_manager.client import AlreadyResolved, Client, ClientClosed, RequestTooLarge, ServerError


def say(event: str, **fields: Any) -> None:
    print(json.dumps({"event": event, **fields}), flush=True)


class Driving:
    def __init__(self, command: dict[str, Any]) -> None:
        quiet, tokens = command["quiet_ms"] / 1000, iter(command.get("tokens") or [])
        self.client = Client(
            command["url"],
            user_id=command.get("user_id"),
            token=(lambda: next(tokens, "")) if command.get("tokens") else None,
            on_gap=lambda channel: say("gap", channel=channel),
            on_error=lambda error: say("error", message=str(error)),
            ping_interval=quiet,
            ping_timeout=quiet,
        )
        self.channels, self.released = command["channels"], asyncio.Event()
        self.client.on("n", lambda message: say("message", type="n", number=message["number"]))
        self.client.on("letter", self.handle_letter)
        self.tasks = [asyncio.create_task(self.watch())]

    async def start(self) -> None:
        for channel in self.channels:
            await self.client.subscribe(channel)
        await self.client.__aenter__()

    async def handle_letter(self, message: dict[str, Any]) -> None:
        say("message", type="letter", number=message["number"])
        await self.released.wait()

    async def watch(self) -> None:
        shown: list[str] = []
        while True:
            now = [one["callback_id"] for one in self.client.shown]
            for callback_id in now:
                if callback_id not in shown:
                    say("asked", callback_id=callback_id)
            for callback_id in shown:
                if callback_id not in now:
                    say("gone", callback_id=callback_id)
            shown = now
            if self.client.state == "closed":
                return say("closed")
            await asyncio.sleep(0.005)

    async def answer(self, callback_id: str, proceed: bool) -> None:
        say("did", do="answer")
        try:
            await self.client.answer(callback_id, proceed=proceed)
            say("answered", callback_id=callback_id)
        except AlreadyResolved as error:
            say("rejected", callback_id=callback_id, state=error.decision["state"])
        except (ServerError, ClientClosed, RequestTooLarge):
            say("rejected", callback_id=callback_id)

    async def close(self) -> None:
        await self.client.close()
        await asyncio.gather(*self.tasks, return_exceptions=True)


async def main() -> None:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    driving: Driving | None = None
    while line := await reader.readline():
        command = json.loads(line)
        if command["do"] == "connect":
            driving = Driving(command)
            await driving.start()
        elif driving is None:
            continue
        elif command["do"] == "answer":
            driving.tasks.append(asyncio.create_task(driving.answer(command["callback_id"], command["proceed"])))
        elif command["do"] == "dismiss":
            driving.tasks.append(asyncio.create_task(driving.client.dismiss(command["callback_id"])))
        elif command["do"] == "release":
            driving.released.set()
        elif command["do"] == "close":
            await driving.close()


asyncio.run(main())
