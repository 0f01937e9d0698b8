"""Dividing a number of frames exactly: largest remainders, tables with given margins, filling up to limits."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int64


def largest_remainder(total: int, weights: Float[np.ndarray, "parts"]) -> Int64[np.ndarray, "parts"]:
    """Divide ``total`` in proportion to ``weights``, in whole numbers that sum to it exactly.

    Each part is its exact share rounded down or up. Equal remainders go to the first.

    Raises:
        ValueError: No weight above zero for a total above zero.
    """
    weights = np.asarray(weights, dtype=np.float64)
    sum_of_weights = weights.sum()
    if total == 0:
        return np.zeros(len(weights), np.int64)
    if not sum_of_weights > 0:
        raise ValueError(f"cannot divide {total} among weights that sum to nothing")
    exact = weights * (total / sum_of_weights)
    parts = np.floor(exact).astype(np.int64)
    missing = total - int(parts.sum())
    if missing < 0:  # a share that rounding lifted to the next whole number
        parts[np.argsort(exact - parts, kind="stable")[:-missing]] -= 1
        return parts
    remainders = np.where(weights > 0, exact - parts, -1.0)
    parts[np.argsort(-remainders, kind="stable")[:missing]] += 1
    return parts


def table_with_margins(
    rows: Int64[np.ndarray, "rows"], columns: Int64[np.ndarray, "columns"]
) -> Int64[np.ndarray, "rows columns"]:
    """Fill a table as evenly as its margins say (row times column over total), in whole numbers, both margins exact.

    Args:
        rows: What each row sums to.
        columns: What each column sums to; the same in all.
    """
    total = int(rows.sum())
    if total == 0:
        return np.zeros((len(rows), len(columns)), np.int64)
    exact = rows[:, None] * (columns[None, :] / total)
    table = np.floor(exact).astype(np.int64)
    row_lack, column_lack = rows - table.sum(axis=1), columns - table.sum(axis=0)
    for cell in np.argsort(-(exact - table), axis=None, kind="stable").tolist():
        row, column = divmod(cell, len(columns))
        if row_lack[row] > 0 and column_lack[column] > 0:
            table[row, column] += 1
            row_lack[row] -= 1
            column_lack[column] -= 1
    # One more in each cell can still leave a unit or two; they go wherever both margins lack one.
    while (row_lack > 0).any():
        row, column = int(np.argmax(row_lack)), int(np.argmax(column_lack))
        amount = min(int(row_lack[row]), int(column_lack[column]))
        table[row, column] += amount
        row_lack[row] -= amount
        column_lack[column] -= amount
    return table


def fill(
    total: int, weights: Float[np.ndarray, "parts"], limits: Int64[np.ndarray, "parts"]
) -> Int64[np.ndarray, "parts"]:
    """Divide ``total`` in proportion to ``weights`` where no part may exceed its limit.

    What a full part cannot take goes to the others in proportion to their weights, until all is given or all parts
    are full. The sum is the smaller of ``total`` and the sum of the limits of parts with weight.
    """
    weights = np.where(limits > 0, weights, 0.0)
    limits = np.where(weights > 0, limits, 0)
    if int(limits.sum()) <= total:
        return limits.astype(np.int64)
    is_full = np.zeros(len(weights), bool)
    while True:
        left = total - int(limits[is_full].sum())
        open_weights = np.where(is_full, 0.0, weights)
        newly_full = ~is_full & (open_weights * (left / open_weights.sum()) >= limits) & (weights > 0)
        if not newly_full.any():
            break
        is_full |= newly_full
    parts = largest_remainder(left, open_weights)
    return np.where(is_full, limits, np.minimum(parts, limits)).astype(np.int64)


def fill_between(
    total: int, weights: Float[np.ndarray, "parts"], least: Int64[np.ndarray, "parts"]
) -> Int64[np.ndarray, "parts"]:
    """Divide ``total`` in proportion to ``weights`` where each part gets at least its minimum.

    If the minima alone exceed the total, they are lowered in proportion.
    """
    if int(least.sum()) >= total:
        return fill(total, least.astype(np.float64), least)
    is_raised = np.zeros(len(weights), bool)
    while True:
        open_weights = np.where(is_raised, 0.0, weights)
        left = total - int(least[is_raised].sum())
        if not open_weights.any():
            return largest_remainder(total, weights)
        parts = np.where(is_raised, least, largest_remainder(left, open_weights))
        too_low = ~is_raised & (parts < least)
        if not too_low.any():
            return parts
        is_raised |= too_low
