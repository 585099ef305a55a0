import numpy as np
import pytest
import soundfile
from test_slakh import save_track

from diarize.corpora.stem_brightness import Brightness, moments_of
from diarize.corpora.stem_settings import NO_REMIX, StemSettings
from diarize.corpora.stem_supply import StemSupply
from diarize.corpora.stems import prepare_stems
from diarize.errors import BadCall

RATE_HZ = 22050


def tone(hz, seconds=1.0, level=0.1):
    return (level * np.sin(2 * np.pi * hz * np.arange(round(seconds * RATE_HZ)) / RATE_HZ)).astype(
        np.float32
    )


def test_moments_go_from_the_darkest_to_the_brightest_over_all_songs():
    songs = [tone(6000), tone(100), tone(100) + tone(6000)]
    found = moments_of(songs, RATE_HZ, 10_240, 4000.0)
    assert list(dict.fromkeys(found.song.tolist())) == [1, 2, 0]
    assert set(found.start.tolist()) == {0, 5120, 10_240}


def test_moments_that_hardly_sound_do_not_count():
    found = moments_of([tone(100, level=1e-4), tone(100)], RATE_HZ, 8192, 4000.0)
    assert set(found.song.tolist()) == {1}
    with pytest.raises(BadCall, match="no window of 8192 samples sounds"):
        moments_of([tone(100, level=1e-4)], RATE_HZ, 8192, 4000.0)


def test_a_dark_moment_is_one_of_the_darkest_and_a_bright_one_of_the_brightest():
    songs = [tone(100 + 50 * number, 2.0) + number * tone(6000, 2.0) for number in range(10)]
    moments = moments_of(songs, RATE_HZ, 11_025, 4000.0)
    chance = np.random.default_rng(0)
    dark, bright, both = (
        Brightness(*shares, darkest=0.2, brightest=0.2)
        for shares in ((1.0, 0.0), (0.0, 1.0), (0.3, 0.3))
    )
    assert {moments.drawn(dark, chance)[0] for _ in range(60)} == {0, 1}
    assert {moments.drawn(bright, chance)[0] for _ in range(60)} == {8, 9}
    drawn = [moments.drawn(both, chance) for _ in range(300)]
    assert 0.3 < sum(one is None for one in drawn) / len(drawn) < 0.5


@pytest.mark.parametrize(
    "table",
    [
        {"dark": -0.1},
        {"dark": 0.6, "bright": 0.6},
        {"darkest": 0.0},
        {"darkest": 2.0},
        {"above_hz": -1.0},
    ],
)
def test_settings_that_cannot_be_meant_are_named(table):
    with pytest.raises(BadCall, match=next(iter(table))):
        Brightness(**table)


def test_a_supply_hands_out_dark_windows_and_the_same_ones_again(tmp_path):
    for number in (1, 2):
        save_track(tmp_path / "train" / f"Track{number:05d}", rate_hz=RATE_HZ, seconds=number)
    plain = {"parts": ("train",), "least_s": 0.0, "window_s": 0.25, "batch": 6, "n_batches": 1}
    plain |= {"remix": NO_REMIX}
    prepare_stems(tmp_path, StemSettings(**plain))
    chance = np.random.default_rng(0)
    for path in sorted((tmp_path / "stems").glob("*/*/*.wav")):
        n_samples = soundfile.info(path).frames
        soundfile.write(path, 0.1 * chance.standard_normal(n_samples), RATE_HZ, subtype="PCM_16")
    told = {"brightness": Brightness(dark=1.0, darkest=1e-6), "sources": ("drums", "bass")}
    supply = StemSupply(tmp_path, StemSettings(**plain, **told))
    (first,) = supply.epoch("compose", 0)
    (again,) = supply.epoch("compose", 0)
    assert (first.inputs == first.inputs[:1]).all()  # there is but one darkest window
    assert (first.inputs == again.inputs).all()
    (usual,) = StemSupply(tmp_path, StemSettings(**plain)).epoch("compose", 0)
    assert not (usual.inputs == usual.inputs[:1]).all()
