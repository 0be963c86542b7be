"""Read an invoice into models of pydantic, which is not needed otherwise: dataclasses and TypedDicts do as well.

python examples/typed_answer.py invoice.pdf
"""

from __future__ import annotations

import sys

import pydantic

import oneseat


class Line(pydantic.BaseModel):
    """One line of an invoice."""

    article: str
    amount: float = pydantic.Field(ge=0, description="Price of all pieces, without tax")


class Invoice(pydantic.BaseModel):
    """What is wanted of it."""

    seller: str
    lines: list[Line]


def main(file: str) -> None:
    """Print what each article costs and the total."""
    result = oneseat.run("Read this invoice.", files=[file], schema=Invoice)
    invoice = result.parsed  # an Invoice, for type checkers too
    for line in invoice.lines:
        print(f"{line.article}: {line.amount:.2f}")
    print(f"{invoice.seller}: {sum(line.amount for line in invoice.lines):.2f}")


if __name__ == "__main__":
    main(sys.argv[1])
