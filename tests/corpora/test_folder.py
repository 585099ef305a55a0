"""Anybody's recordings: sound files, RTTM and UEM in a folder."""

import pytest
from recorded_tree import rttm_lines, write_rttm, write_sound, write_uem

from diarize.corpora.folder import FolderSettings, fetch_folder, prepare_folder
from diarize.errors import BadFile
from diarize.formats.manifest import read_manifest
from diarize.formats.rttm import read_rttm
from diarize.formats.uem import read_uem


@pytest.fixture
def mine(tmp_path):
    """Two recordings with an RTTM beside each, one with a blank in its name, in a folder below."""
    corpus = tmp_path / "corpus"
    write_sound(corpus / "call.wav")
    write_rttm(corpus / "call.rttm", "call")
    write_sound(corpus / "more" / "my meeting.flac")
    write_rttm(corpus / "more" / "my meeting.rttm", "my_meeting")
    return tmp_path


def ids(made):
    return [one.recording for one in read_manifest(made.manifest)]


def test_pairs_are_listed(mine):
    made = prepare_folder(mine, FolderSettings())
    assert ids(made) == ["call", "my_meeting"]
    assert list(read_rttm(mine / "ref.rttm")) == ["call", "my_meeting"]
    assert read_uem(mine / "all.uem")["call"].extent().end == 3.0


def test_one_rttm_and_one_uem_may_be_about_all(mine):
    for path in list((mine / "corpus").rglob("*.rttm")):
        path.unlink()
    lines = rttm_lines("call", [(0, 1, "x")]) + rttm_lines("my_meeting", [(1, 2, "y")])
    (mine / "corpus" / "train.rttm").write_text(lines)
    (mine / "corpus" / "train.uem").write_text("call 1 0 2\nmy_meeting 1 1 3\n")
    prepare_folder(mine, FolderSettings())
    assert read_rttm(mine / "ref.rttm")["my_meeting"].labels() == ["y"]
    assert read_uem(mine / "all.uem")["my_meeting"].extent().start == 1.0


def test_references_may_lie_elsewhere(mine):
    (mine / "truth").mkdir()
    for path in list((mine / "corpus").rglob("*.rttm")):
        path.rename(mine / "truth" / path.name)
    with pytest.raises(BadFile, match=r"no \.rttm file in it"):
        prepare_folder(mine, FolderSettings())
    made = prepare_folder(mine, FolderSettings(references=mine / "truth"))
    assert made.n_recordings == 2


def test_a_uem_beside_each_is_read(mine):
    write_uem(mine / "corpus" / "call.uem", "call", 1.0, 2.0)
    write_uem(mine / "corpus" / "more" / "my meeting.uem", "my_meeting", 0.0, 2.5)
    prepare_folder(mine, FolderSettings())
    assert read_uem(mine / "all.uem")["call"].extent().start == 1.0


def test_an_empty_rttm_says_that_nobody_speaks(mine):
    (mine / "corpus" / "call.rttm").write_text("")
    made = prepare_folder(mine, FolderSettings())
    assert ids(made) == ["call", "my_meeting"]
    assert "call" not in read_rttm(mine / "ref.rttm")
    assert "call" in read_uem(mine / "all.uem")  # silence is scored


# What is wrong


def test_what_lacks_its_other_half_is_told_by_id(mine):
    write_sound(mine / "corpus" / "alone.wav")
    write_rttm(mine / "corpus" / "lost.rttm", "lost")
    with pytest.raises(BadFile) as told:
        prepare_folder(mine, FolderSettings())
    line = str(told.value)
    assert line.startswith("folder: 2 of 4 recordings cannot be used: ")
    assert "audio without RTTM: no turns of it in any .rttm" in line
    assert ": alone;" in line
    assert "RTTM without audio" in line
    assert "lost (" in line
    left = FolderSettings(leave_out=("alone", "lost"))
    assert ids(prepare_folder(mine, left)) == ["call", "my_meeting"]


