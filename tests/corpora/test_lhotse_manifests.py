"""lhotse's manifests, both ways: nothing is lost on the way, and what cannot be used is named."""

import gzip
import json
import warnings

import numpy as np
import pytest
import soundfile
from listed import LENGTHS, RATE_HZ, REGIONS, TURNS, listed, make_listed, sound

from diarize.corpora.lhotse_export import NAMES, export_lhotse
from diarize.corpora.lhotse_import import LhotseImport, import_lhotse, save_channel
from diarize.errors import BadCall, BadFile
from diarize.formats.lhotse import LhotseSupervision, read_supervisions, save_supervisions
from diarize.formats.manifest import read_manifest
from diarize.formats.rttm import read_rttm


@pytest.fixture
def ours(tmp_path):
    return make_listed(tmp_path / "our own")


@pytest.fixture
def theirs(ours, tmp_path):
    """A folder with the three manifests."""
    export_lhotse(ours, tmp_path / "theirs")
    return tmp_path / "theirs"


@pytest.fixture(scope="module")
def lhotse():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("lhotse", reason="lhotse is not installed")


def lines(path):
    text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return [json.loads(line) for line in text.splitlines()]


def save(path, objects):
    path.write_text("".join(json.dumps(one) + "\n" for one in objects))
    return path


def recording(path, name="x", channels=(0,), **more):
    facts = soundfile.info(str(path))
    source = {"type": "file", "channels": list(channels), "source": str(path)}
    length = {"num_samples": facts.frames, "duration": facts.frames / facts.samplerate}
    return {"id": name, "sources": [source], "sampling_rate": facts.samplerate, **length, **more}


def turn(name="s1", of="x", start=0.0, duration=0.5, channel=0, speaker="ann"):
    told = {"id": name, "recording_id": of, "start": start, "duration": duration}
    return {**told, "channel": channel, "speaker": speaker}


@pytest.fixture
def brought(tmp_path):
    """A function: import these objects; the folder with what came of it."""

    def bring(recordings, turns=None, **asked):
        told = {"recordings": save(tmp_path / "r.jsonl", recordings)}
        if turns is not None:
            told["supervisions"] = save(tmp_path / "s.jsonl", turns)
        import_lhotse(LhotseImport(**told, **asked), tmp_path / "out")
        return tmp_path / "out"

    return bring


@pytest.fixture
def mono(tmp_path):
    soundfile.write(tmp_path / "mono.wav", sound(RATE_HZ), RATE_HZ)
    return tmp_path / "mono.wav"


@pytest.fixture
def stereo(tmp_path):
    soundfile.write(tmp_path / "stereo.wav", sound(RATE_HZ, n_channels=2), RATE_HZ)
    return tmp_path / "stereo.wav"


# There and back


def test_recordings_and_supervisions_come_back_as_they_were(ours, theirs, tmp_path):
    asked = LhotseImport(theirs / NAMES[0], theirs / NAMES[1])
    made = import_lhotse(asked, tmp_path / "back")
    facts, rttm, uem = listed(tmp_path / "back")
    wanted_facts, wanted_rttm, _ = listed(ours.parent)
    assert (facts, rttm) == (wanted_facts, wanted_rttm)
    assert uem == "a 1 0.000 4.000\nb 1 0.000 3.001\ncall_ü 1 0.000 5.000\n"  # all is scored
    assert made.n_recordings == 3
    assert made.duration_s == pytest.approx(sum(LENGTHS.values()) / RATE_HZ, abs=0.002)


def test_cuts_come_back_with_their_regions(ours, theirs, tmp_path):
    import_lhotse(LhotseImport(cuts=theirs / NAMES[2]), tmp_path / "back")
    assert listed(tmp_path / "back") == listed(ours.parent)


def test_the_same_manifest_gives_the_same_bytes(ours, theirs, tmp_path):
    export_lhotse(ours, tmp_path / "again")
    for name in NAMES:
        assert (tmp_path / "again" / name).read_bytes() == (theirs / name).read_bytes()


def test_lengths_are_exact_to_the_sample(theirs):
    found = {one["id"]: one for one in lines(theirs / NAMES[0])}
    assert {name: one["num_samples"] for name, one in found.items()} == LENGTHS
    assert found["b"]["duration"] == LENGTHS["b"] / RATE_HZ


def test_times_keep_their_microseconds(tmp_path):
    told = [LhotseSupervision("s", "r", 1.000001, 0.333333, (0, 1), None)]
    save_supervisions(tmp_path / "s.jsonl.gz", told)
    assert list(read_supervisions(tmp_path / "s.jsonl.gz")) == told


