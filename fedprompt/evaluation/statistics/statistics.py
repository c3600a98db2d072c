"""The room's statistics under one name, each defined in a file of its own.

At a site, over cases: bootstrap (a mean) | comparisons (pairs of prompts, McNemar or bootstrap, corrected by Holm) |
power (how many cases it takes). Over sites, from sums: intervals (Wilson) | clusters (grouped cases) | site_means
(bootstrap) | ranking (Beta draws) | pairs (McNemar, paired differences, power) | pooled_pairs (two prompts, all of
these) | holm | meta_analysis (random effects) | classification (F1, balanced accuracy, calibration).
"""

from fedprompt.evaluation.statistics.bootstrap import bootstrap_mean
from fedprompt.evaluation.statistics.classification import (
    Bin,
    CalibrationCounts,
    balanced_accuracy,
    calibration_error,
    macro_f1,
)
from fedprompt.evaluation.statistics.clusters import cluster_variance, effective_n
from fedprompt.evaluation.statistics.comparisons import Compared, PairedTest, compare_with, paired_bootstrap
from fedprompt.evaluation.statistics.holm import holm
from fedprompt.evaluation.statistics.intervals import Estimate, Interval, wilson
from fedprompt.evaluation.statistics.meta_analysis import RandomEffects, random_effects, smoothed_variance
from fedprompt.evaluation.statistics.pairs import PairCounts, mcnemar_exact, paired_difference, power_cases
from fedprompt.evaluation.statistics.pooled_pairs import PairTest, PooledPair, pool_pairs
from fedprompt.evaluation.statistics.power import cases_needed, power_cases_mean, power_sentence
from fedprompt.evaluation.statistics.ranking import BetaSummary, beta_summary
from fedprompt.evaluation.statistics.site_means import DRAWS, mean_over_sites, worst_site

__all__ = [
    "DRAWS",
    "BetaSummary",
    "Bin",
    "CalibrationCounts",
    "Compared",
    "Estimate",
    "Interval",
    "PairCounts",
    "PairTest",
    "PairedTest",
    "PooledPair",
    "RandomEffects",
    "balanced_accuracy",
    "beta_summary",
    "bootstrap_mean",
    "calibration_error",
    "cases_needed",
    "cluster_variance",
    "compare_with",
    "effective_n",
    "holm",
    "macro_f1",
    "mcnemar_exact",
    "mean_over_sites",
    "paired_bootstrap",
    "paired_difference",
    "pool_pairs",
    "power_cases",
    "power_cases_mean",
    "power_sentence",
    "random_effects",
    "smoothed_variance",
    "wilson",
    "worst_site",
]
