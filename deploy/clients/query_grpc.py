"""Ask a served model over gRPC, and print a line of JSON for each text.

    pip install tensorflow-serving-api
    python deploy/clients/query_grpc.py 127.0.0.1:8500 "Where is my parcel?" "Thank you!"
    python deploy/clients/query_grpc.py 127.0.0.1:8500 --label stable "Where is my parcel?"

Exit codes: 1 where the server cannot be reached or refuses, 2 for a wrong call.
"""

import argparse
import json
import sys

import grpc
import tensorflow as tf
from tensorflow_serving.apis.predict_pb2 import PredictRequest
from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub


def predict(channel: grpc.Channel, name: str, label: str, texts: list[str]) -> list[dict]:
    """Return the answer to each text, a value for each output."""
    request = PredictRequest()
    request.model_spec.name = name
    request.model_spec.signature_name = "serving_default"
    if label:
        request.model_spec.version_label = label
    request.inputs["text"].CopyFrom(tf.make_tensor_proto(texts, tf.string))
    # Without wait_for_ready a server that is not there is an error at once, and not after the timeout.
    response = PredictionServiceStub(channel).Predict(request, timeout=30)
    columns = {key: tf.make_ndarray(output).tolist() for key, output in response.outputs.items()}
    return [
        {key: _plain(column[row]) for key, column in sorted(columns.items())} for row in range(len(texts))
    ]


def _plain(value):
    """Return a value with its bytes as text."""
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def main() -> int:
    """Answer the texts of the command line; return the exit code."""
    parser = argparse.ArgumentParser(description="Ask a served model over gRPC.")
    parser.add_argument("address", metavar="HOST:PORT")
    parser.add_argument("texts", metavar="TEXT", nargs="+")
    parser.add_argument("--name", default="model", help="of the model (default: model)")
    parser.add_argument("--label", default="", help="of a version, such as stable")
    given = parser.parse_args()
    # One connection holds many requests; a program that goes on keeps its channel.
    with grpc.insecure_channel(given.address) as channel:
        try:
            answers = predict(channel, given.name, given.label, given.texts)
        except grpc.RpcError as error:
            print(f"error: {error.code().name}: {error.details()}", file=sys.stderr)
            return 1
    for answer in answers:
        print(json.dumps(answer, ensure_ascii=False))
    return 0


if __name__ == "__main__":
    sys.exit(main())
