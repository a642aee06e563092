"""The message `remote`: who heard a sender without a place, where the person who flies is, and how much is told."""

import json
import sqlite3
from dataclasses import replace

import numpy as np
import pytest

from lapwing.records import Claims, Field, Source
from lapwing.records.claims import FIELD_COLUMN
from lapwing.serve.remote_id import NOTHING, TOLD_MAX, RemoteText
from tests.serve.fake_shelf import FLOWN_DRONE, SILENT_DRONE, FakeShelf, World


def picture(tick=400):
    return World().picture(tick)


def key(picture, row):
    return f"2:{int(picture.claims.address[row])}"


def test_the_sender_without_a_place_names_its_feed_and_the_other_its_person():
    shown = picture()
    told = json.loads(RemoteText(FakeShelf(World()).feeds_of).text(shown))
    assert told["left_out"] == 0
    assert told["claims"] == {
        key(shown, SILENT_DRONE): {"feed": "roof"},
        key(shown, FLOWN_DRONE): {
            "person": {
                "latitude_deg": 37.93,
                "longitude_deg": 126.55,
                "height_ellipsoid_m": None,
                "kind": "live",
                "said_ns": str(shown.time_ns - 3_000_000_000),
            }
        },
    }


def test_a_forgotten_person_is_not_told():
    """The engine forgets by `[privacy] operator_s`: it puts 0 into the columns."""
    shown = picture()
    values_ns = shown.claims.values_ns.copy()
    values_ns[:, FIELD_COLUMN[Field.OPERATOR_LATITUDE_RAD]] = 0
    shown = replace(shown, claims=replace(shown.claims, values_ns=values_ns))
    assert list(json.loads(RemoteText(lambda _seqs: {}).text(shown))["claims"].values()) == [{}]


@pytest.mark.parametrize("kind", [-1.0, 3.0, 1e300])
def test_a_kind_of_place_that_nobody_defined_is_not_told(kind):
    shown = picture()
    values = shown.claims.values.copy()
    values[FLOWN_DRONE, FIELD_COLUMN[Field.OPERATOR_LOCATION_KIND]] = kind
    shown = replace(shown, claims=replace(shown.claims, values=values))
    told = json.loads(RemoteText(lambda _seqs: {}).text(shown))
    assert told["claims"][key(shown, FLOWN_DRONE)]["person"]["kind"] is None


def test_the_journal_is_asked_once_a_second_and_only_for_what_is_new():
    asked = []

    def feeds_of(seqs):
        asked.append(list(seqs))
        return dict.fromkeys(seqs, "roof")

    text = RemoteText(feeds_of)
    for tick in range(400, 416):
        shown = picture(tick)
        text.due(shown)
        text.text(shown)
    assert asked == [[2 * SILENT_DRONE + 1]]
    assert not text.due(picture(417))
    assert text.due(picture(412))  # time went back: a replay


def test_a_feed_once_known_stays_while_its_newest_entry_is_not_there_yet_or_the_journal_fails():
    shown = picture()
    answers = iter([{51: "roof"}, {}, sqlite3.OperationalError("disk I/O error")])

    def feeds_of(_seqs):
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    text = RemoteText(feeds_of)
    for seconds, seq in enumerate((51, 510, 5100)):
        seqs = shown.claims.frame_seq.copy()
        seqs[SILENT_DRONE] = seq
        now = replace(shown, time_ns=shown.time_ns + seconds * 10**9, claims=replace(shown.claims, frame_seq=seqs))
        assert json.loads(text.text(now))["claims"][key(shown, SILENT_DRONE)] == {"feed": "roof"}


def test_a_flood_of_senders_is_cut_and_counted():
    n, now = TOLD_MAX + 70, 10**18
    zero = np.zeros(n, np.int64)
    values = np.zeros((n, len(FIELD_COLUMN)))
    heard = now - np.arange(n)
    claims = Claims(
        now, np.arange(n), zero + int(Source.REMOTE_ID), zero, np.zeros((n, 6)), np.zeros((n, 6, 6)), zero, heard,
        zero + 5, zero, zero, values, values.astype(np.int64), ("",) * n,
    )  # fmt: skip
    told = json.loads(RemoteText(lambda seqs: dict.fromkeys(seqs, "roof")).text(replace(picture(), claims=claims)))
    assert told["left_out"] == 70
    assert set(told["claims"]) == {f"2:{i}" for i in range(TOLD_MAX)}  # the latest heard


def test_without_remote_id_nothing_is_told_or_asked():
    shown = replace(picture(), claims=Claims.empty(0))
    text = RemoteText(lambda _seqs: pytest.fail("asked"))
    assert not text.due(shown)
    assert text.text(shown) == NOTHING
