"""Sources that go on and off: looks while they are off say nothing of where they are; an edge of reach is not that."""

import numpy as np
import pytest

from lapwing.integrity.pulses import PulseSettings, while_off
from lapwing.integrity.search import located
from lapwing.integrity.source import SourceSettings, make_looks
from lapwing.kernel import source as kernel

SETTINGS = PulseSettings()


def event(on, n=80, seed=4, looks=60):
    """n aircraft that fly straight past a source at (20, -30) km for half an hour; `on`: per look, whether it is."""
    rng = np.random.default_rng(seed)
    t = np.arange(looks) * 30.0
    start, course = rng.uniform(-1.5e5, 1.5e5, (n, 2)), rng.uniform(0, 2 * np.pi, n)
    v = 220.0 * np.stack([np.sin(course), np.cos(course)], axis=1)
    place = start[:, None, :] + t[None, :, None] * v[:, None, :]
    power = 42.0 - 96.4 - 20 * np.log10(np.hypot(*(place - [2e4, -3e4]).transpose(2, 0, 1)) / 1e3 + 0.1)
    hit = (power > rng.normal(-95.0, 5.0, n)[:, None]) & on[None, :]
    who, when = np.repeat(np.arange(n), looks), np.tile((t * 1e9).astype(np.int64), n)
    xyz = np.concatenate([place, np.full((n, looks, 1), 10_000.0)], axis=2).reshape(-1, 3)
    return who, when, xyz, hit.ravel()


@pytest.mark.parametrize("period", [2, 3, 4])
def test_looks_while_a_pulsed_source_is_off_are_left_out(period):
    on = np.arange(60) % period < period - period // 2
    who, when, place, hit = event(on)
    off = while_off(who, when, hit, SETTINGS).reshape(-1, 60)
    assert (off == off[0]).all()  # a moment is off for everybody
    assert not off[0][on].any()
    inner = np.flatnonzero(~on & (np.arange(60) > period) & (np.arange(60) < 34))  # later few are left to tell
    assert off[0][inner].mean() > 0.8
    assert off[0][: period + 1][~on[: period + 1]].all()  # also where nobody was affected before yet
    settings = SourceSettings()
    looks = make_looks(who, when, place, hit, 24)
    later = np.diff(looks.speaker, prepend=-1) == 0
    assert not (looks.before[later] == kernel.WAS_AFFECTED).any()  # nobody knows what was in between
    found = located(looks, settings)
    assert np.hypot(found.mean_m[0] - 2e4, found.mean_m[1] + 3e4) < 20_000.0


def test_a_steady_source_loses_no_look_and_a_lone_flicker_is_not_a_pulse():
    who, when, _, hit = event(np.ones(60, bool))
    assert not while_off(who, when, hit, SETTINGS).any()
    flicker = hit.reshape(-1, 60).copy()
    three = np.flatnonzero(flicker.sum(axis=1) > 10)[:3]
    flicker[three, ::2] = False
    assert not while_off(who, when, flicker.ravel(), SETTINGS).any()
    assert not while_off(who[:0], when[:0], hit[:0], SETTINGS).any()
    assert not while_off(who, when, np.zeros(len(who), bool), SETTINGS).any()


def test_before_and_after_a_source_is_on_looks_stay():
    on = (np.arange(60) >= 10) & (np.arange(60) < 40)
    who, when, _, hit = event(on)
    assert not while_off(who, when, hit, SETTINGS).any()


def test_once_a_source_is_known_to_go_on_and_off_few_who_can_tell_do_and_nobody_is_not_on():
    """Eight speakers make the pulses known; later two are left, then none."""
    moments, n = 40, 8
    on = np.arange(moments) % 2 == 0
    hit = np.tile(on, (n, 1))
    hit[2:, 20:] = False  # they fly out of its reach
    hit[:, 34:] = False
    who, when = np.repeat(np.arange(n), moments), np.tile(np.arange(moments) * 30 * 10**9, n)
    off = while_off(who, when, hit.ravel(), SETTINGS).reshape(n, moments)
    assert (off == off[0]).all()
    assert np.array_equal(off[0][:33], ~on[:33])
    assert off[0][38:].all()  # whether it is on nobody can say
    two = hit.copy()
    two[2:] = False  # with two alone it is not known at all
    assert not while_off(who, when, two.ravel(), SETTINGS).any()
