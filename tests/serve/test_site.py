"""Site files: every mistake gives one sentence that names the key and says what is allowed."""

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lapwing.serve.runtime import open_journal
from lapwing.serve.site import SiteError, essence, load, parse, parse_schedule

GOOD = """
name = "Test"
[origin]
latitude_deg = 50.0
longitude_deg = 20.0
[[feed]]
name = "adsb"
decoder = "beast"
from = "tcp://127.0.0.1:30005"
[[feed]]
name = "radar"
decoder = "asterix"
from = "udp://239.1.2.3:8600"
sensor = "R1"
[[sensor]]
name = "R1"
at = {latitude_deg = 50.1, longitude_deg = 20.1, height_m = 120}
azimuth_sigma_deg = 0.5
[[zone]]
name = "Z"
circle = {latitude_deg = 50.0, longitude_deg = 20.0, radius_m = 3700}
height_m = [0, 1500]
schedule = ["mon-fri 06:00-22:00", "sat 08:00-12:30"]
[[zone]]
name = "P"
polygon = [[50.0, 20.0], [50.1, 20.0], [50.1, 20.1]]
"""


def problems(text):
    with pytest.raises(SiteError) as caught:
        parse(text)
    return "\n".join(caught.value.problems)


def test_good(tmp_path):
    site = parse(GOOD).site(tmp_path)
    assert math.isclose(site.origin.latitude_rad, math.radians(50.0))
    assert site.feeds[0].host == "127.0.0.1"
    assert site.feeds[1].port == 8600
    assert math.isclose(site.sensors[0].azimuth_sigma_rad, math.radians(0.5))
    assert len(site.zones[0].schedule) == 6
    assert len(site.zones[1].shape.vertices) == 3


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            ("latitude_deg = 50.0\nlong", "latitude_deg = 95.0\nlong"),
            "origin > latitude_deg: input should be less than or equal to 90, found 95.0",
        ),
        (('decoder = "beast"', 'decoder = "baest"'), "feed 'adsb' > decoder: input should be 'beast', 'avr'"),
        (("tcp://127.0.0.1:30005", "tpc://127.0.0.1:30005"), "write tcp://HOST:PORT"),
        (("tcp://127.0.0.1:30005", "tcp://127.0.0.1:99999"), "needs a host and a port from 1 to 65535"),
        (('name = "Z"', 'nmae = "Z"'), "did you mean 'name'"),
        (('sensor = "R1"', 'sensor = "R2"'), "sensor = 'R2' is none of the sensors ['R1']"),
        (("height_m = [0, 1500]", "height_m = [1500, 0]"), "height_m must be [lowest, highest]"),
        (("mon-fri 06:00-22:00", "monday"), "write it like 'mon-fri 06:00-22:00'"),
        (('name = "P"', 'name = "Z"'), "two zones are named 'Z'"),
        (("polygon = [[50.0, 20.0], [50.1, 20.0], [50.1, 20.1]]", ""), "needs either 'circle' or 'polygon'"),
        (('name = "Test"', "name = "), "not valid TOML"),
        (("radius_m = 3700", 'radius_m = "big"'), "zone 'Z' > circle > radius_m: input should be a valid number"),
        (("udp://239.1.2.3:8600", "file:plots.pcap"), "a site has one kind only"),
    ],
)
def test_mistakes_are_explained(change, says):
    assert change[0] in GOOD
    assert says in problems(GOOD.replace(*change))


def test_missing_parts():
    text = problems("name = 'x'")
    assert "origin: is missing" in text
    assert "feed: is missing" in text


def test_missing_files_are_named(tmp_path):
    path = tmp_path / "site.toml"
    with pytest.raises(SiteError, match="1 problem") as caught:
        load(path)
    assert "No such file" in caught.value.problems[0]
    path.write_text(
        'name="x"\n[origin]\nlatitude_deg=1\nlongitude_deg=1\n[[feed]]\nname="f"\ndecoder="nmea"\nfrom="file:not-here.nmea"\n'
    )
    with pytest.raises(SiteError) as caught:
        load(path)
    assert "there is no file" in caught.value.problems[0]
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SiteError) as caught:
        load(path)
    assert caught.value.problems == ["not UTF-8 text"]


