"""How much each word of a prompt spoke for its answer: the answer's log-odds with the word, less those without it.

Occlusion, as in Li, Monroe and Jurafsky 2016 (arXiv 1612.08220, section 3): each word is left out once. The model
shares what the texts have in common before the word that is gone. Where there are more words than ``MOST`` neighbours
are left out together. Words may stand in for one another, so contributions need not add up.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fedprompt.models.protocols import CausalModel, ChoiceQuery
from fedprompt.prompts.rendered import Piece, Rendered, SoftSlot, Turn
from fedprompt.prompts.tensors import Tensors

__all__ = ["MOST", "Contribution", "contributions"]

MOST = 96
_WORD = re.compile(r"\S+")


class Contribution(NamedTuple):
    """A piece of the prompt as it was sent, and its contribution in nats; None for what is between words."""

    text: str
    value: float | None


class _Spot(NamedTuple):
    turn: int
    piece: int
    begin: int
    end: int


def contributions(
    model: CausalModel, rendered: Rendered, words: Sequence[str], answer: int, tuned: Tensors | None
) -> tuple[Contribution, ...]:
    """Return the prompt's pieces in order, each with what it contributed.

    Args:
        model: a model of this machine.
        rendered: the prompt.
        words: what was chosen among, or the one text that was written.
        answer: the place in ``words`` of the answer.
        tuned: what was tuned for it.

    Raises:
        ModelError: a text does not fit the window.
    """
    spots = _spots(rendered)
    queries = [ChoiceQuery(one, tuple(words), tuned) for one in (rendered, *(_without(rendered, s) for s in spots))]
    found = [_odds(each, answer) for each in model.choices(queries).loglikelihoods]
    pieces: list[Contribution] = []
    values = iter(zip(spots, found[1:], strict=True))
    spot, value = next(values, (None, 0.0))
    for number, turn in enumerate(rendered.turns):
        if turn.role is not None:
            pieces.append(Contribution(f"{chr(10) if number else ''}[{turn.role}] ", None))
        for place, piece in enumerate(turn.pieces):
            text, at = _text(piece), 0
            while spot is not None and (spot.turn, spot.piece) == (number, place):
                if spot.begin > at:
                    pieces.append(Contribution(text[at : spot.begin], None))
                pieces.append(Contribution(text[spot.begin : spot.end], found[0] - value))
                at = spot.end
                spot, value = next(values, (None, 0.0))
            if at < len(text):
                pieces.append(Contribution(text[at:], None))
    return tuple(pieces)


def _odds(loglikelihoods: NDArray[np.float64], answer: int) -> float:
    """Return the answer's log-odds against the other words; of one word alone its log-likelihood."""
    rest = np.delete(loglikelihoods, answer)
    own = float(loglikelihoods[answer])
    return own - float(np.logaddexp.reduce(rest)) if len(rest) else own


def _spots(rendered: Rendered) -> list[_Spot]:
    spots = [
        _Spot(number, place, *match.span())
        for number, turn in enumerate(rendered.turns)
        for place, piece in enumerate(turn.pieces)
        if isinstance(piece, str)
        for match in _WORD.finditer(piece)
    ]
    together = -(-len(spots) // MOST)
    if together < 2:
        return spots
    joined: list[_Spot] = []
    size = 0
    for spot in spots:
        last = joined[-1] if joined else None
        if last is not None and size < together and (last.turn, last.piece) == (spot.turn, spot.piece):
            joined[-1] = last._replace(end=spot.end)
            size += 1
        else:
            joined.append(spot)
            size = 1
    return joined


def _without(rendered: Rendered, spot: _Spot) -> Rendered:
    turns = list(rendered.turns)
    pieces: list[Piece] = list(turns[spot.turn].pieces)
    text = _text(pieces[spot.piece])
    before, after = text[: spot.begin], text[spot.end :]
    # One of the two spaces goes with the word.
    if before[-1:] == " ":
        before = before[:-1]
    elif not before and after[:1] == " ":
        after = after[1:]
    pieces[spot.piece] = before + after
    turns[spot.turn] = Turn(turns[spot.turn].role, tuple(piece for piece in pieces if piece != ""))
    return Rendered(tuple(turns))


def _text(piece: Piece) -> str:
    return piece.value if isinstance(piece, SoftSlot) else piece
