"""Replay the requests that an export brings along, before it answers anyone.

`assets.extra/tf_serving_warmup_requests` is a TFRecord file of `PredictionLog`,
see https://www.tensorflow.org/tfx/serving/saved_model_warmup. As in TensorFlow
Serving, a file that cannot be replayed makes its version fail to load.
"""

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

from tfft.server import proto_calls
from tfft.server.calls import Call
from tfft.server.servable import Servable

FILE = Path("assets.extra") / "tf_serving_warmup_requests"
MOST_RECORDS = 1000


def replay(servable: Servable, folder: Path, most_bytes: int) -> int:
    """Run the requests of a version's file, if it has one.

    Args:
        servable: The loaded version.
        folder: Its folder.
        most_bytes: As in `proto_calls.predict`.

    Returns:
        How many there were.

    Raises:
        RequestError: A request cannot be answered.
        ValueError: There are too many, or a record is of a kind that cannot be replayed.
        google.protobuf.message.DecodeError, tf.errors.DataLossError: The file is damaged.
    """
    if not (folder / FILE).is_file():
        return 0
    records = tf.data.TFRecordDataset(str(folder / FILE)).as_numpy_iterator()
    count = 0
    for count, record in enumerate(itertools.islice(records, MOST_RECORDS + 1), start=1):
        if count > MOST_RECORDS:
            raise ValueError(f"{FILE} has more than {MOST_RECORDS} records")
        for call in _calls(servable, PredictionLog.FromString(record), most_bytes):
            call.answer(servable.run(call.signature, call.inputs))
    return count


def _calls(servable: Servable, log: PredictionLog, most_bytes: int) -> Sequence[Call[Any]]:
    kind = log.WhichOneof("log_type")
    if kind == "predict_log":
        return [proto_calls.predict(servable.signatures, log.predict_log.request, most_bytes)]
    if kind == "classify_log":
        return [proto_calls.classify(servable.signatures, log.classify_log.request)]
    if kind == "regress_log":
        return [proto_calls.regress(servable.signatures, log.regress_log.request)]
    if kind == "multi_inference_log":
        return proto_calls.infer(servable.signatures, log.multi_inference_log.request)
    raise ValueError(f"{FILE} has a record of the kind {kind}, which cannot be replayed")