def test_without_supervisions_there_is_a_manifest_alone(ours, theirs, tmp_path):
    import_lhotse(LhotseImport(theirs / NAMES[0]), tmp_path / "back")
    found = read_manifest(tmp_path / "back" / "manifest.jsonl")
    assert [(one.recording, one.rttm, one.uem) for one in found] == [
        (name, None, None) for name in LENGTHS
    ]
    assert [path.name for path in (tmp_path / "back").iterdir()] == ["manifest.jsonl"]


# By lhotse itself


def test_lhotse_reads_what_we_write(lhotse, ours, theirs):
    recordings = lhotse.RecordingSet.from_file(theirs / NAMES[0])
    supervisions = lhotse.SupervisionSet.from_file(theirs / NAMES[1])
    cuts = lhotse.CutSet.from_file(theirs / NAMES[2])
    for manifest in (recordings, supervisions, cuts):
        lhotse.qa.validate(manifest)
    lhotse.qa.validate_recordings_and_supervisions(recordings, supervisions)
    for one in recordings:
        audio = ours.parent / "sound" / f"{one.id}.wav"
        assert one == lhotse.Recording.from_file(audio, recording_id=one.id)
        np.testing.assert_array_equal(
            one.load_audio()[0], soundfile.read(audio, dtype="float32")[0]
        )
    told = {
        name: sorted(
            (one.start, one.end, one.speaker) for one in supervisions if one.recording_id == name
        )
        for name in LENGTHS
    }
    assert told == {name: sorted(turns) for name, turns in TURNS.items()}
    assert [(one.start, one.end) for one in cuts] == [
        span for name in LENGTHS for span in REGIONS[name]
    ]


def test_our_cuts_are_lhotse_s_own(lhotse, theirs):
    whole = lhotse.CutSet.from_manifests(
        recordings=lhotse.RecordingSet.from_file(theirs / NAMES[0]),
        supervisions=lhotse.SupervisionSet.from_file(theirs / NAMES[1]),
    )
    whole = {one.recording_id: one for one in whole}
    for cut in lhotse.CutSet.from_file(theirs / NAMES[2]):
        right = whole[cut.recording_id].truncate(offset=cut.start, duration=cut.duration)
        assert {(one.id, one.start, one.duration) for one in cut.supervisions} == {
            (one.id, one.start, one.duration) for one in right.supervisions
        }


def test_we_read_what_lhotse_writes(lhotse, ours, tmp_path):
    audio = [ours.parent / "sound" / f"{name}.wav" for name in LENGTHS]
    recordings = lhotse.RecordingSet.from_recordings(map(lhotse.Recording.from_file, audio))
    supervisions = lhotse.SupervisionSet.from_segments(
        lhotse.SupervisionSegment(f"{name}{number}", name, start_s, end_s - start_s, speaker=who)
        for name, turns in TURNS.items()
        for number, (start_s, end_s, who) in enumerate(turns)
    )
    for ending in ("jsonl", "jsonl.gz"):
        told = tmp_path / f"r.{ending}", tmp_path / f"s.{ending}"
        recordings.to_file(told[0]), supervisions.to_file(told[1])
        import_lhotse(LhotseImport(*told), tmp_path / "back")
        assert listed(tmp_path / "back")[:2] == listed(ours.parent)[:2]


def test_cuts_of_any_making_are_regions_of_their_recordings(lhotse, theirs, tmp_path):
    cuts = lhotse.CutSet.from_manifests(
        recordings=lhotse.RecordingSet.from_file(theirs / NAMES[0]),
        supervisions=lhotse.SupervisionSet.from_file(theirs / NAMES[1]),
    )
    windows = [cut for cut in cuts.cut_into_windows(1.0) if cut.start != 2.0]
    lhotse.CutSet.from_cuts(windows).to_file(tmp_path / "cuts.jsonl")
    import_lhotse(LhotseImport(cuts=tmp_path / "cuts.jsonl"), tmp_path / "back")
    _, rttm, uem = listed(tmp_path / "back")
    assert uem.splitlines()[:2] == ["a 1 0.000 2.000", "a 1 3.000 4.000"]
    found = read_rttm(tmp_path / "back" / "ref.rttm")
    assert len(rttm.splitlines()) == 7  # a turn that windows share is one turn
    assert [(one.start, one.end) for one in found["b"].itersegments()] == [
        pytest.approx((0.333, 2.667))
    ]


def test_mixed_cuts_are_refused_by_name(lhotse, theirs, tmp_path):
    cuts = lhotse.CutSet.from_file(theirs / NAMES[2])
    cuts.pad(9.0).to_file(tmp_path / "cuts.jsonl")
    with pytest.raises(BadFile, match=r"cuts.jsonl, line 1: .* is a MixedCut; expected MonoCut"):
        import_lhotse(LhotseImport(cuts=tmp_path / "cuts.jsonl"), tmp_path / "back")


