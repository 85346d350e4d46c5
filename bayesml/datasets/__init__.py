"""Small classic data sets: name in, pandas DataFrame out. They lie in the package, so nothing is downloaded."""

from __future__ import annotations

from importlib.resources import as_file, files
from typing import TYPE_CHECKING

from bayesml.datasets.registry import DATASETS, Column, DataSet
from bayesml.errors import DataError, did_you_mean
from bayesml.garbage_collection import garbage_collection_paused

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["DATASETS", "Column", "DataSet", "list_datasets", "load_dataset"]


def load_dataset(name: str) -> pd.DataFrame:
    """Load one of the shipped data sets.

    Columns of labels (subjects, herds, treatments) are categoricals with the order of levels that R has for them.

    Args:
        name: one of ``list_datasets()``.

    Returns:
        A new data frame; the columns and the source are in ``bayesml.datasets.DATASETS[name]``.

    Raises:
        DataError: there is no such data set.

    Example:
        >>> import bayesml
        >>> bayesml.load_dataset("sleepstudy").shape
        (180, 3)
    """
    with garbage_collection_paused():
        import pandas as pd

    dataset = _find(name)
    with as_file(files(__name__).joinpath("data", f"{name}.csv")) as path:
        labels = {column.name: str for column in dataset.columns if column.is_factor}
        frame = pd.read_csv(path, dtype=labels)
    for column in dataset.columns:
        if column.is_factor:
            levels = column.levels or sorted(frame[column.name].unique())
            frame[column.name] = pd.Categorical(frame[column.name], levels)
    return frame


def list_datasets() -> list[str]:
    """Return the names that ``load_dataset`` takes, in alphabetical order.

    Example:
        >>> import bayesml
        >>> "sleepstudy" in bayesml.list_datasets()
        True
    """
    return sorted(DATASETS, key=str.lower)


def _find(name: str) -> DataSet:
    if name not in DATASETS:
        raise DataError(
            f"`{name}` is not a shipped data set{did_you_mean(str(name), DATASETS)}; "
            f"there are: {', '.join(list_datasets())}."
        )
    return DATASETS[name]
