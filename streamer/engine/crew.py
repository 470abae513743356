"""All workers of a daemon, and which station is whose."""

import asyncio
from collections import defaultdict
from collections.abc import Callable

from streamer.config import Config, StationConfig
from streamer.engine.launch import Launch, deal, with_stations, worker_count
from streamer.engine.member import Member
from streamer.engine.reload import Plan
from streamer.engine.stand_in import StandIn
from streamer.engine.wire import FromWorker, Pulse
from streamer.publish.reporter import Memory

# Asked to end, everything is done within a second: half of it for the workers, the rest for the
# socket to send what is left.
CLOSE_S = 0.6


class Crew:
    """The workers, from their first processes to their end.

    Args:
        launches: the first processes, each with its share of the configuration.
        boot: id of this run of the daemon.
        hear: takes what they say.
        stand_in: speaks for stations that none of them listens to.
    """

    def __init__(
        self,
        launches: list[tuple[Config, Launch]],
        boot: str,
        *,
        hear: Callable[[Member, FromWorker], None],
        stand_in: StandIn,
    ) -> None:
        self.members: list[Member] = []
        self._boot, self._hear, self._stand_in = boot, hear, stand_in
        self._runs: list[asyncio.Task[None]] = []
        self._factor: float | None = None
        self._watched: frozenset[str] = frozenset()
        for config, launch in launches:
            self._start(config, launch, {})

    @property
    def pulses(self) -> list[Pulse]:
        """The last pulse of each that has one."""
        return [member.pulse for member in self.members if member.pulse is not None]

    @property
    def stations(self) -> int:
        """How many stations are listened to, or will be in a moment."""
        return sum(len(member.stations) for member in self.members)

    async def ready(self) -> list[FromWorker | None]:
        """Wait for the first word of each."""
        return await asyncio.gather(*(member.ready for member in self.members))

    async def over(self) -> None:
        """Wait until none is left."""
        while running := [run for run in self._runs if not run.done()]:
            await asyncio.wait(running, return_when=asyncio.FIRST_EXCEPTION)
            for run in self._runs:
                if run.done():
                    run.result()  # raises what went wrong in it

    def stretch(self, factor: float) -> None:
        """Begin, or go on, with hops so many times longer than asked for."""
        self._factor = factor
        for member in self.members:
            member.stretch(factor)

    def watch(self, stations: frozenset[str]) -> None:
        """Have `mel` messages made of these stations and of no others."""
        self._watched = stations
        for member in self.members:
            member.watch(stations)

    def follow(self, plan: Plan) -> None:
        """Have stations come, go and change; none is moved, and new workers start where they pay."""
        homes = {id: member for member in self.members for id in (*member.stations, *member.leaving)}
        remove, put = defaultdict[Member, list[str]](list), defaultdict[Member, list[StationConfig]](list)
        for id in plan.removed:
            if id in homes:
                remove[homes[id]].append(id)
            else:  # it has ended, or is left alone
                self._stand_in.removed(id)
        homeless = []
        for station in (*plan.changed, *plan.added):
            if station.id in homes:
                put[homes[station.id]].append(station)
            else:
                homeless.append(station)
        here = [member for member in self.members if member.stations]
        loads = [len(member.stations) - len(remove[member]) for member in here]
        hands = deal(homeless, loads, worker_count(plan.config))
        for member, hand in zip(here, hands, strict=False):
            member.alter(remove[member], put[member] + hand, self._memories(hand))
        for hand in hands[len(here) :]:
            config = with_stations(plan.config, tuple(hand))
            self._start(config, Launch(config), self._memories(hand))

    async def end(self) -> None:
        """Have each station tell its end, and every process end."""
        for member in self.members:
            member.stop()
        if self._runs:
            await asyncio.wait(self._runs, timeout=CLOSE_S)
        for run in self._runs:
            run.cancel()
        for member in self.members:
            member.kill()

    def _memories(self, stations: list[StationConfig]) -> dict[str, Memory]:
        return {station.id: self._stand_in.memory(station.id) for station in stations}

    def _start(self, config: Config, launch: Launch, memories: dict[str, Memory]) -> None:
        member = Member(
            config,
            self._boot,
            launch,
            hear=self._hear,
            lost=self._stand_in.lost,
            quarantined=self._stand_in.quarantined,
            left=self._stand_in.removed,
            memories=memories,
        )
        member.watch(self._watched)
        if self._factor is not None:
            member.stretch(self._factor)
        self.members.append(member)
        self._runs.append(asyncio.create_task(member.run()))
