"""What is shipped beside the package: it names what is there."""

import json
import plistlib
import shlex
from pathlib import Path

import click

from streamer.cli.main import cli

ROOT = Path(__file__).parents[1]
INSTRUCTIONS = {
    "ARG",
    "FROM",
    "WORKDIR",
    "COPY",
    "RUN",
    "ENV",
    "USER",
    "STOPSIGNAL",
    "HEALTHCHECK",
    "ENTRYPOINT",
    "CMD",
}


def instructions() -> list[tuple[str, str]]:
    """Give the container file's instructions and what stands behind each."""
    lines = (ROOT / "Containerfile").read_text().splitlines()
    text = "\n".join(line for line in lines if not line.startswith("#")).replace("\\\n", " ")
    return [(line.split()[0], line.partition(" ")[2].strip()) for line in text.splitlines() if line.strip()]


def parses(arguments: list[str]) -> None:
    """Fail where the command line can't be understood; nothing is run."""
    command = cli.get_command(click.Context(cli), arguments[0])
    assert command is not None
    command.make_context(arguments[0], arguments[1:])


def test_the_launchd_agent_runs_a_command_that_there_is():
    agent = plistlib.loads((ROOT / "examples" / "org.genrecast.daemon.plist").read_bytes())

    program, *arguments = agent["ProgramArguments"]
    assert program.endswith("/genrecast")
    parses(arguments)
    assert agent["Label"] == "org.genrecast.daemon"
    assert agent["KeepAlive"] == {"SuccessfulExit": False}


def test_the_container_copies_what_is_there_and_is_let_through():
    ignored = (ROOT / ".containerignore").read_text().splitlines()

    for name, rest in instructions():
        assert name in INSTRUCTIONS
        if name == "COPY" and "--from" not in rest:
            for source in rest.split()[:-1]:
                assert (ROOT / source).exists()
                assert f"!{source}" in ignored


def test_the_container_runs_as_nobody_in_particular_and_is_asked_for_its_health():
    found = dict(instructions())

    assert found["USER"] == "10001"
    parses(json.loads(found["CMD"]))
    shell = json.loads(found["HEALTHCHECK"].partition("CMD ")[2])[2]
    parses(shlex.split(shell)[2:])
