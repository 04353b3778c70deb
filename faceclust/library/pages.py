"""Write the report and the map as HTML files."""

from __future__ import annotations

import os
from pathlib import Path

from faceclust.catalogue.catalogue import Catalogue
from faceclust.errors import UsageError
from faceclust.files.output_files import write_output_atomically
from faceclust.library.destinations import refuse_link_in_library, require_output_file
from faceclust.library.reporting import map_page, report_folder, report_page
from faceclust.types.arguments import require_number, require_path


def report(
    library: Catalogue,
    path: str | os.PathLike[str],
    *,
    split: bool = False,
    faces: int | None = None,
    groups: int | None = None,
) -> Path:
    """Write the report of everybody: one HTML file `path`, or with `split` a folder. Return the page to open.

    The file contains its pictures, at most 3,000. A folder has a page for each person; another run
    updates it. `faces`: pictures per person, default 48, with `split` 200. `groups`: maximum number of
    groups without a name, default 300, with `split` all. Only you can read a new file or folder.

    Raises UsageError if `path` is a photo, a file of a library, or in no existing folder, and with
    `split` if it is a folder with other files. Raises NothingScannedError before the first scan,
    FaceclustError if `path` cannot be written.
    """
    options = {name: value for name, value in (("faces", faces), ("groups", groups)) if value is not None}
    for name, number in options.items():
        require_number(name, number)
    if split:
        require_path("path", path)
        refuse_link_in_library(Path(path))
        return report_folder(library, path, **options).out / "index.html"
    file = _require_html_file(path, hint="name a file, or make it a folder of pages: split=True")
    page = report_page(library, file, **options)
    write_output_atomically(file, lambda stream: stream.write(page.content))
    return file


def map(  # the name is that of the command
    library: Catalogue, path: str | os.PathLike[str], *, method: str = "tsne", pictures: int = 20_000
) -> Path:
    """Write a map of all faces as one HTML file. Return its path.

    `method` and `pictures`: see `map_page`. Only you can read a new file. Raises UsageError as `report`
    does and for an unknown method, FaceclustError for one that is not installed.
    """
    file = _require_html_file(path, hint="name a file in it")
    require_number("pictures", pictures)
    html = map_page(library, file, method=method, pictures=pictures).encode()
    write_output_atomically(file, lambda stream: stream.write(html))
    return file


def _require_html_file(path: str | os.PathLike[str], hint: str) -> Path:
    require_path("path", path)
    file = require_output_file(path)
    if file.is_dir():
        raise UsageError(f"{file} is a folder", hint=hint)
    return file
