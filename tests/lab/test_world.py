"""The examiner's world: paths, radars, listeners, emitters, scenarios; and that the same seed is the same world."""

import json
from functools import reduce
from operator import xor

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstest

from lapwing_lab import world as worlds
from lapwing_lab.failings import Failings
from lapwing_lab.files import Scan
from lapwing_lab.geo import Place, enu_of_surface, geodetic, local, offset, sight, surface
from lapwing_lab.jamming import Air, Jammer, Spoofer
from lapwing_lab.literature import draw
from lapwing_lab.passive import Bistatic, Listener
from lapwing_lab.paths import Limits, Orders, Path, hermite, steer
from lapwing_lab.radar import RadarModel
from lapwing_lab.scenario import ScenarioError, build, folder, load, read_table
from lapwing_lab.simulate import pcap, record, simulate, tagged, truth
from lapwing_lab.truth import Target
from lapwing_lab.wire_asterix import rotation

HOME = Place(50.0, 10.0, 100.0)


def still(east, north, height, rcs=0.01, kind="multirotor", duration=1000.0):
    """A target that hangs in the air."""
    place = np.tile([float(east), north, height], (2, 1))
    return Target(f"t{east}{north}", kind, Path(HOME, 0.0, duration, place, np.zeros((2, 3))), rcs)


def here(east=0.0, north=0.0, height=110.0):
    return worlds.stand(offset(HOME, east, north, height), HOME)


@given(st.floats(-150_000, 150_000), st.floats(-150_000, 150_000), st.floats(0, 12_000))
def test_vectors_and_scalars_of_the_geometry_agree(east, north, height):
    place = offset(HOME, east, north, height)
    assert surface(HOME, place) == pytest.approx((east, north, height), abs=1e-6)
    row = enu_of_surface(HOME, np.array([[east, north, height]]))[0]
    assert row == pytest.approx(local(HOME, place), abs=1e-5)
    other = offset(HOME, 3000.0, -2000.0, 200.0)
    r, azimuth, elevation = sight(other, place)
    seen = worlds.stand(other, HOME).look(row[None], np.zeros((1, 3)))
    assert seen.range_m[0] == pytest.approx(r, abs=1e-4)
    if r > 10.0:
        assert abs((np.degrees(seen.azimuth_rad[0]) - azimuth + 180) % 360 - 180) < 1e-5 + 1e-3 / r
        assert np.degrees(seen.elevation_rad[0]) == pytest.approx(elevation, abs=1e-5)
    back = geodetic(tuple(float(v) for v in _ecef(place)))
    assert back.height_m == pytest.approx(height, abs=1e-4)


def _ecef(place):
    from lapwing_lab.geo import ecef

    return ecef(place)


@given(st.integers(0, 1000))
def test_paths_keep_their_limits_and_are_smooth(seed):
    rng = np.random.default_rng(seed)
    limits = Limits(5.0, 0.5, 2.0, 4.0, 0.1, 1.0, 10.0, 20.0, True)
    orders = Orders(rng.uniform(-2000, 2000, (3, 5, 3)) * [1, 1, 0.05], np.full((3, 5), 20.0), np.full((3, 5), 10.0))
    place, rate = steer(orders, limits, 200.0, rng)
    speed = np.hypot(rate[:, :, 0], rate[:, :, 1])
    assert np.abs(np.diff(speed)).max() <= 2.0 + 1e-9
    assert np.abs(rate[:, :, 2]).max() <= 4.0 + 1e-9
    path = Path(HOME, 0.0, 1.0, place[0], rate[0])
    a, b = path.at(57.0 - 1e-6), path.at(57.0 + 1e-6)  # across a knot
    assert (a.ve, a.vn, a.vu) == pytest.approx((b.ve, b.vn, b.vu), abs=1e-3)
    moved = local(path.at(57.0).place, path.at(57.01).place)
    assert moved[0] / 0.01 == pytest.approx(path.at(57.005).ve, abs=0.2)


