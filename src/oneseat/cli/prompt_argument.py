"""A command whose argument may be any text, also one that looks like an option."""

from __future__ import annotations

import click


class PromptCommand(click.Command):
    """Takes an argument such as ``-5 degrees, is that cold?`` for the text it is: no option contains a space."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse, with such a text moved to where it is an argument."""
        return super().parse_args(ctx, _protect(args, self._options_with_value(ctx), self._option_names(ctx)))

    def _option_names(self, ctx: click.Context) -> set[str]:
        return {
            name
            for parameter in self.get_params(ctx)
            if isinstance(parameter, click.Option)
            for name in parameter.opts
        }

    def _options_with_value(self, ctx: click.Context) -> set[str]:
        options = (p for p in self.get_params(ctx) if isinstance(p, click.Option) and not p.is_flag)
        return {name for option in options for name in option.opts}


def _protect(args: list[str], with_value: set[str], known: set[str]) -> list[str]:
    """Move a text that starts with a dash behind ``--``, where it cannot be taken for an option."""
    index = 0
    while index < len(args):
        argument = args[index]
        if argument == "--":
            return args
        if argument in with_value:
            index += 2
            continue
        if (
            argument.startswith("-")
            and any(c.isspace() for c in argument)
            and argument.partition("=")[0] not in known
        ):
            return [*args[:index], *args[index + 1 :], "--", argument]
        index += 1
    return args
