"""Protocols of pyannote.database, both ways, by pyannote.database itself."""

import warnings

import pytest
import soundfile
from listed import LENGTHS, RATE_HZ, REGIONS, TURNS, listed, make_listed, sound

from diarize.corpora.pyannote_export import export_pyannote
from diarize.corpora.pyannote_import import ProtocolImport, import_protocol
from diarize.errors import BadCall, BadFile
from diarize.formats.manifest import Recording, read_manifest, write_manifest

NAME = "Mine.SpeakerDiarization.Mine"


@pytest.fixture(scope="module")
def database():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("pyannote.database", reason="it is not installed")


@pytest.fixture
def ours(tmp_path):
    return make_listed(tmp_path / "our own")


@pytest.fixture
def theirs(database, ours, tmp_path):
    """A database.yml."""
    export_pyannote({"test": ours}, tmp_path / "theirs", "Mine")
    return tmp_path / "theirs" / "database.yml"


def within(name):
    """Turns as far as they are scored; the others pyannote.database leaves out."""
    cut = [
        (max(start_s, first_s), min(end_s, last_s), who)
        for start_s, end_s, who in TURNS[name]
        for first_s, last_s in REGIONS[name]
        if min(end_s, last_s) > max(start_s, first_s)
    ]
    return sorted(cut)


RTTM = "".join(
    f"SPEAKER {name} 1 {start_s:.3f} {end_s - start_s:.3f} <NA> <NA> {who} <NA> <NA>\n"
    for name in LENGTHS
    for start_s, end_s, who in within(name)
)


def bring(theirs, tmp_path, **asked):
    made = import_protocol(ProtocolImport(theirs, **{"protocol": NAME, **asked}), tmp_path / "back")
    return made, tmp_path / "back"


def test_recordings_turns_and_regions_come_back_as_they_were(ours, theirs, tmp_path):
    made, back = bring(theirs, tmp_path)
    facts, _, uem = listed(ours.parent)
    assert listed(back) == (facts, RTTM, uem)
    assert (made.n_recordings, made.notes) == (3, ())


def test_pyannote_reads_what_we_write(database, ours, theirs):
    registry = database.registry.__class__()
    registry.load_database(theirs)
    warnings.filterwarnings("ignore", "Existing precomputed key")  # when it leaves turns out
    finder = database.FileFinder(registry=registry)
    files = {file["uri"]: file for file in registry.get_protocol(NAME).test()}
    assert list(files) == list(LENGTHS)
    for name, file in files.items():
        assert finder(file) == ours.parent / "sound" / f"{name}.wav"
        turns = [
            (segment.start, segment.end, who)
            for segment, _, who in file["annotation"].itertracks(yield_label=True)
        ]
        for found, right in zip(sorted(turns), within(name), strict=True):
            assert found == (pytest.approx(right[0]), pytest.approx(right[1]), right[2])
        assert [(one.start, one.end) for one in file["annotated"]] == REGIONS[name]
        assert file["scope"] == "file"


def test_all_three_subsets_are_written_and_each_is_read(database, tmp_path):
    named = {"train": ("a", "b"), "development": ("call_ü",), "test": ("b",)}
    manifests = {subset: make_listed(tmp_path / subset, names) for subset, names in named.items()}
    with pytest.raises(BadFile, match="two recordings with one id; rename one: b"):
        export_pyannote(manifests, tmp_path / "theirs", "Mine")
    entry = read_manifest(manifests["train"])[1]
    (manifests["test"].parent / "sound" / "b.wav").unlink()
    write_manifest(manifests["test"], [entry])
    made = export_pyannote(manifests, tmp_path / "theirs", "Mine")
    assert (made.n_recordings, made.n_turns, len(made.files)) == (3, 8, 10)
    for subset, names in named.items():
        _, back = bring(made.files[0], tmp_path, subset=subset)
        assert [name for name, _ in listed(back)[0]] == list(names)


def test_recordings_not_called_by_their_ids_are_linked(database, ours, tmp_path):
    entries = read_manifest(ours)
    moved = [
        Recording(one.recording, one.audio.rename(one.audio.with_stem(f"{number} {{x}}")), one.rttm)
        for number, one in enumerate(entries)
    ]
    write_manifest(ours, moved)
    for _ in range(2):  # links that are there are made anew
        made = export_pyannote({"test": ours}, tmp_path / "theirs", "Mine")
    links = sorted((tmp_path / "theirs" / "audio").iterdir())
    assert [link.name for link in links] == ["a.wav", "b.wav", "call_ü.wav"]
    assert all(link.is_symlink() for link in links)
    _, back = bring(made.files[0], tmp_path)
    assert listed(back)[:2] == listed(ours.parent)[:2]
    assert listed(back)[2] == "a 1 0.000 4.000\nb 1 0.000 3.001\ncall_ü 1 0.000 5.000\n"


def test_recordings_that_two_patterns_would_find_are_linked(database, tmp_path):
    one, other = (make_listed(tmp_path / name, ("a", "b")) for name in ("one", "other"))
    entries = [read_manifest(one)[0], read_manifest(other)[1]]  # each folder has both
    write_manifest(one, entries)
    made = export_pyannote({"test": one}, tmp_path / "theirs", "Mine")
    _, back = bring(made.files[0], tmp_path)
    assert [audio for _, audio in listed(back)[0]] == [entry.audio for entry in entries]


