"""L1 and L2 penalties, and their gradients."""

import numpy as np


def penalty(strengths: tuple[float, float], values: np.ndarray) -> float:
    """Return the L1 and L2 penalty on values.

    Parameters
    ----------
    strengths : tuple of two float
        Of L1 and of L2.

    values : ndarray
    """
    l1, l2 = strengths
    total = l1 * np.vdot(np.sign(values), values) if l1 else 0.0
    return float(total + l2 * np.vdot(values, values) if l2 else total)


def penalty_gradient(strengths: tuple[float, float], values: np.ndarray) -> np.ndarray:
    """Return the gradient of `penalty`."""
    l1, l2 = strengths
    gradient = np.multiply(values, np.float32(2 * l2))
    if l1:
        gradient += np.float32(l1) * np.sign(values)
    return gradient
