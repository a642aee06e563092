"""One page in a real browser, with what it asked for and what it complained about."""

import time

import pytest


class Seat:
    """One page with what it asked for and what it complained about."""

    def __init__(self, browser, url: str) -> None:
        self.page = browser.new_page(viewport={"width": 1280, "height": 800})
        self.asked: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda r: self.asked.append(r.url))
        self.page.on("websocket", lambda w: self.asked.append(w.url))
        self.page.on("pageerror", lambda e: self.complaints.append(str(e)))
        self.page.on("console", lambda m: self.complaints.append(m.text) if m.type == "error" else None)
        self.page.goto(url, wait_until="commit")

    def read(self, name: str):
        return self.page.evaluate(f"window.lapwing ? window.lapwing.{name} : 0")

    def until(self, holds, what: str, seconds: float = 60.0) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if holds():
                return
            self.page.wait_for_timeout(50)
        pytest.fail(f"the page did not show {what} within {seconds:.0f} s; it complained: {self.complaints}")

    def texts(self, selector: str) -> list[str]:
        return self.page.locator(selector).all_inner_texts()

    def share(self, test: str, selector: str = "#map") -> float:
        """Share of the pixels of a part of the page of which a JavaScript test of `r`, `g`, `b` holds."""
        return self.page.evaluate(
            """async (bytes) => {
                const image = await createImageBitmap(new Blob([new Uint8Array(bytes)], { type: "image/png" }));
                const ink = new OffscreenCanvas(image.width, image.height).getContext("2d");
                ink.drawImage(image, 0, 0);
                const { data } = ink.getImageData(0, 0, image.width, image.height);
                const holds = (r, g, b) => TEST;
                let n = 0;
                for (let i = 0; i < data.length; i += 4) n += holds(data[i], data[i + 1], data[i + 2]);
                return (4 * n) / data.length;
            }""".replace("TEST", test),  # the page's policy forbids to make code of strings there
            list(self.page.locator(selector).screenshot()),
        )

    def coloured(self, colour, within: int = 10, selector: str = "#map") -> float:
        """Share of the pixels that have (nearly) a colour."""
        return self.share(
            " && ".join(f"Math.abs({c} - {v}) < {within}" for c, v in zip("rgb", colour, strict=True)), selector
        )
