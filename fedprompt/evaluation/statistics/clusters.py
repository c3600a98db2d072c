"""Cases that come in groups (a patient's notes) tell less than as many independent ones: how much less.

Cluster-robust variance of a mean: Liang and Zeger (1986), Biometrika 73:13-22; the effective size is Kish's
(1965), n over the design effect. Invariant: without groups the effective size is n, and it is never more.
"""

__all__ = ["cluster_variance", "effective_n"]


def cluster_variance(n: int, groups: int, group_squares: float) -> float | None:
    """Return the variance of the mean over ``n`` cases, or None for fewer than two groups.

    Args:
        n: cases.
        groups: independent groups among them.
        group_squares: sum over groups of the squared sum of residuals (value minus mean).

    Raises:
        ValueError: more groups than cases, or a negative sum of squares.
    """
    _check(n, groups, group_squares)
    if groups < 2:
        return None
    return groups / (groups - 1) * group_squares / (n * n)


def effective_n(n: int, total: float, squares: float, groups: int, group_squares: float) -> float | None:
    """Return how many independent cases tell as much about the mean, between 1 and ``n``; None over no cases.

    Args:
        n: cases.
        total: sum of the values.
        squares: sum of their squares.
        groups: independent groups among them, ``n`` where there are none.
        group_squares: sum over groups of the squared sum of residuals (value minus mean).

    Raises:
        ValueError: more groups than cases, or a negative sum of squares.
    """
    _check(n, groups, group_squares)
    if n == 0:
        return None
    if groups == n:
        return float(n)
    spread = squares - total * total / n
    clustered = cluster_variance(n, groups, group_squares)
    if clustered is None:
        return 1.0
    if spread <= 1e-12 * max(squares, 1.0) or clustered <= 0:
        # All values alike say nothing of how alike a group is; then each group counts as one case.
        return float(groups)
    return min(float(n), max(1.0, spread / (n - 1) / clustered))


def _check(n: int, groups: int, group_squares: float) -> None:
    if n < 0 or not (1 if n else 0) <= groups <= n or group_squares < 0:
        raise ValueError(f"{n} cases in {groups} groups: there are 1 to n groups, and squares are not negative")
