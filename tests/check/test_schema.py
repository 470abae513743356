"""The JSON Schema that editors read: it is that of the structures, and it agrees with the checks."""

import tomllib
from pathlib import Path

import jsonschema
import pytest

from streamer.check.load import examine
from streamer.check.schema import rendered, schema, shipped

DOCS = Path(__file__).parents[2] / "docs" / "operations.md"
VALIDATOR = jsonschema.Draft7Validator(schema())


def test_the_shipped_schema_is_that_of_the_structures():
    assert shipped() == rendered(), "run: .venv/bin/python -m streamer.check.schema"


def test_every_key_is_described():
    for about in (schema(), *schema()["$defs"].values()):
        assert about["description"]
        for name, key in about["properties"].items():
            assert key.get("description"), f"{about['title']}.{name}: say it in the docstring's Attributes"


@pytest.mark.parametrize(
    "text",
    [
        "hop = 0.01",
        "hop = 'x'",
        "provider = 'gpu'",
        "duty = 2",
        "bogus = 1",
        "[[station]]\nid = 'A'\nsource = 'x'",
        "[[station]]\nid = 'a'",
    ],
)
def test_what_the_schema_refuses_is_refused_by_the_checks(tmp_path, text):
    (tmp_path / "c.toml").write_text(text)

    assert not VALIDATOR.is_valid(tomllib.loads(text))
    assert any(problem.key for problem in examine(tmp_path / "c.toml")[1])


def test_the_examples_of_the_docs_are_right(tmp_path):
    blocks = [block.partition("```")[0] for block in DOCS.read_text().split("```toml\n")[1:]]

    assert any(block.startswith("#:schema ") for block in blocks)
    for block in blocks:
        (tmp_path / "c.toml").write_text(block)
        assert not any(problem.key for problem in examine(tmp_path / "c.toml")[1])
        VALIDATOR.validate(tomllib.loads(block))
