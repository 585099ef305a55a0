"""An hour of audio needs little more memory than its result."""

import subprocess
import sys

import numpy as np
import pytest
import soundfile

READ = """
import resource, sys
from diarize.audio.io import read_audio
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
audio = read_audio(sys.argv[1])
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(len(audio.samples), (after - before) / 1024)
"""


@pytest.mark.slow
def test_an_hour_of_48_khz_stereo_takes_its_result_and_a_few_megabytes(tmp_path):
    block = np.random.default_rng(0).normal(0, 0.1, (480_000, 2)).astype(np.float32)
    with soundfile.SoundFile(tmp_path / "hour.wav", "w", 48_000, 2, "PCM_16") as sound:
        for _ in range(360):
            sound.write(block)
    done = subprocess.run(
        [sys.executable, "-c", READ, str(tmp_path / "hour.wav")],
        capture_output=True,
        text=True,
        check=True,
    )
    n_samples, grown_mib = done.stdout.split()
    assert int(n_samples) == 3600 * 16_000
    assert float(grown_mib) < 3600 * 16_000 * 4 / 2**20 + 30
