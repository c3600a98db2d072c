"""FedProx: Li et al. 2018, arXiv 1812.06127, algorithm 2: sites are pulled towards the round's start while they tune.

The pull, ``mu / 2 |v - start|^2``, is in the site's own steps (``tuning.soft``); the hub averages as FedAvg does.
"""

from fedprompt.federation.strategies.fedavg import FedAvg

__all__ = ["FedProx"]


class FedProx(FedAvg):
    """The option ``mu`` is read by the sites, from the study that they accepted."""

    name = "fedprox"
