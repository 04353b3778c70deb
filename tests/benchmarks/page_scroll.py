"""The page for naming people in a browser: the first paint, frames while scrolling, and answers.

    python -m tests.benchmarks.page_scroll LIBRARY [--wheel 40000] [--keys 300] [--drags 300] [--answers 30]

LIBRARY must be scanned and grouped; groups get names in it (copy it before). `faceclust label --web` serves it, and
headless Chromium (from Debian: `chromium`, `chromium-driver`) shows the wall of groups. It is scrolled from end to
end by the wheel, at --wheel pixels a second, then by keys and by dragging the scrollbar. Intervals between frames
depend on what else the machine does; the time of the main thread depends less on it.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from selenium.webdriver.common.keys import Keys

from tests.support.browser import open_browser, set_screen_size
from tests.support.page_browser import PageBrowser
from tests.support.web import serve_page

_WIDTH, _HEIGHT = 1440, 900
_COUNT_FRAMES = """
window.frames = []; window.long = []; let last = performance.now(); window.counting = true;
new PerformanceObserver((list) => window.long.push(...list.getEntries().map((one) => one.duration)))
  .observe({ type: "longtask" });
const count = (now) => {
  window.frames.push(now - last);
  last = now;
  if (window.counting) requestAnimationFrame(count);
};
requestAnimationFrame((now) => { last = now; requestAnimationFrame(count); });
"""
# From the key to the frame that shows the row as saved.
_TIME_ANSWERS = """
window.answers = []; let pressed = [];
addEventListener("keydown", (event) => {
  const row = event.target.closest?.(".row");
  if (event.key === "Enter" && row && event.target.value) pressed.push([row.dataset.at, performance.now()]);
}, true);
new MutationObserver(() => {
  pressed = pressed.filter(([at, began]) => {
    if (!document.querySelector(`.row.saved[data-at="${at}"]`)) return true;
    requestAnimationFrame(() => window.answers.push(performance.now() - began));
    return false;
  });
}).observe(document.querySelector("#rows"), { subtree: true, attributeFilter: ["class"] });
"""
_METRICS = {
    "ScriptDuration": "script",
    "LayoutDuration": "layout",
    "RecalcStyleDuration": "style",
    "TaskDuration": "all",
}


def describe(times: list[float]) -> str:
    """Return percentiles of times in milliseconds."""
    middle, high, most = np.percentile(times, [50, 95, 100])
    return f"median {middle:5.1f} ms, 95 % {high:5.1f}, at most {most:6.1f}"


def read_metrics(page: PageBrowser) -> dict[str, float]:
    """Return the seconds that the main thread has spent so far."""
    metrics: list[dict[str, Any]] = page.driver.execute_cdp_cmd("Performance.getMetrics", {})["metrics"]
    return {_METRICS[metric["name"]]: metric["value"] for metric in metrics if metric["name"] in _METRICS}


@contextmanager
def frames_of(page: PageBrowser, what: str) -> Iterator[None]:
    """Print the frames and the time of the main thread in this block."""
    page.script(_COUNT_FRAMES)
    before, load = read_metrics(page), os.getloadavg()[0]
    start = float(page.script("return scrollY"))
    yield
    after = read_metrics(page)
    page.script("window.counting = false")
    frames, long, end = page.script("return [window.frames, window.long, scrollY]")
    spent = ", ".join(f"{name} {1000 * (after[name] - before[name]) / len(frames):.1f}" for name in before)
    late = sum(frame > 17.5 for frame in frames)
    print(f"{what}: {abs(end - start):,.0f} px, {len(frames):,} frames, load {load:.0f}")
    print(f"  between frames  {describe(frames)}; {late:,} over 17 ms")
    print(f"  main thread     {spent} ms a frame; {len(long)} tasks over 50 ms, at most {max(long, default=0):.0f}")


def scroll_by_wheel(page: PageBrowser, speed: int) -> None:
    """Turn the wheel until the end."""
    distance = page.script("return document.documentElement.scrollHeight")
    page.driver.execute_cdp_cmd(
        "Input.synthesizeScrollGesture",
        {"x": 400, "y": 500, "yDistance": -distance, "speed": speed, "gestureSourceType": "mouse"},
    )


def drag_scrollbar(page: PageBrowser, steps: int) -> None:
    """Drag the bar from the top to the end, and back to the middle."""

    def mouse(kind: str, y: float) -> None:
        options = {"x": _WIDTH - 6, "y": y, "button": "left", "buttons": 1, "clickCount": 1}
        page.driver.execute_cdp_cmd("Input.dispatchMouseEvent", {"type": kind, **options})

    mouse("mousePressed", 18)
    for y in [*np.linspace(18, _HEIGHT - 10, steps), *np.linspace(_HEIGHT - 10, _HEIGHT / 2, steps // 2)]:
        mouse("mouseMoved", float(y))
    mouse("mouseReleased", _HEIGHT / 2)


def press_often(page: PageBrowser, key: str, count: int) -> None:
    """Press a key as often as a key held down repeats it, or as fast as the driver can."""
    for _ in range(count):
        page.press(key)


def top(page: PageBrowser) -> None:
    """Go back to the first row, and let the rows be filled."""
    page.script("scrollTo(0, 0); document.activeElement.blur()")
    time.sleep(1)


def wait(page: PageBrowser, selector: str) -> None:
    """Wait for an element, longer than a test would."""
    deadline = time.monotonic() + 300
    while not page.all(selector):
        assert time.monotonic() < deadline, f"{selector} did not come: {page.text('#problem')}"
        time.sleep(0.02)


def timed(action: Callable[[], object]) -> float:
    """Return the seconds that an action takes."""
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def main() -> None:
    """Serve the library, drive the browser, and print the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("library", type=Path)
    parser.add_argument("--wheel", type=int, default=40_000)
    parser.add_argument("--keys", type=int, default=300)
    parser.add_argument("--drags", type=int, default=300)
    parser.add_argument("--answers", type=int, default=30)
    options = parser.parse_args()
    began = time.perf_counter()
    with serve_page(options.library) as process, open_browser(width=_WIDTH, height=_HEIGHT) as driver:
        print(f"server and browser up after {time.perf_counter() - began:.1f} s, load {os.getloadavg()[0]:.0f}")
        set_screen_size(driver, _WIDTH, _HEIGHT)
        driver.set_script_timeout(120)
        opened = time.time()
        page = PageBrowser(driver, process, options.library)
        page.wait(lambda: page.script("return performance.getEntriesByName('first-contentful-paint').length"), "paint")
        paint, origin = page.script(
            "return [performance.getEntriesByName('first-contentful-paint')[0].startTime, performance.timeOrigin]"
        )
        print(
            f"first paint {origin + paint - 1000 * opened:.0f} ms after sign-in began, {paint:.0f} after the page's own"
        )
        wait(page, "#question, .end")
        print(f"first question on screen after {1000 * (time.time() - opened):.0f} ms")
        page.script("location.hash = '#/groups'")
        shown = timed(lambda: wait(page, ".row .tile img"))
        rows = page.one(".row").get_attribute("aria-setsize")
        print(f"{int(rows or 0):,} groups, the first rows with pictures on screen after {1000 * shown:.0f} ms")
        driver.execute_cdp_cmd("Performance.enable", {"timeDomain": "threadTicks"})
        top(page)
        with frames_of(page, f"wheel, {options.wheel:,} px/s"):
            scroll_by_wheel(page, options.wheel)
        for name, key in (("Page Down", Keys.PAGE_DOWN), ("j", "j"), ("Page Up", Keys.PAGE_UP)):
            if name != "Page Up":
                top(page)
            with frames_of(page, f"{options.keys} times {name}"):
                press_often(page, key, options.keys)
        top(page)
        with frames_of(page, "scrollbar dragged"):
            drag_scrollbar(page, options.drags)
        print(f"rows that exist: {len(page.all('.row'))}")
        page.driver.refresh()
        wait(page, ".row .tile img")
        page.script(_TIME_ANSWERS)
        for number in range(options.answers):
            page.press(f"Somebody {number}", Keys.ENTER)
            wait(page, f".row.saved[data-at='{number}']")
        print(f"from Enter to the green row {describe(page.script('return window.answers'))}")


if __name__ == "__main__":
    main()
