"""Plays the clients that client_test.go expects, with the module websockets. Its only argument is the server's address."""
import asyncio
import sys

import websockets

ADDR = sys.argv[1]
URL = f"ws://{ADDR}/path?query"


async def echoes(ws):
    texts = ["", "hello", "h\u00e9llo \u2603 \U0001f600", "x" * 125, "x" * 126, "x" * 65535, "x" * 65536, "\u2603" * 300000]
    for message in texts + [bytes(range(256)), b"", b"\xff" * 1000000]:
        await ws.send(message)
        assert await ws.recv() == message, f"the echo of {message[:20]!r} differs"
    await ws.send(["in ", "frag", "ments"])
    assert await ws.recv() == "in fragments"
    for i in range(1000):
        await ws.send(str(i))
    for i in range(1000):
        assert await ws.recv() == str(i)


async def main():
    async with websockets.connect(
        URL, subprotocols=["v1.roost", "v2.roost"], origin=f"http://{ADDR}", max_size=None, ping_interval=None
    ) as ws:
        assert ws.subprotocol == "v2.roost", ws.subprotocol
        await echoes(ws)
        await (await ws.ping(b"a ping"))
        try:  # the server's pings are answered while nothing else is said
            await asyncio.wait_for(ws.recv(), 1)
            raise AssertionError("a message came out of nothing")
        except asyncio.TimeoutError:
            pass
        await ws.close(4001, "going")

    async with websockets.connect(URL, ping_interval=None) as ws:
        await ws.send("close 4000 enough")
        await ws.wait_closed()
        assert (ws.close_code, ws.close_reason) == (4000, "enough"), (ws.close_code, ws.close_reason)

    async with websockets.connect(URL, ping_interval=None) as ws:
        await ws.send(b"x" * (2 << 20) + b"x")
        await ws.wait_closed()
        assert ws.close_code == 1009, (ws.close_code, ws.close_reason)

    try:
        await websockets.connect(URL, origin="http://elsewhere.example")
        raise AssertionError("another origin was welcome")
    except websockets.exceptions.InvalidHandshake as e:
        status = getattr(e, "status_code", None) or e.response.status_code
        assert status == 403, status
    print("websockets", websockets.__version__, "python", sys.version.split()[0])


asyncio.run(main())
