"""Speech-like sources made in the test: noise bursts of known times, a table, noises, rooms."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

RATE_HZ = 16_000
REAL = Path(__file__).parents[3] / "shared" / "data"


def made_bursts(spans, duration_s, seed=0):
    """Noise of a standard deviation of 0.1 in the spans (s), silence elsewhere."""
    samples = np.zeros(round(duration_s * RATE_HZ), np.float32)
    generator = np.random.default_rng(seed)
    for start_s, end_s in spans:
        at = slice(round(start_s * RATE_HZ), round(end_s * RATE_HZ))
        samples[at] = 0.1 * generator.normal(size=at.stop - at.start)
    return samples


@pytest.fixture
def bursts():
    """A function: noise in the spans (s) of so many seconds, silence elsewhere."""
    return made_bursts


@pytest.fixture
def speech(tmp_path):
    """A folder of 12 speakers with two utterances of 6 s each, and its table."""
    folder = tmp_path / "speech"
    folder.mkdir()
    lines = ["path\tspeaker\tset\tseconds"]
    for speaker in range(12):
        for take in range(2):
            name = f"s{speaker}_{take}.wav"
            spans = [(0.2, 1.4), (1.8, 2.3), (2.7, 4.9), (5.3, 5.8)]
            soundfile.write(folder / name, made_bursts(spans, 6.0, 10 * speaker + take), RATE_HZ)
            lines.append(f"{name}\tspeaker{speaker}\tmade\t6.00")
    (folder / "speakers.tsv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture
def real():
    """The folder of real data beside the checkout."""
    if not (REAL / "speech" / "speakers.tsv").is_file():
        pytest.skip("no ../shared/data/speech beside this checkout")
    return REAL


@pytest.fixture
def site():
    """A web site on this machine, to fetch from."""
    from web_site import Site

    site = Site()
    yield site
    site.close()


@pytest.fixture
def real_ami():
    """The folder with excerpts and references of AMI beside the checkout."""
    if not (REAL / "ami_clips").is_dir() or not (REAL / "ami_reference").is_dir():
        pytest.skip("no ../shared/data/ami_clips and ami_reference beside this checkout")
    return REAL
