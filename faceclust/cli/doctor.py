"""`faceclust doctor`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from faceclust.cli.common import json_option, library_option, print_json
from faceclust.library.status import check_installation


@click.command("doctor")
@library_option
@json_option
@click.pass_context
def command(ctx: click.Context, library: Path | None, as_json: bool) -> None:
    """Check the installation: what a bug report needs.

    Exits with 1 where something is wrong.

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
        click.echo(f"{key + ':':<12}{', '.join(value) if isinstance(value, list) else value}")
    click.echo("packages:   " + ", ".join(f"{name} {version}" for name, version in findings["packages"].items()))
    click.echo(f"models:     {findings['pack']['name']}: {findings['pack']['title']}")
    for file in findings["pack"]["files"]:
        click.echo(f"            {file['state']:<8} {file['path']}")
    library = findings["library"]
    click.echo(f"library:    {library['root'] or 'none yet'}")
    if library["root"]:
        click.echo(f"            files in {library['home']}, {library['free_gb']:.1f} GB free")
    for problem in findings["problems"]:
        click.echo(f"problem:    {problem}")
    if not findings["problems"]:
        click.echo("all is well")