def test_a_small_drone_is_seen_half_of_the_time_at_the_reference_range_and_always_near():
    model = RadarModel("r", here(), reference_range_m=9000.0)
    p = model.p_detect(np.array([9000.0, 2000.0, 18_000.0, 18_000.0]), np.array([0.01, 0.01, 0.01, 10.0]))
    assert p[0] == pytest.approx(0.5)
    assert p[1] > 0.99
    assert p[2] < 0.01
    assert p[3] > 0.95  # an aircraft at twice the range


def test_radar_noise_is_what_the_data_sheet_says_and_plots_carry_their_own_time():
    model = RadarModel("r", here(), clutter_per_scan=0.0, range_sigma_m=20.0, azimuth_sigma_deg=0.2)
    world = worlds.make([still(6000.0, 6000.0, 600.0, rcs=1e3)], HOME, 1000.0)
    rng = np.random.default_rng(1)
    scans = [model.scan(world, 0.0, 0, rng) for _ in range(400)]
    z = np.concatenate([s.z for s in scans])
    r, azimuth, _ = sight(model.stand.place, offset(HOME, 6000.0, 6000.0, 600.0))
    assert kstest((z[:, 0] - r) / 20.0, "norm").pvalue > 1e-3
    assert kstest((np.degrees(z[:, 1]) - azimuth) / 0.2, "norm").pvalue > 1e-3
    assert scans[0].time_ns[0] * 1e-9 == pytest.approx(azimuth / 360.0 * 2.5, abs=0.02)
    assert scans[0].scan_ns == 2_500_000_000


def test_amplitudes_follow_the_radar_equation_and_flicker_and_the_product_gets_the_cross_section_back():
    from lapwing.decode.asterix import AsterixDecoder
    from lapwing.records import Frame, Position, SensorConfig

    model = RadarModel("r", here(), clutter_per_scan=0.0)
    world = worlds.make([still(6000.0, 6000.0, 600.0, rcs=20.0), still(0.0, 3000.0, 400.0, rcs=2.0)], HOME, 1000.0)
    rng = np.random.default_rng(1)
    scans = [model.scan(world, 0.0, 0, rng) for _ in range(600)]
    for rcs_m2, low, high in ((20.0, 8000.0, 9000.0), (2.0, 2000.0, 4000.0)):
        told = np.concatenate([10.0 ** (0.1 * s.rcs_dbsm[(s.z[:, 0] > low) & (s.z[:, 0] < high)]) for s in scans])
        assert kstest(told / rcs_m2, "expon").pvalue > 1e-3  # far above the threshold: an exponential, Swerling 1
    assert RadarModel("r", here(), amplitude=False).scan(world, 0.0, 0, rng).rcs_dbsm is None

    def back(scan, **known):
        radar = SensorConfig("r", Position(0.0, 0.0, 0.0), "radar", **known)
        sent = rotation(scan, 7, 1, model.period_s, (model.echo_dbm, model.echo_min_dbm))
        state = AsterixDecoder("f", radar).start()
        _, out = AsterixDecoder("f", radar).decode(state, [Frame(i, "f", 0, d) for i, d in enumerate(sent)])
        return out.scans[0].rcs_dbsm

    equation, threshold = {"echo_dbm": model.echo_dbm}, {"echo_min_dbm": model.echo_min_dbm}
    assert back(scans[0], **equation, **threshold) == pytest.approx(scans[0].rcs_dbsm, abs=1.0)  # whole decibels
    assert back(scans[0]) is None  # nobody knows how strong one square metre is
    weak = worlds.make([still(0.0, 26_000.0, 4_000.0, rcs=0.01)], HOME, 1000.0)
    seen = [s for s in (model.scan(weak, 0.0, 0, rng) for _ in range(800)) if len(s.z)]
    alike = np.mean([back(s, **equation, **threshold)[0] for s in seen])
    assert alike + 2.51 == pytest.approx(-20.0, abs=1.0)
    assert (
        np.mean([back(s, **equation)[0] for s in seen]) > -18.0
    )  # what is seen at the edge is seen in its better moments


