import pytest

from diarize.corpora.speech_table import audio_files, in_split, read_speech_table, split_of
from diarize.errors import BadCall, BadFile


def test_a_table_gives_paths_under_its_folder(speech):
    utterances = read_speech_table(speech)
    assert len(utterances) == 24
    first = utterances[0]
    assert first.path == speech / "s0_0.wav"
    assert (first.speaker, first.collection, first.duration_s) == ("speaker0", "made", 6.0)


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ("path\tspeaker\tset\nx.wav\ta\tb\n", "speakers.tsv:2: no seconds"),
        ("path\tspeaker\tset\tseconds\nx.wav\t\tb\t1\n", "speakers.tsv:2: no speaker"),
        ("path\tspeaker\tset\tseconds\nx.wav\ta\tb\tlong\n", "'long' seconds"),
        ("path\tspeaker\tset\tseconds\nx.wav\ta\tb\t-1\n", "'-1' seconds"),
        ("path\tspeaker\tset\tseconds\nx.wav\ta\tb\tinf\n", "'inf' seconds"),
        ("path\tspeaker\tset\tseconds\n", "no lines"),
    ],
)
def test_a_bad_table_is_named_with_its_line(tmp_path, table, told):
    (tmp_path / "speakers.tsv").write_text(table)
    with pytest.raises(BadFile, match=told):
        read_speech_table(tmp_path)


def test_no_table_is_named(tmp_path):
    with pytest.raises(BadFile, match="no such file"):
        read_speech_table(tmp_path)


def test_splits_part_the_speakers_and_hold_their_shares():
    names = [f"speaker{number}" for number in range(2000)]
    parts = [in_split(names, split) for split in ("train", "dev", "test")]
    assert sorted(name for part in parts for name in part) == sorted(names)
    shares = [len(part) / 2000 for part in parts]
    assert shares == pytest.approx([0.6, 0.2, 0.2], abs=0.03)


def test_a_split_does_not_depend_on_who_else_is_there():
    for name in ("ann", "bob", "cy"):
        assert in_split([name], split_of(name)) == [name]
        assert name in in_split(["ann", "bob", "cy"], split_of(name))


def test_another_seed_splits_otherwise():
    assert {split_of("bob", seed) for seed in range(30)} == {"train", "dev", "test"}


def test_a_split_that_is_none_is_refused():
    with pytest.raises(BadCall, match="train, dev, test or all"):
        in_split(["ann"], "eval")


def test_sound_files_are_listed_sorted_and_their_absence_is_told(speech, tmp_path):
    assert [path.name for path in audio_files(speech)][:2] == ["s0_0.wav", "s0_1.wav"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadFile, match="no sound files"):
        audio_files(tmp_path / "empty")
    with pytest.raises(BadFile, match="no such folder"):
        audio_files(tmp_path / "gone")
