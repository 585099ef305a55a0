"""What is said of recordings once they are heard: the numbers of speakers there may be."""

from pathlib import Path

import numpy as np
import pytest
from pyannote.core import Annotation, Segment

from diarize.cli.outcomes import speaker_counts_text, tell_notes, tell_outcomes
from diarize.cli.progress import Told
from diarize.errors import BadFile
from diarize.formats.activity import Activity
from diarize.inference.batch import Outcome
from diarize.inference.diarization import Diarization
from diarize.inference.sources import Source


def heard(counts, recording="talk"):
    annotation = Annotation()
    annotation[Segment(0, 1)] = "SPEAKER_00"
    posterior = Activity(np.ones((1, 100)), 0.01, ("SPEAKER_00",))
    return Diarization(recording, 1.0, annotation, posterior, (), {}, speaker_counts=counts)


def outcome(counts, recording="talk"):
    return Outcome(Source(recording, Path(f"{recording}.wav")), heard(counts, recording))


def test_numbers_are_told_the_likeliest_first():
    assert (
        speaker_counts_text({2: 0.06, 3: 0.3, 4: 0.64}) == "speakers: 4 (64 %), 3 (30 %), 2 (6 %)"
    )


@pytest.mark.parametrize(
    "counts", [{}, {3: 1.0}, {3: 0.951, 4: 0.049}, {3: 0.95, 4: 0.05}, {3: 0.8, 4: 0.2}]
)
def test_nothing_is_told_where_one_number_is_as_good_as_sure(counts, capsys):
    tell_notes(heard(counts))
    assert capsys.readouterr().err == ""


def test_a_single_recording_has_its_line_printed_or_written(capsys):
    line = "diarize infer: speakers: 3 (71 %), 4 (24 %)\n"
    tell_notes(heard({3: 0.71, 4: 0.24, 5: 0.05}))
    assert capsys.readouterr().err == line
    assert tell_outcomes([outcome({3: 0.71, 4: 0.24})], Told()) == 0
    assert capsys.readouterr().err == line + "diarize infer: 1 done, 0 already there, 0 failed\n"


def test_several_recordings_have_none(capsys):
    both = [outcome({3: 0.71, 4: 0.24}, name) for name in ("one", "two")]
    assert tell_outcomes(both, Told()) == 0
    assert capsys.readouterr().err == "diarize infer: 2 done, 0 already there, 0 failed\n"
    failed = Outcome(both[0].source, error=BadFile("one: bad"))
    assert tell_outcomes([failed, both[1]], Told()) == 1
    assert "speakers" not in capsys.readouterr().err


def test_json_holds_the_numbers_with_and_without_posteriors():
    for with_posterior in (True, False):
        text = heard({3: 0.71, 4: 0.24}).to_json(with_posterior)
        assert '"speaker_counts": {"3": 0.71, "4": 0.24}' in text