@given(st.text(max_size=200))
def test_any_text_gives_a_site_or_problems(text):
    try:
        parse(text)
    except SiteError as error:
        assert error.problems
        assert all(error.problems)


@given(st.text(max_size=30))
def test_any_schedule_is_read_or_refused(text):
    try:
        rows = parse_schedule(text)
    except ValueError as error:
        assert "schedule" in str(error) or "end must be" in str(error)
        return
    assert all(0 <= d <= 6 and 0 <= a < b <= 86_400 for d, a, b in rows)


def test_schedule_over_the_weekend():
    assert [d for d, _, _ in parse_schedule("fri-mon 00:00-24:00")] == [4, 5, 6, 0]


@pytest.mark.parametrize(
    ("feed", "says"),
    [
        ('decoder="json"\nfrom="listen://h:1"', "sensor = '' is none of the sensors ['R1']"),
        (
            'decoder="sapient"\nfrom="tcp://h:1"\nsensor="R1"',
            "'sapient' and from = 'sapient://HOST:PORT' or 'sapient-peer://HOST:PORT' need each other",
        ),
        (
            'decoder="nmea"\nfrom="sapient-peer://h:1"',
            "'sapient' and from = 'sapient://HOST:PORT' or 'sapient-peer://HOST:PORT' need each other",
        ),
        (
            'decoder="nmea"\nfrom="sapient://h:1"',
            "'sapient' and from = 'sapient://HOST:PORT' or 'sapient-peer://HOST:PORT' need each other",
        ),
    ],
)
def test_feeds_of_sensors(feed, says):
    assert says in problems(GOOD + f'[[feed]]\nname="x"\n{feed}\n')


def test_a_feed_knows_the_sites_origin(tmp_path):
    path = tmp_path / "site.toml"
    path.write_text(GOOD + '[[feed]]\nname="x"\ndecoder="json"\nfrom="listen://h:1"\nsensor="R1"\n')
    _, site = load(path)
    assert {f.origin for f in site.feeds} == {site.origin}


OUTPUT = """
[[output]]
name = "TAK"
kind = "cot"
to = "tls://tak.example:8089"
[[output]]
name = "Tower"
kind = "asterix"
to = "udp://239.255.0.62:8600"
sac = 25
sic = 7
"""


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (('kind = "cot"', 'kind = "cott"'), "output 'TAK' > kind: 'cott' is none; allowed here: 'cot', 'asterix',"),
        (('kind = "cot"\n', ""), "output 'TAK' > kind: is missing; allowed here:"),
        (("tls://tak.example:8089", "tls://"), "output 'TAK' > to: 'tls://' is not an address for this; write tcp://"),
        (("tls://tak", "tls://me:word@tak"), "does not belong into an address"),
        (("sac = 25", "sac = 256"), "output 'Tower' > sac: input should be less than or equal to 255, found 256"),
        (("sic = 7\n", ""), "output 'Tower' > sic: is missing"),
        (("sic = 7", "sik = 7"), "output 'Tower' > sik: unknown key; did you mean 'sic'?"),
        (('name = "Tower"', 'name = "TAK"'), "two outputs are named 'TAK'"),
    ],
)
def test_mistakes_in_outputs(change, says):
    assert len(parse(GOOD + OUTPUT).output) == 2
    assert says in problems(GOOD + OUTPUT.replace(*change))


def test_outputs_do_not_change_the_picture():
    """So a journal goes on when an output is added; it does not when a zone moves, or when the text is no TOML."""
    assert essence(GOOD) == essence(GOOD + OUTPUT)
    assert essence(GOOD) != essence(GOOD.replace("3700", "3800"))
    assert essence("[") != essence("[[")


