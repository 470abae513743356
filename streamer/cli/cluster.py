"""`genrecast cluster`: stations on all machines of a Ray cluster."""

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from streamer import log
from streamer.errors import ClusterError
from streamer.text import json_line

if TYPE_CHECKING:
    from streamer.cluster.client import Cluster
    from streamer.cluster.state import ClusterState

PATIENCE_S = 30.0  # with a cluster in which nothing moves any more
GOES_ON = "it goes on by itself; 'genrecast cluster status' says how far it is"

_address = click.option(
    "--address",
    default="auto",
    show_default=True,
    help="The head: HOST:PORT from a machine that is a node, ray://HOST:10001 from elsewhere.",
)


@click.group("cluster")
def command() -> None:
    """Run the stations of a configuration on all machines of a running Ray cluster."""
    log.setup(logging.WARNING)


@command.command("up")
@click.argument("file", type=click.Path(path_type=Path))
@_address
@click.option("--wait/--no-wait", default=True, help="Wait until all stations are listened to.  [wait]")
def up(file: Path, address: str, wait: bool) -> None:
    """Have the cluster listen to what FILE says, and follow it where it was changed.

    Stations that are in both are not touched; what must move is listened to at its new place first.
    """
    from streamer.check.load import load_config
    from streamer.cluster.desired import rules

    config = load_config(file, also=rules)
    with _cluster(address) as cluster:
        from streamer.cluster.view import is_complete, summary

        if not cluster.bring(config):
            click.echo("nothing is new")
        if wait:
            click.echo(summary(_settled(cluster, is_complete)))


@command.command("status")
@_address
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def status(address: str, as_json: bool) -> None:
    """Say where the stations are, and what stands in the way; exit status 1 where something does."""
    import msgspec

    with _cluster(address) as cluster:
        from streamer.cluster.view import is_complete, table

        state = cluster.state()
        click.echo(json_line(msgspec.to_builtins(state)) if as_json else table(state))
        sys.exit(0 if is_complete(state) else 1)


@command.command("rebalance")
@_address
def rebalance(address: str) -> None:
    """Have all nodes be as full as each other, as after a node has come; no station is lost meanwhile."""
    with _cluster(address) as cluster:
        from streamer.cluster.view import is_complete, summary

        moves = cluster.rebalance()
        click.echo(f"{moves} shard(s) move")
        if moves:
            click.echo(summary(_settled(cluster, is_complete)))


@command.command("drain")
@click.argument("node")
@_address
@click.option("--undo", is_flag=True, help="Let it have shards again.")
def drain(node: str, address: str, undo: bool) -> None:
    """Move everything off NODE (its address, or the beginning of its id), so that it can be shut down."""
    with _cluster(address) as cluster:
        from streamer.cluster.view import is_empty

        found = cluster.drain(node, undo=undo)
        if undo:
            click.echo(f"{found.address} may have shards again; 'genrecast cluster rebalance' gives it some")
            return
        _settled(cluster, lambda state: is_empty(state, found.id))
        click.echo(f"{found.address} has no shards any more")


@command.command("down")
@_address
def down(address: str) -> None:
    """End all of it: every station tells its end."""
    with _cluster(address) as cluster:
        click.echo(f"{cluster.end()} shard(s) ended")


@contextmanager
def _cluster(address: str) -> "Iterator[Cluster]":
    from streamer.on_ray import connected, load, reason

    ray = load("genrecast cluster")
    from streamer.cluster.client import Cluster
    from streamer.cluster.fleet import NAMESPACE

    try:
        with connected(address, namespace=NAMESPACE):
            yield Cluster()
    except (ray.exceptions.RayError, ConnectionError) as error:
        raise ClusterError(
            f"the head gives no answer: {reason(error)}", remedy="stations go on; try again"
        ) from error


def _settled(cluster: "Cluster", settled: "Callable[[ClusterState], bool]") -> "ClusterState":
    """Show how it goes until it is settled; exit where it isn't, or nobody wants to wait."""
    from streamer.cluster.view import summary

    said = ""
    try:
        for state in cluster.watch(PATIENCE_S, settled):
            if sys.stderr.isatty() and (line := summary(state)) != said:
                click.echo(line, err=True)
                said = line
    except KeyboardInterrupt:
        click.echo(GOES_ON, err=True)
        sys.exit(130)
    if not settled(state):
        for line in (summary(state), *state.notes, GOES_ON):
            click.echo(line, err=True)
        sys.exit(1)
    return state
