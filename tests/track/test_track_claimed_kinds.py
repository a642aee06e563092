"""What agreeing claims say of a track's kind: told apart by source and field, weighed by how often claims are true."""

from dataclasses import replace

import numpy as np
import pytest

from lapwing.records import NO_TRACK, Claims, Condition, Field, Integrity, Kind, Source
from lapwing.records.claims import FIELD_COLUMN
from lapwing.records.interference import no_interference
from lapwing.track import ClassSettings
from lapwing.track.classes import Features, claimed, probabilities

SETTINGS = ClassSettings()
NOTHING = np.zeros(len(Kind))


def spoken(*of):
    """One claim per (source, field or None, value)."""
    n, empty = len(of), Claims.empty(1_000)
    zero = np.zeros(n, dtype=np.int64)
    values, said = np.zeros((n, empty.values.shape[1])), np.zeros((n, empty.values.shape[1]), dtype=np.int64)
    for row, (_, field, value) in enumerate(of):
        if field is not None:
            values[row, FIELD_COLUMN[field]], said[row, FIELD_COLUMN[field]] = value, 900
    return replace(
        empty, address=np.arange(n), source=np.array([int(s) for s, *_ in of]), has_position=zero + 1,
        mean=np.zeros((n, 6)), cov=np.tile(np.eye(6), (n, 1, 1)), position_ns=zero + 900, heard_ns=zero + 900,
        frame_seq=zero, doubt=zero, rejected=zero, values=values, values_ns=said, names=("",) * n,
        suspect_m=np.zeros((n, 2)), position_m=np.zeros((n, 2)), suspect_ns=zero, suspects=zero,
    )  # fmt: skip


def agreeing(*track_ids):
    """Which track agrees with each claim."""
    n = len(track_ids)
    zero = np.zeros(n, dtype=np.int64)
    ids = np.array(track_ids, dtype=np.int64)
    where = np.zeros(n)
    return Integrity(zero + int(Condition.OK), zero, ("",) * n, where, where.copy(), zero, zero, ids, no_interference())


@pytest.mark.parametrize(
    ("source", "field", "value", "kind"),
    [
        (Source.ADSB, Field.EMITTER_CATEGORY, 0xA1, Kind.AIRCRAFT),
        (Source.ADSB, Field.EMITTER_CATEGORY, 0xA6, Kind.AIRCRAFT),
        (Source.ADSB, Field.EMITTER_CATEGORY, 0xA7, Kind.HELICOPTER),
        (Source.ADSB, Field.EMITTER_CATEGORY, 0xC1, Kind.GROUND),
        (Source.ADSB, Field.EMITTER_CATEGORY, 0xC3, Kind.GROUND),
        (Source.ADSB, Field.EMITTER_CATEGORY, 0xA0, None),  # no category information
        (Source.ADSB, Field.EMITTER_CATEGORY, 0xB1, None),  # a glider: none of our kinds
        (Source.ADSB, None, 0, None),
        (Source.AIS, None, 0, Kind.SHIP),
        (Source.REMOTE_ID, Field.UA_TYPE, 1, Kind.FIXED_WING_DRONE),
        (Source.REMOTE_ID, Field.UA_TYPE, 2, Kind.MULTIROTOR),
        (Source.REMOTE_ID, Field.UA_TYPE, 7, None),
        (Source.REMOTE_ID, None, 0, None),
    ],
)
def test_each_claim_is_read_as_its_source_means_it(source, field, value, kind):
    out = claimed(np.array([3, 8]), spoken((source, field, value)), agreeing(8), SETTINGS)
    assert (out[0] == NOTHING).all()  # nobody agrees with track 3
    if kind is None:
        assert (out[1] == NOTHING).all()
        return
    others = np.delete(np.exp(out[1]), kind)
    assert np.exp(out[1, kind]) == pytest.approx(SETTINGS.claim_true)
    assert others == pytest.approx(np.full(len(Kind) - 1, (1.0 - SETTINGS.claim_true) / (len(Kind) - 1)))
    assert np.exp(out[1]).sum() == pytest.approx(1.0)


def test_a_claim_is_believed_as_often_as_claims_are_true():
    """With an even prior and nothing seen, the posterior of what a claim says is how often claims are true."""
    even = replace(SETTINGS, prior=(1.0 / len(Kind),) * len(Kind))
    declared = claimed(np.array([8]), spoken((Source.AIS, None, 0)), agreeing(8), even)
    p = probabilities(Features.empty(), np.array([8]), declared, even)
    assert p[0, Kind.SHIP] == pytest.approx(even.claim_true)
    worthless = replace(even, claim_true=1.0 / len(Kind))
    assert claimed(np.array([8]), spoken((Source.AIS, None, 0)), agreeing(8), worthless) == pytest.approx(
        np.full((1, len(Kind)), np.log(1.0 / len(Kind)))
    )


def test_two_claims_that_agree_with_one_track_multiply_and_contradict():
    says_both = spoken((Source.AIS, None, 0), (Source.ADSB, Field.EMITTER_CATEGORY, 0xA7))
    out = claimed(np.array([8]), says_both, agreeing(8, 8), SETTINGS)[0]
    assert out[Kind.SHIP] == pytest.approx(out[Kind.HELICOPTER])
    assert out[Kind.SHIP] > out[Kind.BIRD]
    one = claimed(np.array([8]), spoken((Source.AIS, None, 0)), agreeing(8), SETTINGS)[0]
    twice = claimed(np.array([8]), spoken(*[(Source.AIS, None, 0)] * 2), agreeing(8, 8), SETTINGS)[0]
    assert twice == pytest.approx(2.0 * one)


def test_what_agrees_with_no_shown_track_says_nothing():
    ship = spoken((Source.AIS, None, 0))
    assert (claimed(np.array([8]), ship, agreeing(NO_TRACK), SETTINGS) == 0.0).all()
    assert (claimed(np.array([8]), ship, agreeing(99), SETTINGS) == 0.0).all()
    assert claimed(np.zeros(0, dtype=np.int64), ship, agreeing(8), SETTINGS).shape == (0, len(Kind))


def test_a_verdict_on_other_claims_says_nothing():
    """Verdicts of before the claims changed have other rows: none of them may be read."""
    assert (claimed(np.array([8]), spoken((Source.AIS, None, 0)), agreeing(8, 8), SETTINGS) == 0.0).all()
