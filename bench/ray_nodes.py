"""A Ray cluster on one machine: nodes as processes, each with an address of its own on loopback."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from bench.daemon import command_of, tree
from bench.ports import free_port

STARTS_S = 60.0
QUICKLY = {
    "RAY_health_check_period_ms": "1000",  # a node that was killed is missed within seconds
    "RAY_health_check_timeout_ms": "1000",
    "RAY_health_check_failure_threshold": "3",
    "RAY_gcs_rpc_server_reconnect_timeout_s": "120",  # nodes outlive a head that is away for so long
    "RAY_AUTH_MODE": "disabled",  # loopback only
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
}
ROOT = Path(__file__).parents[1]


class Node:
    """One node, from its start to its end.

    Attributes:
        address: by which the others know it.
    """

    def __init__(self, address: str, process: "subprocess.Popen[bytes]") -> None:
        self.address, self._process = address, process

    def processes(self, title: str = "") -> list[int]:
        """Give the ids of its processes, or of those whose title begins so, as `ray::MapWorker`."""
        _, *found = tree(self._process.pid)
        return [pid for pid in found if command_of(pid).startswith(title)]

    def kill(self) -> None:
        """End all its processes at once."""
        for pid in [self._process.pid, *self.processes()]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait()


class RayNodes:
    """The nodes of a cluster; all are killed at the end.

    Attributes:
        environment: of the nodes, and what drivers need.
    """

    def __init__(self) -> None:
        self.environment = {**os.environ, **QUICKLY, "PYTHONPATH": str(ROOT)}
        self.nodes: list[Node] = []
        self._folder = Path(tempfile.mkdtemp(prefix="ray-"))  # short: sockets lie below it
        self._endpoint = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for node in reversed(self.nodes):
            node.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def endpoint(self) -> str:
        """The address that drivers connect to."""
        return self._endpoint

    def head(
        self,
        address: str,
        *,
        cpus: int,
        resources: str = "{}",
        redis: str = "",
        cores: set[int] | None = None,
    ) -> Node:
        """Start the first node; once more, and it has the endpoint that it had.

        Args:
            address: of it.
            cpus: how many it offers.
            resources: that it offers, as JSON.
            redis: where its state outlives it.
            cores: those that its processes are kept to.
        """
        self._endpoint = self._endpoint or f"{address}:{free_port(address)}"
        if redis:
            self.environment["RAY_REDIS_ADDRESS"] = redis
        port = self._endpoint.rpartition(":")[2]
        options = [f"--port={port}", f"--ray-client-server-port={free_port(address)}", "--head"]
        folder = tempfile.mkdtemp(prefix="h", dir=self._folder)
        options += ["--include-dashboard=false", f"--temp-dir={folder}"]
        return self._start(address, cpus, resources, cores, *options)

    def node(self, address: str, *, cpus: int, resources: str = "{}", cores: set[int] | None = None) -> Node:
        """Start a further node."""
        return self._start(address, cpus, resources, cores, f"--address={self._endpoint}")

    def _start(self, address: str, cpus: int, resources: str, cores: set[int] | None, *options: str) -> Node:
        log = self._folder / f"{address}.log"
        with log.open("wb") as file:
            process = subprocess.Popen(
                [
                    *("setpriv", "--pdeathsig", "TERM"),  # so that it doesn't outlive us
                    *(("taskset", "--cpu-list", ",".join(map(str, cores))) if cores else ()),
                    *(str(Path(sys.executable).with_name("ray")), "start", "--block", *options),
                    *(f"--node-ip-address={address}", f"--num-cpus={cpus}", f"--resources={resources}"),
                    *("--object-store-memory=100000000", "--disable-usage-stats"),
                ],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                start_new_session=True,
            )
        node = Node(address, process)
        self.nodes.append(node)
        deadline = time.monotonic() + STARTS_S
        while "Ray runtime started" not in (said := log.read_text(errors="replace")):
            if process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"{address} did not start: {said[-2000:]}")
            time.sleep(0.05)
        return node
