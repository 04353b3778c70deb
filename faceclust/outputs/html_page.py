"""Render self-contained HTML pages: no network, and no script but the page's own."""

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

from faceclust.errors import FaceclustError
from faceclust.files.safe_paths import is_absolute_posix

_WEB_FILES = resources.files("faceclust.outputs") / "web"


def render_page(
    template: str,
    *,
    styles: Sequence[str] = (),
    scripts: Sequence[str] = (),
    images: str = "data:",
    hash_styles: bool = False,
    **values: Any,
) -> str:
    """Render a template of `web/` with embedded `styles` and `scripts`, which are files there.

    The template engine escapes all values, such as file names and names of people. The page's
    content security policy allows only these scripts, and only images from `images` (sources for
    `img-src`). With `hash_styles` it allows only these styles, too, alone in an element. The template also
    gets `policy` for the meta element, and `style` and `script` for the elements of these names. Raises
    FaceclustError if a script of the installation is missing.
    """
    script, style = ("\n".join(map(_read_asset, names)) for names in (scripts, styles))
    page = (
        _jinja_environment()
        .get_template(template)
        .render(
            policy=_content_security_policy(script, images, style if hash_styles else None),
            style=Markup(style),
            script=Markup(script),
            **values,
        )
    )
    return f"{page.rstrip()}\n"


def data_uri(jpeg: bytes) -> str:
    """Encode a JPEG as a data URI."""
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode()


def photo_href(photo: Path, page: Path) -> str:
    """Return the link from a page to a photo; relative if possible, so that both can move together."""
    try:
        relative = Path(os.path.relpath(photo, page.parent)).as_posix()
    except ValueError:  # another drive on Windows
        return photo.as_uri()
    return "./" + quote(os.fsencode(relative))


def make_photo_href(root: Path, page: Path) -> Callable[[str], str]:
    """Return a function that links to photos by their POSIX paths below `root`; to those on additional roots, by
    their absolute paths."""
    base = photo_href(root, page)
    base = "./" if base == "./." else base + "/"

    def href(photo: str) -> str:
        if is_absolute_posix(photo):
            return Path(photo).as_uri()
        return base + quote(photo, errors="surrogateescape")

    return href


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
    try:
        return (_WEB_FILES / name).read_text(encoding="utf-8")
    except FileNotFoundError:  # a checkout whose scripts were never fetched
        raise FaceclustError(
            f"this installation of faceclust lacks the file {name}", hint="install faceclust again with pip"
        ) from None


def _content_security_policy(script: str, images: str, style: str | None) -> str:
    """Return a policy that allows this very script and these image sources, and no requests.

    `style`: the one style sheet to allow, None for any in the page.
    """
    allowed = _hash_source(script) if script else "'none'"
    styles = "'unsafe-inline'" if style is None else _hash_source(style)
    parts = ["default-src 'none'", f"img-src {images}", f"style-src {styles}", f"script-src {allowed}"]
    return "; ".join([*parts, "base-uri 'none'", "form-action 'none'"])


def _hash_source(text: str) -> str:
    """Return the source expression that allows an element with this text."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
