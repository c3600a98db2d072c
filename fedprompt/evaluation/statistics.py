"""The room's statistics under one name, each defined in a file of its own.

intervals (Wilson) | clusters (grouped cases) | site_means (bootstrap) | ranking (Beta draws) | pairs
(McNemar, paired differences, power) | holm | meta_analysis (random effects) | classification (F1, balanced
accuracy, calibration)
"""

from fedprompt.evaluation.classification import (
    Bin,
    CalibrationCounts,
    balanced_accuracy,
    calibration_error,
    macro_f1,
)
from fedprompt.evaluation.clusters import cluster_variance, effective_n
from fedprompt.evaluation.holm import holm
from fedprompt.evaluation.intervals import Estimate, Interval, wilson
from fedprompt.evaluation.meta_analysis import RandomEffects, random_effects, smoothed_variance
from fedprompt.evaluation.pairs import PairCounts, mcnemar_exact, paired_difference, power_cases
from fedprompt.evaluation.ranking import BetaSummary, beta_summary
from fedprompt.evaluation.site_means import DRAWS, mean_over_sites, worst_site

__all__ = [
    "DRAWS",
    "BetaSummary",
    "Bin",
    "CalibrationCounts",
    "Estimate",
    "Interval",
    "PairCounts",
    "RandomEffects",
    "balanced_accuracy",
    "beta_summary",
    "calibration_error",
    "cluster_variance",
    "effective_n",
    "holm",
    "macro_f1",
    "mcnemar_exact",
    "mean_over_sites",
    "paired_difference",
    "power_cases",
    "random_effects",
    "smoothed_variance",
    "wilson",
    "worst_site",
]
