"""The room's statistics under one name."""

from fedprompt.evaluation.statistics import statistics


def test_the_statistics_are_these() -> None:
    assert sorted(statistics.__all__) == [
        "BetaSummary",
        "Bin",
        "CalibrationCounts",
        "Compared",
        "DRAWS",
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
