"""Stations that nobody listens to, on a real bus: `python -m tests.page.on_air ENDPOINT COUNT`.

They change as stations do, every few minutes; one in twenty is in trouble, and some have hostile titles.
The same seed gives the same programme. With FIRST and GATEWAY, too, they are those of one of many daemons
behind a gateway, and are numbered from FIRST on.
"""

import asyncio
import random
import signal
import sys
import time

import numpy as np

from streamer.flow import TrackVerdict
from streamer.publish.bus import Bus
from streamer.publish.messages import Genre, Heartbeat, Mel, WindowOnly, new_boot, utc
from streamer.publish.reporter import Reporter

LABELS = (
    "blues", "classical", "country", "disco", "electronic", "folk", "hiphop",
    "jazz", "metal", "noise", "pop", "reggae", "rock", "speech",
)  # fmt: skip
HOSTILE = (
    "<img src=x onerror=document.title='owned'>",
    "<script>document.title='owned'</script>",
    "\"><svg onload=document.title='owned'>",
    "javascript:document.title='owned'",
    "\u202eesrever \x07\x1b[31m & &amp; \u2028 event: all",
)
TITLES = (
    None,
    "Art Pepper - Why Are We Afraid",
    "Nina Simone - Sinnerman",
    "Amélie Vasseur - Les Heures",
    "大貫妙子 - 都会",
    "The Very Long Name Orchestra - Variations on a Theme That Does Not End Before the Line, Op. 12",
    "Sleater-Kinney - Jumpers",
    "Burning Spear - Marcus Garvey",
    "Glenn Gould - Goldberg Variations: Aria",
)


class Station:
    """One, which changes by itself."""

    def __init__(self, bus: Bus, number: int, boot: str) -> None:
        self.id = f"station-{number:04}"
        self.dice = random.Random(number)
        self.reporter = Reporter(bus, self.id, boot, LABELS)
        self.bus, self.boot = bus, boot
        self.seq, self.left = 0, 0
        self.since = time.time() - self.dice.uniform(0, 600)

    def begin(self) -> None:
        self.state = self.dice.choices(
            ("music", "speech", "noise", "silence", "unsure", "no-signal"), (80, 8, 1, 3, 4, 4)
        )[0]
        self.label = self.dice.choice([label for label in LABELS if label not in ("speech", "noise")])
        self.title = self.dice.choice(HOSTILE if self.dice.random() < 0.05 else TITLES)
        self.left = self.dice.randint(20, 300)
        now = time.time()
        if self.state == "no-signal":
            lost = {"reason": "source-connection", "detail": "the server reset the connection"}
            self.reporter.status("lost", now=now, **lost)
            self.reporter.status("retrying", now=now, retry_in_s=8.0, **lost)
            self.title = None
        else:
            self.reporter.status("connected", now=now)

    def tell(self, now: float) -> None:
        if self.left == 0:
            if self.seq:
                self.since = now
                if self.state == "music":
                    verdict = TrackVerdict(
                        self.title, 0.0, 180.0, self.label, 0.8, None, {"music": 0.9, "speech": 0.1}, 180
                    )
                    self.reporter.track(verdict, start=now - 180, end=now)
            self.begin()
        self.left -= 1
        leading = self.state if self.state in ("speech", "noise") else self.label
        confidence = self.dice.uniform(0.25, 0.4) if self.state == "unsure" else self.dice.uniform(0.6, 0.98)
        rest = (1 - confidence) / (len(LABELS) - 1)
        measured = self.state in ("silence", "no-signal")
        chances = {label: round(confidence if label == leading else rest, 4) for label in LABELS}
        self.bus.send(
            Genre(
                station=self.id, seq=self.seq, boot=self.boot, time=utc(now), state=self.state,
                genre=self.label if self.state == "music" else None,
                confidence=1.0 if measured else round(confidence, 4), since=utc(self.since),
                **({} if measured else {"probabilities": chances}),
                window=None if measured else WindowOnly(label=leading, confidence=round(confidence, 4)),
                level_dbfs=None if measured else round(self.dice.uniform(-30, -8), 1),
                position=float(self.seq), gap=False, lag_ms=40.0, hop=1.0, title=self.title,
            )
        )  # fmt: skip
        self.seq += 1

    def picture(self, now: float) -> None:
        bands, time_s = np.arange(96), now + np.arange(10)[:, None] / 10
        levels = 190 - bands + 50 * np.sin(bands / 5 + 3 * time_s) + 15 * np.sin(40 * time_s + bands)
        self.bus.send(
            Mel(
                station=self.id, seq=self.seq, boot=self.boot, time=utc(now),
                position=float(self.seq), seconds=1.0, columns=10, bands=96, floor_db=-60.0, step_db=0.25,
                data=np.clip(levels, 0, 255).astype(np.uint8).tobytes(),
            )
        )  # fmt: skip


async def main(endpoint: str, count: int, first: int = 0, *gateways: str) -> None:
    bus, boot = Bus(endpoint, gateways=gateways), new_boot()
    bus.start()
    stations = [Station(bus, number, boot) for number in range(first, first + count)]
    print(bus.endpoint, flush=True)
    asked = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, asked.set)
    beat, due = 0, time.monotonic()
    while not asked.is_set():
        # A tenth of the stations each tenth of a second, as in a worker with many.
        for tenth in range(10):
            now = time.time()
            for station in stations[tenth::10]:
                station.tell(now)
                if station.id in bus.demand:
                    station.picture(now)
            due = max(due + 0.1, time.monotonic())
            await asyncio.sleep(due - time.monotonic())
        if beat % 5 == 0:
            bus.send(
                Heartbeat(
                    station="-", seq=beat // 5, boot=boot, time=utc(time.time()), version="0.4.0",
                    model="default", provider="cpu", uptime=float(beat), stations={"music": count},
                    cpu=0.42, rss_mb=180.0, lag_ms_p50=40.0, lag_ms_p99=130.0, windows=beat * count,
                    dropped=0, hop_stretch=1.0, workers=2, restarts=0, attendants={},
                    cpu_by_stage={},
                )
            )  # fmt: skip
        beat += 1
    bus.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], *map(int, sys.argv[2:4]), *sys.argv[4:]))
