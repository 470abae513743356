"""The gateway's way in, by itself."""

import asyncio
from pathlib import Path

import zmq

from streamer.gateway.inlet import SLICE, Inlet
from streamer.publish.subscribe import WAITING
from streamer.sections import GatewayConfig

GOOD = (b"genre/a/", b"{}")


def test_whoever_sends_what_is_none_of_ours_leaves_the_others_their_turns(tmp_path: Path) -> None:
    assert asyncio.run(turns_until_heard(tmp_path)) >= (WAITING - 1) // SLICE


async def turns_until_heard(folder: Path) -> int:
    """Count the loop's turns until a message is heard that came after many frames without one."""
    turns, found = 0, asyncio.Event()
    inlet = Inlet(GatewayConfig(accept=f"ipc://{folder}/accept"), open_to_network=False)

    def turn() -> None:
        nonlocal turns
        turns += 1
        if not found.is_set():
            asyncio.get_running_loop().call_soon(turn)

    def hear(messages: list[tuple[bytes, bytes]]) -> None:
        assert messages == [GOOD]
        found.set()

    with zmq.Context() as context, context.socket(zmq.XPUB) as stranger:
        stranger.setsockopt(zmq.SNDHWM, 0)
        stranger.connect(f"ipc://{folder}/accept")
        inlet.start(hear)
        while not stranger.poll(0):  # it is not subscribed to yet
            await asyncio.sleep(0.01)
        for _ in range(WAITING - 1):
            stranger.send(b"genre/x/")
        stranger.send_multipart(GOOD)

        turn()
        await asyncio.wait_for(found.wait(), 20)
        inlet.close()
    return turns
