"""Pages that need nothing but themselves: no file beside them, no network, no foreign script."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Callable, Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jinja2
from markupsafe import Markup

_WEB_FILES = resources.files("faceclust.outputs") / "web"


def render_page(
    template: str,
    *,
    styles: Sequence[str] = (),
    scripts: Sequence[str] = (),
    images: str = "data:",
    **values: Any,
) -> str:
    """A page from a template of `web/`; `styles` and `scripts` are files there, which the page
    holds. Whatever came from a file name or a user is escaped by the template engine, and the
    page's content-security policy lets no script run but these, nor anything be fetched but
    `images` (sources of the policy's `img-src`).

    The template finds `policy` (for the meta element), `style` and `script` (to put inside
    elements) among its values.
    """
    script = "\n".join(map(_read_asset, scripts))
    page = (
        _jinja_environment()
        .get_template(template)
        .render(
            policy=_content_security_policy(script, images),
            style=Markup("\n".join(map(_read_asset, styles))),
            script=Markup(script),
            **values,
        )
    )
    return f"{page.rstrip()}\n"


def data_uri(jpeg: bytes) -> str:
    """A picture to stand in the page itself."""
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode()


def photo_href(photo: Path, page: Path) -> str:
    """A link from the page to a photo: relative where it can be, so that both may move together."""
    try:
        relative = Path(os.path.relpath(photo, page.parent)).as_posix()
    except ValueError:  # another drive on Windows
        return photo.as_uri()
    return "./" + quote(os.fsencode(relative))


def make_photo_href(root: Path, page: Path) -> Callable[[str], str]:
    """The same for many photos, each given by its POSIX path below `root`."""
    base = photo_href(root, page)
    base = "./" if base == "./." else base + "/"
    return lambda photo: base + quote(photo, errors="surrogateescape")


@cache
def _jinja_environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_read_asset),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.trim_blocks = environment.lstrip_blocks = True
    return environment


@cache
def _read_asset(name: str) -> str:
    return (_WEB_FILES / name).read_text(encoding="utf-8")


def _content_security_policy(script: str, images: str) -> str:
    """No request leaves the page: pictures are inside it or beside it, and only this very script runs."""
    allowed = f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'" if script else "'none'"
    parts = ["default-src 'none'", f"img-src {images}", "style-src 'unsafe-inline'", f"script-src {allowed}"]
    return "; ".join([*parts, "base-uri 'none'", "form-action 'none'"])
