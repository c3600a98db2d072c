"""A number in the output is the answer's number, within a tolerance, absolute or relative to the answer.

Numbers are decimal and compared exactly, so that two long order numbers that differ in the last digit differ.
"""

import re
from dataclasses import dataclass
from decimal import Decimal, localcontext
from typing import Annotated, Literal

from pydantic import Field

from fedprompt.evaluation.scorers.scorer import Scored

__all__ = ["Numeric"]

DIGITS = 100
NARROW = "\u202f"  # the narrow space that groups thousands; a plain space may stand between two numbers
_SIGNS = str.maketrans({"\u2212": "-", "\u00a0": NARROW, "\u2009": NARROW, "\u2019": "'"})
_NUMBERS = {
    point: re.compile(
        rf"(?<![\w{dot}])[-+]?(?:(?:\d{{1,3}}(?:[{group}'{NARROW}]\d{{3}})+(?!\d)|\d+)(?:{dot}\d+)?|{dot}\d+)"
        r"(?:[eE]([-+]?\d+))?"
    )
    for point, dot, group in ((".", r"\.", ","), (",", ",", r"\."))
}
Tolerance = Annotated[float, Field(ge=0, allow_inf_nan=False)]


@dataclass(frozen=True)
class Numeric:
    """1 if the number is within the larger of the two tolerances, else 0.

    Args:
        absolute: how far the number may be from the answer's.
        relative: how far, as a share of the answer's size.
        take: which number of the output counts; ``only`` wants exactly one.
        point: what separates decimals; the other one groups thousands.
    """

    name: str = "numeric"
    absolute: Tolerance = 0.0
    relative: Tolerance = 0.0
    take: Literal["first", "last", "only"] = "last"
    point: Literal[".", ","] = "."

    def score(self, output: str, answer: str) -> Scored:
        """Return 1.0 or 0.0, or None where the answer is not one number."""
        wanted, found = self._numbers(answer), self._numbers(output)
        if len(wanted) != 1:
            return Scored(None, "the case's answer is not one number")
        if not found:
            return Scored(0.0, "the output has no number")
        if self.take == "only" and len(found) > 1:
            return Scored(0.0, "the output has more than one number")
        number = found[0] if self.take == "first" else found[-1]
        with localcontext(prec=2 * DIGITS):
            room = max(Decimal(self.absolute), Decimal(self.relative) * abs(wanted[0]))
            near = abs(number - wanted[0]) <= room
        return Scored(float(near), "the number is the answer" if near else "the number is too far from the answer")

    def _numbers(self, text: str) -> list[Decimal]:
        """Return the numbers in a text; one of more digits than any quantity has is none."""
        group = "," if self.point == "." else "."
        found = []
        for match in _NUMBERS[self.point].finditer(text.translate(_SIGNS)):
            plain = match.group()
            for mark in (group, "'", NARROW):
                plain = plain.replace(mark, "")
            if len(plain) <= DIGITS and len(match.group(1) or "") <= 4:
                found.append(Decimal(plain.replace(",", ".")))
        return found
