"""What is shown: no secret of a URL, nothing that a terminal would obey."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.text import is_secret, json_line, printable, redact, shown

SECRETS = st.text(st.characters(categories=["L", "N"]), min_size=5, max_size=20)


@settings(deadline=None)
@given(
    st.text(),
    SECRETS,
    st.sampled_from(
        [
            "{}:{}@h.example/x",
            "h.example/x?token={}{}",
            "h.example?a=1&sig={}{}#{}",
            "{}{}@[::1",
            "u:{}?{}@h/",
        ]
    ),
    st.sampled_from(["http", "HTTPS", "icecast+tls"]),
    st.sampled_from([" ", "", "'", "\n", ", "]),
)
def test_no_secret_of_a_url_is_shown_wherever_it_stands(before, secret, form, scheme, after):
    text = f"{before} {scheme}://{form.format(secret, secret, secret)}{after}"

    assert secret not in shown(text).removeprefix(shown(before))


@settings(deadline=None)
@given(st.text())
def test_what_is_shown_is_one_printable_line(text):
    assert shown(text).isprintable()
    assert printable(text).isprintable()
    assert redact(f"http://{text}").isprintable()
    shown(text).encode()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "can't connect to 'http://me:pw@h:8000/x?k=v': refused",
            "can't connect to 'http://h:8000/x?...': refused",
        ),
        ("http://h/x?...: refused", "http://h/x?...: refused"),
        ("see http://h/x.", "see http://h/x."),
        ("http://a/,http://me:pw@h/", "http://a/,http://h/"),
        ("GET /x?token=abc&x=1 password=abc", "GET /x?token=...&x=1 password=..."),
        ("design=art, monkey=ape", "design=art, monkey=ape"),
        ("\x1b]0;owned\x07 \x9b31m", "\ufffd]0;owned\ufffd \ufffd31m"),
        ("http://[::1:x/y", "http://[::1:x/y"),
    ],
)
def test_only_what_may_be_secret_or_harmful_is_taken_out(text, said):
    assert shown(text) == said
    assert shown(said) == said


def test_a_port_that_is_no_port_leaves_the_host_to_be_seen():
    assert redact("http://radio.example:x/live?token=1") == "http://radio.example:x/live"


@settings(deadline=None)
@given(st.text())
def test_a_line_of_json_is_printable_and_means_the_same(text):
    assert json_line({"title": text}).isprintable()
    assert json.loads(json_line({"title": text})) == {"title": text}


def test_names_of_secrets_are_known():
    assert all(is_secret(name) for name in ("token", "password", "mqtt_password", "api-key", "SECRET"))
    assert not any(is_secret(name) for name in ("station", "monkey", "tokens_file", "bind"))
