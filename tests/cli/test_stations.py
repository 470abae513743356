"""`genrecast stations`: from a list to a configuration that can be run."""

M3U = """#EXTM3U
#EXTINF:-1,Radio \x1b[31mOne\x9b
http://me:hidden@one.example/x?token=hidden
#EXTINF:-1,Broken
mms://two.example/
"""


def test_a_list_becomes_a_configuration_and_is_not_added_twice(genrecast, tmp_path):
    (tmp_path / "a.m3u").write_text(M3U)
    into = tmp_path / "stations.toml"

    first = genrecast("stations", "import", tmp_path / "a.m3u", "--into", into)
    written = into.read_text()
    second = genrecast("stations", "import", tmp_path / "a.m3u", "--into", into)
    check = genrecast("check", into)
    shows = genrecast("stations", "list", into)

    assert (first.returncode, second.returncode, check.returncode) == (0, 0, 0)
    assert "1 new" in first.stderr
    assert "a.m3u:5: Broken: mms://two.example/" in first.stderr
    assert "0 new" in second.stderr
    assert "a.m3u:3: " in second.stderr
    assert into.read_text() == written
    assert "\x1b" not in written + first.stderr + second.stderr
    assert "\x9b" not in written + first.stderr + second.stderr
    assert shows.stdout.split() == ["radio-31mone", "http://one.example/x?..."]
    assert "hidden" not in first.stderr + second.stderr + shows.stdout + check.stderr


def test_without_into_the_toml_is_printed(genrecast, tmp_path):
    (tmp_path / "a.m3u").write_text("http://one.example/\n")

    done = genrecast("stations", "import", tmp_path / "a.m3u")

    assert done.stdout == '[[station]]\nid = "one-example"\nsource = "http://one.example/"\n'


def test_what_is_no_list_ends_with_3_and_a_remedy(genrecast, tmp_path):
    (tmp_path / "x").write_text("hello")
    (tmp_path / "empty.m3u").write_text("#EXTM3U\n")

    for name in ("x", "empty.m3u", "none"):
        done = genrecast("stations", "import", tmp_path / name)

        assert done.returncode == 3
        assert name in done.stderr
        assert "try: " in done.stderr
