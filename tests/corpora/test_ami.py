"""AMI: on a small tree in its exact layout, and on a miniature of real excerpts."""

import shutil

import pytest
from recorded_tree import ami_tree, rttm_lines, write_rttm, write_sound, write_uem

from diarize.corpora.ami import AmiSettings, prepare_ami
from diarize.corpora.ami_meetings import all_meetings, known_sha256, meetings_of, never_recorded
from diarize.errors import BadCall, BadFile
from diarize.formats.manifest import read_manifest
from diarize.formats.rttm import read_rttm
from diarize.formats.uem import read_uem

TEST = meetings_of("full_corpus_asr", ["test"])
FEW = ("ES2004a", "ES2004b")


@pytest.fixture
def tree(tmp_path):
    """A folder with the audio and references of the 16 test meetings, of 3 s each."""
    ami_tree(tmp_path, TEST)
    return tmp_path


# The lists of meetings


@pytest.mark.parametrize(
    ("split", "sizes"),
    [
        ("full_corpus_asr", (136, 18, 16)),
        ("but", (136, 18, 16)),
        ("full_corpus", (120, 26, 24)),
        ("scenario_only", (98, 20, 20)),
    ],
)
def test_a_split_shares_meetings_out_once(split, sizes):
    parts = [meetings_of(split, [part]) for part in ("train", "dev", "test")]
    assert tuple(map(len, parts)) == sizes
    assert len(set().union(*parts)) == sum(sizes)
    assert set().union(*parts) <= set(all_meetings())


def test_but_shares_out_as_the_official_split_for_recognition_does():
    for part in ("train", "dev", "test"):
        assert meetings_of("but", [part]) == meetings_of("full_corpus_asr", [part])


def test_the_lists_are_those_of_the_published_references(real_ami):
    for part in ("train", "dev", "test"):
        lines = (real_ami / "ami_reference" / f"{part}.rttm").read_text().splitlines()
        assert meetings_of("but", [part]) == sorted({line.split()[1] for line in lines})


def test_no_speaker_group_is_in_two_parts():
    for split in ("full_corpus_asr", "full_corpus", "scenario_only"):
        groups = [
            {one[:6] for one in meetings_of(split, [part])} for part in ("train", "dev", "test")
        ]
        assert not groups[0] & groups[1]
        assert not groups[2] & (groups[0] | groups[1])


def test_checksums_are_of_the_headset_mix_of_all_test_meetings():
    sums = {known_sha256("mix_headset", one) for one in TEST}
    assert len(sums) == 16
    assert all(len(one) == 64 for one in sums)
    assert known_sha256("array1_01", "ES2004a") is None
    assert known_sha256("mix_headset", "ES2002a") is None


# What is listed


def test_the_test_meetings_are_listed_with_their_truth(tree):
    made = prepare_ami(tree, AmiSettings())
    assert (made.n_recordings, made.duration_s, made.notes) == (16, 48.0, ())
    entries = read_manifest(made.manifest)
    assert [one.recording for one in entries] == TEST
    name = "EN2002a/audio/EN2002a.Mix-Headset.wav"
    assert entries[0].audio == tree / "corpus" / name
    assert entries[0].duration_s == 3.0
    turns = read_rttm(tree / "ref.rttm")["EN2002a"]
    assert [(one.start, one.end, who) for one, _, who in turns.itertracks(yield_label=True)] == [
        (0.5, 1.5, "a"),
        (1.0, 2.5, "b"),
    ]
    assert entries[0].rttm == tree / "ref.rttm"
    assert sorted(read_uem(entries[0].uem)) == TEST


def test_word_and_vocalsounds_are_other_labels(tree):
    prepare_ami(tree, AmiSettings(labels="word_and_vocalsounds"))
    assert read_rttm(tree / "ref.rttm")["EN2002a"].get_timeline().extent().end == 2.9


def test_the_far_microphone_is_other_audio(tmp_path):
    ami_tree(tmp_path, TEST, microphone="Array1-01")
    made = prepare_ami(tmp_path, AmiSettings(microphone="array1_01"))
    assert read_manifest(made.manifest)[0].audio.name == "EN2002a.Array1-01.wav"
    with pytest.raises(BadFile, match="no Mix-Headset audio"):
        prepare_ami(tmp_path, AmiSettings())