def test_the_journal_goes_on_when_an_output_is_added(tmp_path):
    open_journal(tmp_path, GOOD).close()
    journal = open_journal(tmp_path, GOOD + OUTPUT)
    assert journal.meta("site") == GOOD + OUTPUT
    journal.close()
    assert list(tmp_path.glob("before-*")) == []
    open_journal(tmp_path, GOOD.replace("3700", "3800")).close()
    assert len(list(tmp_path.glob("before-*"))) == 1


def test_alerts_of_nodes_are_for_sapient_feeds_only() -> None:
    text = """
name = "s"
origin = {{ latitude_deg = 47, longitude_deg = 8 }}
sensor = [{{ name = "radar", at = {{ latitude_deg = 47, longitude_deg = 8 }} }}]
feed = [{{ name = "f", decoder = "{decoder}", from = "{source}", sensor = "radar", alerts = "{alerts}" }}]
"""
    made = parse(text.format(decoder="sapient", source="sapient://127.0.0.1:5020", alerts="medium")).site(Path())
    assert made.feeds[0].alerts == "medium"
    for decoder, source, alerts in (
        ("json", "udp://127.0.0.1:5020", "medium"),
        ("sapient", "sapient://127.0.0.1:5020", "critical"),
    ):
        with pytest.raises(SiteError) as refused:
            parse(text.format(decoder=decoder, source=source, alerts=alerts))
        assert "alerts" in refused.value.problems[0]
    strict = text.replace('alerts = "{alerts}"', "strict = true")
    assert parse(strict.format(decoder="sapient", source="sapient://127.0.0.1:5020")).site(Path()).feeds[0].strict
    with pytest.raises(SiteError, match="1 problem") as refused:
        parse(strict.format(decoder="json", source="udp://127.0.0.1:5020"))
    assert "'strict' does nothing here" in refused.value.problems[0]


def test_stated_tolerances_reach_the_sensor_in_radians(tmp_path):
    more = "range_tolerance_m = 60.0\nazimuth_tolerance_deg = 0.5\nclock_tolerance_s = 0.2\n"
    text = GOOD.replace("[[sensor]]\n", "[[sensor]]\n" + more)
    site = parse(text).site(tmp_path)
    assert site.sensors[0].tolerance == (60.0, math.radians(0.5), 0.0, 0.2)
    assert "azimuth_tolerance_deg" in problems(text.replace("tolerance_deg = 0.5", "tolerance_deg = -1"))


def test_how_often_a_sensor_sees_may_fall_with_range(tmp_path):
    text = GOOD.replace("[[sensor]]\n", "[[sensor]]\np_detect_at = [[0, 0.9], [5000, 0.7], [20000, 0.1]]\n")
    assert parse(text).site(tmp_path).sensors[0].p_detect_at == ((0.0, 0.9), (5000.0, 0.7), (20000.0, 0.1))
    for wrong in ("[[5000, 0.9], [5000, 0.7]]", "[[5000, 0.9], [100, 0.7]]", "[[0, 1.0]]", "[[-1, 0.5]]", "[[0, nan]]"):
        assert "p_detect_at" in problems(GOOD.replace("[[sensor]]\n", f"[[sensor]]\np_detect_at = {wrong}\n"))
    two = "second = {latitude_deg = 50.0, longitude_deg = 22.0}\np_detect_at = [[0, 0.9]]\n"
    assert "makes two" in problems(GOOD.replace("[[sensor]]\n", "[[sensor]]\n" + two))


def test_what_is_in_the_tracks_of_a_node(tmp_path):
    text = GOOD.replace("[[sensor]]\n", '[[sensor]]\ncorrelation_s = 5.0\nincludes = ["R2"]\n')
    assert parse(text).site(tmp_path).sensors[0].includes == ("R2",)
    assert "needs 'correlation_s'" in problems(text.replace("correlation_s = 5.0\n", ""))
    assert "names itself" in problems(text.replace('["R2"]', '["R1"]'))
