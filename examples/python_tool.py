"""Let the assistant call a function of this program.

python examples/python_tool.py "What do three packets of tea cost?"
"""

from __future__ import annotations

import sys

import oneseat

PRICES = {"tea": 4.5, "coffee": 6.0}


@oneseat.tool(read_only=True)
def price_of(article: str, count: int = 1) -> float:
    """The price of a number of articles, in euros. There are tea and coffee."""
    return PRICES[article] * count


def main(prompt: str) -> None:
    """Print the answer."""
    print(oneseat.run(prompt, functions=[price_of]).text)


if __name__ == "__main__":
    main(" ".join(sys.argv[1:]) or "What do three packets of tea cost?")
