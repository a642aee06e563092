"""Logging in from the page: who is nobody sees nothing, acts carry the account's name, who watches is offered none."""

import pytest

from lapwing.serve.accounts import Accounts
from lapwing.serve.acts import read_acts
from tests.browser.conftest import NO_WEBGL, Stand
from tests.browser.seat import Seat
from tests.browser.test_axe import AXE, FIND

pytestmark = pytest.mark.browser
PASSWORD = "three small birds"


@pytest.fixture
def guarded(tmp_path):
    accounts = Accounts(tmp_path / "accounts.sqlite")
    accounts.add("Kim", "act", PASSWORD)
    accounts.add("Lee", "watch", PASSWORD)
    made = Stand(580, tmp_path, accounts=accounts)
    made.accounts = accounts
    made.start()
    yield made
    made.stop()
    accounts.close()


def log_in(seat, name, password=PASSWORD):
    seat.page.get_by_label("Name").fill(name)
    seat.page.get_by_label("Password").fill(password)
    seat.page.keyboard.press("Enter")


def test_who_logs_in_acts_under_the_account_and_can_leave(guarded, launch, tmp_path):
    seat = Seat(launch(NO_WEBGL), f"{guarded.url}/#sel=t7")
    seat.page.wait_for_url("**/login.html**")
    seat.page.evaluate(AXE)
    assert seat.page.evaluate(FIND) == []
    log_in(seat, "Kim", "not the password")
    seat.until(lambda: seat.texts("#told") == ["Nobody has this name and password."], "the refusal")
    assert all("/v1/" not in url or url.endswith(("/v1/login", "/v1/me")) for url in seat.asked)
    seat.complaints.clear()  # the browser's own word about the 401
    log_in(seat, "Kim")
    seat.page.locator("#me b").wait_for()
    seat.until(lambda: seat.read("ticks") == 580, "the picture")
    assert seat.page.url.startswith(f"{guarded.url}/#")
    assert "sel=t7" in seat.page.url  # where one wanted to go
    seat.until(lambda: seat.texts("#me") == ["Logged in as Kim Log out"], "who it is")
    assert not seat.page.locator("#who").is_visible()
    seat.page.locator(".alarm summary").first.click()
    seat.page.get_by_role("button", name="Acknowledge alarm 2").click()
    seat.until(lambda: any("Seen by Kim" in t for t in seat.texts(".alarm")), "the act")
    assert [a.name for a in read_acts(tmp_path / "acts.sqlite")] == ["Kim"]
    seat.page.get_by_role("button", name="Log out").click()
    seat.page.wait_for_url("**/login.html**")
    seat.page.goto(guarded.url)
    assert "login.html" in seat.page.url
    assert seat.complaints == []


def test_who_only_watches_is_offered_nothing_and_who_is_removed_is_out(guarded, launch):
    seat = Seat(launch(NO_WEBGL), guarded.url)
    seat.page.wait_for_url("**/login.html**")
    log_in(seat, "Lee")
    seat.page.locator("#me b").wait_for()
    seat.until(lambda: seat.texts("#me") == ["Watching as Lee Log out"], "who it is")
    seat.until(lambda: seat.read("alarms") > 0, "the alarms")
    seat.page.locator(".alarm summary").first.click()
    assert not seat.page.get_by_role("button", name="Acknowledge alarm 2").is_visible()
    assert not seat.page.locator("#test-alarm").is_visible()
    guarded.accounts.remove("Lee")
    guarded.stop()
    guarded.start()
    seat.page.wait_for_url("**/login.html**")
