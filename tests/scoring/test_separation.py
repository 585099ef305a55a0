import math

import numpy as np
import pytest

from diarize.scoring.separation import msdm_si_sdr, sdr, si_ratios, si_sdr


def noises(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def test_si_sdr_by_hand():
    # the estimate (3, 1) of (1, 0): 3 along it, 1 across: 20 log10 3
    reference, estimate = np.array([1.0, 0.0]), np.array([3.0, 1.0])
    assert si_sdr(reference, estimate) == pytest.approx(20 * math.log10(3))


def test_si_sdr_does_not_care_for_scale_or_sign_and_sdr_does():
    reference = noises(100)
    estimate = reference + 0.1 * noises(100, seed=1)
    assert si_sdr(reference, -7 * estimate) == pytest.approx(si_sdr(reference, estimate))
    assert sdr(reference, 7 * estimate) < sdr(reference, estimate) - 20


def test_sdr_by_hand():
    assert sdr(np.array([2.0, 0.0]), np.array([1.0, 1.0])) == pytest.approx(10 * math.log10(2))


def test_interference_and_artefacts_by_hand():
    # sources along x and y; the estimate of x is (4, 2, 1): 2 from y, and 1 that is neither's
    references = np.eye(3)[:2]
    ratios = si_ratios(references, np.array([4.0, 2.0, 1.0]), 0)
    assert ratios.si_sir == pytest.approx(20 * math.log10(2))
    assert ratios.si_sar == pytest.approx(20 * math.log10(4))
    assert ratios.si_sdr == pytest.approx(10 * math.log10(16 / 5))


def test_the_parts_of_the_error_add_up():
    references = noises(3, 500)
    ratios = si_ratios(
        references, references[0] + 0.2 * references[1] + 0.1 * noises(500, seed=1), 0
    )
    whole, parts = (
        10 ** (-ratios.si_sdr / 10),
        10 ** (-ratios.si_sir / 10) + 10 ** (-ratios.si_sar / 10),
    )
    assert whole == pytest.approx(parts)


def test_a_silent_reference_has_no_ratio():
    silence, sound = np.zeros(10), np.ones(10)
    assert math.isnan(si_sdr(silence, sound))
    assert math.isnan(sdr(silence, sound))
    assert math.isnan(si_ratios(np.stack([silence, sound]), sound, 0).si_sir)


def test_a_silent_source_among_others_changes_nothing():
    references, estimate = noises(2, 200), noises(200, seed=1)
    with_silence = np.concatenate([references, np.zeros((1, 200))])
    assert si_ratios(with_silence, estimate, 0) == si_ratios(references, estimate, 0)


def test_a_silent_estimate_of_a_sound_is_as_bad_as_can_be():
    assert si_sdr(np.ones(10), np.zeros(10)) == -math.inf


def test_a_perfect_estimate_is_infinitely_good():
    reference = np.array([1.0, -1.0, 2.0])
    assert si_sdr(reference, reference) == math.inf
    assert sdr(reference, reference) == math.inf


def test_the_published_convention_rewards_quiet_estimates_of_silence():
    # of a silent stem, SI-SDRi is the level of the mixture over that of the estimate
    silence, mixture = np.zeros(1000), noises(1000)
    for below_db in (10, 20, 40):
        estimate = mixture * 10 ** (-below_db / 20)
        improvement = msdm_si_sdr(silence, estimate) - msdm_si_sdr(silence, mixture)
        assert improvement == pytest.approx(below_db, abs=0.01)
    nothing = msdm_si_sdr(silence, silence) - msdm_si_sdr(silence, mixture)
    assert nothing > 100


def test_the_published_convention_is_si_sdr_where_there_is_sound():
    reference = noises(1000)
    estimate = reference + noises(1000, seed=1)
    assert msdm_si_sdr(reference, estimate) == pytest.approx(si_sdr(reference, estimate), abs=1e-6)


@pytest.mark.slow
def test_it_agrees_with_fast_bss_eval():
    peer = pytest.importorskip("fast_bss_eval")
    references = noises(4, 2000)
    estimates = references + 0.3 * noises(4, 2000, seed=1) + 0.2 * references[::-1]
    published = peer.si_bss_eval_sources(references, estimates, compute_permutation=False)
    ours = [si_ratios(references, estimate, place) for place, estimate in enumerate(estimates)]
    np.testing.assert_allclose([one.si_sdr for one in ours], published[0], atol=1e-6)
    np.testing.assert_allclose([one.si_sir for one in ours], published[1], atol=1e-6)
    # theirs has the interference in the numerator: (target + interference) / artefacts
    numerators = [1 + 10 ** (-one.si_sir / 10) for one in ours]
    theirs = [one.si_sar + 10 * np.log10(more) for one, more in zip(ours, numerators, strict=True)]
    np.testing.assert_allclose(theirs, published[2], atol=1e-6)
