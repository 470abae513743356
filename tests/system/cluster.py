"""What stations on three nodes bear: nodes, head and gateway are killed, one is drained, the key refused.

    python -m tests.system.cluster --stations 200 --per-shard 20

prints one JSON object; the test does the same with fewer stations.
"""

import argparse
import itertools
import json
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench import content
from streamer.publish.messages import seconds
from tests.system.on_ray import NODES, OnRay, on_ray
from tests.system.running import Message, listen_for

HEAD_AWAY_S = 5.0
Figures = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.system.cluster", description=__doc__)
    parser.add_argument("--stations", type=int, default=200, metavar="N")
    parser.add_argument("--per-shard", type=int, default=20, metavar="N")
    parser.add_argument("--hop", type=float, default=1.0, metavar="S")
    parser.add_argument("--quiet-s", type=float, default=10.0, metavar="S", help="between two troubles")
    options = parser.parse_args()
    with TemporaryDirectory() as folder:
        figures = troubles(
            Path(folder),
            options.stations,
            per_shard=options.per_shard,
            hop=options.hop,
            quiet_s=options.quiet_s,
            embedded=True,
        )
    print(json.dumps(figures))


def troubles(
    folder: Path, stations: int, *, per_shard: int, hop: float, quiet_s: float, embedded: bool = False
) -> Figures:
    """Go through all of it; give what was seen of each."""
    ids = {f"s{number}" for number in range(stations)}
    content.make(folder, content.DEFAULT)
    with on_ray(folder, folder, stations, per_shard=per_shard, hop=hop, embedded=embedded) as on:
        began = time.monotonic()
        on.up()
        up_s = _until_heard(on, ids) - began
        listen_for(on.heard, quiet_s)
        figures = {
            "stations": stations,
            "up_s": round(up_s, 1),
            "actors_killed": _actors_are_killed(on, ids, quiet_s),
            "node_killed": _a_node_is_killed(on, ids, quiet_s),
            "head_killed": _the_head_is_killed(on, ids, quiet_s),
            "gateway_killed": _the_gateway_is_killed(on, ids),
            "drained": _a_node_is_drained(on, ids, quiet_s),
        }
        everything = list(on.heard.messages)
        figures["key_refused"] = _the_key_is_refused(on, ids)
        on.down()
        listen_for(on.heard, 1.0)
    last = {m["station"]: m["event"] for m in on.heard.messages if m["kind"] == "status"}
    return figures | {
        "messages": len(everything),
        "longest_hop_s": max(m["hop"] for m in everything if m["kind"] == "genre"),
        "twice_or_out_of_order": _twice_or_out_of_order(everything),
        "stopped_at_the_end": sum(event == "stopped" for event in last.values()),
    }


def _actors_are_killed(on: OnRay, ids: set[str], quiet_s: float) -> Figures:
    on.kill_coordinator()
    follows = on.command("status").returncode == 0
    return {"follows_again": follows, **_lost(on, ids, on.kill_a_shard, quiet_s)}


def _a_node_is_killed(on: OnRay, ids: set[str], quiet_s: float) -> Figures:
    def kill() -> set[str]:
        there = on.stations_on(NODES[0])
        on.kill_node(NODES[0])
        return there

    return _lost(on, ids, kill, quiet_s)


def _lost(on: OnRay, ids: set[str], kill: Callable[[], set[str]], quiet_s: float) -> Figures:
    """Kill something, which gives the stations that it had; see how these come back, and that others stay."""
    on.heard.all_there()
    boots = {station: told[-1]["boot"] for station, told in signals(on.heard.messages).items()}
    before = len(on.heard.messages)
    lost = kill()
    killed = time.monotonic()
    back_s = _until_heard(on, lost, boots) - killed
    listen_for(on.heard, quiet_s)
    others = [m for m in on.heard.messages[before:] if m["station"] in ids - lost]
    return {
        "stations_there": len(lost),
        "all_back_s": round(back_s, 1),
        "windows_missed_by_others": missed(others),
        "told_as_dropped": dropped(on.heard.messages) - dropped(on.heard.messages[:before]),
        "others_moved": sum(m["boot"] != boots[m["station"]] for m in others),
    }


