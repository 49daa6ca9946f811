"""TensorFlow Datasets: a split of a data set that lies prepared on disk.

It is read from its files alone, without the code that made it, so that neither a
network nor somebody's script is needed; only `download` asks for that.
"""

import difflib
import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from tfft.errors import DataError, SettingError
from tfft.sources import _tables, library

READS = "splits"

_ROWS = 1024


def rows(
    where: str,
    columns: Mapping[str, pa.DataType],
    report: Callable[[int, str], None],
    /,
    *,
    dataset: str,
    data_dir: str | None = None,
    download: bool = False,
) -> Iterator[pa.RecordBatch]:
    """A split of a data set of TensorFlow Datasets, such as `train[:90%]`.

    A class label comes as the name of its class. A column inside another is named with a
    slash, as in `answers/text`.

    Args:
        dataset: Name of the data set, as in `imdb_reviews` or `glue/sst2:2.0.0`: which of its
            variants and which version may be left out.
        data_dir: Folder of prepared data sets; null for the library's own,
            `~/tensorflow_datasets` or what TFDS_DATA_DIR says.
        download: Whether to download and prepare the data set where it is not there yet.

    Returns:
        Batches with `columns` in the order given, as text or lists of text. A bad row is
        reported by its number in the split as read, from 1.

    Raises:
        DataError: There is no such data set, split or column, or its files are damaged.
        SettingError: The library is not installed.
    """
    tfds = library("tensorflow_datasets", "tensorflow-datasets")
    builder = _builder(tfds, dataset, data_dir, download)
    features = dict(_features(tfds, builder.info.features))
    _tables.check(_schema(tfds, features, columns), columns, dataset)
    try:
        split = builder.as_dataset(
            split=where,
            # One order of the rows, whatever the machine; the rows are read once.
            read_config=tfds.ReadConfig(interleave_cycle_length=1, try_autocache=False),
        )
    except NotImplementedError as error:
        raise DataError(
            f"{dataset}: prepared in a format that cannot be streamed ({error}). Remove it, and run "
            f"{_command(dataset, data_dir)}."
        ) from error
    except ValueError as error:
        raise DataError(
            f"{dataset}: no split {where!r} ({error}). Expected one of {', '.join(builder.info.splits)}, or "
            "a part of one such as train[:90%]."
        ) from error
    names = {
        column: feature.names
        for column, (feature, _) in features.items()
        if isinstance(feature, tfds.features.ClassLabel)
    }
    yield from _tables.text_batches(_batches(split, columns, names, dataset), columns, report)


def _builder(tfds: Any, dataset: str, data_dir: str | None, download: bool) -> Any:
    """Return what reads the data set, prepared first if that is wanted."""
    import tensorflow as tf
    from tensorflow_datasets.core import constants

    # The one way that asks neither the network nor the data set's code.
    from tensorflow_datasets.core.read_only_builder import builder_from_files

    try:
        return builder_from_files(dataset, data_dir=data_dir)
    except tfds.core.DatasetNotFoundError as error:
        if not download:
            raise DataError(
                f"{dataset}: not prepared in {data_dir or constants.DATA_DIR}. Run "
                f"{_command(dataset, data_dir)}, or set data.source.download to true."
            ) from error
    except ValueError as error:
        reason = str(error).splitlines()[0]
        raise SettingError(
            "data.source.dataset",
            dataset,
            f"must name one data set, as in imdb_reviews or glue/sst2:2.0.0 ({reason})",
            fix="Correct the name, or set data.source.data_dir.",
        ) from error
    try:
        builder = tfds.builder(dataset, data_dir=data_dir)
        builder.download_and_prepare()
    except tfds.core.DatasetNotFoundError as error:
        close = difflib.get_close_matches(dataset.split("/")[0].split(":")[0], tfds.list_builders())
        hint = f" Is it {' or '.join(close)}?" if close else ""
        raise DataError(f"{dataset}: TensorFlow Datasets has no data set of this name.{hint}") from error
    except (AssertionError, ImportError, OSError, tf.errors.OpError) as error:
        raise DataError(
            f"{dataset}: could not be downloaded and prepared ({error}). Put that right, or run "
            f"{_command(dataset, 'FOLDER')} elsewhere and set data.source.data_dir."
        ) from error
    return builder


def _command(dataset: str, data_dir: str | None) -> str:
    """Return what prepares a data set; not `tfds build`, which needs Apache Beam besides."""
    there = "" if data_dir is None else f", data_dir='{data_dir}'"
    code = f"import tensorflow_datasets as t; t.builder('{dataset}'{there}).download_and_prepare()"
    return f'`python -c "{code}"`'


def _features(
    tfds: Any, feature: Any, name: str = "", depth: int = 0
) -> Iterator[tuple[str, tuple[Any, int]]]:
    """Yield the name of each column, its feature, and how many lists lie around a value."""
    if type(feature) is tfds.features.Sequence:
        yield from _features(tfds, feature.feature, name, depth + 1)
    elif isinstance(feature, tfds.features.FeaturesDict):
        for key, inner in feature.items():
            yield from _features(tfds, inner, f"{name}/{key}" if name else key, depth)
    else:
        yield name, (feature, depth)


def _schema(
    tfds: Any, features: Mapping[str, tuple[Any, int]], columns: Mapping[str, pa.DataType]
) -> pa.Schema:
    """Return all columns, with the types of those asked for: others may have none in Arrow."""

    def kind(feature: Any, depth: int) -> pa.DataType:
        dtype = np.dtype(feature.np_dtype)
        has_names = isinstance(feature, tfds.features.ClassLabel)
        found = pa.string() if has_names or dtype.kind in "OSU" else pa.from_numpy_dtype(dtype)
        for _ in range(depth + len(feature.shape)):
            found = pa.list_(found)
        return found

    return pa.schema(
        [(name, kind(*found) if name in columns else pa.null()) for name, found in features.items()]
    )


def _batches(
    split: Any, columns: Mapping[str, Any], names: Mapping[str, Any], dataset: str
) -> Iterator[pa.RecordBatch]:
    """Yield the columns as Arrow has them, the ids of classes as their names."""
    import tensorflow as tf

    def chosen(example: Any) -> tuple[Any, ...]:
        return tuple(functools.reduce(dict.__getitem__, column.split("/"), example) for column in columns)

    try:
        for tensors in split.map(chosen).ragged_batch(_ROWS):
            arrays = [
                _array(tensor, names.get(column)) for column, tensor in zip(columns, tensors, strict=True)
            ]
            yield pa.RecordBatch.from_arrays(arrays, names=list(columns))
    except tf.errors.OpError as error:
        raise DataError(
            f"{dataset}: its files are damaged or missing ({error.message}). Remove and prepare them again."
        ) from error


def _array(tensor: Any, names: list[str] | None) -> pa.Array:
    """Return a batch of scalars, or of lists of any lengths, as Arrow has it."""
    if hasattr(tensor, "row_lengths"):  # ragged
        members = _array(tensor.flat_values.numpy(), names)
        return _tables.list_array(members, tensor.row_lengths().numpy())
    values = np.asarray(tensor)
    if values.ndim > 1:
        return _tables.list_array(_array(values.ravel(), names), np.full(len(values), values.shape[1]))
    array = pa.array(values, pa.binary() if values.dtype == object else None)
    return array if names is None else _tables.class_names(array, names)
