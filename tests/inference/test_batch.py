"""Many recordings: finished ones are skipped, a failed one stops nothing, files are whole."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pyannote.core import Annotation, Segment, Timeline

from diarize.errors import BadCall, BadFile
from diarize.inference.batch import Listener, check_folder, listen_to_all, parse_formats
from diarize.inference.diarize import Diarization, Diarizer
from diarize.inference.sources import Source
from diarize.models.contract import Activity


def result(recording):
    """Ten seconds in which one person talks from 2 s to 6 s."""
    annotation = Annotation(uri=recording)
    annotation[Segment(2, 6), "A"] = "A"
    return Diarization(
        recording=recording,
        duration_s=10.0,
        annotation=annotation,
        posterior=Activity(np.full((1, 10), 0.5), 1.0, ("A",)),
        speakers=(),
        probability={(Segment(2, 6), "A"): 0.75},
    )


class Known(Diarizer):
    """Gives that result for whatever it is asked."""

    def __init__(self):
        self.asked = []

    def __call__(self, source, num_speakers=None, rate_hz=None, progress=None, recording=None):
        self.asked.append(source)
        return result(recording)


class Listening:
    """Fails at some recordings, counts what it is asked."""

    def __init__(self, failures=()):
        self.failures = dict(failures)
        self.heard = []

    def __call__(self, source):
        self.heard.append(source.recording)
        if source.recording in self.failures:
            raise self.failures[source.recording]
        return result(source.recording)


def sources(names):
    return [Source(name, Path(f"{name}.wav")) for name in names]


def run(names, listen, folder, formats=("rttm",), fresh=False):
    return list(listen_to_all(sources(names), listen, folder, formats, fresh))


def test_each_recording_gets_a_file_a_format(tmp_path):
    outcomes = run("ab", Listening(), tmp_path, ("rttm", "csv"))
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "a.csv",
        "a.rttm",
        "b.csv",
        "b.rttm",
    ]
    assert [outcome.result is not None for outcome in outcomes] == [True, True]
    assert (tmp_path / "a.rttm").read_text().startswith("SPEAKER a 1 2.000 4.000 ")


def test_a_finished_recording_is_skipped_unless_another_format_or_all_anew_is_asked(tmp_path):
    run("a", Listening(), tmp_path)
    listen = Listening()
    outcomes = run("ab", listen, tmp_path)
    assert listen.heard == ["b"]
    assert (outcomes[0].result, outcomes[0].error) == (None, None)
    run("a", listen, tmp_path, ("rttm", "json"))
    run("a", listen, tmp_path, fresh=True)
    assert listen.heard == ["b", "a", "a"]


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (BadFile("b.wav: empty file"), "b.wav: empty file"),
        (ZeroDivisionError("by\nzero"), "b.wav: ZeroDivisionError: by (a fault of the program"),
        (MemoryError(), "b.wav: not enough memory"),
    ],
)
def test_one_that_fails_leaves_nothing_and_stops_nothing(tmp_path, error, told):
    outcomes = run("abc", Listening({"b": error}), tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.rttm", "c.rttm"]
    assert str(outcomes[1].error).startswith(told)


def test_ctrl_c_ends_it_and_what_is_finished_stays(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run("abc", Listening({"b": KeyboardInterrupt()}), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["a.rttm"]


def test_a_full_disk_fails_the_recording_and_leaves_no_part_of_a_file(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    outcomes = run("a", Listening(), tmp_path)
    assert "a.rttm: cannot be written (No space left on device)" in str(outcomes[0].error)
    assert list(tmp_path.iterdir()) == []


def test_formats_are_parted_by_commas_and_each_counts_once():
    assert parse_formats("json, rttm,json") == ("json", "rttm")
    with pytest.raises(BadCall, match="no format 'xml'; there are rttm, json, csv"):
        parse_formats("rttm,xml")
    with pytest.raises(BadCall, match="no format ''"):
        parse_formats("")


def test_a_folder_is_made_and_nothing_is_left_in_it(tmp_path):
    check_folder(tmp_path / "new" / "one")
    assert list((tmp_path / "new" / "one").iterdir()) == []


def test_a_folder_that_cannot_be_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(BadFile, match=r"file: cannot write there \(File exists\); choose another"):
        check_folder(tmp_path / "file")
    with pytest.raises(BadFile, match="Not a directory"):
        check_folder(tmp_path / "file" / "below")


def listener(*regions, **more):
    known = {"a": Timeline([Segment(*region) for region in regions])}
    return Listener(Known(), regions=known, uem=Path("a.uem"), **more)


def test_only_what_lies_in_the_regions_is_kept():
    kept = listener((0, 3), (5, 5.5))(Source("a", Path("a.wav")))
    assert [(turn.start, turn.end) for turn in kept.annotation.itersegments()] == [(2, 3), (5, 5.5)]
    assert set(kept.probability.values()) == {0.75}
    assert kept.notes == ()


def test_a_recording_without_a_region_is_refused_before_it_is_heard():
    listen = listener((0, 3))
    with pytest.raises(BadFile, match=r"a.uem: no region for recording 'b'; it has a"):
        listen(Source("b", Path("b.wav")))
    assert listen.diarizer.asked == []


def test_regions_after_the_end_are_refused_and_one_over_it_is_told():
    with pytest.raises(BadFile, match=r"regions of 'a' begin at 10.0 s, but it ends at 10.0 s"):
        listener((10, 12))(Source("a", Path("a.wav")))
    kept = listener((4, 12))(Source("a", Path("a.wav")))
    assert kept.notes == ("a.uem goes on to 12.0 s, it ends at 10.0 s",)
    assert listener((4, 10.4))(Source("a", Path("a.wav"))).notes == ()


def test_standard_input_is_read_as_bytes():
    stream = io.TextIOWrapper(io.BytesIO(b"sound"))
    listen = Listener(Known(), stdin=stream)
    listen(Source("stdin", None))
    assert listen.diarizer.asked == [stream.buffer]


class Terminal(io.TextIOWrapper):
    def isatty(self):
        return True


def test_standard_input_that_can_give_nothing_is_a_bad_call():
    listen = Listener(Known())
    with pytest.raises(BadCall, match="standard input is closed; pipe a recording into it"):
        listen(Source("stdin", None))
    with pytest.raises(BadCall, match="standard input is a terminal"):
        replace(listen, stdin=Terminal(io.BytesIO()))(Source("stdin", None))
