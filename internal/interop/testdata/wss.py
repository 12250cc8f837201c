"""Plays the clients that wss_clients_test.go expects over TLS, with the module websockets. It says what was agreed on.

Arguments: the server's address, the file of the authority, a version of TLS, and what to offer of compression: nothing, default or
small (windows of 512 bytes).
"""
import asyncio
import json
import random
import ssl
import sys

import websockets
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

ADDR, CA, VERSION, OFFER = sys.argv[1:]
URL = f"wss://{ADDR}/path?query"
NOISE = random.Random(1).randbytes(1 << 16)
TEXT = "".join(f'{{"symbol":"EURUSD","bid":1.08{i % 100:02},"name":"\u20ac\U0001f600"}}' for i in range(1 << 13))
SIZES = [0, 1, 2, 125, 126, 127, 255, 256, 1023, 1024, 4096, 16355, 16384, 16385, 32768, 65535, 65536, 200000]

context = ssl.create_default_context(cafile=CA)
context.minimum_version = context.maximum_version = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}[VERSION]
options = {"ssl": context, "max_size": None, "ping_interval": None}
if OFFER == "nothing":
    options["compression"] = None
elif OFFER == "small":
    options["compression"] = None
    options["extensions"] = [ClientPerMessageDeflateFactory(server_max_window_bits=9, client_max_window_bits=9)]

payload = 0


async def echo(ws, message, parts=None):
    global payload
    await ws.send(message if parts is None else parts)
    assert await ws.recv() == message, f"the echo of {len(message)} as {len(parts or '.')} differs"
    payload += len(message.encode() if isinstance(message, str) else message)


def cut(message):
    """Parts of all lengths, the first and the last of them empty."""
    ends = sorted([0, len(message), *(len(message) * i // 7 for i in range(1, 7)), min(1, len(message))])
    return [message[:0], *(message[a:b] for a, b in zip(ends, ends[1:])), message[:0]]


async def echoes(ws):
    for size in SIZES:
        for message in (TEXT[: size // 2], bytes(size), TEXT.encode()[:size]):
            await echo(ws, message)
            await echo(ws, message, cut(message))
        if size <= 65536:  # what cannot be compressed
            await echo(ws, NOISE[:size])
            await echo(ws, NOISE[:size], cut(NOISE[:size]))
    for i in range(1000):
        await ws.send(f"message {i} of many that are alike")
    for i in range(1000):
        assert await ws.recv() == f"message {i} of many that are alike"


async def main():
    async with websockets.connect(URL, **options) as ws:
        tls = ws.transport.get_extra_info("ssl_object")
        agreed = ws.protocol.extensions if hasattr(ws, "protocol") else ws.extensions
        await echoes(ws)
        await (await ws.ping(b"a ping"))
        await ws.close(4001, "going")
    async with websockets.connect(URL, **options) as ws:
        await ws.send("close 4000 enough")
        await ws.wait_closed()
        assert (ws.close_code, ws.close_reason) == (4000, "enough"), (ws.close_code, ws.close_reason)
    seen = {"version": tls.version(), "cipher": tls.cipher()[0], "payload": payload, "compressed": bool(agreed)}
    for e in agreed:
        seen["takeover"] = not (e.remote_no_context_takeover or e.local_no_context_takeover)
        seen["window"] = max(e.remote_max_window_bits, e.local_max_window_bits)
    print(json.dumps(seen))


asyncio.run(main())
