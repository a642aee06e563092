"""Tracks that come back to us with our own plots in them: covariance intersection stays honest where plots taken for
independent do not."""

import time

import numpy as np
import pytest
from tests.track.test_track_upstream import ORIGIN

from lapwing.engine.plan import Plan
from lapwing.records import ANONYMOUS, Detections, SensorConfig, Site, Space
from lapwing.track import TargetPrior, TrackSettings, watch_start
from lapwing.track.intersection import WEIGHTS, _pairs, best_weights

SECOND = 1_000_000_000
Q = 0.05
SETTINGS = TrackSettings(prior=TargetPrior(speed_mps_sigma=20.0), noise_horizontal_m2ps3=Q)
SIGMA = {"A": 30.0, "C": 30.0}
F = np.eye(4) + np.eye(4, k=2)
QQ = Q * np.kron(np.array([[1 / 3, 1 / 2], [1 / 2, 1.0]]), np.eye(2))


def report(name, z, R, t):
    m = len(z)
    nobody = np.full(m, ANONYMOUS, dtype=np.int64)
    return Detections(name, Space.POSITION_2D, t * SECOND, np.full(m, t * SECOND), z, R, nobody, np.arange(m))


def plan_of(includes, correlation_s):
    """Our radar A, and fusion nodes upstream that say, or do not say, what is in their tracks."""
    radar = SensorConfig("A", ORIGIN, "position", range_m_max=80_000.0, p_detect=0.95, clutter_per_scan=0.1)
    up = {
        name: SensorConfig(name, ORIGIN, "position", range_m_max=80_000.0, p_detect=0.95, clutter_per_scan=0.1,
                           correlation_s=correlation_s, includes=inside)
        for name, inside in includes.items()
    }  # fmt: skip
    sensors = {"A": radar} | up
    return Plan(Site("s", ORIGIN, (), tuple(sensors.values()), ()), {}, sensors, (), tracking=SETTINGS)


class Node:
    """A fusion node: one Kalman filter per target, with the right motion and noise."""

    def __init__(self, z):
        self.x = np.concatenate([z, np.zeros((len(z), 2))], axis=1)
        self.P = np.diag([SIGMA["A"] ** 2] * 2 + [400.0] * 2)

    def second(self):
        self.x, self.P = self.x @ F.T, F @ self.P @ F.T + QQ

    def hear(self, z, sigma):
        K = self.P[:, :2] @ np.linalg.inv(self.P[:2, :2] + sigma**2 * np.eye(2))
        self.x = self.x + (z - self.x[:, :2]) @ K.T
        self.P = self.P - K @ self.P[:2]


def followed(seed, plan, nodes, seconds=90):
    """Normalised squared errors of our tracks of 25 targets, and squared errors, and those of the first node. A looks
    at even seconds, C, which we do not hear, at odd ones; nodes report every second what they make of both."""
    rng = np.random.default_rng(seed)
    x = np.zeros((25, 4))
    x[:, 0], x[:, 1] = np.repeat(np.arange(5) * 8e3, 5) - 16e3, np.tile(np.arange(5) * 8e3, 5) - 16e3
    x[:, 2:] = rng.normal(0, 10, (25, 2))
    L = np.linalg.cholesky(QQ + 1e-12 * np.eye(4))
    up = {name: Node(x[:, :2] + rng.normal(0, 30.0, (25, 2))) for name in nodes}
    watch, d2, e2, theirs = watch_start(plan.tracking), [], [], []
    for t in range(1, seconds + 1):
        x = x @ F.T + rng.normal(0, 1, (25, 4)) @ L.T
        who = "A" if t % 2 == 0 else "C"
        z = x[:, :2] + rng.normal(0, SIGMA[who], (25, 2))
        for name, node in up.items():
            node.second()
            if who in nodes[name]:
                node.hear(z, SIGMA[who])
        if who == "A":
            watch = plan.take(watch, report("A", z, np.tile(np.eye(2) * 900.0, (25, 1, 1)), t))
        for name, node in up.items():
            watch = plan.take(watch, report(name, node.x[:, :2], np.tile(node.P[:2, :2], (25, 1, 1)), t))
        if t > 40 and t % 10 == 0:
            tracks = watch.tracker.tracks
            e = tracks.mean[:, None, :2] - x[None, :, :2]
            near = np.linalg.norm(e, axis=2).argmin(axis=1)
            e = e[np.arange(len(tracks)), near]
            keep = (np.linalg.norm(e, axis=1) < 500.0) & (tracks.existence > 0.9)
            d2 += np.einsum("ni,nij,nj->n", e, np.linalg.inv(tracks.cov[:, :2, :2]), e)[keep].tolist()
            e2 += (e[keep] ** 2).sum(axis=1).tolist()
            theirs += ((up[next(iter(up))].x[:, :2] - x[:, :2]) ** 2).sum(axis=1).tolist() if up else []
    return d2, e2, theirs


def judged(plan, nodes, seeds=3):
    every = [followed(seed, plan, nodes) for seed in range(seeds)]
    d2, e2, theirs = (np.concatenate([e[i] for e in every]) for i in range(3))
    assert len(d2) == 25 * 5 * seeds  # every target, five times
    return float(np.mean(d2)), float(np.mean(d2 < 5.991)), float(np.sqrt(np.mean(e2))), theirs


