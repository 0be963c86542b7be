"""Go on with a conversation, today and tomorrow, in Python and in the shell.

    python examples/project_chat.py "My name is Ada" "What is my name?"

The conversation has a name and belongs to the working directory: `oneseat run -c` goes on with it. A project of your
oneseat.toml has a conversation too, and a directory, tools and instructions of its own: `project="shop"`.
"""

from __future__ import annotations

import sys

import oneseat


def main(prompts: list[str]) -> None:
    """Print each answer with the number of its message."""
    for prompt in prompts:
        result = oneseat.run(prompt, session="example")
        number = result.session.message if result.session is not None else 0
        print(f"{number}: {result.text}")


if __name__ == "__main__":
    main(sys.argv[1:] or ["My name is Ada", "What is my name?"])
