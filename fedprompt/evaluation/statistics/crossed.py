"""The mean of values that are crossed by draw and by case, with an interval for other draws and other cases.

Both are taken as samples. The variance of the mean is the variance of the draws' means over their number, plus that of
the cases' means over theirs (Owen 2007, Annals of Applied Statistics 1:386-411, section 3). What belongs to neither is
counted twice, so that the interval is rather too wide. The degrees of freedom are Satterthwaite's (1946, Biometrics
Bulletin 2:110-114). Invariant: the order of draws and of cases changes nothing; a constant table has no spread.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from fedprompt.evaluation.statistics.intervals import Estimate

__all__ = ["crossed_mean"]


def crossed_mean(values: NDArray[np.float64]) -> Estimate:
    """Return the mean of [draws, cases] with its 95 % interval; of one draw, for other cases alone.

    Raises:
        ValueError: there is no draw, or fewer than two cases.
    """
    if values.ndim != 2 or not len(values) or values.shape[1] < 2:
        raise ValueError(f"a table of shape {values.shape} has too few draws or cases for an interval")
    parts = [values.mean(axis=1 - axis) for axis in (0, 1) if values.shape[axis] > 1]
    variances = [float(part.var(ddof=1)) / len(part) for part in parts]
    mean, whole = float(values.mean()), sum(variances)
    if whole == 0:
        return Estimate(mean, mean, mean)
    freedom = whole**2 / sum(one**2 / (len(part) - 1) for one, part in zip(variances, parts, strict=True))
    half = float(stdtrit(freedom, 0.975)) * whole**0.5
    return Estimate(mean, mean - half, mean + half)
