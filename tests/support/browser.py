"""Open local pages in a real browser: headless Chromium with the driver of the same package."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from tests.support.programs import find_program


@contextmanager
def open_browser(
    *arguments: str, width: int = 1440, height: int = 900, scripts: bool = True
) -> Iterator[webdriver.Chrome]:
    """Open a browser and close it at the end. The driver is the system's, so nothing is downloaded."""
    options = webdriver.ChromeOptions()
    options.binary_location = find_program("chromium")
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", *arguments):
        options.add_argument(argument)
    if not scripts:
        options.add_experimental_option("prefs", {"profile.managed_default_content_settings.javascript": 2})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(find_program("chromedriver")))
    try:
        set_screen_size(driver, width, height)
        yield driver
    finally:
        driver.quit()


def set_screen_size(driver: webdriver.Chrome, width: int, height: int = 900) -> None:
    """Emulate a screen of this many pixels."""
    screen = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)


def emulate_media(driver: webdriver.Chrome, kind: str = "", **features: str) -> None:
    """Emulate a medium ("print") or media features such as `prefers_color_scheme="dark"`."""
    settings = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": kind, "features": settings})


def pop_requested_urls(driver: webdriver.Chrome) -> set[str]:
    """Return the URLs requested since the last call."""
    events: list[dict[str, Any]] = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    return {event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"}


def write_page(page: Path, html: str) -> str:
    """Write the page and return its URL."""
    page.write_text(html, encoding="utf-8")
    return page.as_uri()