def test_what_is_changed_on_loading_is_refused_but_for_the_rate(lhotse, ours, tmp_path):
    plain = lhotse.Recording.from_file(ours.parent / "sound" / "a.wav")
    for changed, right in ((plain.resample(8000), True), (plain.perturb_speed(0.9), False)):
        lhotse.RecordingSet.from_recordings([changed]).to_file(tmp_path / "r.jsonl")
        asked = LhotseImport(tmp_path / "r.jsonl")
        if right:
            assert import_lhotse(asked, tmp_path / "back").n_recordings == 1
        else:
            with pytest.raises(BadFile, match=r"changed when loaded; .*: a_sp0.9 \(Speed\)"):
                import_lhotse(asked, tmp_path / "back")


# Channels


def test_several_channels_and_none_chosen_are_refused_by_id(brought, stereo, mono):
    with pytest.raises(BadFile) as error:
        brought([recording(stereo, "two", (0, 1)), recording(mono, "one")])
    assert str(error.value) == (
        "lhotse: 1 of 2 recordings cannot be used: several channels: two (channels 0, 1); "
        "--channel N, or --channel mix, says which"
    )


@pytest.mark.parametrize("kind", ["PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
def test_one_channel_is_taken_sample_by_sample(tmp_path, kind):
    values = np.stack([sound(5000, seed)[:, 0] for seed in (1, 2)], axis=1)
    soundfile.write(tmp_path / "two.wav", values, RATE_HZ, subtype=kind)
    save_channel(tmp_path / "two.wav", 1, tmp_path / "new" / "one.wav")
    right = soundfile.read(tmp_path / "two.wav", dtype="float64")[0][:, 1]
    np.testing.assert_array_equal(soundfile.read(tmp_path / "new" / "one.wav")[0], right)
    assert soundfile.info(str(tmp_path / "new" / "one.wav")).subtype == kind
    with pytest.raises(BadFile, match=r"two.wav: 2 channels; its manifest has 3 or more"):
        save_channel(tmp_path / "two.wav", 2, tmp_path / "no.wav")


def test_of_a_chosen_channel_only_its_own_turns_count(brought, stereo):
    turns = [turn("s1", speaker="ann"), turn("s2", channel=1, speaker="bob")]
    turns.append(turn("s3", start=0.6, duration=0.2, channel=[0, 1], speaker="carol"))
    out = brought([recording(stereo, channels=(0, 1))], turns, channel=1)
    assert read_rttm(out / "ref.rttm")["x"].labels() == ["bob", "carol"]
    (entry,) = read_manifest(out / "manifest.jsonl")
    assert entry.audio == out / "audio" / "x.1.wav"
    np.testing.assert_array_equal(soundfile.read(entry.audio)[0], soundfile.read(stereo)[0][:, 1])


def test_mixed_all_count_and_nothing_is_copied(brought, stereo):
    turns = [turn("s1"), turn("s2", channel=1, speaker="bob")]
    out = brought([recording(stereo, channels=(0, 1))], turns, channel="mix")
    assert read_rttm(out / "ref.rttm")["x"].labels() == ["ann", "bob"]
    assert read_manifest(out / "manifest.jsonl")[0].audio == stereo


def test_a_channel_may_be_a_file_of_its_own(brought, mono, tmp_path):
    one = recording(mono)
    other = {"type": "file", "channels": [3], "source": str(tmp_path / "other.wav")}
    soundfile.write(tmp_path / "other.wav", sound(RATE_HZ, 5), RATE_HZ)
    one["sources"].append(other)
    out = brought([one], [turn(channel=3)], channel=3)
    assert read_manifest(out / "manifest.jsonl")[0].audio == tmp_path / "other.wav"
    with pytest.raises(BadFile, match=r"no channel 7: x \(channels 0, 3\)"):
        brought([one], [turn()], channel=7)
    with pytest.raises(BadFile, match=r"lie in several files; choose one channel: x \(2 files\)"):
        brought([one], [turn()], channel="mix")


# Bad input


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda one, turns: one["sources"][0].update(source="no.wav"), "not there: x (no.wav)"),
        (lambda one, turns: one["sources"][0].update(type="command"), "in no file: x (command)"),
        (lambda one, turns: one.update(num_samples=99), "not as long as its manifest says: x (0.0"),
        (
            lambda one, turns: turns[0].update(start=1.2),
            "audio is shorter than its reference (by over tolerance_s = 0.5 s): x (audio 1.000 s",
        ),
        (lambda one, turns: turns[0].update(speaker=None), "without a speaker: x (s1)"),
        (lambda one, turns: turns[0].update(start=-0.1), "before the beginning: x (s1)"),
        (lambda one, turns: turns.append(turn("s2", "y")), "supervisions, but no recording: y"),
        (lambda one, turns: turns.clear(), "a recording without a supervision: x"),
    ],
)
def test_recordings_that_cannot_be_used_are_named(brought, mono, change, told):
    one, turns = recording(mono), [turn()]
    change(one, turns)
    with pytest.raises(BadFile) as error:
        brought([one], turns)
    assert told in str(error.value)
    assert "\n" not in str(error.value)


