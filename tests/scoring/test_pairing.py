import numpy as np
import pytest
from pyannote.core import Annotation, Segment, Timeline

from diarize.errors import BadFile
from diarize.formats.activity import Activity
from diarize.formats.exports import Export, json_text
from diarize.formats.rttm import rttm_text, save_rttm
from diarize.scoring.pairing import Side, pair_up, read_turns


def annotation(*turns):
    return Annotation.from_records(
        (Segment(s, e), i, label) for i, (s, e, label) in enumerate(turns)
    )


def side(tmp_path, *recordings, **turns):
    told = {name: annotation((0, 5, "a")) for name in recordings} | turns
    return Side(tmp_path, told)


def uem(*recordings):
    return {name: Timeline([Segment(0, 10)]) for name in recordings}


def test_recordings_are_paired_by_id_and_not_by_order(tmp_path):
    found = pair_up(side(tmp_path, "b", "a"), side(tmp_path, "a", "b"), None)
    assert [pair.recording for pair in found.pairs] == ["a", "b"]
    assert found.notes == ()


def test_what_the_hypothesis_lacks_is_scored_as_missed_and_noted(tmp_path):
    found = pair_up(side(tmp_path, "a", "b"), side(tmp_path, "a"), None)
    assert [len(pair.hypothesis) for pair in found.pairs] == [1, 0]
    assert found.notes == ("not in the hypothesis, counted as wholly missed: b",)


def test_what_only_the_hypothesis_has_is_left_out_and_noted(tmp_path):
    found = pair_up(side(tmp_path, "a"), side(tmp_path, "a", "c"), None)
    assert [pair.recording for pair in found.pairs] == ["a"]
    assert found.notes == ("not in the reference, NOT SCORED: c",)


def test_what_the_uem_lists_and_the_reference_lacks_is_silence(tmp_path):
    found = pair_up(side(tmp_path, "a"), side(tmp_path, "a", "c"), uem("a", "c", "d"))
    assert [pair.recording for pair in found.pairs] == ["a", "c"]
    assert len(found.pairs[1].reference) == 0
    assert found.notes == ("no turns in the reference, scored as silence: c",)


def test_nothing_in_common_is_an_error(tmp_path):
    with pytest.raises(BadFile, match=r"found no recording that .* has \(b against a\)"):
        pair_up(side(tmp_path, "a"), side(tmp_path, "b"), None)


def test_a_hypothesis_of_silence_is_scored(tmp_path):
    found = pair_up(side(tmp_path, "a"), side(tmp_path), None)
    assert found.notes == ("not in the hypothesis, counted as wholly missed: a",)


def test_a_uem_must_cover_every_recording_of_the_reference(tmp_path):
    with pytest.raises(BadFile, match=r"x\.uem: found no region for the recording 'b'"):
        pair_up(side(tmp_path, "a", "b"), side(tmp_path, "a"), uem("a"), "x.uem")


def test_merged_and_outlying_turns_are_noted(tmp_path):
    truth = side(tmp_path, a=annotation((0, 5, "x"), (4, 6, "x"), (6, 12, "y"), (20, 21, "y")))
    found = pair_up(truth, side(tmp_path, "a"), uem("a"))
    assert found.notes == (
        "reference turns that overlap another of the same speaker, merged so that none counts "
        "twice: a (1)",
        "reference turns that reach outside the UEM, where nothing is scored: a (2)",
    )


def test_turns_in_different_regions_of_the_uem_are_inside(tmp_path):
    truth = side(tmp_path, a=annotation((1, 3, "x"), (5, 7, "y")))
    regions = {"a": Timeline([Segment(1, 3), Segment(4, 7)])}
    assert pair_up(truth, side(tmp_path, a=annotation((5, 6, "x"))), regions).notes == ()
    spanning = side(tmp_path, a=annotation((2, 5, "x"), (0, 1.5, "z")))
    assert pair_up(spanning, side(tmp_path, a=annotation((5, 6, "x"))), regions).notes == (
        "reference turns that reach outside the UEM, where nothing is scored: a (2)",
    )


def test_a_folder_is_read_file_by_file_and_an_empty_file_is_silence(tmp_path):
    (tmp_path / "b.rttm").write_text(rttm_text(annotation((0, 5, "x")), "b"))
    (tmp_path / "my call.rttm").write_text("")
    (tmp_path / "score.json").write_text("{}")  # something else's
    found = read_turns(tmp_path, posteriors=True)
    assert {name: len(turns) for name, turns in found.annotations.items()} == {"b": 1, "my_call": 0}


def test_the_hash_is_of_the_bytes_that_were_read(tmp_path):
    path = tmp_path / "b.rttm"
    path.write_text("")
    first = read_turns(path)
    assert first.sha256 == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    path.write_text("\n")
    assert read_turns(path).sha256 != first.sha256


def test_a_json_hypothesis_brings_its_posterior(tmp_path):
    posterior = Activity(np.array([[0.0, 1.0]]), 0.5, ("x",))
    export = Export(annotation((0.5, 1, "x")), "call", 1.0, activity=posterior)
    (tmp_path / "any.json").write_text(json_text(export))
    for path in (tmp_path, tmp_path / "any.json"):
        found = read_turns(path, posteriors=True)
        assert found.posteriors["call"].hop_s == 0.5
    pair = pair_up(side(tmp_path, "call"), found, None).pairs[0]
    assert pair.posterior.speakers == ("x",)


def test_one_recording_in_two_files_is_an_error(tmp_path):
    for name in ("a", "b"):
        (tmp_path / f"{name}.rttm").write_text(rttm_text(annotation((0, 5, "x")), "same"))
    with pytest.raises(BadFile, match=r"b\.rttm: found the recording 'same', .* in a\.rttm"):
        read_turns(tmp_path)


def test_a_folder_without_any_is_an_error(tmp_path):
    with pytest.raises(BadFile, match=r"found no \*\.rttm;"):
        read_turns(tmp_path)
    with pytest.raises(BadFile, match=r"found no \*\.rttm or \*\.json;"):
        read_turns(tmp_path, posteriors=True)


def test_in_a_folder_json_is_read_in_place_of_the_rttm_of_its_name(tmp_path):
    posterior = Activity(np.array([[0.0, 1.0]]), 0.5, ("x",))
    export = Export(annotation((0.5, 1, "x")), "call", 1.0, activity=posterior)
    (tmp_path / "call.json").write_text(json_text(export))
    save_rttm(tmp_path / "call.rttm", {"call": export.annotation})
    save_rttm(tmp_path / "other.rttm", {"other": export.annotation})
    found = read_turns(tmp_path, posteriors=True)
    assert sorted(found.annotations) == ["call", "other"]
    assert list(found.posteriors) == ["call"]
    assert read_turns(tmp_path).posteriors == {}
