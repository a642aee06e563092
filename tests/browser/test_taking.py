"""Evidence made and fetched on the page of the past, and checked as somebody else would."""

import pytest
from typer.testing import CliRunner

from lapwing.serve.cli import app
from tests.browser.conftest import NO_WEBGL
from tests.browser.test_history import until

pytestmark = pytest.mark.browser


def test_evidence_is_frozen_on_the_page_and_verifies(past, launch, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))  # the signing key is made there
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    page = launch(NO_WEBGL).new_page(viewport={"width": 1400, "height": 1000})
    wrong = []
    page.on("console", lambda m: wrong.append(m.text) if m.type in ("error", "warning") else None)
    page.goto(f"{past.url}/history.html#from=2025-06-15T15:06:45&to=2025-06-15T15:06:55")
    until(page, "!document.getElementById('taking').hidden", 60)
    page.fill("#taker", "Kim")
    page.fill("#reason", "case 7")
    page.get_by_role("button", name="Make it").click()
    until(page, "document.querySelector('#taken [data-state=done], #taken [data-state=failed]')", 240)
    assert page.locator("#taken [data-state=done]").count() == 1, page.inner_text("#taken")
    assert "by Kim: case 7" in page.inner_text("#taken")
    with page.expect_download() as fetched:
        page.locator("#taken a").click()
    fetched.value.save_as(tmp_path / "night.zip")
    done = CliRunner().invoke(app, ["verify", str(tmp_path / "night.zip")])
    assert done.exit_code == 0, done.output
    assert wrong == []