def test_a_radar_does_not_see_behind_the_horizon_its_mask_or_its_blind_sector():
    targets = [still(0.0, 30_000.0, 105.0), still(10_000.0, 0.0, 400.0), still(0.0, -10_000.0, 400.0)]
    world = worlds.make(targets, HOME, 10.0)
    position, velocity, _ = world.at(1.0)
    stand = here()
    plain = RadarModel("r", stand)
    assert plain.covers(stand.look(position, velocity)).tolist() == [False, True, True]
    masked = RadarModel(
        "r", stand, mask=((0.0, -5.0), (80.0, 5.0), (100.0, 5.0), (120.0, -5.0)), blind=((170.0, 190.0),)
    )
    assert masked.covers(stand.look(position, velocity)).tolist() == [False, False, False]


def test_echoes_in_one_cell_are_one_plot_and_clutter_is_as_many_as_it_says():
    pair = worlds.make([still(5000.0, 0.0, 300.0, 1e3), still(5003.0, 0.0, 300.0, 1e3)], HOME, 10.0)
    model = RadarModel("r", here(), clutter_per_scan=0.0, range_sigma_m=0.01, azimuth_sigma_deg=0.001,
                       cell_range_m=200.0, cell_azimuth_deg=3.0)  # fmt: skip
    assert len(model.scan(pair, 0.0, 0, np.random.default_rng(2)).z) == 1
    nobody = worlds.make([], HOME, 10.0)
    noisy = RadarModel("r", here(), clutter_per_scan=20.0)
    counts = [len(noisy.scan(nobody, 0.0, 0, np.random.default_rng(k)).z) for k in range(200)]
    assert np.mean(counts) == pytest.approx(20.0, abs=1.0)


def test_listeners_measure_directions_and_sound_is_late():
    moving = Path(
        HOME, 0.0, 1.0, np.array([[500.0, 20.0 * t, 150.0] for t in range(60)]), np.tile([0.0, 20.0, 0.0], (60, 1))
    )
    world = worlds.make([Target("d", "multirotor", moving, 0.01)], HOME, 60.0)
    rng = np.random.default_rng(3)
    common = {"azimuth_sigma_deg": 1e-6, "p_detect_near": 1.0, "clutter_per_scan": 0.0, "range_m_max": 1e6}
    finder = Listener("df", "direction_finder", here(), **common).scan(world, 19.0, 0, rng)
    ear = Listener("ear", "acoustic", here(), **common).scan(world, 19.0, 0, rng)
    eye = Listener("eye", "camera", here(), elevation_sigma_deg=1e-6, **common).scan(world, 19.0, 0, rng)
    assert finder.space == ("azimuth_rad",)
    assert np.tan(finder.z[0, 0]) == pytest.approx(500.0 / 400.0, abs=1e-3)
    assert np.tan(ear.z[0, 0]) == pytest.approx(500.0 / (400.0 - 20.0 * 641.0 / 340.0), abs=5e-3)
    assert np.tan(eye.z[0, 1]) == pytest.approx(40.0 / np.hypot(500.0, 400.0), abs=1e-3)


def test_passive_radar_measures_the_longer_way():
    world = worlds.make([still(0.0, 4000.0, 110.0, rcs=1e3)], HOME, 10.0)
    model = Bistatic("b", here(), here(3000.0, 0.0), range_sigma_m=1e-6, speed_mps_min=-1.0, clutter_per_scan=0.0)
    scan = model.scan(world, 0.0, 0, np.random.default_rng(4))
    assert scan.z[0, 0] == pytest.approx(4000.0 + 5000.0 - 3000.0, abs=2.0)


def test_failings_bias_duplicate_and_shift_the_clock():
    scan = Scan("r", ("range_m", "azimuth_rad"), 10**9, np.array([5 * 10**8] * 100), np.tile([1000.0, 6.28], (100, 1)))
    bad = Failings.of(
        {"range_bias_m": 50.0, "azimuth_bias_deg": 1.0, "clock_bias_s": 2.0, "p_duplicate": 0.5, "name": "r"}
    )
    out = bad.spoil(scan, np.random.default_rng(5))
    assert out.scan_ns == 3 * 10**9
    assert (out.z[:, 0] == 1050.0).all()
    assert (out.z[:, 1] < 0.1).all()  # over north
    assert 120 < len(out.z) < 180
    assert Failings(outages_s=((3.0, 4.0),)).down(3.5)
    assert Failings(p_late=1.0, late_s=9.0).delay_s(np.random.default_rng(6)) == pytest.approx(9.2)


