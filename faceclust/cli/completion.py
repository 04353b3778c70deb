"""`faceclust completion`."""

from __future__ import annotations

import click


@click.command("completion", short_help="Print the completion script for a shell.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print the script that completes faceclust's commands in a shell.

    \b
    Examples:
      faceclust completion bash >> ~/.bashrc
      faceclust completion zsh >> ~/.zshrc
      faceclust completion fish > ~/.config/fish/completions/faceclust.fish
    """
    from click.shell_completion import get_completion_class

    from faceclust.cli import cli

    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(cli, {}, "faceclust", "_FACECLUST_COMPLETE").source())
