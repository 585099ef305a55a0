import time
from pathlib import Path

import numpy as np
import pytest
from pyannote.core import Annotation, Segment, Timeline
from pyannote.metrics import diarization as stock

from diarize.formats.rttm import read_rttm
from diarize.formats.uem import read_uem
from diarize.scoring.diarization import DiarizationErrorRate, JaccardErrorRate

SHARED = Path(__file__).parents[2] / "../shared/data/scoring"
CONVENTIONS = [(0.0, False), (0.5, False), (0.5, True), (0.0, True), (0.25, False)]


def annotation(*turns):
    return Annotation.from_records(
        ((Segment(start, end), i, label) for i, (start, end, label) in enumerate(turns)), uri="x"
    )


def uem(*regions):
    return Timeline([Segment(*region) for region in regions], uri="x")


def parts(reference, hypothesis, scored, **options):
    found = DiarizationErrorRate(**options)(reference, hypothesis, uem=scored, detailed=True)
    return {name: pytest.approx(value, abs=1e-9) for name, value in found.items()}


def test_each_kind_of_error_is_counted_by_hand():
    truth = annotation((0, 10, "a"), (8, 12, "b"), (20, 24, "b"))
    found = annotation((1, 10, 1), (10, 14, 2), (20, 22, 2), (22, 24, 1))
    # miss: 0-1 a, 8-10 b (overlap); false: 12-14; confusion: 22-24
    assert parts(truth, found, uem((0, 30))) == {
        "total": 18,
        "correct": 9 + 2 + 2,
        "missed detection": 3,
        "false alarm": 2,
        "confusion": 2,
        "diarization error rate": 7 / 18,
    }


def test_a_collar_is_a_total_width_around_each_reference_boundary():
    truth, found = annotation((10, 20, "a")), annotation((9, 21, "a"))
    # false alarm 9-10 and 20-21, less a quarter of a second each; reference 10.25-19.75
    found_parts = parts(truth, found, uem((0, 30)), collar=0.5)
    assert found_parts["false alarm"] == 1.5
    assert found_parts["total"] == 9.5


def test_a_second_speaker_is_missed_and_not_confused():
    truth = annotation((0, 10, "a"), (5, 10, "b"))
    found = parts(truth, annotation((0, 10, "a")), uem((0, 10)))
    assert (found["missed detection"], found["confusion"], found["total"]) == (5, 0, 15)
    skipped = parts(truth, annotation((0, 10, "a")), uem((0, 10)), skip_overlap=True)
    assert (skipped["missed detection"], skipped["total"]) == (0, 5)


def test_only_the_scored_regions_count_even_with_holes():
    truth, found = annotation((0, 10, "a")), annotation((0, 5, "a"))
    assert parts(truth, found, uem((1, 3), (4, 6)))["diarization error rate"] == 1 / 4


def test_turns_of_one_speaker_that_overlap_count_once():
    truth = annotation((0, 10, "A"), (8, 14, "A"), (15, 20, "B"))
    found = annotation((0, 14, "x"), (15, 20, "y"))
    assert parts(truth, found, uem((0, 20)))["diarization error rate"] == 0
    assert stock.DiarizationErrorRate()(truth, found, uem=uem((0, 20))) > 0.09


@pytest.mark.parametrize(
    ("truth", "found", "rate", "jaccard"),
    [
        ([], [], 0.0, 1.0),
        ([(0, 4, "a")], [], 1.0, 1.0),
        ([], [(0, 4, "a")], 1.0, 1.0),
        ([(0, 4, "a")], [(5, 9, "a")], 2.0, 1.0),
        ([(0, 4, "a")], [(0, 4, "b")], 0.0, 0.0),
    ],
    ids=["both empty", "nothing found", "nothing there", "apart", "other names"],
)
def test_corner_cases_are_the_stock_classes(truth, found, rate, jaccard):
    truth, found, scored = annotation(*truth), annotation(*found), uem((0, 10))
    assert DiarizationErrorRate()(truth, found, uem=scored) == rate
    assert stock.DiarizationErrorRate()(truth, found, uem=scored) == rate
    assert JaccardErrorRate()(truth, found, uem=scored) == jaccard
    assert stock.JaccardErrorRate()(truth, found, uem=scored) == jaccard


