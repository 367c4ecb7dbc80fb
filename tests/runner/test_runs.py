"""The folder of a run: files are whole or absent, a history can be cut off, a folder has one owner."""

import multiprocessing
import os
import resource
import signal
import time

import pytest

from runner import runs
from runner.errors import RunError


def record(k):
    return {"kind": "steps", "step": k, "V": -1.38 / (k + 1)}


def test_a_folder_is_read_as_it_was_written(tmp_path):
    runs.write(tmp_path / runs.CONFIG, {"name": "Versuch Ä", "steps": 3})
    history = runs.History(tmp_path, 0)
    for k in range(3):
        history.add(record(k))
    history.close()
    assert runs.read(tmp_path) == runs.Run(
        tmp_path, {"name": "Versuch Ä", "steps": 3}, [record(k) for k in range(3)], None
    )
    assert not runs.is_finished(tmp_path)
    runs.write(tmp_path / runs.METRICS, {"V": -1.38})
    assert runs.is_finished(tmp_path) and runs.read(tmp_path).metrics == {"V": -1.38}


def test_a_folder_without_a_run_is_named(tmp_path):
    with pytest.raises(RunError, match=r"is not the folder of a run: config.json is not in it"):
        runs.read(tmp_path / "none")


@pytest.mark.parametrize(("content", "message"), [("{", "is not readable as JSON"), ("[]", "expected an object")])
@pytest.mark.parametrize("name", [runs.CONFIG, runs.METRICS])
def test_a_broken_file_is_named(tmp_path, name, content, message):
    runs.write(tmp_path / runs.CONFIG, {})
    (tmp_path / name).write_text(content)
    with pytest.raises(RunError, match=f"{name}.*{message}"):
        runs.read(tmp_path)


def test_writing_makes_the_folders_and_leaves_no_parts(tmp_path):
    for content in (b"one", b"two"):
        runs.write(tmp_path / "a" / "b" / "c", content)
    assert (tmp_path / "a" / "b" / "c").read_bytes() == b"two"
    assert [p.name for p in (tmp_path / "a" / "b").iterdir()] == ["c"]


def test_what_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "file" / "x", tmp_path / "folder"):
        with pytest.raises(RunError, match="cannot be written"):
            runs.write(path, b"")
    with pytest.raises(RunError, match=r"history.jsonl cannot be written: No such file"):
        runs.History(tmp_path / "nowhere", 0)


def writes_too_much(folder):
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        runs.write(folder / "a", bytes(5000))
    except RunError as error:
        runs.write(folder / "said", str(error).encode())


def test_on_a_full_disk_the_old_file_stays(tmp_path):
    runs.write(tmp_path / "a", b"old")
    process = multiprocessing.get_context("spawn").Process(target=writes_too_much, args=(tmp_path,))
    process.start()
    process.join()
    assert "a cannot be written: File too large" in (tmp_path / "said").read_text()
    assert (tmp_path / "a").read_bytes() == b"old" and {p.name for p in tmp_path.iterdir()} == {"a", "said"}


# ------------------------------------------------------------------------ history


def test_what_the_checkpoint_does_not_know_is_cut_off(tmp_path):
    history = runs.History(tmp_path, 0)
    history.add(record(0))
    size = history.saved()
    history.add(record(1))
    history.close()
    history = runs.History(tmp_path, size)
    history.add(record(2))
    history.close()
    assert runs.history(tmp_path) == [record(0), record(2)]


def test_the_size_is_what_is_on_the_disk(tmp_path):
    history = runs.History(tmp_path, 0)
    history.add(record(0))
    assert history.saved() == (tmp_path / runs.HISTORY).stat().st_size > 0


def test_a_history_shorter_than_the_checkpoint_says_is_named_and_left(tmp_path):
    (tmp_path / runs.HISTORY).write_text('{"a": 1}\n')
    with pytest.raises(RunError, match=r"history.jsonl has 9 bytes, where the checkpoint knows of 500; --overwrite"):
        runs.History(tmp_path, 500)
    assert runs.history(tmp_path) == [{"a": 1}]


@pytest.mark.parametrize("end", ['{"kind": "st', '{"kind": "steps", "step": 2', "\ufffd\u0000"])
def test_a_last_line_cut_short_is_left_out(tmp_path, end):
    (tmp_path / runs.HISTORY).write_text('{"a": 1}\n{"a": 2}\n' + end)
    assert runs.history(tmp_path) == [{"a": 1}, {"a": 2}]


def test_a_broken_line_before_the_last_is_named(tmp_path):
    (tmp_path / runs.HISTORY).write_text('{"a": 1}\n{"a": \n{"a": 3}\n')
    with pytest.raises(RunError, match=r"history.jsonl, line 2: not JSON"):
        runs.history(tmp_path)


def test_no_history_is_an_empty_one(tmp_path):
    assert runs.history(tmp_path) == []


# ------------------------------------------------------------------------ one owner


def test_a_claimed_folder_is_refused_until_it_is_given_back(tmp_path):
    with runs.claimed(tmp_path / "run"):
        with pytest.raises(RunError, match="another process is training in"), runs.claimed(tmp_path / "run"):
            pass
        with runs.claimed(tmp_path / "other"):
            pass
    with runs.claimed(tmp_path / "run"):
        pass


def test_an_error_gives_the_folder_back(tmp_path):
    with pytest.raises(ZeroDivisionError), runs.claimed(tmp_path):
        raise ZeroDivisionError
    with runs.claimed(tmp_path):
        pass


def claims_for_ever(folder):
    with runs.claimed(folder):
        (folder / "claimed").touch()
        time.sleep(60)


def test_a_process_that_dies_gives_the_folder_free(tmp_path):
    process = multiprocessing.get_context("spawn").Process(target=claims_for_ever, args=(tmp_path,))
    process.start()
    while not (tmp_path / "claimed").exists():
        assert process.is_alive()
        time.sleep(0.01)
    with pytest.raises(RunError, match="another process"), runs.claimed(tmp_path):
        pass
    process.kill()
    process.join()
    with runs.claimed(tmp_path):
        pass


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "run"):
        with pytest.raises(RunError, match="cannot be written"), runs.claimed(path):
            pass
    assert os.listdir(tmp_path) == ["file"]


def test_clearing_takes_the_named_files_and_no_others(tmp_path):
    for name in (runs.CONFIG, runs.METRICS, "notes.txt"):
        (tmp_path / name).write_text("{}")
    runs.clear(tmp_path, (runs.CONFIG, runs.METRICS, runs.CHECKPOINT))
    assert [p.name for p in tmp_path.iterdir()] == ["notes.txt"]
