"""What becomes of a running daemon when its configuration is read again."""

from typing import Any

import msgspec

from streamer.attend import ROOMS
from streamer.config import Config, StationConfig
from streamer.engine.launch import with_stations
from streamer.engine.wire import Failure

FOLLOWED = frozenset({"station", "duty", "workers", "gateways", "gateway", "cluster", *ROOMS})
"""What can change while it runs. All else is what workers and the socket were made with."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How to get from one configuration to the next.

    Attributes:
        config: the next one, as far as it can be followed.
        added: stations that are new.
        changed: stations with other lines than before.
        removed: ids of stations that are no more.
        attendants: that begin, end, or begin anew.
        gateways: that are sent to from now on, or no more.
        restart: what is otherwise and needs the daemon to be started again.
    """

    config: Config
    added: tuple[StationConfig, ...]
    changed: tuple[StationConfig, ...]
    removed: tuple[str, ...]
    attendants: tuple[str, ...]
    gateways: tuple[str, ...]
    restart: tuple[str, ...]


class Reloaded(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to whoever asked: names as in `Plan`, or the error by which all stays as it was."""

    added: list[str] = []
    changed: list[str] = []
    removed: list[str] = []
    attendants: list[str] = []
    gateways: list[str] = []
    restart: list[str] = []
    error: Failure | None = None

    def lines(self) -> list[str]:
        """Give it in words."""
        said = {
            "added": self.added,
            "changed": self.changed,
            "removed": self.removed,
            "attendants begun, ended or begun anew": self.attendants,
            "gateways joined or left": self.gateways,
            "needs a restart": self.restart,
        }
        return [f"{what}: {', '.join(names)}" for what, names in said.items() if names] or ["nothing is new"]


def plan(now: Config, then: Config) -> Plan:
    """Compare what runs with what has been read.

    Args:
        now: as it is followed.
        then: as it was read, checked.
    """
    old = {station.id: station for station in _with_duty(now)}
    new = {station.id: station for station in _with_duty(then)}
    others = [station for id, station in new.items() if old.get(id) != station]
    # Standard input is handed to a process at its start.
    late = {station.id for station in others if station.source.lower().startswith("stdin:")}
    for id in late:
        if id in old:
            new[id] = old[id]
        else:
            del new[id]
    fixed = {key: value for key, value in _fields(now).items() if key not in FOLLOWED}
    config = msgspec.structs.replace(with_stations(then, tuple(new.values())), **fixed)
    return Plan(
        config=config,
        added=tuple(station for station in others if station.id not in old and station.id not in late),
        changed=tuple(station for station in others if station.id in old and station.id not in late),
        removed=tuple(id for id in old if id not in new),
        attendants=tuple(name for name in ROOMS if _fields(now).get(name) != _fields(then).get(name)),
        gateways=tuple(sorted({*now.gateways} ^ {*then.gateways})),
        restart=(
            *(key for key in fixed if fixed[key] != getattr(then, key)),
            *(f"station {id} (standard input)" for id in sorted(late)),
        ),
    )


def answer(plan: Plan) -> Reloaded:
    """Give what is told of a plan that was followed."""
    return Reloaded(
        added=[station.id for station in plan.added],
        changed=[station.id for station in plan.changed],
        removed=list(plan.removed),
        attendants=list(plan.attendants),
        gateways=list(plan.gateways),
        restart=list(plan.restart),
    )


def _with_duty(config: Config) -> tuple[StationConfig, ...]:
    """Give the stations, each with the duty that is its own: the one for all may change too."""
    return tuple(
        msgspec.structs.replace(station, duty=config.duty if station.duty is None else station.duty)
        for station in config.station
    )


def _fields(config: Config) -> dict[str, Any]:
    return {key: getattr(config, key) for key in config.__struct_fields__}
