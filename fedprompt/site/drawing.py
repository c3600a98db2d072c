"""In which order a site draws its cases: by its own key, which no hub knows, never by anything that a task says.

The order of a round is ``HMAC(key, study, round)``, and of a draw of n cases ``HMAC(key, study, n, draw)``. Invariant:
the same ones give the same order, whoever asks and whatever else the task holds; without the key nothing is known of
it.

Where hub and sites are one process, a run has a seed: 0 gives the order that the sites take on machines of their own,
another seed another order under keys that follow from theirs.
"""

import hmac
from dataclasses import dataclass, field
from hashlib import sha256

import numpy as np

from fedprompt.privacy.rounded_noise import RandomBytes, from_secret, from_system
from fedprompt.prompts.ids import canonical_json
from fedprompt.study.allowed_rounds import Among

__all__ = ["Drawing", "drawing_of_run"]

ORDER, RUN, FEW = b"order of cases\0", b"order of cases of a run\0", b"a few cases\0"
NOISE = b"noise of a head\0"


@dataclass(frozen=True)
class Drawing:
    """In which order cases are drawn, and where noise comes from.

    Attributes:
        key: what the order follows from.
        run: names the run of one process that it is of, if it is of one.
        repeats: whether noise follows from the key too, as over made-up cases whose numbers are to repeat.
    """

    key: bytes = field(repr=False)
    run: str = ""
    repeats: bool = False

    def random(self, what: bytes) -> RandomBytes:
        """Return the random bytes that noise is made of: the operating system's, unless the run ``repeats``."""
        return from_secret(self.key, self.run.encode() + b" " + what) if self.repeats else from_system

    def rng(self, study: str, number: int) -> np.random.Generator:
        """Return the stream of random numbers of a round.

        Args:
            study: its digest.
            number: the round's.
        """
        return self._stream(ORDER, [study, number])

    def few(self, study: str, n: int, draw: int, what: str) -> np.random.Generator:
        """Return a stream of random numbers of a draw of ``n`` cases.

        Args:
            study: its digest.
            n: how many are drawn.
            draw: its number.
            what: it is for, such as which cases these are.
        """
        return self._stream(FEW, [study, n, draw, what])

    def _stream(self, what: bytes, of: list[str | int]) -> np.random.Generator:
        mac = hmac.new(self.key, what + canonical_json(of), sha256).digest()
        return np.random.default_rng(np.random.SeedSequence(int.from_bytes(mac, "big")))

    def noise(self, study: str) -> bytes:
        """Return the secret that a head's noise follows from; ``study``: its digest."""
        return hmac.new(self.key, NOISE + canonical_json(study), sha256).digest()

    def scope(self, study: str, among: Among | str) -> str:
        """Return the name under which a site keeps which rounds of a study it has answered.

        Args:
            study: its digest.
            among: whom the rounds are among, or what else is answered once.
        """
        return " ".join([study, *([] if among == "all" else [among]), *([self.run] if self.run else [])])


def drawing_of_run(key: bytes, seed: int, contents: str) -> Drawing:
    """Return the drawing of a site in a run of one process, which may be begun anew with another seed or other cases.

    Args:
        key: the site's.
        seed: the run's.
        contents: a digest of the cases that the run is over.
    """
    own = key if seed == 0 else hmac.new(key, RUN + canonical_json(seed), sha256).digest()
    return Drawing(own, sha256(canonical_json([seed, contents])).hexdigest()[:16])
