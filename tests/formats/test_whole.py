"""Files that appear whole or not at all, whoever writes them."""

import os
import re

import numpy as np
import pytest
import soundfile

from diarize.corpora.wav import save_wav
from diarize.errors import BadFile
from diarize.formats.text import save_text
from diarize.formats.whole import whole


def write_half(path, stop):
    with whole(path) as unfinished:
        unfinished.write_text("half of")
        raise stop


def test_a_file_appears_under_its_name_at_the_end_only(tmp_path):
    path = tmp_path / "new" / "folders" / "a.bin"
    with whole(path) as unfinished:
        unfinished.write_bytes(b"12")
        assert not path.exists()
    assert path.read_bytes() == b"12"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("stop", [ValueError, KeyboardInterrupt])
def test_whatever_stops_the_writing_leaves_the_file_that_was_there(tmp_path, stop):
    path = tmp_path / "a.txt"
    path.write_text("before")
    with pytest.raises(stop):
        write_half(path, stop())
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_told_in_one_line(tmp_path):
    path = tmp_path / "a.txt"
    expected = f"{path}: cannot be written (No space left on device); name a place that is writable"
    with pytest.raises(BadFile, match=re.escape(expected)):
        write_half(path, OSError(28, "No space left on device"))
    assert not list(tmp_path.iterdir())


def test_a_folder_is_not_written_over(tmp_path):
    with pytest.raises(BadFile, match="cannot be written"):
        save_text(tmp_path, "text")
    assert not list(tmp_path.iterdir())


def test_a_file_is_no_folder_to_write_into(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(BadFile, match=r"a\.txt: cannot be written"):
        save_text(tmp_path / "file" / "a.txt", "text")


def test_a_pipe_is_written_to_and_stays_a_pipe(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        save_text(pipe, "text")
        assert os.read(reader, 100) == b"text"
    finally:
        os.close(reader)
    assert pipe.is_fifo()
    assert list(tmp_path.iterdir()) == [pipe]


def test_sound_is_written_whole_and_held_at_full_scale(tmp_path):
    path = tmp_path / "a.wav"
    save_wav(path, np.array([0.5, 2.0, -2.0]), 8000)
    samples, rate_hz = soundfile.read(path, dtype="int16")
    assert (samples.tolist(), rate_hz) == ([2**14, 2**15 - 1, -(2**15)], 8000)
    assert list(tmp_path.iterdir()) == [path]


def test_sound_that_its_library_cannot_write_leaves_nothing(tmp_path):
    with pytest.raises(BadFile, match=r"a\.wav: cannot be written \(.+\); name a place"):
        save_wav(tmp_path / "a.wav", np.zeros(3), 0)  # no rate that a file can have
    assert not list(tmp_path.iterdir())
