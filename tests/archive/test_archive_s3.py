"""Archives in S3, by a server of it on this machine: the same as a folder's, whatever dies."""

import itertools
import logging
import os
import shutil
import urllib.request
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

from bench.ports import free_port
from tests.archive.conftest import ROOT, assert_each_once, begun, rows, tables

pytestmark = [pytest.mark.slow, pytest.mark.system]

SONGS = 12
_numbers = itertools.count()
EVERYTHING = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}'


@pytest.fixture(scope="module")
def environment():
    """Give the environment of who may use a server, which knows no other keys than these."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    port = free_port()
    server = ThreadedMotoServer("127.0.0.1", port, verbose=False)
    server.start()
    endpoint = f"http://127.0.0.1:{port}"
    try:
        keys = made_keys(endpoint)
        yield {**os.environ, "PYTHONPATH": str(ROOT), "AWS_ENDPOINT_URL": endpoint, **keys}
    finally:
        server.stop()


def made_keys(endpoint):
    """Make a user who may do all, and have the server look at keys from then on."""
    first = {"aws_access_key_id": "first", "aws_secret_access_key": "first", "region_name": "us-east-1"}
    iam = boto3.client("iam", endpoint_url=endpoint, **first)
    iam.create_user(UserName="ann")
    iam.put_user_policy(UserName="ann", PolicyName="all", PolicyDocument=EVERYTHING)
    key = iam.create_access_key(UserName="ann")["AccessKey"]
    looks = urllib.request.Request(
        f"{endpoint}/moto-api/reset-auth", b"0", {"Content-Type": "text/plain"}, method="POST"
    )
    urllib.request.urlopen(looks).close()
    return {
        "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
        "AWS_DEFAULT_REGION": "us-east-1",
    }


@pytest.fixture(scope="module")
def client(environment):
    client = boto3.client(
        "s3",
        endpoint_url=environment["AWS_ENDPOINT_URL"],
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        region_name="us-east-1",
    )
    yield client
    client.close()


@pytest.fixture
def bucket(client, song):
    """Give the name of a bucket with twelve songs and an object that is none, below `in`."""
    name = f"radio-{next(_numbers)}"
    client.create_bucket(Bucket=name)
    for number in range(SONGS):
        client.put_object(Bucket=name, Key=f"in/song [{number:02}].mp3", Body=song)
    client.put_object(Bucket=name, Key="in/text.mp3", Body=b"no audio\n" * 100)
    return name


@pytest.fixture
def tag(genrecast, tiny, environment):
    """Give a function that tags what is named, and gives the exit status and what was said."""

    def run(*args, **other):
        done = genrecast("classify", "--model", tiny, *args, env={**environment, **other})
        assert "Traceback" not in done.stderr
        return done.returncode, done.stderr

    return run


def download(client, bucket, prefix, folder: Path) -> Path:
    """Give a folder with what is below a prefix."""
    shutil.rmtree(folder, ignore_errors=True)
    for each in client.list_objects_v2(Bucket=bucket, Prefix=prefix)["Contents"]:
        path = folder / each["Key"].removeprefix(prefix)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(client.get_object(Bucket=bucket, Key=each["Key"])["Body"].read())
    return folder


def test_objects_are_tagged_to_a_prefix_as_to_a_folder(tag, client, bucket, tmp_path):
    status, said = tag(f"s3://{bucket}/in", "--out", f"s3://{bucket}/tags")
    tag(f"s3://{bucket}/in", "--out", tmp_path / "local")

    out = download(client, bucket, "tags/", tmp_path / "out")
    assert status == 0
    assert said.splitlines()[0] == f"s3://{bucket}/tags: 13 of 13 files are to be tagged"
    assert tables(out) == tables(tmp_path / "local")
    assert [(row["path"], row["code"]) for row in rows(out, "errors")] == [
        (f"s3://{bucket}/in/text.mp3", "not-audio")
    ]
    assert_each_once(out, SONGS + 1)


def test_a_run_that_is_killed_goes_on_with_the_same_command(
    tag, client, bucket, tiny, environment, tmp_path, song
):
    for number in range(150):
        client.put_object(Bucket=bucket, Key=f"in/more {number:03}.mp3", Body=song)

    def done():
        found = client.list_objects_v2(Bucket=bucket, Prefix="tags/files/").get("Contents", [])
        return {each["Key"]: each["LastModified"] for each in found}

    with begun(f"s3://{bucket}/in", f"s3://{bucket}/tags", tiny, env=environment, done=done) as process:
        process.kill()
    before = done()
    status, said = tag(f"s3://{bucket}/in", "--out", f"s3://{bucket}/tags")

    assert status == 0, said
    assert 2 <= len(before) < 21
    assert {key: at for key, at in done().items() if key in before} == before
    assert_each_once(download(client, bucket, "tags/", tmp_path / "out"), SONGS + 151)


def test_an_object_that_is_put_anew_is_told_and_tagged_again(tag, client, bucket, song, tmp_path):
    tag(f"s3://{bucket}/in", "--out", f"s3://{bucket}/tags")
    client.put_object(Bucket=bucket, Key="in/text.mp3", Body=song)

    told = tag(f"s3://{bucket}/in", "--out", f"s3://{bucket}/tags")[1]
    status, said = tag(f"s3://{bucket}/in", "--out", f"s3://{bucket}/tags", "--again")
    tag(f"s3://{bucket}/in", "--out", tmp_path / "fresh")

    assert "--again tags anew: 1" in told
    assert status == 0
    assert "of 1 that had failed 1 are tagged now" in said
    assert tables(download(client, bucket, "tags/", tmp_path / "out")) == tables(tmp_path / "fresh")


@pytest.mark.parametrize(
    ("source", "out", "other", "words"),
    [
        ("s3://no-such-bucket/in", "s3://{bucket}/tags", {}, "s3://no-such-bucket/in: no such file"),
        ("s3://{bucket}/in", "s3://no-such-bucket/tags", {}, "bucket does not exist"),
        ("s3://{bucket}/in", "s3://{bucket}/tags", {"AWS_ACCESS_KEY_ID": "AKIAOTHER"}, "Forbidden"),
        ("{local}", "s3://{bucket}/tags", {"AWS_ACCESS_KEY_ID": "AKIAOTHER"}, "Access Key Id"),
        ("s3://{bucket}/in", "s3://{bucket}/tags", {"AWS_SECRET_ACCESS_KEY": "wrong"}, "Forbidden"),
    ],
    ids=["no-source", "no-out", "no-key-to-source", "no-key-to-out", "wrong-secret"],
)
def test_what_is_wrong_is_told_in_a_line(tag, bucket, song, tmp_path, source, out, other, words):
    (tmp_path / "song.mp3").write_bytes(song)
    places = {"bucket": bucket, "local": tmp_path / "song.mp3"}

    status, said = tag(source.format(**places), "--out", out.format(**places), **other)

    assert status == 15
    assert words in said.splitlines()[-2]
    assert len(said.splitlines()) <= 2 + said.count("are to be tagged")