@pytest.mark.slow
def test_what_comes_back_in_upstream_tracks_is_not_counted_twice():
    """A node fuses our radar with one that we do not hear. Taken for plots it makes us sure and wrong; with its own
    correlation alone still too sure; by intersection honest, and better than our radar alone."""
    node = {"up": ("A", "C")}
    plots = judged(plan_of({"up": ()}, 0.0), node)
    lasting = judged(plan_of({"up": ()}, 6.0), node)
    fused = judged(plan_of({"up": ("A", "C")}, 6.0), node)
    alone = judged(plan_of({}, 0.0), {})
    print("NEES of 2, inside 95 %, RMS m: plots", plots[:3], "lasting", lasting[:3], "fused", fused[:3], "A", alone[:3])
    assert plots[0] > 4.0
    assert lasting[0] > fused[0]
    assert fused[0] < 2.0
    assert fused[1] > 0.95
    assert fused[2] < alone[2]


@pytest.mark.slow
def test_two_nodes_that_share_a_radar_we_do_not_hear():
    nodes = {"up": ("C",), "other": ("C",)}
    plots = judged(plan_of({"up": (), "other": ()}, 0.0), nodes)
    fused = judged(plan_of({"up": ("C",), "other": ("C",)}, 6.0), nodes)
    print("two nodes: plots", plots[:3], "fused", fused[:3])
    assert plots[0] > 4.0
    assert fused[0] < 2.0
    assert fused[1] > 0.95


def test_the_weight_leaves_the_smallest_covariance():
    """Against every weight tried one by one; and the update by it is never surer than either alone in any direction
    that both know."""
    rng = np.random.default_rng(3)
    A = rng.normal(0, 1, (40, 6, 6))
    P = A @ np.swapaxes(A, 1, 2) + 0.1 * np.eye(6)
    H = rng.normal(0, 1, (40, 2, 6))
    R = np.tile(np.diag([0.5, 2.0]), (40, 1, 1))
    M = np.swapaxes(H, 1, 2) @ np.linalg.inv(R) @ H
    for p, m, w in zip(P, M, best_weights(P, M), strict=True):
        left = [np.linalg.det(np.linalg.inv(v * np.linalg.inv(p) + (1 - v) * m)) for v in WEIGHTS]
        assert w == WEIGHTS[int(np.argmin(left))]


def test_intersection_is_conservative_for_any_correlation():
    """The true error covariance of the fused estimate, for correlations from -1 to 1, is not above what is said."""
    P, R = np.diag([100.0, 400.0]), np.diag([300.0, 80.0])
    for w in WEIGHTS:
        K = (P / w) @ np.linalg.inv(P / w + R / (1 - w))
        claimed = (np.eye(2) - K) @ (P / w)
        for c in np.linspace(-1.0, 1.0, 9):
            cross = c * np.linalg.cholesky(P) @ np.linalg.cholesky(R).T
            both = np.block([[P, cross], [cross.T, R]])
            G = np.concatenate([np.eye(2) - K, K], axis=1)
            assert np.linalg.eigvalsh(claimed - G @ both @ G.T).min() > -1e-9


def test_sensors_are_related_by_what_is_in_their_tracks():
    plan = plan_of({"up": ("A", "C"), "other": ("C",), "third": ()}, 6.0)
    assert plan.related("up") == {"A", "C", "other"}
    assert plan.related("other") == {"C", "up"}
    assert plan.related("third") == plan.related("A") == frozenset()


def test_reports_meet_the_tracks_nearest_to_them_one_to_one():
    """Against all pairs tried, and with four thousand reports among two thousand tracks in a bounded time."""
    rng = np.random.default_rng(5)
    sensor = plan_of({"up": ("A",)}, 6.0).model("up", Space.POSITION_2D)
    prior = TargetPrior()

    def world(n, m, side):
        mean = np.zeros((n, 6))
        mean[:, :2] = rng.uniform(0, side, (n, 2))
        cov = np.tile(np.diag([400.0] * 3 + [4.0] * 3), (n, 1, 1))
        z = np.concatenate([mean[: m // 2, :2] + rng.normal(0, 20, (m // 2, 2)), rng.uniform(0, side, (m - m // 2, 2))])
        return mean, cov, report("up", z, np.tile(np.eye(2) * 300.0, (m, 1, 1)), 1)

    for _ in range(20):
        mean, cov, scan = world(12, 16, 2_000.0)
        who, row = _pairs(mean, cov, scan, sensor, prior)
        d2 = ((scan.z[None, :, :] - mean[:, None, :2]) ** 2).sum(axis=2) / 700.0
        expected = []
        while d2.min() <= 25.0:
            a, b = np.unravel_index(np.argmin(d2), d2.shape)
            expected.append((int(a), int(b)))
            d2[a], d2[:, b] = np.inf, np.inf
        assert list(zip(who.tolist(), row.tolist(), strict=True)) == expected
    mean, cov, scan = world(2_000, 4_000, 50_000.0)
    begin = time.process_time()
    who, row = _pairs(mean, cov, scan, sensor, prior)
    assert time.process_time() - begin < 2.0
    assert len(who) == len(set(who.tolist())) == len(set(row.tolist())) > 1_500
