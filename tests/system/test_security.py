"""What a daemon keeps from whom: a newcomer's way to keys, and a station that would have it ask elsewhere."""

import http.server
import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from bench.ports import free_port
from tests.system.running import ROOT, daemon
from tests.tiny_model import model_bytes

pytestmark = pytest.mark.system


def genrecast(*args: object, timeout_s: float = 30.0) -> str:
    """Run a command; give what it printed."""
    command = [sys.executable, "-m", "streamer.cli", *map(str, args)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=timeout_s, check=True)
    return done.stdout


@pytest.mark.slow
def test_a_newcomers_way_to_a_subscriber_on_another_machine(tmp_path: Path) -> None:
    server, client = tmp_path / "server", tmp_path / "client"
    (tmp_path / "tiny.onnx").write_bytes(model_bytes())
    endpoint = f"tcp://127.0.0.1:{free_port()}"
    said = genrecast("keys", "new", "--dir", server)
    genrecast("keys", "new", "--dir", client)
    section = "".join(line.strip() + "\n" for line in said.splitlines() if line.startswith("  "))
    section = section.partition("genrecast listen")[0]
    station = "[[station]]\nid = 's'\nsource = 'http://127.0.0.1:1/'\n"
    (tmp_path / "c.toml").write_text(f"bind = '{endpoint}'\nmodel = 'tiny.onnx'\n{section}{station}")
    genrecast("keys", "allow", genrecast("keys", "show", "--dir", client).strip(), "--dir", server)
    listen = ["listen", "--connect", endpoint, "--json", "--count", 1, "--topic", "genre/"]
    keys = [
        "--server-key",
        genrecast("keys", "show", "--dir", server).strip(),
        "--key",
        client / "genrecast.key",
    ]

    command = [sys.executable, "-m", "streamer.cli", "run", "--config", str(tmp_path / "c.toml")]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    try:
        heard = json.loads(genrecast(*listen, *keys))
        with pytest.raises(subprocess.TimeoutExpired):
            genrecast(*listen, timeout_s=5.0)
    finally:
        process.terminate()
        errors = process.communicate(timeout=5)[1]

    assert heard["station"] == "s"
    assert "a subscriber was refused: it has no key" in errors
    assert "Traceback" not in errors


@pytest.mark.parametrize("target", ["http://169.254.169.254/latest/meta-data/", "http://[::ffff:10.0.0.1]/"])
def test_a_station_that_redirects_inwards_is_no_signal_with_a_reason(tmp_path: Path, target: str) -> None:
    class Redirects(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(302)
            self.send_header("Location", target)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Redirects) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        with daemon(tmp_path, f"http://127.0.0.1:{server.server_port}/live") as heard:
            lost = heard.event("lost")
            retrying = heard.event("retrying")
            state = heard.state("no-signal")
        server.shutdown()
        thread.join()

    assert lost["reason"] == "source-forbidden"
    assert retrying["retry_in"] is not None
    assert state["confidence"] == 1
