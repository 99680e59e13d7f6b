"""Prints each message of a WebSocket server, over its restarts: python websocket_consumer.py ws://HOST/PATH."""

import asyncio
import sys

from manager import ConnectionManager, WebSocketSettings, parse_endpoint


async def main(url: str) -> None:
    settings = WebSocketSettings(name="events", endpoints=(parse_endpoint(url),))
    async with ConnectionManager([settings]) as manager:
        async for message in manager.messages("events"):
            print(message)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
