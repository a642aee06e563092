"""Integrity: each condition with its guard, regions against chance, agreement that noise neither makes nor breaks."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lapwing.integrity import IntegritySettings, start, step
from lapwing.integrity.interference import tail
from lapwing.integrity.step import IntegrityState
from lapwing.records import NO_TRACK, Claims, Condition, Doubt, Field, Source, Tracks, TrackStatus
from lapwing.records.claims import FIELD_COLUMN

S = 10**9
T0 = 1_000 * S
SETTINGS = IntegritySettings()


class Sky:
    """n aircraft 10 km apart in a row, saying position, NIC and NACp every second; tests take things away."""

    def __init__(self, n=1, source=Source.ADSB):
        self.n, self.source = n, source
        self.position_age_s = np.zeros(n)
        self.nic, self.nac_p, self.version = np.full(n, 8.0), np.full(n, 9.0), np.full(n, 2.0)
        self.doubt, self.rejected = np.zeros(n, np.int64), np.zeros(n, np.int64)
        self.heard_age_s = np.zeros(n)
        self.extra = {}

    def claims(self, t_s):
        now = T0 + int(t_s * S)
        empty = Claims.empty(now)
        mean = np.zeros((self.n, 6))
        mean[:, 0] = 10_000.0 * np.arange(self.n)
        values, said = np.zeros((self.n, empty.values.shape[1])), np.zeros((self.n, empty.values.shape[1]), np.int64)
        rows = {Field.NIC: self.nic, Field.NAC_P: self.nac_p, Field.ADSB_VERSION: self.version, **self.extra}
        for field, value in rows.items():
            values[:, FIELD_COLUMN[field]], said[:, FIELD_COLUMN[field]] = value, now
        ones = np.ones(self.n, np.int64)
        return replace(
            empty,
            address=np.arange(self.n) + 0x400000,
            source=ones * self.source,
            has_position=ones,
            mean=mean,
            cov=np.tile(np.diag([900.0, 900, 900, 4, 4, 4]), (self.n, 1, 1)),
            position_ns=now - (self.position_age_s * S).astype(np.int64),
            heard_ns=now - (self.heard_age_s * S).astype(np.int64),
            frame_seq=ones,
            doubt=self.doubt,
            rejected=self.rejected,
            values=values,
            values_ns=said,
            names=("",) * self.n,
            suspect_m=np.zeros((self.n, 2)),
            position_m=np.zeros((self.n, 2)),
            suspect_ns=np.zeros(self.n, np.int64),
            suspects=np.zeros(self.n, np.int64),
        )


def run(sky, times, state=None, tracks=None, change=None):
    state = state or start(SETTINGS)
    verdict = None
    for t in times:
        if change:
            change(sky, t)
        state, verdict = step(state, sky.claims(t), tracks or Tracks.empty(T0), SETTINGS)
    return state, verdict


def test_good_traffic_is_ok_and_dithering_by_one_step_is_not_evidence():
    def dither(sky, t):
        sky.nic[:] = 7.0 if int(t) % 20 < 10 else 8.0

    _, verdict = run(Sky(5), range(300), change=dither)
    assert (verdict.condition == Condition.OK).all()
    assert verdict.reason == ("",) * 5
    assert len(verdict.interference) == 0


@pytest.mark.parametrize(("field", "word"), [("nic", "NIC"), ("nac_p", "NACp")])
def test_a_real_fall_degrades_and_recovers_with_hysteresis(field, word):
    sky = Sky(2)
    state, _ = run(sky, range(60))
    getattr(sky, field)[0] = 3.0
    state, verdict = run(sky, range(60, 62), state)
    assert verdict.condition.tolist() == [Condition.OK, Condition.OK]
    state, verdict = run(sky, range(62, 66), state)
    assert verdict.condition.tolist() == [Condition.DEGRADED, Condition.OK]
    assert word in verdict.reason[0]
    assert "fell to 3" in verdict.reason[0]
    getattr(sky, field)[0] = 9.0
    state, verdict = run(sky, range(66, 70), state)
    assert verdict.condition[0] == Condition.DEGRADED
    _, verdict = run(sky, range(70, 90), state)
    assert verdict.condition[0] == Condition.OK


def test_version_zero_transponders_do_not_transmit_nacp():
    sky = Sky(1)
    state, _ = run(sky, range(30))
    sky.version[0], sky.nac_p[0] = 0.0, 2.0
    assert run(sky, range(30, 60), state)[1].condition[0] == Condition.OK


def test_silence_of_position_while_still_heard_is_a_loss_and_out_of_earshot_is_not():
    sky = Sky(2)
    state, _ = run(sky, range(30))

    def silent(sky, t):
        sky.position_age_s[:] = t - 30
        sky.heard_age_s[1] = t - 30

    state, verdict = run(sky, range(30, 60), state, change=silent)
    assert verdict.condition.tolist() == [Condition.LOST, Condition.OK]
    assert "no position in it for" in verdict.reason[0]
    assert verdict.good_east_m[0] == 0.0
    assert verdict.good_ns[0] == T0 + 30 * S


def test_type_code_zero_is_an_immediate_loss():
    sky = Sky(1)
    state, _ = run(sky, range(30))
    sky.position_age_s[0] = 1.0
    sky.extra = {Field.NO_POSITION: np.ones(1)}
    _, verdict = run(sky, range(30, 34), state)
    assert verdict.condition[0] == Condition.LOST


def test_ground_traffic_rebroadcasts_and_the_never_placed_are_not_judged():
    sky = Sky(1)
    sky.extra, sky.nic[0] = {Field.ON_GROUND: np.ones(1)}, 0.0
    assert run(sky, range(30))[1].condition[0] == Condition.UNKNOWN
    sky = Sky(1, Source.TISB)
    sky.nic[0] = 0.0
    assert run(sky, range(30))[1].condition[0] == Condition.UNKNOWN


def test_impossible_claims_are_inconsistent():
    for name, value, word in (("doubt", int(Doubt.JUMP), "jumped"), ("rejected", 4, "contradict")):
        sky = Sky(1)
        state, _ = run(sky, range(30))
        setattr(sky, name, np.array([value]))
        verdict = run(sky, range(30, 36), state)[1]
        assert verdict.condition[0] == Condition.INCONSISTENT
        assert word in verdict.reason[0]
    sky = Sky(1)
    state, _ = run(sky, range(30))
    sky.extra = {Field.GEOMETRIC_MINUS_BARO_SATURATED: np.ones(1)}
    assert run(sky, range(30, 36), state)[1].condition[0] == Condition.INCONSISTENT


def jam(sky, t, hit, at=60):
    if t >= at:
        sky.nic[:hit], sky.nac_p[:hit] = 0.0, 0.0
        sky.position_age_s[:hit] = t - at


def test_many_losses_at_once_are_a_region_that_ends_when_they_recover():
    sky = Sky(12)
    state, verdict = run(sky, range(100), change=lambda s, t: jam(s, t, 7))
    regions = verdict.interference
    assert len(regions) == 1
    assert regions.affected[0] == 7
    assert 7 <= regions.exposed[0] <= 12
    assert regions.east_m[0] == pytest.approx(30_000.0, abs=1.0)
    assert regions.p_value[0] < 1e-5
    assert T0 + 60 * S <= regions.since_ns[0] <= T0 + 64 * S
    clean = Sky(12)
    state, verdict = run(clean, range(100, 115), state)
    assert len(verdict.interference) == 1
    assert verdict.interference.affected[0] == 0
    assert len(run(clean, range(115, 190), state)[1].interference) == 0


def test_two_losses_or_equipment_poor_from_the_start_are_no_region():
    assert len(run(Sky(12), range(100), change=lambda s, t: jam(s, t, 2))[1].interference) == 0
    poor = Sky(12)
    poor.nic[:7], poor.nac_p[:7] = 0.0, 0.0
    _, verdict = run(poor, range(100))
    assert (verdict.condition[:7] == Condition.DEGRADED).all()
    assert verdict.reason[0] == "poor position quality since first heard"
    assert len(verdict.interference) == 0


def test_normals_are_not_learned_away_while_a_region_stands():
    _, verdict = run(Sky(12), range(0, 1500, 2), change=lambda s, t: jam(s, t, 7, at=60))
    assert verdict.interference.affected[0] == 7


@given(st.integers(1, 60), st.integers(0, 60), st.floats(1e-4, 0.5))
def test_tail_is_the_binomial_survival_function(n, k, rate):
    from scipy.stats import binom

    assert tail(n, k, rate) == pytest.approx(float(binom.sf(k - 1, n, rate)), rel=1e-6, abs=1e-300)


def track(t_s, rows):
    n = len(rows)
    mean = np.array(rows, float).reshape(n, 6)
    one, now = np.ones(n, np.int64), T0 + int(t_s * S)
    cov = np.tile(np.diag([400.0, 400, 400, 4, 4, 4]), (n, 1, 1))
    life = (one * TrackStatus.CONFIRMED, one, one * now, -one, one, n + 1)
    return Tracks(now, np.arange(n) + 1, mean, cov, np.full(n, 0.99), *life)


def test_agreement_needs_time_to_make_and_to_break():
    sky, state = Sky(2), start(SETTINGS)
    seen = []
    for t in range(40):
        rows = [[60.0, 0, 0, 1, 0, 0], [200_000.0, 0, 0, 0, 0, 0]] if t < 20 else [[9_000.0, 9_000, 0, 0, 0, 0]]
        state, verdict = step(state, sky.claims(t), track(t, rows), SETTINGS)
        seen.append(verdict.track_id.tolist())
    assert seen[2] == [NO_TRACK, NO_TRACK]
    assert seen[4] == [1, NO_TRACK]
    assert seen[25] == [1, NO_TRACK]
    assert seen[39] == [NO_TRACK, NO_TRACK]


def test_one_track_agrees_with_one_claim_only():
    sky = Sky(3)
    _, verdict = run(sky, range(10), tracks=track(10, [[5_000.0, 0, 0, 0, 0, 0]]))
    assert (verdict.track_id == NO_TRACK).all()
    _, verdict = run(sky, range(10), tracks=track(10, [[0.0, 0, 0, 0, 0, 0], [10_050.0, 0, 0, 0, 0, 0]]))
    assert verdict.track_id.tolist() == [1, 2, NO_TRACK]


def test_a_high_claim_is_found_where_a_flat_radar_puts_it():
    from lapwing.integrity.agreement import seen_as

    height, ground = 9_000.0, np.hypot(12_000.0, 16_000.0)
    claimed = np.array([[12_000.0, 16_000.0, height, 150.0, -120.0, 0.0]])
    low = track(0, [[0.0, 0.0, 300.0, 0.0, 0.0, 0.0]])
    vague = replace(low, cov=np.diag([400.0, 400, 1500.0**2, 4, 4, 4])[None])
    assert np.allclose(seen_as(claimed, low, np.array([0]), 500.0)[0, 0], claimed[0, [0, 1, 3, 4]])
    got = seen_as(claimed, vague, np.array([0]), 500.0)[0, 0]
    assert np.hypot(*got[:2]) == pytest.approx(np.sqrt(ground**2 + height**2 - 300.0**2))
    later = claimed + np.array([[0.150, -0.120, 0, 0, 0, 0]])
    moved = seen_as(later, vague, np.array([0]), 500.0)[0, 0]
    assert np.allclose((moved[:2] - got[:2]) / 1e-3, got[2:], rtol=1e-3)


def test_a_jammed_speaker_keeps_its_track_while_it_is_heard():
    sky, state = Sky(1), start(SETTINGS)
    for t in range(100):
        sky.position_age_s[0] = max(t - 20, 0)
        sky.heard_age_s[0] = max(t - 50, 0)
        state, verdict = step(state, sky.claims(t), track(t, [[50.0, 0, 0, 0, 0, 0]]), SETTINGS)
        if t in (19, 45):
            assert verdict.track_id[0] == 1
    assert verdict.track_id[0] == NO_TRACK


def test_one_disbelieved_report_is_an_accident_and_two_are_not():
    for seconds, condition in (((30,), Condition.OK), ((30, 38), Condition.INCONSISTENT), ((30, 60), Condition.OK)):
        sky, state, told = Sky(1), start(SETTINGS), set()
        for t in range(80):
            suspect_ns = T0 + max([s for s in seconds if s <= t], default=-1000) * S
            claims = replace(sky.claims(t), suspect_ns=np.array([max(suspect_ns, 0)]), suspects=np.array([1]))
            state, verdict = step(state, claims, Tracks.empty(T0), SETTINGS)
            told.add(int(verdict.condition[0]))
        assert (Condition.INCONSISTENT in told) == (condition == Condition.INCONSISTENT)


def test_a_region_ends_although_stragglers_stay_affected_and_stands_while_the_source_is_on():
    state, verdict = run(Sky(12), range(100), change=lambda s, t: jam(s, t, 9))
    assert len(verdict.interference) == 1
    state, verdict = run(Sky(12), range(100, 400, 2), state, change=lambda s, t: jam(s, t, 9))
    assert len(verdict.interference) == 1  # as long as it is on
    sky = Sky(12)
    state, verdict = run(sky, range(400, 520), state, change=lambda s, t: jam(s, t, 1))
    assert (verdict.condition[:1] != Condition.OK).all()
    assert len(verdict.interference) == 0


def test_the_end_is_told_by_what_the_exposed_say():
    from lapwing.integrity.ending import EndingSettings, calmer

    settings, peak = EndingSettings(), np.array([0.6])
    n = np.array([12])
    calm = np.zeros(1)
    for _ in range(6):
        calm = calmer(calm, peak, np.array([0]), n, settings)
    assert calm[0] >= settings.threshold  # a minute of nobody affected
    assert calmer(np.array([4.0]), peak, np.array([7]), n, settings)[0] < 1.0  # most affected again
    assert calmer(np.zeros(1), peak, np.array([0]), np.array([1]), settings)[0] < 1.0  # one alone says little


def test_a_silence_in_which_nobody_is_remembered_is_skipped_and_changes_no_verdict(monkeypatch):
    def story():
        state = start(SETTINGS)
        for t in range(120):
            state, verdict = step(state, Claims.empty(T0 + t * S), Tracks.empty(T0), SETTINGS)
            assert len(verdict) == 0
        sky, said = Sky(4), []
        for t in range(120, 400):
            sky.position_age_s[:3] = max(t - 250, 0)
            state, verdict = step(state, sky.claims(t), Tracks.empty(T0), SETTINGS)
            said.append((verdict.condition.tolist(), verdict.since_ns.tolist(), len(verdict.interference)))
        return said

    fresh = start(SETTINGS)
    assert step(fresh, Claims.empty(T0), Tracks.empty(T0), SETTINGS)[0] is fresh
    skipped = story()
    assert Condition.LOST in skipped[-1][0]
    monkeypatch.setattr(IntegrityState, "nobody", False)
    assert story() == skipped