def test_an_empty_rttm_without_audio_is_told(mine):
    (mine / "corpus" / "lost.rttm").write_text("")
    with pytest.raises(BadFile, match=r"RTTM without audio .*: lost"):
        prepare_folder(mine, FolderSettings())


def test_an_rttm_about_another_name_is_told(mine):
    write_rttm(mine / "corpus" / "call.rttm", "call1")
    with pytest.raises(BadFile) as told:
        prepare_folder(mine, FolderSettings())
    assert ": call;" in str(told.value)
    assert "call1 (" in str(told.value)


def test_two_recordings_with_one_id_are_told(mine):
    write_sound(mine / "corpus" / "more" / "call.flac")
    with pytest.raises(BadFile, match=r"two recordings with one id.*call \(.*wav and .*more"):
        prepare_folder(mine, FolderSettings())
    write_sound(mine / "corpus" / "my_meeting.wav")  # as the other is called with its blank
    with pytest.raises(BadFile, match="my_meeting"):
        prepare_folder(mine, FolderSettings())


def test_audio_shorter_than_its_rttm_is_told(mine):
    write_rttm(mine / "corpus" / "call.rttm", "call", [(0.5, 9.0, "a")])
    with pytest.raises(BadFile, match=r"call \(audio 3\.000 s, reference to 9\.000 s\)"):
        prepare_folder(mine, FolderSettings())


@pytest.mark.parametrize("ending", ["wav", "flac"])
def test_audio_that_was_cut_is_as_long_as_what_is_left_of_it(ending, mine):
    (mine / "corpus" / "call.wav").unlink()
    path = mine / "corpus" / f"call.{ending}"
    write_sound(path, 8.0)
    write_rttm(mine / "corpus" / "call.rttm", "call", [(0.5, 7.0, "a")])
    prepare_folder(mine, FolderSettings())
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(BadFile, match=r"call \(audio [34]\.\d+ s, reference to 7\.000 s\)"):
        prepare_folder(mine, FolderSettings())


def test_a_uem_that_passes_the_audio_or_leaves_one_out_is_told(mine):
    write_uem(mine / "corpus" / "call.uem", "call", 0.0, 9.0)
    with pytest.raises(BadFile) as told:
        prepare_folder(mine, FolderSettings())
    assert "shorter than its UEM" in str(told.value)
    assert "no region of it in any .uem" in str(told.value)
    assert "my_meeting" in str(told.value)


def test_a_line_that_is_no_turn_is_told_with_its_place(mine):
    (mine / "corpus" / "call.rttm").write_text("SPEAKER call 1 0.5\n")
    with pytest.raises(BadFile, match=r"call\.rttm, line 1: found 4 fields"):
        prepare_folder(mine, FolderSettings())


def test_recordings_may_be_named_and_others_need_no_truth(mine):
    write_sound(mine / "corpus" / "alone.wav")
    made = prepare_folder(mine, FolderSettings(recordings=("call",)))
    assert ids(made) == ["call"]
    with pytest.raises(BadFile, match="recordings names 'nobody'"):
        prepare_folder(mine, FolderSettings(recordings=("nobody",)))


def test_hidden_files_are_passed_over(mine):
    write_sound(mine / "corpus" / "._call.wav")
    write_rttm(mine / "corpus" / "._call.rttm", "other")
    assert ids(prepare_folder(mine, FolderSettings())) == ["call", "my_meeting"]


def test_an_empty_folder_says_what_to_put_there(tmp_path):
    (tmp_path / "corpus").mkdir()
    for do in (prepare_folder, fetch_folder):
        with pytest.raises(BadFile, match=r"corpus: no recordings; put sound files there and"):
            do(tmp_path, FolderSettings())
    with pytest.raises(BadFile, match="gone: no recordings"):
        prepare_folder(tmp_path, FolderSettings(corpus=tmp_path / "gone"))


def test_what_is_there_is_counted(mine):
    fetched = fetch_folder(mine, FolderSettings())
    assert (fetched.what, fetched.is_new) == ("2 recordings", False)