def test_meetings_may_be_named_and_left_out(tree):
    made = prepare_ami(tree, AmiSettings(meetings=FEW, leave_out=("ES2004b",)))
    assert [one.recording for one in read_manifest(made.manifest)] == ["ES2004a"]


def test_lists_may_go_into_a_folder_of_their_own(tree):
    made = prepare_ami(tree, AmiSettings(meetings=FEW), out=tree / "few")
    assert made.manifest == tree / "few" / "manifest.jsonl"
    assert read_manifest(made.manifest)[0].audio.is_file()
    assert not (tree / "manifest.jsonl").exists()


def test_the_regions_of_the_uem_are_what_is_scored(tree):
    write_uem(tree / "references" / "uems" / "test" / "ES2004a.uem", "ES2004a", 0.5, 2.0)
    prepare_ami(tree, AmiSettings(meetings=FEW))
    (region,) = read_uem(tree / "all.uem")["ES2004a"]
    assert (region.start, region.end) == (0.5, 2.0)


def test_without_a_uem_all_of_the_audio_is_scored_and_it_is_said(tree):
    (tree / "references" / "uems" / "test" / "ES2004a.uem").unlink()
    made = prepare_ami(tree, AmiSettings(meetings=FEW))
    assert made.notes == ("ES2004a: no UEM; the whole of each is scored",)
    assert read_uem(tree / "all.uem")["ES2004a"].extent().end == 3.0


def test_a_uem_that_passes_the_audio_a_little_is_cut_to_it(tree):
    write_uem(tree / "references" / "uems" / "test" / "ES2004a.uem", "ES2004a", 0.0, 3.4)
    prepare_ami(tree, AmiSettings(meetings=FEW))
    assert read_uem(tree / "all.uem")["ES2004a"].extent().end == 3.0


def test_references_may_be_one_file_about_many_meetings(tree):
    lines = "".join(rttm_lines(one, [(0, 1, "x")]) for one in TEST)
    (tree / "all.rttm").write_text(lines)
    prepare_ami(tree, AmiSettings(references=tree / "all.rttm"))
    assert read_rttm(tree / "ref.rttm")["TS3003d"].labels() == ["x"]


def test_packed_audio_and_a_folder_amicorpus_are_found(tmp_path):
    ami_tree(tmp_path, FEW)
    (tmp_path / "corpus").rename(tmp_path / "amicorpus")
    wav = tmp_path / "amicorpus" / "ES2004a" / "audio" / "ES2004a.Mix-Headset.wav"
    wav.unlink()
    write_sound(wav.with_suffix(".flac"))
    made = prepare_ami(tmp_path, AmiSettings(corpus=tmp_path, meetings=FEW))
    names = [one.audio.suffix for one in read_manifest(made.manifest)]
    assert names == [".flac", ".wav"]


def test_meetings_that_ami_has_no_far_audio_of_are_left_out(tmp_path):
    assert never_recorded("array1_01") == {"IS1003b", "IS1007d"}
    ami_tree(tmp_path, ["IS1003a", "IS1003b"], "train", "Array1-01")
    shutil.rmtree(tmp_path / "corpus" / "IS1003b")
    far = AmiSettings(microphone="array1_01", meetings=("IS1003a", "IS1003b"))
    made = prepare_ami(tmp_path, far)
    assert made.notes == ("IS1003b: left out, for AMI has no Array1-01 of them",)
    assert made.n_recordings == 1
    near = AmiSettings(meetings=("IS1003b",))
    with pytest.raises(BadFile, match="IS1003b"):
        prepare_ami(tmp_path, near)


# What is wrong


def test_half_a_corpus_is_told_by_id(tree):
    for meeting in ("TS3003b", "EN2002c"):
        shutil.rmtree(tree / "corpus" / meeting)
    (tree / "references" / "only_words" / "rttms" / "test" / "IS1009a.rttm").unlink()
    with pytest.raises(BadFile) as told:
        prepare_ami(tree, AmiSettings())
    line = str(told.value)
    assert line.startswith("ami: 3 of 16 recordings cannot be used: ")
    assert "(ID/audio/ID.Mix-Headset.wav): EN2002c, TS3003b;" in line
    assert "only_words: IS1009a" in line
    assert "\n" not in line
    assert not (tree / "manifest.jsonl").exists()


