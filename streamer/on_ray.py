"""A connection with a Ray cluster, for all that use one: quick to say that none is there, and quiet."""

import contextlib
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from streamer.errors import ClusterError, MissingExtraError

# What Ray's own parts write to the user's terminal by themselves; what is worth saying, we say.
QUIET = {
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_BACKEND_LOG_LEVEL": "fatal",
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".*",
}
KNOCK_S = 5.0  # Ray itself tries for two minutes, and can't be interrupted
LOOK_S = 1.0  # from one look at the head and at our own node to the next
AWAY_S = 45.0  # the longest that a head is waited for: a minute after its last word Ray ends its processes
START = (
    "start one with 'ray start --head', and 'ray start --address HOST:PORT' on other machines; name it with "
    "--address HOST:PORT from one of them, or ray://HOST:10001 from elsewhere; set RAY_AUTH_MODE=token where "
    "it has a token"
)
OTHER = "Version mismatch"  # how Ray begins to say so
SAME = "have the same Ray and the same Python here and on all of its machines"

log = logging.getLogger(__name__)


def load(what: str, environment: Mapping[str, str] = MappingProxyType({})) -> Any:
    """Give the module `ray`.

    Args:
        what: needs it, as a sentence begins.
        environment: what parts of it shall read at their import, too.

    Raises:
        MissingExtraError: it isn't installed.
    """
    os.environ.update({**QUIET, **environment, **os.environ})  # read at its import
    try:
        import ray
    except ImportError as error:
        raise MissingExtraError(what, "cluster") from error
    return ray


@contextlib.contextmanager
def connected(address: str | None, *, remedy: str = START, **options: Any) -> Iterator[Any]:
    """Connect with a cluster; gives the module `ray`.

    Args:
        address: of its head, `HOST:PORT` from a machine that is a node, `ray://HOST:10001` from elsewhere;
            `local` for one of this process's own; None or `auto` for what `RAY_ADDRESS` says, or else the
            one that this machine belongs to.
        remedy: where nobody answers.
        options: more of `ray.init`.

    Raises:
        MissingExtraError: Ray isn't installed.
        ClusterError: nobody answers there.
    """
    ray = load("a Ray cluster")
    where = address if address not in (None, "auto") else os.environ.get("RAY_ADDRESS") or "auto"
    terminated = signal.getsignal(signal.SIGTERM)
    try:
        _knock(where)
        with _without_stderr():
            ray.init(where, log_to_driver=False, logging_level=logging.CRITICAL, **options)
    except (OSError, OverflowError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        if OTHER in str(error):
            raise ClusterError(
                f"the Ray cluster at '{where}' is of another version: {reason(error)}", remedy=SAME
            ) from error
        raise ClusterError(f"no Ray cluster answers at '{where}': {reason(error)}", remedy=remedy) from error
    logging.getLogger("ray").setLevel(logging.ERROR)
    with _ending_by(terminated):
        try:
            yield ray
        finally:
            ray.shutdown()


@contextlib.contextmanager
def watched(ray: Any, cut_off: Callable[[ClusterError], None]) -> Iterator[None]:
    """Look whether the cluster is there as long as something waits for answers of it.

    Where our own node is lost, as it is when the head was killed on this machine, Ray's libraries wait for
    ever, or it ends the process without a word; where the head stays away it does so after a minute.

    Args:
        ray: connected.
        cut_off: is called from a thread when no answer will come; it should end the process, since what
            waits may not give up.
    """
    over = threading.Event()

    def watch() -> None:
        if (why := _lost(ray, over)) is not None:
            cut_off(ClusterError(why, remedy="the same command goes on from here, once a cluster is there"))

    if not ray.util.client.ray.is_connected():  # a client of a cluster looks by itself
        threading.Thread(target=watch, daemon=True).start()
    try:
        yield
    finally:
        over.set()


def reason(error: Exception) -> str:
    """Give in one line why something failed: what an actor raised comes with its traceback, which ends so."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    raised = (
        any(line.lstrip().startswith("Traceback ") for line in lines) or " in its creation task" in lines[0]
    )
    if lines[0].endswith(":") and not raised:
        return " ".join(line.strip() for line in lines)
    return lines[-1 if raised else 0].strip()


def _lost(ray: Any, over: threading.Event) -> str | None:
    """Give what is lost, as soon as something is; None when it is over."""
    about = ray.get_runtime_context()
    head, id = about.gcs_address, about.get_node_id()
    (node,) = (each for each in ray.nodes() if each["NodeID"] == id)
    raylet = f"{node['NodeManagerAddress']}:{node['NodeManagerPort']}"
    heard, told = time.monotonic(), False
    while not over.wait(LOOK_S):
        if not _answers(raylet):
            return f"the Ray node that this command runs on, {raylet}, is lost"
        now = time.monotonic()
        if _answers(head):
            heard, told = now, False
        elif now - heard > AWAY_S:
            return f"the head of the cluster, {head}, has been away for {AWAY_S:g} s"
        elif not told:
            log.warning("the head of the cluster, %s, gives no answer", head)
            told = True
    return None


def _answers(address: str) -> bool:
    try:
        _knock(address)
    except OSError:
        return False
    return True


def _knock(address: str) -> None:
    """See whether anything listens there.

    Raises:
        OSError: nothing does.
        OverflowError: that is no port.
    """
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), KNOCK_S).close()


@contextlib.contextmanager
def _ending_by(handler: Any) -> Iterator[None]:
    """Have SIGTERM end the process as `handler` has it, by whatever `signal.signal` takes.

    Ray's own handler would have its C++ dump its stack. And while Ray waits for something, it makes status 1
    of any with which a handler exits.
    """
    exits = list[SystemExit]()

    def terminated(*about: Any) -> None:
        try:
            handler(*about)
        except SystemExit as error:
            exits.append(error)
            raise

    signal.signal(signal.SIGTERM, terminated if callable(handler) else handler)
    try:
        yield
    except SystemExit as error:
        raise exits[0] if exits else error from None
    finally:
        signal.signal(signal.SIGTERM, handler)


@contextlib.contextmanager
def _without_stderr() -> Iterator[None]:
    """Throw away what is written to the descriptor: Ray's own greeting is from below Python."""
    kept, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nothing)
