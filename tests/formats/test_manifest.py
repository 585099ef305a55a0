import json
from pathlib import Path

import pytest

from diarize.errors import BadCall, BadFile
from diarize.formats.manifest import Recording, read_manifest, write_manifest


def test_relative_paths_start_at_the_manifests_folder(tmp_path):
    (tmp_path / "m.jsonl").write_text(
        '{"recording": "a", "audio": "wav/a.wav", "duration_s": 3.5}\n\n'
        '{"recording": "b", "audio": "/far/b.wav", "rttm": "b.rttm", "uem": null}\n'
    )
    assert read_manifest(tmp_path / "m.jsonl") == [
        Recording("a", tmp_path / "wav/a.wav", duration_s=3.5),
        Recording("b", Path("/far/b.wav"), rttm=tmp_path / "b.rttm"),
    ]


def test_what_is_written_is_read_back_and_may_be_moved(tmp_path):
    recordings = [
        Recording("a b", tmp_path / "x" / "wav" / "ä.wav", tmp_path / "x" / "a.rttm", None, 2.0),
        Recording("c", Path("/far/c.wav")),
    ]
    write_manifest(tmp_path / "x" / "m.jsonl", recordings)
    assert read_manifest(tmp_path / "x" / "m.jsonl") == recordings
    (tmp_path / "x").rename(tmp_path / "y")
    assert read_manifest(tmp_path / "y" / "m.jsonl")[0].audio == tmp_path / "y" / "wav" / "ä.wav"


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("not json", "found no JSON"),
        ("[1]", "found list"),
        ('{"audio": "a.wav"}', "no 'recording'"),
        ('{"recording": "x", "audio": null}', "no 'audio'"),
        ('{"recording": "", "audio": "a.wav"}', "recording = ''"),
        ('{"recording": "x", "audio": 5}', "audio = '5'"),
        ('{"recording": "x", "audio": "a.wav", "duration_s": "5"}', "duration_s = '5'"),
        ('{"recording": "x", "audio": "a.wav", "duration_s": -1}', "duration_s = '-1'"),
        ('{"recording": "x", "audio": "a.wav", "duration_s": NaN}', "duration_s = 'nan'"),
        ('{"recording": "x", "audio": "a.wav", "durations": 1}', "the key 'durations'"),
        ('{"recording": "ok", "audio": "a.wav"}', "'ok' again (first on line 1)"),
    ],
)
def test_a_bad_line_is_named_with_what_was_found(tmp_path, line, found):
    path = tmp_path / "m.jsonl"
    path.write_text(json.dumps({"recording": "ok", "audio": "ok.wav"}) + "\n" + line + "\n")
    with pytest.raises(BadFile) as caught:
        read_manifest(path)
    assert str(caught.value).startswith(f"{path}, line 2: ")
    assert found in str(caught.value)


def test_two_recordings_of_one_id_are_not_written(tmp_path):
    with pytest.raises(BadCall, match="'a' twice"):
        write_manifest(tmp_path / "m.jsonl", [Recording("a", Path("a")), Recording("a", Path("b"))])
    assert not list(tmp_path.iterdir())
