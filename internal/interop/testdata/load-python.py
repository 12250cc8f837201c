"""A server that load_others_test.go starts, with the module websockets. It says what roost load has done to it.

Arguments: echo or broadcast, milliseconds between two pings (0: none), and for TLS the files of a certificate and of its key.
DEFLATE=1 in the environment has it compress for clients that offer it.
"""
import asyncio
import json
import os
import ssl
import sys

import websockets

MODE, PAUSE, *PEM = sys.argv[1:]
connections = set()
counts = dict.fromkeys(["opened", "clean", "received", "received_bytes", "sent", "sent_bytes", "pongs"], 0)
left = asyncio.Condition()


def size(message):
    return len(message.encode() if isinstance(message, str) else message)


def sent(message, times):
    counts["sent"] += times
    counts["sent_bytes"] += times * size(message)


async def pinging(ws):
    try:
        while int(PAUSE):
            await asyncio.sleep(int(PAUSE) / 1000)
            await (await ws.ping())
            counts["pongs"] += 1
    except websockets.ConnectionClosed:
        pass


async def serve(ws):
    counts["opened"] += 1
    connections.add(ws)
    pings = asyncio.create_task(pinging(ws))
    try:
        async for message in ws:
            counts["received"] += 1
            counts["received_bytes"] += size(message)
            if MODE == "broadcast":
                websockets.broadcast(connections, message)
                sent(message, len(connections))
            else:
                await ws.send(message)
                sent(message, 1)
    except websockets.ConnectionClosed as e:
        print(e, file=sys.stderr)
    await pings
    counts["clean"] += ws.close_code == 1000
    connections.remove(ws)
    async with left:
        left.notify_all()


async def main():
    tls = None
    if PEM:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(*PEM)
    compression = "deflate" if os.environ.get("DEFLATE") == "1" else None
    async with websockets.serve(serve, "127.0.0.1", 0, ssl=tls, ping_interval=None, compression=compression) as server:
        print("127.0.0.1:%d" % server.sockets[0].getsockname()[1], flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        async with left:
            await left.wait_for(lambda: not connections)
    print(json.dumps(counts))


asyncio.run(main())