def test_jaccard_weighs_a_quiet_speaker_as_much_as_a_loud_one():
    truth = annotation((0, 90, "loud"), (90, 100, "quiet"))
    found = annotation((0, 100, 1))
    # loud: 10 false of a union of 100; quiet: no match left
    assert JaccardErrorRate()(truth, found, uem=uem((0, 100))) == pytest.approx((0.1 + 1) / 2)


@pytest.mark.skipif(not SHARED.exists(), reason="../shared/data/scoring is not here")
@pytest.mark.parametrize(
    ("collar", "skip_overlap", "region", "percent"),
    [
        (0.0, False, None, 18.02),
        (0.5, False, None, 14.14),
        (0.25, False, None, 14.79),
        (0.5, True, None, 14.11),
        (0.25, True, None, 14.67),
        (0.0, False, "reference", 16.53),
        (0.5, False, "reference", 12.36),
        (0.5, True, "reference", 12.34),
    ],
)
def test_the_measured_truth_table_is_met(collar, skip_overlap, region, percent):
    truth, found = (read_rttm(SHARED / name)["f"] for name in ("ref.rttm", "hyp.rttm"))
    scored = read_uem(SHARED / "all.uem")["f"]
    if region == "reference":
        scored = Timeline([truth.get_timeline().extent()])
    options = {"collar": collar, "skip_overlap": skip_overlap}
    ours = DiarizationErrorRate(**options)(truth, found, uem=scored)
    assert round(100 * ours, 2) == percent
    theirs = stock.DiarizationErrorRate(**options)(truth.support(), found.support(), uem=scored)
    assert ours == pytest.approx(theirs, abs=1e-9)


@pytest.mark.skipif(not SHARED.exists(), reason="../shared/data/scoring is not here")
def test_a_speaker_overlapping_himself_costs_nothing():
    truth, found = (read_rttm(SHARED / name)["f"] for name in ("r3.rttm", "h3.rttm"))
    assert DiarizationErrorRate()(truth, found, uem=uem((0, 20))) == 0


def conversation(generator, step_s, speakers):
    """Random turns on a grid of `step_s`, with overlaps, also of a speaker with himself."""
    n_turns = int(generator.integers(0, 14))
    start = generator.integers(0, int(40 / step_s), n_turns)
    length = generator.integers(1, int(8 / step_s), n_turns)
    names = generator.choice(speakers, n_turns)
    return annotation(
        *(
            (s * step_s, (s + n) * step_s, str(name))
            for s, n, name in zip(start, length, names, strict=True)
        )
    )


