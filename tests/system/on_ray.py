"""Stations on a real Ray cluster behind a real gateway with keys, and what one subscriber hears meanwhile."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import zmq

from bench.ports import free_port
from bench.radio import radio
from bench.ray_nodes import Node, RayNodes
from streamer.publish.keys import ALLOW_FILE, KEY_FILE, allow, make_key
from tests.system.conftest import answers, stop, wait_until
from tests.system.running import ROOT, Heard
from tests.tiny_model import model_bytes

HEAD = "127.0.0.21"
NODES = ("127.0.0.22", "127.0.0.23", "127.0.0.24")


class OnRay:
    """A running cluster.

    Attributes:
        heard: by a subscriber of the gateway.
        nodes: those that may have shards, by address.
    """

    def __init__(
        self,
        ray: RayNodes,
        head: Node,
        redis: str,
        config: Path,
        heard: Heard,
        gateway: "Gateway",
        slots: int,
    ) -> None:
        self.heard, self.gateway = heard, gateway
        self.nodes: dict[str, Node] = {}
        self._ray, self._head, self._redis, self._config, self._slots = ray, head, redis, config, slots

    def command(self, *arguments: str, seconds: float = 150.0) -> "subprocess.CompletedProcess[str]":
        """Run `genrecast cluster` to its end; what is said meanwhile waits in the subscriber's socket."""
        return subprocess.run(
            [sys.executable, "-m", "streamer.cli", "cluster", *arguments, "--address", self._ray.endpoint],
            cwd=ROOT,
            env=self._ray.environment,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )

    def up(self) -> None:
        done = self.command("up", str(self._config))
        assert done.returncode == 0, done.stdout + done.stderr

    def down(self) -> None:
        done = self.command("down")
        assert done.returncode == 0, done.stdout + done.stderr

    def state(self) -> dict[str, Any]:
        done = self.command("status", "--json")
        assert done.stdout, done.stderr
        state: dict[str, Any] = json.loads(done.stdout)
        return state

    def stations_on(self, address: str) -> set[str]:
        state = self.state()
        node = next(node["id"] for node in state["nodes"] if node["address"] == address)
        placed = [one["state"]["stations"] for one in state["placed"] if one["node"] == node and one["state"]]
        return {id for stations in placed for id in stations}

    def kill_coordinator(self) -> None:
        for node in (self._head, *self.nodes.values()):
            for pid in node.processes("ray::Coordinator"):
                os.kill(pid, signal.SIGKILL)

    def kill_a_shard(self) -> set[str]:
        """Give the stations that it had."""
        shard = self.state()["placed"][0]["state"]
        os.kill(shard["pid"], signal.SIGKILL)
        return set(shard["stations"])

    def add_node(self, address: str) -> None:
        resources = json.dumps({"station": self._slots})
        self.nodes[address] = self._ray.node(address, cpus=8, resources=resources)

    def kill_node(self, address: str) -> None:
        self.nodes.pop(address).kill()

    def kill_head(self) -> None:
        self._head.kill()

    def start_head(self) -> None:
        self._head = self._ray.head(HEAD, cpus=0, redis=self._redis)


@contextmanager
def on_ray(
    folder: Path, programme: Path, stations: int, *, per_shard: int, hop: float, embedded: bool = False
) -> Iterator[OnRay]:
    """Have so many stations play, and a head, three nodes and a gateway; nothing is up yet."""
    (folder / "tiny.onnx").write_bytes(model_bytes())
    with ExitStack() as stack:
        play = stack.enter_context(radio(programme, stations))
        redis = stack.enter_context(_redis(folder))
        inlet = f"tcp://127.0.0.1:{free_port()}"
        gateway = Gateway(folder, inlet)
        stack.callback(gateway.kill)
        heard = stack.enter_context(gateway.subscriber())
        ray = stack.enter_context(RayNodes())
        head = ray.head(HEAD, cpus=0, redis=redis)
        model = "" if embedded else "model = 'tiny.onnx'\n"
        lines = "".join(f"[[station]]\nid = 's{n}'\nsource = '{play.url(n)}'\n" for n in range(stations))
        config = folder / "cluster.toml"
        config.write_text(
            f"gateways = ['{inlet}']\nhop = {hop}\n{model}[cluster]\nper_shard = {per_shard}\n"
            f"[security]\nkey = '{folder}/{KEY_FILE}'\ngateway_key = '{gateway.key}'\n{lines}"
        )
        running = OnRay(ray, head, redis, config, heard, gateway, 2 * stations)
        for address in NODES:
            running.add_node(address)
        yield running


class Gateway:
    """A gateway that may be killed and started again, and lets in who has the key in the folder.

    Attributes:
        key: its own public one.
    """

    def __init__(self, folder: Path, inlet: str) -> None:
        self._outlet, self._config = f"ipc://{folder}/gateway", folder / "gateway.toml"
        self._own, self._list = make_key(folder), folder / "inlet" / ALLOW_FILE
        self.key = make_key(folder / "inlet").public.hex()
        self._config.write_text(
            f"bind = '{self._outlet}'\n[gateway]\naccept = '{inlet}'\n"
            f"server_key = 'inlet/{KEY_FILE}'\nallow = 'inlet/{ALLOW_FILE}'\n"
        )
        self.allow()
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "streamer.cli", "gateway", "--config", str(self._config)]
        self.process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL, text=True)

    def allow(self) -> None:
        allow(self._list, self._own.public, "shards")

    def allow_nobody(self) -> str:
        """Give the key that is refused now."""
        self._list.write_text("")
        return self._own.public.hex()

    def kill(self) -> None:
        stop(self.process)

    @contextmanager
    def subscriber(self) -> Iterator[Heard]:
        """Subscribe to everything."""
        with zmq.Context() as context, context.socket(zmq.SUB) as socket:
            socket.setsockopt(zmq.RCVHWM, 0)
            socket.subscribe("")
            socket.connect(self._outlet)
            yield Heard(socket, self.process)


@contextmanager
def _redis(folder: Path) -> Iterator[str]:
    port = free_port()
    process = subprocess.Popen(
        ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: answers(port), "redis-server", process)
        yield f"127.0.0.1:{port}"
    finally:
        stop(process)