def test_audio_shorter_than_its_reference_is_told_with_both_lengths(tree):
    write_sound(tree / "corpus" / "ES2004b" / "audio" / "ES2004b.Mix-Headset.wav", 1.9)
    with pytest.raises(
        BadFile, match=r"shorter than its reference .*ES2004b \(audio 1\.900 s, ref"
    ):
        prepare_ami(tree, AmiSettings(meetings=FEW))
    with pytest.raises(BadFile, match=r"shorter than its UEM .*UEM to 3\.000 s"):
        prepare_ami(tree, AmiSettings(meetings=FEW))
    prepare_ami(tree, AmiSettings(meetings=FEW, tolerance_s=1.2))


def test_two_files_of_one_meeting_are_told(tree):
    write_sound(tree / "corpus" / "ES2004a" / "audio" / "ES2004a.Mix-Headset.flac")
    with pytest.raises(
        BadFile, match=r"two recordings with one id.*ES2004a \(.*\.wav and .*\.flac"
    ):
        prepare_ami(tree, AmiSettings(meetings=FEW))


def test_two_references_of_one_meeting_are_told(tree):
    other = tree / "references" / "only_words" / "rttms" / "dev" / "ES2004a.rttm"
    write_rttm(other, "ES2004a")
    with pytest.raises(BadFile, match=r"told of in two rttm files.*ES2004a \(.*dev.* and .*test"):
        prepare_ami(tree, AmiSettings(meetings=FEW))


def test_a_reference_about_another_meeting_is_told(tree):
    write_rttm(tree / "references" / "only_words" / "rttms" / "test" / "ES2004a.rttm", "ES2004x")
    with pytest.raises(BadFile, match=r"no turns of it in any \.rttm of .*only_words: ES2004a"):
        prepare_ami(tree, AmiSettings(meetings=FEW))


def test_audio_that_is_none_is_told(tree):
    (tree / "corpus" / "ES2004a" / "audio" / "ES2004a.Mix-Headset.wav").write_text("<html>404")
    with pytest.raises(
        BadFile, match=r"the audio cannot be read: ES2004a .*a text file, not audio"
    ):
        prepare_ami(tree, AmiSettings(meetings=FEW))


def test_audio_without_samples_is_told(tree):
    write_sound(tree / "corpus" / "ES2004a" / "audio" / "ES2004a.Mix-Headset.wav", 0.0)
    with pytest.raises(BadFile, match=r"the audio cannot be read: ES2004a .*no samples"):
        prepare_ami(tree, AmiSettings(meetings=FEW))


def test_a_uem_that_scores_nothing_is_told(tree):
    write_uem(tree / "references" / "uems" / "test" / "ES2004a.uem", "ES2004a", 3.1, 3.4)
    with pytest.raises(BadFile, match="scores nothing of the audio: ES2004a"):
        prepare_ami(tree, AmiSettings(meetings=FEW))


def test_references_of_the_other_kind_are_not_taken_for_these(tree):
    shutil.rmtree(tree / "references" / "only_words")
    with pytest.raises(BadFile, match="labels = 'word_and_vocalsounds' would fit"):
        prepare_ami(tree, AmiSettings())


def test_no_references_at_all_are_told(tree):
    with pytest.raises(BadFile, match=r"gone: no such file or folder; expected \.rttm files"):
        prepare_ami(tree, AmiSettings(references=tree / "gone"))
    (tree / "empty").mkdir()
    with pytest.raises(BadFile, match=r"empty: no \.rttm file in it"):
        prepare_ami(tree, AmiSettings(references=tree / "empty"))


def test_settings_that_cannot_be_meant_are_refused(tree):
    with pytest.raises(BadCall, match="name train, dev or test, or meetings"):
        AmiSettings(parts=())
    with pytest.raises(BadCall, match="tolerance_s"):
        prepare_ami(tree, AmiSettings(tolerance_s=-1.0))
