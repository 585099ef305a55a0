import json

import numpy as np
import pytest
import soundfile
import torch
from pyannote.core import Segment, Timeline
from test_slakh import save_track

from diarize.audio.activity import activity_of
from diarize.corpora.batch import Supply
from diarize.corpora.stem_effects import Effects
from diarize.corpora.stem_settings import NO_REMIX, Remix, StemSettings
from diarize.corpora.stem_supply import StemSupply, remixed
from diarize.corpora.stems import prepare_stems
from diarize.corpora.supplies import make_supply, prepare
from diarize.errors import BadCall, BadFile
from diarize.formats.rttm import read_rttm

SMALL = {"parts": ("train", "test"), "least_s": 0.0, "window_s": 0.5, "batch": 4, "n_batches": 3}


@pytest.fixture
def slakh(tmp_path):
    for split, numbers in (("train", (1, 2)), ("test", (3,))):
        for number in numbers:
            save_track(tmp_path / split / f"Track{number:05d}", rate_hz=22050, seconds=number)
    return tmp_path


def settings(**more):
    return StemSettings(**(SMALL | more))


def test_every_source_has_a_file_at_the_wanted_rate(slakh):
    facts = json.loads(prepare_stems(slakh, settings(rate_hz=11025)).read_text())
    assert facts["parts"]["train"]["songs"] == ["Track00001", "Track00002"]
    assert facts["parts"]["test"]["duration_s"] == 3.0
    for source in ("bass", "drums", "guitar", "piano"):
        info = soundfile.info(slakh / "stems" / "test" / "Track00003" / f"{source}.wav")
        assert (info.samplerate, info.frames, info.subtype) == (11025, 33075, "PCM_16")


def test_mixtures_are_the_sum_of_the_files_and_only_of_what_is_not_trained_on(slakh):
    prepare_stems(slakh, settings())
    stems = sorted((slakh / "stems" / "test" / "Track00003").iterdir())
    total = sum(soundfile.read(path)[0] for path in stems)
    mixture, _ = soundfile.read(slakh / "mixtures" / "test" / "Track00003.wav")
    np.testing.assert_array_equal(mixture, total)
    assert not (slakh / "mixtures" / "train").exists()


def test_a_source_that_passes_full_scale_is_kept_as_it_is(tmp_path):
    place = save_track(
        tmp_path / "train" / "Track00001", {"S00": ("Bass", 33), "S01": ("Bass", 34)}
    )
    for name in ("S00", "S01"):
        soundfile.write(place / "stems" / f"{name}.flac", np.full(44100, 0.75), 44100)
    prepare_stems(tmp_path, settings(parts=("train",), rate_hz=44100))
    samples, _ = soundfile.read(tmp_path / "stems" / "train" / "Track00001" / "bass.wav")
    assert samples.max() == 1.5


def test_songs_that_are_too_short_or_long_are_left_out_and_told(slakh):
    facts = json.loads(
        prepare_stems(slakh, settings(least_s=1.5, most_s=2.5, parts=("train",))).read_text()
    )
    assert facts["parts"]["train"]["songs"] == ["Track00002"]
    assert facts["parts"]["train"]["left_out"] == {"Track00001": "1.0 s"}


def test_shares_make_together_what_one_makes(slakh):
    assert not prepare_stems(slakh, settings(), (1, 2)).exists()
    assert prepare_stems(slakh, settings(), (2, 2)).exists()


def test_without_parts_all_that_are_there_are_prepared_but_what_slakh_omits(slakh):
    save_track(slakh / "omitted" / "Track00009", seconds=0.5)
    save_track(slakh / "test_other" / "Track00001", seconds=0.5)
    facts = json.loads(prepare_stems(slakh, settings(parts=())).read_text())
    assert list(facts["parts"]) == ["train", "test", "test_other"]
    again = json.loads(prepare_stems(slakh, settings(parts=())).read_text())
    assert again == facts


def test_parts_are_prepared_one_after_the_other_and_kept(slakh):
    prepare_stems(slakh, settings(parts=("train",)))
    facts = json.loads(prepare_stems(slakh, settings(parts=("test",))).read_text())
    assert list(facts["parts"]) == ["train", "test"]


def test_what_other_settings_made_is_not_taken(slakh):
    prepare_stems(slakh, settings())
    with pytest.raises(BadFile, match="prepared with rate_hz = 22050, and 11025 is wanted"):
        prepare_stems(slakh, settings(rate_hz=11025))
    with pytest.raises(BadFile, match="rate_hz"):
        StemSupply(slakh, settings(rate_hz=11025))


def test_without_preparation_the_supply_says_what_to_do(tmp_path):
    with pytest.raises(BadFile, match="run diarize prepare stems first"):
        StemSupply(tmp_path, settings())


def test_a_batch_is_windows_and_their_sum(slakh):
    prepare_stems(slakh, settings())
    supply = StemSupply(slakh, settings())
    assert isinstance(supply, Supply)
    batches = list(supply.epoch("separate", 0))
    assert len(batches) == supply.n_batches("separate") == 3
    for batch in batches:
        assert batch.inputs.shape == (4, 1, 11025)
        assert batch.stems.shape == (4, 4, 11025)
        assert torch.equal(batch.inputs, batch.stems.sum(1, keepdim=True))