def _the_head_is_killed(on: OnRay, ids: set[str], quiet_s: float) -> Figures:
    before = len(on.heard.messages)
    on.kill_head()
    listen_for(on.heard, HEAD_AWAY_S)
    on.start_head()
    follows = on.command("status").returncode == 0
    listen_for(on.heard, quiet_s)
    told = on.heard.messages[before:]
    heard = signals(told)
    return {
        "windows_missed": missed(told),
        "told_as_dropped": dropped(on.heard.messages) - dropped(on.heard.messages[:before]),
        "stations_heard_by_one_engine": sum(len({m["boot"] for m in heard[id]}) == 1 for id in ids),
        "follows_again": follows,
    }


def _the_gateway_is_killed(on: OnRay, ids: set[str]) -> Figures:
    on.gateway.kill()
    missing, states = set(ids), set[str]()
    started = time.monotonic()
    on.gateway.start()

    def is_known(message: Message) -> bool:
        if message["kind"] == "genre":
            missing.discard(message["station"])
            states.add(message["state"])
        return not missing

    with on.gateway.subscriber() as newcomer:  # who was there before takes what is told again for nothing new
        newcomer.until(is_known, 30)
    took = time.monotonic() - started
    return {"all_states_s": round(took, 2), "lost_told": "no-signal" in states}


def _a_node_is_drained(on: OnRay, ids: set[str], quiet_s: float) -> Figures:
    on.add_node(NODES[0])
    rebalanced = on.command("rebalance").returncode == 0
    moved = on.stations_on(NODES[0])
    listen_for(on.heard, quiet_s)
    before = len(on.heard.messages)
    drained = on.command("drain", NODES[0]).returncode == 0
    left = on.stations_on(NODES[0])
    listen_for(on.heard, quiet_s)
    told = on.heard.messages[before:]
    return {
        "rebalanced": rebalanced,
        "stations_there": len(moved),
        "drained": drained and not left,
        "longest_silence_s": round(max(silence_s(signals(told)[id]) for id in ids), 2),
        "told_as_lost": len(
            {m["station"] for m in told if m["kind"] == "genre" and m["state"] == "no-signal"}
        ),
    }


def _the_key_is_refused(on: OnRay, ids: set[str]) -> Figures:
    """Take the shards' key off the gateway's list, see that this is told, and put it back."""
    key = on.gateway.allow_nobody()
    on.heard.event("lost")
    told = [note for note in on.state()["notes"] if key in note]
    on.heard.all_there()
    on.gateway.allow()
    allowed = time.monotonic()
    return {"told": told, "all_back_s": round(_until_heard(on, ids) - allowed, 1)}


def signals(messages: list[Message]) -> dict[str, list[Message]]:
    """Give of each station the messages by which it is heard."""
    found = defaultdict(list)
    for message in messages:
        if message["kind"] == "genre" and message["state"] != "no-signal":
            found[message["station"]].append(message)
    return found


def missed(messages: list[Message]) -> int:
    """Count the windows that are missing between those of one engine, at the hop that it tells."""
    return sum(
        max(round((then["position"] - one["position"]) / then["hop"]) - 1, 0)
        for told in signals(messages).values()
        for one, then in itertools.pairwise(told)
        if one["boot"] == then["boot"]
    )


def dropped(messages: list[Message]) -> int:
    """Give how many windows were last told to be dropped: what a machine with too much to do owns up to."""
    return next((int(m["dropped"]) for m in reversed(messages) if m["kind"] == "heartbeat"), 0)


def silence_s(told: list[Message]) -> float:
    """Give the seconds for which a station's windows are missing beyond its hop, at the worst place."""
    times = [(seconds(message["time"]), message["hop"]) for message in told]
    return max((then - one - hop for (one, _), (then, hop) in itertools.pairwise(times)), default=0.0)


def _twice_or_out_of_order(messages: list[Message]) -> int:
    last: dict[tuple[str, str, str], int] = {}
    count = 0
    for message in messages:
        key = message["kind"], message["station"], message["boot"]
        count += message["seq"] <= last.get(key, -1)
        last[key] = message["seq"]
    return count


def _until_heard(on: OnRay, stations: set[str], before: dict[str, str] | None = None) -> float:
    """Give when all of these are heard, by another engine than before."""
    missing, boots = set(stations), before or {}

    def is_heard(message: Message) -> bool:
        station = message["station"]
        if message["kind"] == "genre" and message["state"] != "no-signal":
            missing.difference_update({station} if message["boot"] != boots.get(station) else ())
        return not missing

    if missing:
        on.heard.until(is_heard, 120)
    return time.monotonic()


if __name__ == "__main__":
    main()
