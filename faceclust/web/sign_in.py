"""Sign a browser in: a file that only the user can read posts a one-time token, which is exchanged for a cookie.

The token stands in no URL and on no command line, which other users of the machine, the browser's history
and logs could show.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import os
import re
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import platformdirs

from faceclust.errors import FaceclustError
from faceclust.files.own_files import list_own, make_own_folder, open_own, remove_own, remove_own_folder, stat_own
from faceclust.files.user_folders import state_folder
from faceclust.web.security import SIGN_IN_PATH, Access, Receive, Refusal, Scope, Send, closed_page

_FILE_NAME = re.compile(r"sign-in-[0-9a-f]{16}\.html")
_ABANDONED_AFTER = 3_600  # seconds; a server without a page ends sooner
#: Where the desktop files of browsers lie that are packaged as snaps. They read no hidden folder of the home.
_SNAP_APPLICATIONS = Path("/var/lib/snapd/desktop/applications")
_SCRIPT = "document.forms[0].submit()"
_FORWARDING_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'sha256-{hash}'; \
form-action {origin}{path}; base-uri 'none'">
<meta name="referrer" content="no-referrer">
<meta name="color-scheme" content="light dark">
<title>faceclust</title>
<form method="post" action="{origin}{path}">
<input type="hidden" name="token" value="{token}">
<p><button>Open the page of faceclust</button></p>
</form>
<script>{script}</script>
</html>
"""
# A refresh by the page itself comes from the page's own site, so that the browser sends the cookie. After a
# redirect it would not: the first request came from a file.
_SIGNED_IN_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta http-equiv="refresh" content="0; url={base}">
<meta name="color-scheme" content="light dark">
<title>faceclust</title>
<p><a href="{base}">Open the page of faceclust</a></p>
</html>
"""


class SignIn:
    """The exchange of the token for the cookie, an ASGI application for `SIGN_IN_PATH`."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._token: str | None = secrets.token_urlsafe(32)
        self._file: Path | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a POST request with the token in its form: with a page that goes on, and the cookie.

        Raises Refusal if the token is wrong or was used.
        """
        headers = dict(scope["headers"])
        if headers.get(b"content-type") != b"application/x-www-form-urlencoded":
            raise Refusal(415, "the body is not a form")
        body: bytes = (await receive())["body"]
        if scope["query_string"] or not self._use(body):
            raise closed_page()
        content = _SIGNED_IN_PAGE.format(base=self._access.base).encode()
        answer = {
            "content-type": "text/html; charset=utf-8",
            "content-length": str(len(content)),
            "set-cookie": self._access.set_cookie,
        }
        encoded = [(name.encode(), value.encode()) for name, value in answer.items()]
        await send({"type": "http.response.start", "status": 200, "headers": encoded})
        await send({"type": "http.response.body", "body": content})

    def _use(self, form: bytes) -> bool:
        """Use the token up if the form has it. Nothing else runs in between, so that it works only once."""
        if self._token is None or not hmac.compare_digest(form, f"token={self._token}".encode()):
            return False
        self._token = None
        self._remove_file()
        return True

    @contextmanager
    def write_file(self) -> Iterator[Path]:
        """Write the file that forwards a browser, yield its path, and delete it in the end if it was not used.

        Raises FaceclustError if it cannot be written.
        """
        folder = _choose_folder()
        path = folder / f"sign-in-{secrets.token_hex(8)}.html"
        try:
            try:
                make_own_folder(folder)
                _remove_abandoned(folder)
                with os.fdopen(open_own(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL), "w", encoding="utf-8") as stream:
                    self._file = path
                    stream.write(self._forwarding_page())
            except OSError as error:
                raise FaceclustError(
                    f"{path} cannot be written: {error.strerror or error}",
                    hint="this file signs the browser in: check the disk and the permissions of its folder",
                ) from error
            yield path
        finally:
            self._remove_file()

    def _forwarding_page(self) -> str:
        digest = base64.b64encode(hashlib.sha256(_SCRIPT.encode()).digest()).decode()
        return _FORWARDING_PAGE.format(
            hash=digest, origin=self._access.origin, path=SIGN_IN_PATH, token=self._token, script=_SCRIPT
        )

    def _remove_file(self) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError):
                remove_own(self._file)
                remove_own_folder(self._file.parent)
            self._file = None


def _choose_folder() -> Path:
    """Return the private folder for the file: one that the user's browser can read.

    Browsers packaged as snaps read no hidden folders, so theirs is among the downloads. Those packaged
    with Flatpak get every file that they are asked to open through its portal.
    """
    if sys.platform == "linux" and _is_default_browser_snap():
        downloads = Path(os.path.realpath(platformdirs.user_downloads_path()))
        return (downloads if downloads.is_dir() else Path.home().resolve()) / "faceclust-sign-in"
    return state_folder() / "sign-in"


def _is_default_browser_snap() -> bool:
    if not _SNAP_APPLICATIONS.is_dir():
        return False
    try:
        asked = ["xdg-settings", "get", "default-web-browser"]
        found = subprocess.run(asked, capture_output=True, text=True, timeout=5, check=False).stdout.strip()
    except (OSError, subprocess.SubprocessError, UnicodeError):
        return True  # Firefox, the browser of Ubuntu, is a snap
    return found == "" or ("/" not in found and (_SNAP_APPLICATIONS / found).exists())


def _remove_abandoned(folder: Path) -> None:
    """Delete the files of servers that were killed. Their tokens died with them. Raises OSError."""
    for name in filter(_FILE_NAME.fullmatch, list_own(folder)):
        status = stat_own(folder / name)
        if status is not None and status.st_mtime < time.time() - _ABANDONED_AFTER:
            remove_own(folder / name)
