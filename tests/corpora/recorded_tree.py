"""Small trees of recordings in the exact layout of their corpora."""

import numpy as np
import soundfile

RATE_HZ = 16_000


def write_sound(path, seconds=3.0, n_channels=1):
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = 0.1 * np.random.default_rng(0).normal(size=(round(seconds * RATE_HZ), n_channels))
    soundfile.write(path, samples, RATE_HZ, "PCM_16")


def rttm_lines(recording, turns):
    return "".join(
        f"SPEAKER {recording} 1 {start} {end - start} <NA> <NA> {speaker} <NA> <NA>\n"
        for start, end, speaker in turns
    )


def write_rttm(path, recording, turns=((0.5, 1.5, "a"), (1.0, 2.5, "b"))):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(rttm_lines(recording, turns))


def write_uem(path, recording, start=0.0, end=3.0):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{recording} 1 {start} {end}\n")


def ami_tree(root, meetings, part="test", microphone="Mix-Headset", seconds=3.0):
    """AMI's folders under root/corpus, and those of AMI-diarization-setup under root/references."""
    references = root / "references"
    for meeting in meetings:
        write_sound(root / "corpus" / meeting / "audio" / f"{meeting}.{microphone}.wav", seconds)
        write_rttm(references / "only_words" / "rttms" / part / f"{meeting}.rttm", meeting)
        loud = ((0.0, 1.5, "a"), (1.0, 2.9, "b"))
        place = references / "word_and_vocalsounds" / "rttms" / part / f"{meeting}.rttm"
        write_rttm(place, meeting, loud)
        write_uem(references / "uems" / part / f"{meeting}.uem", meeting, 0.0, seconds)


def voxconverse_tree(root, names, part="test"):
    """Audio as the archive of that part unpacks, and labels as in joonson/voxconverse."""
    place = {"dev": "dev/audio", "test": "test/voxconverse_test_wav"}[part]
    for name in names:
        write_sound(root / "corpus" / place / f"{name}.wav")
        write_rttm(root / "references" / part / f"{name}.rttm", name)
