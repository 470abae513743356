"""Where keys stand: whatever tomllib takes, every key of it has its line and column."""

import tomllib
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.check.places import places

TEXT = '''# a comment with [brackets] and = signs
hop = 1.0 # and one behind
"quoted # key" = 'literal \\'
a.b . "c" = """
[not.a.table]
x = \\"""5""""

[[station]]
id = "one" # ]]
list = [ 1, [2, 3], # comment ]
  { deep = "x, }", more.less = 1979-05-27 07:32:00 },
]
[[station]]
id = \'\'\'two
[[station]]\'\'\'
[station.inner]
y = true
[[station.below]]
z = inf
[[station.below]]
z = -nan
[ other . table ]
k = {}
'''


def keys(value: Any, above: tuple[Any, ...] = ()) -> set[tuple[Any, ...]]:
    """Give the key of everything in a TOML document."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = set()
    for name, inner in items:
        found |= {(*above, name)} | keys(inner, (*above, name))
    return found


def test_every_key_has_the_place_of_its_first_character():
    found = places(TEXT)

    assert set(found) == keys(tomllib.loads(TEXT))
    assert found["hop",] == (2, 1)
    assert found["quoted # key",] == (3, 1)
    assert found["a", "b", "c"] == (4, 1)
    assert found["station", 0] == (8, 1)
    assert found["station", 0, "list", 1, 1] == (10, 17)
    assert found["station", 0, "list", 2, "more", "less"] == (11, 20)
    assert found["station", 1, "inner", "y"] == (17, 1)
    assert found["station", 1, "below", 1, "z"] == (21, 1)
    assert found["other", "table", "k"] == (23, 1)


NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=6)
VALUES = st.recursive(
    st.sampled_from(
        [
            "1",
            "-0.5e3",
            "true",
            '"#]}"',
            "'[\\'",
            '"""\n\\""",\n"""',
            "'''a'b''c'''",
            "07:32:00",
            '"\\\\"',
            "''",
        ]
    ),
    lambda inner: st.lists(inner, max_size=3).map(lambda items: "[" + " ,\n# ]\n".join(items) + "\n]"),
    max_leaves=5,
)


@settings(deadline=None)
@given(
    st.lists(st.tuples(NAMES, VALUES), max_size=4),
    st.lists(st.tuples(NAMES, st.booleans(), st.lists(st.tuples(NAMES, VALUES), max_size=3)), max_size=4),
)
def test_places_are_those_of_what_tomllib_reads(top, tables):
    def quoted(name: str) -> str:
        return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'

    text = "".join(f"{quoted(name)}={value}\n" for name, value in top)
    for name, many, pairs in tables:
        text += f"[[{quoted(name)}]]\n" if many else f"[{quoted(name)}]\n"
        text += "".join(f"\t{quoted(name)} = {value}\r\n" for name, value in pairs)
    try:
        read = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return

    assert set(places(text)) == keys(read)