def test_jammers_beam_move_and_pause_and_spoofers_lead_away():
    j = Jammer(offset(HOME, 0, 0, 300.0), 40.0, 10.0, 100.0, bearing_deg=90.0, width_deg=60.0, cycle_s=20.0, duty=0.5)
    east, north = offset(HOME, 20_000.0, 0, 3000.0), offset(HOME, 0, 20_000.0, 3000.0)
    assert j.received_dbm(east, 12.0) - j.received_dbm(north, 12.0) == pytest.approx(20.0, abs=0.1)
    assert j.received_dbm(east, 25.0) == -200.0  # the second half of its cycle
    free_space = 40.0 - (32.44 + 20 * np.log10(20.2) + 20 * np.log10(1575.42))
    assert j.received_dbm(east, 12.0) == pytest.approx(free_space, abs=0.1)
    moving = Jammer(offset(HOME, 0, 0, 300.0), 40.0, 0.0, 100.0, east_mps=10.0)
    assert surface(HOME, moving.at(50.0))[0] == pytest.approx(500.0, abs=0.1)
    s = Spoofer(HOME, 50_000.0, offset(HOME, 5000.0, 0, 0), 10.0, 100.0, circle_m=400.0, circle_s=100.0)
    air = Air((), (s,))
    assert air.believed(east, "ais", 0.0, 5.0) == (east, False)
    told, deceived = air.believed(east, "ais", 0.0, 35.0)
    assert deceived
    e, n, _ = surface(HOME, told)
    assert np.hypot(e - 5000.0, n) == pytest.approx(400.0, abs=0.5)


SMALL = {
    "name": "small", "title": "Small", "seed": 4, "duration_s": 20.0,
    "origin": {"lat_deg": 50.0, "lon_deg": 10.0, "height_m": 100.0},
    "adsb": {"east_m": 0.0, "north_m": 0.0, "height_m": 150.0},
    "ais": {"east_m": 0.0, "north_m": 0.0, "height_m": 150.0},
    "group": [
        {"kind": "airliner", "count": 2, "gates_m": 60_000.0, "legs": 2},
        {"kind": "flock", "count": 1, "box_m": [-3000.0, 3000.0, -3000.0, 3000.0]},
        {"kind": "ship", "count": 2, "box_m": [-9000.0, 9000.0, -9000.0, 9000.0]},
        {"kind": "multirotor", "name": "intruder", "points": [[0.0, 600.0, 200.0], [0.0, -900.0, 200.0]]},
    ],
    "sensor": [{"name": "Radar", "kind": "radar", "east_m": 0.0, "north_m": 0.0, "height_m": 130.0}],
    "jammer": [{"east_m": 0.0, "north_m": 9000.0, "height_m": 200.0, "eirp_dbm": 40.0, "on_s": 5.0, "off_s": 99.0}],
    "zone": [{"name": "Z", "east_m": 0.0, "north_m": 0.0, "radius_m": 500.0, "height_m": [0.0, 1000.0]}],
}  # fmt: skip


def test_the_same_seed_is_the_same_world_to_the_byte(tmp_path):
    for run in ("a", "b"):
        counts = simulate(build(SMALL, None), tmp_path / run)
        record(build(SMALL, None), tmp_path / run / "wire")
    assert counts["scans"] == 8
    for file in ("detections.parquet", "truth.parquet"):
        assert pl.read_parquet(tmp_path / "a" / file).equals(pl.read_parquet(tmp_path / "b" / file))
    for file in ("adsb.beast", "ais.nmea", "radar-1.pcap", "site.toml", "events.jsonl"):
        assert (tmp_path / "a" / "wire" / file).read_bytes() == (tmp_path / "b" / "wire" / file).read_bytes()
    other = truth(build(SMALL, 5))
    assert not other.equals(pl.read_parquet(tmp_path / "a" / "truth.parquet"))
    told = pl.read_parquet(tmp_path / "a" / "truth.parquet")
    assert not told.filter(pl.col("kind") == "flock")["counts"].any()
    assert told.filter(pl.col("name") == "intruder")["counts"].all()
    events = [json.loads(line) for line in (tmp_path / "a" / "wire" / "events.jsonl").read_text().splitlines()]
    assert {e["event"] for e in events} == {"entered", "jamming"}


