"""Ask once and print the answer, and who paid for it.

python examples/one_answer.py "Explain this error: E2BIG"
"""

from __future__ import annotations

import sys

import oneseat


def main(prompt: str) -> None:
    """Print the answer and one line of its receipt."""
    result = oneseat.run(prompt, system="Answer in one sentence.", timeout_s=120)
    print(result.text)
    print(f"paid by: {result.receipt.wallet} ({result.receipt.verdict})")


if __name__ == "__main__":
    main(" ".join(sys.argv[1:]) or "Say hello")
