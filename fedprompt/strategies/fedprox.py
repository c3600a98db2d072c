"""FedProx: Li et al. 2018, arXiv 1812.06127, algorithm 2: sites are pulled towards the round's start while they tune.

The pull, ``mu / 2 |v - start|^2``, is in the site's own steps (``tuning.steps``); the hub averages as FedAvg does.
"""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from fedprompt.strategies.fedavg import FedAvg
from fedprompt.strategies.strategy import AtSite, Options

__all__ = ["FedProx"]


class Proximal(Options):
    """``mu``: how hard sites are pulled towards the round's start."""

    mu: Annotated[float, Field(ge=0, le=1000)] = 0.01


class FedProx(FedAvg):
    """The option ``mu`` is read by the sites, from the study that they accepted."""

    name = "fedprox"
    options = Proximal

    def at_site(self, options: Mapping[str, float]) -> AtSite:
        """Return the pull."""
        return AtSite(proximal=options["mu"])
