"""Strata of levels of which a row has several, ``mm(g1, g2, by=cbind(f1, f2))``: each level lies in one of them."""

from __future__ import annotations

import numpy as np

from bayesml.errors import DataError
from bayesml.frame import Frame
from bayesml.terms.group import Group
from bayesml.terms.members import Members
from bayesml.terms.stratified_group import StratifiedGroup

__all__ = ["member_strata", "stratified_members"]


def stratified_members(group: Group, members: Members, ids: tuple[str, ...], frame: Frame) -> StratifiedGroup:
    """Return the effects of levels with the strata of these; ``ids`` as in ``stratified``.

    Raises:
        DataError: a level lies in several strata.
    """
    by_levels = members.strata.levels(frame)
    index, stratum = members.index(frame, group.levels), members.strata.index(frame, by_levels)
    first = np.zeros(len(group.levels), dtype=int)
    first[index.ravel()[::-1]] = stratum.ravel()[::-1]
    made = StratifiedGroup(
        group.predictor, group.factors, group.levels, group.coefs, group.blocks, group.encodings, group.spreads,
        "".join(members.by), by_levels, tuple(first.tolist()), members.by, ids, title=group.title,
    )  # fmt: skip
    _check(made, members, index, stratum, frame)
    return made


def member_strata(group: StratifiedGroup, members: Members, frame: Frame) -> np.ndarray:
    """Return the stratum of the level of each member, ``(rows, members)``.

    Raises:
        DataError: one is new, or a level lies in another one than in the data of the fit.
    """
    stratum = members.strata.index(frame, group.by_levels)
    if (stratum < 0).any():
        row, member = np.argwhere(stratum < 0)[0]
        known = ", ".join(f"`{label}`" for label in group.by_levels.labels)
        raise DataError(
            f"`{members.text}`: `{members.by[member]}` has a value in row {frame.rows[row] + 1} (counting from 1) that "
            f"the fit has not seen; it knows {known}."
        )
    _check(group, members, members.index(frame, group.levels), stratum, frame)
    return stratum


def _check(group: StratifiedGroup, members: Members, index: np.ndarray, stratum: np.ndarray, frame: Frame) -> None:
    fixed = np.append(group.strata[: len(group.levels)], -1)[index]
    wrong = np.argwhere((index >= 0) & (fixed != stratum))
    if not wrong.size:
        return
    row, member = wrong[0]
    names = group.by_levels.labels
    raise DataError(
        f"`{members.text}`: the level `{group.levels.labels[index[row, member]]}` has `{members.by[member]}` = "
        f"{names[stratum[row, member]]} in row {frame.rows[row] + 1} (counting from 1), and "
        f"{names[fixed[row, member]]} elsewhere; a level lies in one stratum."
    )