def test_the_product_reads_every_byte_of_a_recording(tmp_path):
    """Its own decoders, over a world of ours: no fault, and everybody who speaks is heard."""
    from lapwing.decode import make
    from lapwing.records import Frame
    from lapwing.serve.recordings import chunks
    from lapwing.serve.site import load as load_site

    record(build(SMALL, None), tmp_path)
    _, site = load_site(tmp_path / "site.toml")
    sensors = {s.sensor: s for s in site.sensors}
    decoders = {f.feed: make(f, sensors) for f in site.feeds}
    states, seen, faults, scans = {n: d.start() for n, d in decoders.items()}, set(), 0, 0
    for seq, (feed, time_ns, data) in enumerate(chunks(site.feeds)):
        states[feed], out = decoders[feed].decode(states[feed], [Frame(seq, feed, time_ns, data)])
        faults += sum(f.count for f in out.faults)
        seen |= set(out.positions.address.tolist())
        scans += len(out.scans)
    assert faults == 0
    assert seen == {t.ident for t in build(SMALL, None).targets if t.ident}
    assert scans >= 7


@pytest.mark.parametrize("name", sorted(p.stem for p in folder().glob("*.toml")))
def test_every_scenario_loads_and_begins(name):
    table = read_table(name)
    if "arrays" in table:
        known, scans, told = draw(table["arrays"], 1)
        assert len(scans) == table["arrays"]["scans"]
        assert told["target_id"].n_unique() == table["arrays"]["targets"] or table["arrays"]["kind"] == "comings"
        assert known.cutoff_m > 0.0
        with pytest.raises(ScenarioError, match="literature"):
            load(name, None)
        return
    s = build({**table, "duration_s": 12.0}, None)
    assert s.targets
    for sensor in s.sensors:
        scan = sensor.model.scan(s.world, 0.0, s.begin_ns, sensor.rng)
        assert np.isfinite(scan.z).all()


def test_no_examination_but_the_night_s_is_long():
    tables = {p.stem: read_table(p.stem) for p in folder().glob("*.toml")}
    worlds = [name for name, table in tables.items() if "arrays" not in table and name != "quiet-night"]
    assert len(worlds) >= 8
    assert max(load(name, None, examined=True).duration_s for name in worlds) <= 900.0
    assert load("demo-border", None).duration_s == 7200.0  # to be played


def test_a_wrong_scenario_is_told(tmp_path):
    with pytest.raises(ScenarioError, match="there is no scenario"):
        load("nowhere", None)
    (tmp_path / "x.toml").write_text('name = "x"\n')
    with pytest.raises(ScenarioError, match="missing or wrong"):
        load(str(tmp_path / "x.toml"), None)


def test_recorded_lines_and_packets_have_the_form_of_their_standards():
    body = b"c:1700000000250"
    check = f"{reduce(xor, body):02X}".encode()
    assert tagged(1_700_000_000.25, b"!AIVDM\r\n") == b"\\" + body + b"*" + check + b"\\!AIVDM\r\n"
    data = pcap([(1.5, b"abc")])
    assert data[:4] == bytes.fromhex("4d3cb2a1")
    assert data.endswith(b"abc")
    assert len(data) == 24 + 16 + 20 + 8 + 3


def test_one_instant_of_a_path_is_that_of_the_columns():
    rng = np.random.default_rng(2)
    path = Path(HOME, 3.0, 0.5, rng.normal(0, 500.0, (9, 3)), rng.normal(0, 20.0, (9, 3)))
    for t in (3.0, 3.2, 5.77, 6.999):
        k, u = divmod((t - 3.0) / 0.5, 1.0)
        place, rate = hermite(path.place, path.rate, 0.5, np.array([int(k)]), np.array([u]))
        state = path.at(t)
        assert surface(HOME, state.place) == pytest.approx(place[0], abs=1e-6)
        assert (state.ve, state.vn, state.vu) == pytest.approx(rate[0], abs=1e-9)
