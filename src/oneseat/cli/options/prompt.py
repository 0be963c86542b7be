"""A command whose argument may be any text, also one that looks like an option."""

from __future__ import annotations

import math
from typing import Any

import click


class OptionalSecondsCommand(click.Command):
    """Has options whose number of seconds may be left out."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse, with what such an option means alone put in."""
        return super().parse_args(ctx, _with_values(args, self._values_when_alone(ctx)))

    def _values_when_alone(self, ctx: click.Context) -> dict[str, str]:
        options = (p for p in self.get_params(ctx) if isinstance(p, OptionalSeconds))
        return {name: str(option.alone) for option in options for name in option.opts}


class PromptCommand(OptionalSecondsCommand):
    """Takes an argument such as ``-5 degrees, is that cold?`` for the text it is: no option contains a space."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse, with such a text moved to where it is an argument."""
        args = _with_values(args, self._values_when_alone(ctx))
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


class OptionalSeconds(click.Option):
    """An option for a number of seconds that may be left out: without one it means ``alone``."""

    alone = math.inf

    def type_cast_value(self, ctx: click.Context, value: Any) -> float | None:
        """The seconds. Raises ``click.BadParameter`` for what is none."""
        if value is None:
            return None
        seconds = float(super().type_cast_value(ctx, value))
        if not seconds >= 0:
            raise click.BadParameter(f"not a time in seconds: `{value}`", ctx, self)
        return seconds


def _with_values(args: list[str], alone: dict[str, str]) -> list[str]:
    """Give an option that stands alone its value, or the parser would take the prompt behind it for one."""
    end = args.index("--") if "--" in args else len(args)
    return [
        f"{argument}={alone[argument]}"
        if argument in alone and index < end and not _is_number(args[index + 1 : index + 2])
        else argument
        for index, argument in enumerate(args)
    ]


def _is_number(following: list[str]) -> bool:
    try:
        return bool(following) and not math.isnan(float(following[0]))
    except ValueError:
        return False


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