def test_two_recordings_with_one_id_are_refused(brought, mono, stereo, tmp_path):
    both = [recording(mono), recording(stereo)]
    for turns in ([turn()], None):
        with pytest.raises(BadFile, match="two recordings with one id; rename one: x"):
            brought(both, turns)
    cuts = [
        {"id": f"c{number}", "start": 0, "duration": 1, "channel": 0, "type": "MonoCut",
         "supervisions": [], "recording": one}
        for number, one in enumerate(both)
    ]  # fmt: skip
    with pytest.raises(BadFile, match="two recordings with the id x; rename one"):
        import_lhotse(LhotseImport(cuts=save(tmp_path / "c.jsonl", cuts)), tmp_path / "out")


def test_relative_paths_start_at_the_root_or_here_or_at_the_manifest(
    brought, mono, tmp_path, monkeypatch
):
    one = recording(mono)
    one["sources"][0]["source"] = "mono.wav"
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert read_manifest(brought([one]) / "manifest.jsonl")[0].audio == mono
    with pytest.raises(BadFile, match="not there: x"):
        brought([one], root=tmp_path / "elsewhere")
    assert brought([one], root=tmp_path)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"{", "line 1: found no JSON"),
        (b'[{"id": "x"}]', "line 1: found list; expected a JSON object"),
        (b'{"id": 3}', "line 1: found id = '3'; it must be a name in quotes"),
        (b'{"id": "x", "sampling_rate": 1.5}', "found sampling_rate = '1.5'; it must be a whole"),
        (b'{"id": "x", "sampling_rate": Infinity}', "it must be a number, 0 or more"),
        (b'{"id": "x", "sampling_rate": 16000, "num_samples": 0}', "found num_samples = '0'"),
        (b'{"id": "x", "sources": 3}', "found sources = '3'; it must be a list"),
        (b"\xff", "cannot be read"),
        (b"", "lhotse: no recordings; expected one at least"),
    ],
)
def test_a_manifest_that_is_none_is_refused(tmp_path, content, told):
    (tmp_path / "r.jsonl").write_bytes(content)
    with pytest.raises(BadFile) as error:
        import_lhotse(LhotseImport(tmp_path / "r.jsonl"), tmp_path / "out")
    assert told in str(error.value)


def test_a_zipped_manifest_that_is_cut_short_is_refused(theirs, tmp_path):
    path = theirs / NAMES[0]
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(BadFile, match=r"recordings.jsonl.gz: cannot be read"):
        import_lhotse(LhotseImport(path), tmp_path / "out")
    with pytest.raises(BadFile, match=r"none.jsonl: cannot be read .No such file"):
        import_lhotse(LhotseImport(tmp_path / "none.jsonl"), tmp_path / "out")


@pytest.mark.parametrize(
    "asked", [{}, {"recordings": "r", "cuts": "c"}, {"cuts": "c", "supervisions": "s"}]
)
def test_manifests_that_do_not_go_together_are_refused(asked, tmp_path):
    with pytest.raises(BadCall, match="give"):
        LhotseImport(**{key: tmp_path / name for key, name in asked.items()})
    with pytest.raises(BadCall, match="channel 'left'; a number, or 'mix'"):
        LhotseImport(tmp_path / "r", channel="left")


def test_what_cannot_be_exported_is_named(ours, tmp_path):
    (ours.parent / "sound" / "a.wav").unlink()
    (ours.parent / "sound" / "b.wav").write_bytes(b"RIFF")
    text = (ours.parent / "all.uem").read_text()
    (ours.parent / "all.uem").write_text(text.replace("call_ü", "other"))
    with pytest.raises(BadFile) as error:
        export_lhotse(ours, tmp_path / "theirs")
    for told in (
        "the audio is not there: a (",
        "must be counted; make a WAV",
        "in its UEM: call_ü",
    ):
        assert told in str(error.value)
    assert not (tmp_path / "theirs").exists()
    ours.write_text("")
    with pytest.raises(BadFile, match="no recordings; expected one at least"):
        export_lhotse(ours, tmp_path / "theirs")