def test_a_training_that_was_stopped_sees_the_batches_it_had_not(slakh):
    prepare_stems(slakh, settings())
    supply = StemSupply(slakh, settings())
    whole, rest = list(supply.epoch("separate", 5)), list(supply.epoch("separate", 5, start=2))
    assert torch.equal(whole[2].stems, rest[0].stems)
    others = [next(supply.epoch("separate", 6)), next(supply.epoch("codes", 5))]
    assert all(not torch.equal(whole[0].stems, other.stems) for other in others)


def test_without_remix_a_window_is_as_it_is_in_a_song(slakh):
    prepare_stems(slakh, settings())
    supply = StemSupply(slakh, settings(remix=NO_REMIX))
    for batch in supply.epoch("separate", 0):
        for row in batch.stems:
            levels = row[:, 0].tolist()
            assert levels == [2.0**-4, 2.0**-5, 2.0**-3 + 2.0**-8, 2.0**-6]


def test_remixing_changes_levels_and_keeps_the_sum_below_the_peak():
    stems = np.full((4, 100), 0.5, np.float32)
    changed = remixed(stems, Remix(gain_db=6.0, peak=1.0), np.random.default_rng(0))
    assert np.abs(changed.sum(0)).max() <= 1.0 + 1e-6
    ratios = np.abs(changed[:, 0]) / np.abs(changed[:, 0]).max()
    assert len(set(ratios.round(4))) > 1


def test_remixing_never_mutes_all():
    stems = np.ones((4, 10), np.float32)
    for seed in range(50):
        assert remixed(stems, Remix(mute=0.9), np.random.default_rng(seed)).any()


def test_a_stem_that_plays_seldom_is_drawn_more_often_with_sounding(tmp_path):
    for number in range(1, 6):
        silent = () if number == 1 else ("S03",)
        save_track(tmp_path / "train" / f"Track{number:05d}", rate_hz=8000, unrendered=silent)
    prepare_stems(tmp_path, settings(parts=("train",), rate_hz=8000))

    def share(sounding):
        remix = Remix(share=1.0, sounding=sounding, mute=0.0)
        supply = StemSupply(tmp_path, settings(rate_hz=8000, n_batches=10, remix=remix))
        rows = torch.cat([batch.stems for batch in supply.epoch("separate", 0)])
        return float((rows[:, 3].abs().amax(1) > 0).float().mean())

    assert share(0.0) == pytest.approx(0.2, abs=0.2)
    assert share(1.0) > 0.5


def test_both_corpora_are_known_by_name(slakh):
    plain = {
        name: list(value) if isinstance(value, tuple) else value for name, value in SMALL.items()
    }
    path = prepare("stems", slakh, plain, "here")
    assert path == slakh / "stems" / "songs.json"
    assert isinstance(make_supply("stems", slakh, plain, "here"), StemSupply)


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"rate_hz": 100}, "rate_hz = 100"),
        ({"parts": ("train", "train")}, "parts = "),
        ({"window_s": 0.0}, "window_s"),
        ({"batch": 0}, "batch = 0"),
        ({"least_active": 5}, "least_active = 5"),
        ({"least_s": 700.0}, "least_s = 700"),
    ],
)
def test_settings_that_cannot_be_meant_are_named(wrong, named):
    with pytest.raises(BadCall, match=named):
        settings(**wrong)


def test_remix_settings_that_cannot_be_meant_are_named():
    with pytest.raises(BadCall, match=r"mute = 0\.95"):
        Remix(mute=0.95)
    with pytest.raises(BadCall, match="peak"):
        Remix(peak=0.0)


def test_who_plays_when_is_written_of_what_is_not_trained_on(slakh):
    prepare_stems(slakh, settings())
    turns = read_rttm(slakh / "activity" / "test" / "Track00003.rttm")["Track00003"]
    assert sorted(turns.labels()) == ["bass", "drums", "guitar", "piano"]
    assert turns.label_duration("piano") == pytest.approx(3.0, abs=0.06)
    assert not (slakh / "activity" / "train").exists()


def test_a_stem_plays_where_it_is_heard_and_short_pauses_are_played_through():
    loud = np.full((1, 40_000), 0.1)  # 5 s
    stem = np.zeros((1, 40_000))
    stem[:, 8000:16000] = stem[:, 18000:24000] = 0.05  # 1 to 2 s, and 2.25 to 3 s
    stem[:, 32000:32400] = 0.05  # 50 ms from 4 s on
    faint = np.full((1, 40_000), 0.001)  # 40 dB below the others
    turns = activity_of({"loud": loud, "stem": stem, "faint": faint}, 8000)
    assert turns.label_timeline("stem") == Timeline([Segment(1.0, 3.0)])
    assert turns.labels() == ["loud", "stem"]


def test_effects_leave_windows_as_long_and_the_same_for_the_same_seed(slakh):
    prepare_stems(slakh, settings())
    remix = Remix(share=0.5, effects=Effects(likely=1.0, speed=0.3, dynamics=0.3, drive_db=6.0))
    supply = StemSupply(slakh, settings(remix=remix))
    first, again = (next(supply.epoch("separate", 0)) for _ in range(2))
    plain = next(StemSupply(slakh, settings()).epoch("separate", 0))
    assert first.stems.shape == plain.stems.shape
    assert np.array_equal(first.stems, again.stems)
    assert not np.array_equal(first.stems, plain.stems)
