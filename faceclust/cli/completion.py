"""`faceclust completion`."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from faceclust.cli.common import COMPLETION_VARIABLE
from faceclust.cli.terminal.printing import print_lines


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print the completion script for a shell.

    \b
    Examples:
      faceclust completion bash >> ~/.bashrc
      faceclust completion zsh >> ~/.zshrc
      faceclust completion fish > ~/.config/fish/completions/faceclust.fish
    """
    script = get_completion_class(shell)
    assert script is not None
    print_lines(script(ctx.find_root().command, {}, "faceclust", COMPLETION_VARIABLE).source().split("\n"))
