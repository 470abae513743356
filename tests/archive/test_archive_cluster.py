"""`genrecast classify --out --cluster`: two nodes, any of whose processes may die (docs/operations.md)."""

import os
import signal
import time

import pytest

from bench.ports import free_port
from bench.ray_nodes import RayNodes
from tests.archive.conftest import assert_each_once, begun, enlarge, rows, tables

pytestmark = [pytest.mark.slow, pytest.mark.system, pytest.mark.timeout(300)]

HEAD, NODE = "127.0.0.61", "127.0.0.62"
WORKER = "ray::MapWorker"


@pytest.fixture(scope="module")
def nodes():
    with RayNodes() as nodes:
        nodes.head(HEAD, cpus=1)
        nodes.node(NODE, cpus=1)
        yield nodes


@pytest.fixture
def running(nodes, tiny, archive, tmp_path, song):
    """Give a run over 300 files that has done some parts, and not all."""
    enlarge(archive, song)
    words = ("--cluster", "--address", nodes.endpoint)
    with begun(archive, tmp_path / "out", tiny, *words, env=nodes.environment) as process:
        yield process, archive, tmp_path / "out"


@pytest.fixture
def tag(genrecast, tiny, nodes):
    """Give a function that tags what is named, and gives the exit status and what was said."""

    def run(*args):
        done = genrecast("classify", "--model", tiny, *args, env=nodes.environment)
        assert "Traceback" not in done.stderr
        return done.returncode, done.stderr

    return run


def test_a_cluster_says_the_same_as_one_machine_to_the_byte(tag, nodes, archive, tmp_path):
    tag(archive, "--out", tmp_path / "local")

    status, said = tag(archive, "--out", tmp_path / "cluster", "--cluster", "--address", nodes.endpoint)

    assert status == 0
    assert "36 files" in said
    assert all(line.startswith((str(tmp_path), "why they failed")) for line in said.splitlines()), said
    assert tables(tmp_path / "cluster") == tables(tmp_path / "local")


def test_a_cluster_tags_again_as_one_machine_does(tag, nodes, archive, tmp_path, song):
    tag(archive, "--out", tmp_path / "out", "--cluster", "--address", nodes.endpoint)
    (archive / "text.mp3").write_bytes(song)

    again = ("--again", "--cluster", "--address", nodes.endpoint)
    status, said = tag(archive, "--out", tmp_path / "out", *again)
    tag(archive, "--out", tmp_path / "fresh")

    assert status == 0
    assert "of 3 that had failed 1 are tagged now" in said
    assert tables(tmp_path / "out") == tables(tmp_path / "fresh")


def test_a_worker_of_ray_that_is_killed_loses_nothing(running, nodes):
    process, _, out = running

    workers = [pid for node in nodes.nodes for pid in node.processes(WORKER)]
    os.kill(workers[0], signal.SIGKILL)
    said = process.communicate(timeout=120)[1]

    assert process.returncode == 0, said
    assert len(rows(out, "errors")) == 3
    assert_each_once(out, 300)


def test_a_driver_that_is_killed_goes_on_with_the_same_command(running, nodes, tag, tmp_path):
    process, archive, out = running

    process.kill()
    process.wait(10)
    done = {path: path.read_bytes() for path in out.glob("files/*.parquet")}
    assert 2 <= len(done) < 38
    status, said = tag(archive, "--out", out, "--cluster", "--address", nodes.endpoint)

    assert status == 0, said
    assert {path: path.read_bytes() for path in done} == done
    assert_each_once(out, 300)


def test_ctrl_c_says_how_far_it_is(running):
    process, _, _ = running

    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=30)[1]

    assert process.returncode == 130
    assert "the same command goes on" in said
    assert "Traceback" not in said


def test_a_place_that_nodes_do_not_see_is_told(tag, nodes, archive):
    status, said = tag(archive, "--out", "memory://out", "--cluster", "--address", nodes.endpoint)

    assert status == 14
    assert "memory://out" in said


@pytest.mark.parametrize("address", ["nonsense", "127.0.0.63:{free}"])
def test_no_cluster_is_told(tag, archive, tmp_path, address):
    address = address.format(free=free_port("127.0.0.63"))

    status, said = tag(archive, "--out", tmp_path / "out", "--cluster", "--address", address)

    assert status == 14
    assert address in said
    assert "ray start" in said


def test_a_node_that_is_killed_loses_nothing(running, nodes):
    process, _, out = running

    killed = nodes.nodes.pop()
    deadline = time.monotonic() + 30
    while not killed.processes(WORKER):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    killed.kill()
    said = process.communicate(timeout=180)[1]

    assert process.returncode == 0, said
    assert len(rows(out, "errors")) == 3
    assert_each_once(out, 300)


def test_a_head_that_is_killed_ends_the_command_and_loses_nothing(running, nodes, genrecast, tiny):
    """The last one: nothing is left of the cluster."""
    process, archive, out = running

    nodes.nodes.pop(0).kill()
    said = process.communicate(timeout=60)[1]

    assert process.returncode == 14
    assert "is lost" in said
    assert "the same command goes on" in said
    assert "Traceback" not in said
    assert genrecast("classify", "--model", tiny, archive, "--out", out).returncode == 0
    assert_each_once(out, 300)
