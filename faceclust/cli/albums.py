"""`faceclust albums`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from faceclust.cli.common import count, json_option, library_option, open_library, print_json

if TYPE_CHECKING:
    from faceclust.outputs.albums import AlbumPlan


@click.command("albums", short_help="Make a folder of links for each person.")
@click.argument("out", type=click.Path(path_type=Path))
@click.option(
    "--link",
    "kind",
    type=click.Choice(["symlink", "hardlink", "copy"]),
    default="symlink",
    show_default=True,
    help="What stands in an album for a photo.",
)
@click.option("--unnamed", is_flag=True, help="Also a folder for each group without a name.")
@click.option("--dry-run", "-n", is_flag=True, help="Say what would be done, do nothing.")
@library_option
@json_option
def command(out: Path, kind: str, unnamed: bool, dry_run: bool, library: Path | None, as_json: bool) -> None:
    """Make a folder for each person below OUT, with links to their photos.

    Run it again after naming more people: links that no longer hold are removed, but never
    anything that faceclust did not make.

    \b
    Examples:
      faceclust albums ~/People
      faceclust albums ~/People --dry-run
      faceclust albums /media/usb/People --link copy
    """
    opened = open_library(library)
    plan = opened.plan_albums(out, kind=kind, unnamed=unnamed)
    if not dry_run:
        opened.make_albums(plan)
    if as_json:
        print_json(
            {
                "library": str(opened.root),
                "out": str(plan.out),
                "dry_run": dry_run,
                "make": sorted(plan.make),
                "keep": sorted(plan.keep),
                "remove": list(plan.remove),
                "in_the_way": list(plan.in_the_way),
            }
        )
        return
    _print(plan, dry_run)
    if not (plan.make or plan.keep or plan.in_the_way or unnamed):
        click.echo("nobody has a name yet; type: faceclust label, or add --unnamed")


def _print(plan: AlbumPlan, dry_run: bool) -> None:
    if dry_run:
        for path, photo in plan.make.items():
            click.echo(f"make    {path} -> {photo}")
        for path in plan.remove:
            click.echo(f"remove  {path}")
    for path in plan.in_the_way:
        click.echo(f"left alone, not made by faceclust: {plan.out / path}", err=True)
    people = len({path.partition("/")[0] for path in (*plan.make, *plan.keep)})
    would = "would be " if dry_run else ""
    click.echo(
        f"{plan.out}: {count(people, 'person', 'people')}; {would}made {len(plan.make):,}, "
        f"{would}removed {len(plan.remove):,}, kept {len(plan.keep):,} ({plan.kind})"
    )
