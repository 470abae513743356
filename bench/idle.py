"""What does one live station cost at a 1 s hop, in shares of a core?

The station is the demo's programme as an MP3 stream over loopback HTTP, paced in real
time by another process, whose CPU is not counted. The floor is PyAV decoding the same bytes.
"""

import asyncio
import json
import multiprocessing
import time
from multiprocessing.connection import Connection

import av

from bench.daemon import daemon

SETTLE_S = 8.0
MEASURE_S = 30.0


def main() -> None:
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    radio = context.Process(target=_radio, args=(there,))
    radio.start()
    url, data = here.recv()
    with daemon("--source", url, "--station", "bench", "--hop", "1.0") as running:
        running.message("genre")
        time.sleep(SETTLE_S)
        started, before = time.perf_counter(), running.cpu_s()
        time.sleep(MEASURE_S)
        core = (running.cpu_s() - before) / (time.perf_counter() - started)
        while (heartbeat := running.message("heartbeat"))["uptime"] < MEASURE_S:
            pass  # those of before are still in the socket
    here.send(None)
    radio.join()
    floor = _decode_share(data)
    print(
        json.dumps(
            {
                "bench": "idle",
                "what": "share of a core for one live MP3 station at a 1 s hop",
                "core": round(core, 4),
                "decode_floor": round(floor, 4),
                "rss_mb": heartbeat["rss_mb"],
                "lag_ms_p99": heartbeat["lag_ms_p99"],
                "seconds": MEASURE_S,
            }
        )
    )


def _decode_share(data: bytes) -> float:
    """Give the CPU seconds for a second of the same MP3, decoded and thrown away."""
    decoder = av.CodecContext.create("mp3", "r")
    started, samples, rate = time.process_time(), 0, 1
    for packet in decoder.parse(data):
        for frame in decoder.decode(packet):
            samples, rate = samples + frame.samples, frame.sample_rate
    return (time.process_time() - started) / (samples / rate)


def _radio(pipe: Connection) -> None:
    from streamer.demo.encode import encode_mp3
    from streamer.demo.programme import PROGRAMME, render
    from streamer.demo.serve import DemoRadio

    data = b"".join(packet.data for packet in encode_mp3(render(PROGRAMME, 1)))

    async def serve() -> None:
        async with DemoRadio() as radio:
            pipe.send((radio.url, data))
            await asyncio.to_thread(pipe.recv)

    asyncio.run(serve())


if __name__ == "__main__":
    main()