# Bad input


def test_an_unknown_protocol_or_subset_lists_those_there(theirs, tmp_path):
    with pytest.raises(BadCall) as error:
        bring(theirs, tmp_path, protocol="Mine.SpeakerDiarization.Yours")
    assert str(error.value) == (
        f"no protocol 'Mine.SpeakerDiarization.Yours' in {theirs}; there are {NAME}"
    )
    with pytest.raises(BadCall, match=f"{NAME} has no subset train; there are test"):
        bring(theirs, tmp_path, subset="train")
    with pytest.raises(BadCall, match="no subset 'dev'; there are train, development, test"):
        bring(theirs, tmp_path, subset="dev")


def test_audio_that_is_not_there_or_too_short_is_named(ours, theirs, tmp_path):
    (ours.parent / "sound" / "a.wav").unlink()
    soundfile.write(ours.parent / "sound" / "b.wav", sound(RATE_HZ), RATE_HZ)
    with pytest.raises(BadFile) as error:
        bring(theirs, tmp_path)
    assert f"{NAME}: 2 of 3 recordings cannot be used" in str(error.value)
    assert 'the audio is not there: a (Could not find file "a"' in str(error.value)
    assert "shorter than its reference (by over tolerance_s = 0.5 s): b (audio 1.000 s, " in str(
        error.value
    )
    assert "\n" not in str(error.value)


def test_a_database_without_a_place_for_its_audio_is_refused_by_id(theirs, tmp_path):
    text = theirs.read_text()
    theirs.write_text(text[text.index("Protocols:") :])
    with pytest.raises(
        BadFile, match="Databases says nowhere where audio of Mine lies: a, b, call"
    ):
        bring(theirs, tmp_path)


def test_a_list_that_names_one_recording_twice_is_refused(theirs, tmp_path):
    names = theirs.parent / "Mine.test.lst"
    names.write_text(names.read_text() + "a\n")
    with pytest.raises(BadFile, match="two recordings with one id; rename one: a"):
        bring(theirs, tmp_path)


def test_a_recording_that_the_rttm_leaves_out_is_noted(theirs, tmp_path):
    rttm = theirs.parent / "Mine.test.rttm"
    kept = [line for line in rttm.read_text().splitlines(keepends=True) if " b 1 " not in line]
    rttm.write_text("".join(kept))
    made, _ = bring(theirs, tmp_path)
    assert made.notes == ("b: nobody speaks there, or its RTTM leaves it out",)


@pytest.mark.parametrize("ending", ["lst", "rttm", "uem"])
def test_a_file_of_the_protocol_that_is_missing_or_broken_is_named(theirs, tmp_path, ending):
    path = theirs.parent / f"Mine.test.{ending}"
    if ending != "lst":
        path.write_text("SPEAKER a b c\n")
        with pytest.raises(BadFile, match=r"database.yml: cannot be used: "):
            bring(theirs, tmp_path)
    path.unlink()
    with pytest.raises(BadFile, match=rf"database.yml: cannot be used: .*Mine.test.{ending}"):
        bring(theirs, tmp_path)


@pytest.mark.parametrize("text", ["Protocols: [", "Protocols: 3", "- x"])
def test_a_file_that_is_no_database_is_refused(database, tmp_path, text):
    (tmp_path / "x.yml").write_text(text)
    with pytest.raises(BadFile, match=r"x.yml: cannot be used: ") as error:
        bring(tmp_path / "x.yml", tmp_path)
    assert "\n" not in str(error.value)
    with pytest.raises(BadFile, match=r"no.yml: no such file; expected pyannote's database.yml"):
        bring(tmp_path / "no.yml", tmp_path)


def test_what_pyannote_prints_is_a_note(theirs, tmp_path, capsys):
    theirs.write_text(theirs.read_text().replace("        scope: file\n", ""))
    made, _ = bring(theirs, tmp_path)
    assert "does not define the 'scope' of speaker labels" in made.notes[0]
    assert capsys.readouterr().out == ""


def test_what_cannot_be_exported_is_named(ours, tmp_path):
    entries = read_manifest(ours)
    entries[0].audio.unlink()
    write_manifest(ours, [entries[0], Recording("b", entries[1].audio), entries[2]])
    with pytest.raises(BadFile) as error:
        export_pyannote({"test": ours}, tmp_path / "theirs", "Mine")
    assert "export pyannote: 2 of 3 recordings cannot be used: the audio is not there: a (" in str(
        error.value
    )
    assert "no rttm of it in the manifest: b" in str(error.value)
    assert not (tmp_path / "theirs").exists()


@pytest.mark.parametrize("name", ["", "X", "a.b", "a b", "a:"])
def test_a_name_that_pyannote_would_not_take_is_refused(ours, tmp_path, name):
    with pytest.raises(BadCall, match="letters, digits, _ and - would be right, and not X"):
        export_pyannote({"test": ours}, tmp_path / "theirs", name)
    with pytest.raises(BadCall, match="no subset 'dev'; there are train, development, test"):
        export_pyannote({"dev": ours}, tmp_path / "theirs", "Mine")
    with pytest.raises(BadCall, match="cannot use a path with braces or stars"):
        export_pyannote({"test": ours}, tmp_path / "{x}", "Mine")
