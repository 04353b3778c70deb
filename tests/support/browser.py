"""A real browser over pages of the disk: headless Chromium, whose driver comes with it."""

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
def open_browser(width: int = 1440, height: int = 900, *, scripts: bool = True) -> Iterator[webdriver.Chrome]:
    """Closed at the end. Nothing is fetched: the driver is the system's own."""
    options = webdriver.ChromeOptions()
    options.binary_location = find_program("chromium")
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"):
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
    """As seen on a screen of so many pixels."""
    screen = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)


def emulate_media(driver: webdriver.Chrome, kind: str = "", **features: str) -> None:
    """As on paper ("print"), or with a user's wishes, such as `prefers_color_scheme="dark"`."""
    wishes = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": kind, "features": wishes})


def pop_requested_urls(driver: webdriver.Chrome) -> set[str]:
    """The addresses of all that was loaded since the last call."""
    events: list[dict[str, Any]] = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    return {event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"}


def write_page(page: Path, html: str) -> str:
    """The page's address."""
    page.write_text(html, encoding="utf-8")
    return page.as_uri()