def regions(generator, step_s):
    kind = generator.integers(0, 4)
    if kind == 0:
        return uem((0, 60))
    edges = np.unique(generator.integers(0, int(50 / step_s), 2 * int(kind) + 2)) * step_s
    pairs = edges[: len(edges) // 2 * 2].reshape(-1, 2)
    return uem(*pairs.tolist(), *([(3.0, 9.0), (9.0, 11.0)] if kind == 3 else []))


@pytest.mark.parametrize("seed", range(240))
def test_any_conversation_scores_as_with_the_stock_classes(seed):
    generator = np.random.default_rng(seed)
    # halves are exact in binary and make many ties; milliseconds are what RTTM holds
    step_s = (0.5, 0.001, 0.000314159265)[seed % 3]
    speakers = ["a", "b", "c", "d"][: int(generator.integers(1, 5))]
    truth = conversation(generator, step_s, speakers)
    found = conversation(generator, step_s, ["a", "b", "x"] if seed % 2 else list("0123456789XYZ"))
    scored = regions(generator, step_s)
    collar, skip_overlap = CONVENTIONS[seed % len(CONVENTIONS)]
    options = {"collar": collar, "skip_overlap": skip_overlap}
    for ours, theirs in (
        (DiarizationErrorRate, stock.DiarizationErrorRate),
        (JaccardErrorRate, stock.JaccardErrorRate),
    ):
        got = ours(**options)(truth, found, uem=scored, detailed=True)
        right = theirs(**options)(truth.support(), found.support(), uem=scored, detailed=True)
        assert got.keys() == right.keys()
        for name, value in right.items():
            assert got[name] == pytest.approx(value, abs=1e-9), (ours.__name__, name)


@pytest.mark.parametrize("seed", range(20))
def test_the_mapping_is_the_stock_classes_also_among_ties(seed):
    generator = np.random.default_rng(seed)
    truth = conversation(generator, 0.5, ["a", "b", "c"]).support()
    found = conversation(generator, 0.5, list("stuvwxyz")).support()
    for ours, theirs in (
        (DiarizationErrorRate(), stock.DiarizationErrorRate()),
        (JaccardErrorRate(), stock.JaccardErrorRate()),
    ):
        assert ours.optimal_mapping(truth, found) == theirs.optimal_mapping(truth, found)
        scored = uem((1, 9), (12, 31.5))
        assert ours.optimal_mapping(truth, found, scored) == theirs.optimal_mapping(
            truth, found, scored
        )


def test_without_a_uem_the_extent_of_both_is_scored_with_a_warning():
    truth, found = annotation((5, 10, "a")), annotation((5, 20, "a"))
    with pytest.warns(UserWarning, match="no uem: scored from the first to the last"):
        assert DiarizationErrorRate()(truth, found) == 2.0
    with pytest.warns(UserWarning, match="no uem"):
        assert DiarizationErrorRate()(annotation(), annotation()) == 0.0


def test_accumulation_report_and_interval_are_the_stock_classes():
    ours, theirs = DiarizationErrorRate(collar=0.5), stock.DiarizationErrorRate(collar=0.5)
    for seed in range(5):
        generator = np.random.default_rng(seed)
        truth = conversation(generator, 0.001, ["a", "b"]).support()
        found = conversation(generator, 0.001, ["a", "b"]).support()
        for metric in (ours, theirs):
            metric(truth, found, uem=uem((0, 60)))
    assert abs(ours) == pytest.approx(abs(theirs), abs=1e-9)
    assert ours["confusion"] == pytest.approx(theirs["confusion"], abs=1e-9)
    np.testing.assert_allclose(
        ours.report().to_numpy(dtype=float), theirs.report().to_numpy(dtype=float), atol=1e-7
    )
    got, right = ours.confidence_interval(), theirs.confidence_interval()
    assert got[0] == pytest.approx(right[0], abs=1e-9)
    assert got[1] == pytest.approx(right[1], abs=1e-9)


def test_weights_of_the_stock_class_are_kept():
    truth, found = annotation((0, 10, "a")), annotation((5, 20, "a"))
    assert DiarizationErrorRate(miss=2.0, false_alarm=0.0)(truth, found, uem=uem((0, 20))) == 1.0


@pytest.mark.parametrize("n_speakers", [8, 100])
def test_twenty_hours_of_thirty_thousand_turns_take_seconds(n_speakers):
    generator = np.random.default_rng(0)

    def long():
        start = np.round(np.sort(generator.uniform(0, 72_000, 30_000)), 3)
        length = np.round(generator.uniform(0.3, 5, 30_000), 3)
        names = generator.integers(0, n_speakers, 30_000)
        return annotation(
            *zip(start.tolist(), (start + length).tolist(), names.tolist(), strict=True)
        )

    truth, found = long(), long()
    begin = time.monotonic()
    metric = DiarizationErrorRate(collar=0.5)
    metric(truth, found, uem=uem((0, 72_000)))
    assert time.monotonic() - begin < 10
    kinds = metric["correct"] + metric["confusion"] + metric["missed detection"]
    assert kinds == pytest.approx(metric["total"], rel=1e-9)
