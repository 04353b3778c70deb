"""`faceclust doctor`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from faceclust.cli.common import json_option, library_option, print_json
from faceclust.cli.terminal.printing import print_line
from faceclust.library.status import check_installation


@click.command("doctor")
@library_option
@json_option
@click.pass_context
def command(ctx: click.Context, library: Path | None, as_json: bool) -> None:
    """Check the installation, and print the facts that a bug report needs.

    Confirmed faces on photos dated before the person's birth are listed, too. The exit code is 1 if there is a
    problem. Such dates do not count as one.

    \b
    Example:
      faceclust doctor
    """
    findings = check_installation(library)
    print_json(findings) if as_json else _print_findings(findings)
    if findings["problems"]:
        ctx.exit(1)


def _print_findings(findings: dict[str, Any]) -> None:
    for key in ("faceclust", "python", "system", "cores", "providers"):
        value = findings[key]
        print_line(f"{key + ':':<12}{', '.join(value) if isinstance(value, list) else value}")
    print_line("packages:   " + ", ".join(f"{name} {version}" for name, version in findings["packages"].items()))
    print_line(f"models:     {findings['pack']['name']}: {findings['pack']['title']}")
    for file in findings["pack"]["files"]:
        print_line(f"            {file['state']:<8} {file['path']}")
    library = findings["library"]
    print_line(f"library:    {library['root'] or 'none yet'}")
    if library["root"]:
        print_line(f"            files in {library['home']}, {library['free_gb']:.1f} GB free")
        for root in library["roots"]:
            print_line(f"            and {root['path']}, which is {root['state']}")
    for contradiction in findings["contradictions"]:
        print_line(f"dates:      {contradiction['description']}")
    for problem in findings["problems"]:
        print_line(f"problem:    {problem}")
    if not findings["problems"]:
        print_line("no problems found")
