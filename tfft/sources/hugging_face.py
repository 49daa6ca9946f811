"""Hugging Face Datasets: a split of a data set on the hub, or in a folder, read with `datasets`."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from tfft.errors import DataError, SettingError
from tfft.sources import _tables, library

READS = "splits"

_ROWS = 4096
_PACKAGE = "'datasets>=4'"


def rows(
    where: str,
    columns: Mapping[str, pa.DataType],
    report: Callable[[int, str], None],
    /,
    *,
    dataset: str,
    config: str | None = None,
    revision: str | None = None,
) -> Iterator[pa.RecordBatch]:
    """A split of a data set of Hugging Face's library `datasets`, such as `train[:90%]`.

    A class label comes as the name of its class. A data set's own code is never run. What is
    not in the library's cache yet is downloaded, unless HF_HUB_OFFLINE is set.

    Args:
        dataset: Name on the hub, as in `stanfordnlp/imdb`; or a folder of data files, or one that
            `save_to_disk` wrote.
        config: Which of the data set's variants, as in `sst2` of `nyu-mll/glue`; null where
            there is but one.
        revision: Branch, tag or commit on the hub; null for the newest.

    Returns:
        Batches with `columns` in the order given, as text or lists of text. A bad row is
        reported by its number in the split as read, from 1.

    Raises:
        DataError: There is no such data set, split or column.
        SettingError: The library is not installed, or is one that may run a data set's code.
    """
    datasets = library("datasets", _PACKAGE)
    if int(datasets.__version__.split(".")[0]) < 4:
        raise SettingError(
            "data.source",
            "hugging_face",
            f"needs datasets 4 or newer, which run no code of a data set; this is {datasets.__version__}",
            fix=f"pip install --upgrade {_PACKAGE}",
        )
    try:
        split = _split(datasets, where, dataset, config, revision)
    except (OSError, ValueError, RuntimeError, AssertionError, datasets.exceptions.DatasetsError) as error:
        raise DataError(
            f"{dataset}: cannot read the split {where!r} ({error}). Correct data.source or the split, "
            "such as train[:90%]."
        ) from error
    _tables.check(split.features.arrow_schema, columns, dataset)
    yield from _tables.text_batches(_batches(datasets, split.select_columns(list(columns))), columns, report)


def _split(datasets: Any, where: str, dataset: str, config: str | None, revision: str | None) -> Any:
    folder = Path(dataset)
    is_saved = (folder / "dataset_dict.json").is_file() or (folder / "state.json").is_file()
    if not is_saved:
        return datasets.load_dataset(dataset, config, split=where, revision=revision)
    for key, value in (("config", config), ("revision", revision)):
        if value is not None:
            raise SettingError(
                f"data.source.{key}",
                value,
                f"has no meaning for {dataset}, a saved data set",
                fix="Leave it out.",
            )
    saved = datasets.load_from_disk(dataset)
    if not isinstance(saved, dict):
        saved = {str(saved.split or "train"): saved}
    # `load_from_disk` knows no split expressions; the library's own reader of them does.
    lengths = {name: len(split) for name, split in saved.items()}
    parts = datasets.ReadInstruction.from_spec(where).to_absolute(lengths)
    chosen = [saved[part.splitname].select(range(part.from_, part.to)) for part in parts]
    return datasets.concatenate_datasets(chosen)


def _batches(datasets: Any, split: Any) -> Iterator[pa.RecordBatch]:
    """Yield the columns as the library has them, the ids of classes as their names."""
    for table in split.with_format("arrow").iter(_ROWS):
        for batch in table.to_batches():
            arrays = [
                _named(datasets, split.features[name], column)
                for name, column in zip(batch.schema.names, batch.columns, strict=True)
            ]
            yield pa.RecordBatch.from_arrays(arrays, names=batch.schema.names)


def _named(datasets: Any, feature: Any, values: pa.Array) -> pa.Array:
    if isinstance(feature, datasets.ClassLabel):
        return _tables.class_names(values, feature.names)
    if isinstance(getattr(feature, "feature", None), datasets.ClassLabel):
        members, lengths = _tables.members_of(values)
        return _tables.list_array(_tables.class_names(members, feature.feature.names), lengths)
    return values
