"""Data in: pandas, polars, pyarrow tables and dicts of arrays become one ``Frame`` of typed columns."""

from __future__ import annotations

from bayesml.frame.arrays import frame_from_arrays, frame_to_arrays
from bayesml.frame.index import positions_of
from bayesml.frame.known_matrix import KnownMatrix
from bayesml.frame.levels import match_codes, match_levels
from bayesml.frame.matrices import checked_mapping, read_matrices
from bayesml.frame.read import RawData, column_names, finish_frame, read_columns, read_frame
from bayesml.frame.types import Column, Frame
from bayesml.frame.values import Levels, recode

__all__ = [
    "Column",
    "Frame",
    "KnownMatrix",
    "Levels",
    "RawData",
    "checked_mapping",
    "column_names",
    "finish_frame",
    "frame_from_arrays",
    "frame_to_arrays",
    "match_codes",
    "match_levels",
    "positions_of",
    "read_columns",
    "read_frame",
    "read_matrices",
    "recode",
]
