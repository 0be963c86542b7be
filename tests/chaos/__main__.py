"""The chaos campaign: ``make chaos``, ``make chaos ARGS="--kills 200 --seed 7"``."""

from __future__ import annotations

import argparse
import os
import secrets
import sys
import time

from .campaign import Campaign
from .report import finding, report


def main() -> int:
    """Run a campaign, print its figures; exit code 1 when anything was found."""
    parser = argparse.ArgumentParser(
        prog="make chaos", description="Kill runs at random moments and look at what is left."
    )
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument(
        "--seed", type=int, default=secrets.randbelow(10**6), help="which kills; random without it"
    )
    parser.add_argument("--only", type=int, metavar="N", help="only try number N of the seed")
    parser.add_argument("--workers", type=int, default=2)
    chosen = parser.parse_args()
    print(f"seed {chosen.seed}", flush=True)
    began, outcomes = time.monotonic(), []
    with Campaign(os.environ["ONESEAT_CLAUDE_PATH"]) as campaign:
        tries = campaign.run(chosen.seed, chosen.kills, chosen.workers)
        for outcome in tries if chosen.only is None else [campaign.repeat(chosen.seed, chosen.only)]:
            outcomes.append(outcome)
            if outcome.findings:
                print(finding(outcome, chosen.seed), flush=True)
            elif len(outcomes) % 50 == 0:
                print(f"{len(outcomes)} tries, {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    print(report(outcomes, time.monotonic() - began))
    return 1 if any(it.findings for it in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
