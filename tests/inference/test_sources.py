"""What the command line was given becomes a list of recordings."""

import json
from pathlib import Path

import pytest

from diarize.errors import BadCall, BadFile
from diarize.inference.sources import Source, find_sources


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("b.wav", "a.FLAC", "._a.wav", "notes.md", "deep/c.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def test_a_file_is_a_recording_named_like_its_stem_whether_it_is_there_or_not():
    assert find_sources(["calls/my call.wav"]) == [Source("my_call", Path("calls/my call.wav"))]


def test_a_dash_is_standard_input():
    assert find_sources(["-", "-"]) == [Source("stdin", None)]


def test_a_folder_gives_its_audio_files_by_name_and_no_hidden_or_deeper_ones(folder):
    assert [source.path for source in find_sources([str(folder)])] == [
        folder / "a.FLAC",
        folder / "b.wav",
    ]


def test_paths_in_a_list_start_at_its_folder_and_empty_lines_are_passed_over(folder):
    (folder / "deep" / "all.txt").write_text("c.wav\r\n\n  ../b.wav \n")
    assert find_sources(["deep/all.txt"]) == [
        Source("c", Path("deep/c.wav")),
        Source("b", Path("deep/../b.wav")),
    ]


def test_an_scp_names_its_recordings_and_parts_with_any_blanks(folder):
    (folder / "all.scp").write_text("one\tb.wav\ntwo  deep/my call.wav\n")
    assert find_sources(["all.scp"]) == [
        Source("one", Path("b.wav")),
        Source("two", Path("deep/my call.wav")),
    ]


def test_a_manifest_names_its_recordings(folder):
    row = json.dumps({"recording": "first call", "audio": "b.wav"})
    (folder / "all.jsonl").write_text(row + "\n")
    assert find_sources(["all.jsonl"]) == [Source("first_call", folder / "b.wav")] or (
        find_sources(["all.jsonl"]) == [Source("first_call", Path("b.wav"))]
    )


def test_inputs_keep_their_order_and_a_file_named_in_two_ways_is_one(folder):
    given = ["b.wav", "a.FLAC", "./b.wav", str(folder / "b.wav"), "deep/../a.FLAC"]
    assert [source.recording for source in find_sources(given)] == ["b", "a"]


@pytest.mark.parametrize(
    ("inputs", "found"),
    [
        (["b.wav", "deep/b.wav"], "b.wav and deep/b.wav would both be called 'b'"),
        (["b.wav", "b.flac"], "b.wav and b.flac would both be called 'b'"),
        (["-", "stdin.wav"], "- and stdin.wav would both be called 'stdin'"),
        (["my call.wav", "my_call.wav"], "would both be called 'my_call'"),
        ([""], "an input without a name"),
    ],
)
def test_two_recordings_that_would_share_a_name_are_a_bad_call(folder, inputs, found):
    with pytest.raises(BadCall, match=found):
        find_sources(inputs)


def test_ids_that_differ_in_what_a_file_name_cannot_hold_are_refused(folder):
    rows = [{"recording": name, "audio": f"{name[-1]}.wav"} for name in ("x/a", "x_b", "x/b")]
    (folder / "all.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(BadCall, match="would both be called 'x_b'"):
        find_sources(["all.jsonl"])


@pytest.mark.parametrize(
    ("name", "content", "found"),
    [
        ("l.txt", b"", "l.txt: no recordings in it"),
        ("l.txt", b"\xff", "l.txt, line 1: found the byte 0xff"),
        ("l.scp", b"one\n", "l.scp: 'one' has no path; a line is an id and a path"),
        ("l.scp", b"one sox a.wav - |\n", "l.scp: 'sox a.wav - |' is a command"),
        ("l.jsonl", b"{}\n", "l.jsonl, line 1: found no 'recording'"),
        ("l.lst", None, "l.lst: cannot be read"),
    ],
)
def test_a_list_that_cannot_be_used_is_named(folder, name, content, found):
    if content is not None:
        (folder / name).write_bytes(content)
    with pytest.raises(BadFile) as error:
        find_sources([name])
    assert str(error.value).startswith(found)


def test_a_folder_without_recordings_is_named(tmp_path):
    with pytest.raises(BadFile, match="no recordings in it; expected files such as"):
        find_sources([str(tmp_path)])


def test_a_name_too_long_for_any_folder_is_left_to_the_reader():
    assert find_sources(["x" * 300 + ".wav"])[0].recording == "x" * 300


def test_an_id_cannot_lead_out_of_the_output_folder():
    assert Source("../../etc/call", None).stem == ".._.._etc_call"
