"""Classification and regression: rows of features in, classes and scores or a number out.

Such a signature is known by its structure, as TensorFlow Serving knows it: one
input `inputs` of serialized `tf.Example`, and the outputs `classes` and `scores`,
or `outputs`.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from tensorflow.core.example.example_pb2 import Example
from tensorflow.core.framework.types_pb2 import DT_STRING
from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef
from tensorflow_serving.apis.classification_pb2 import ClassificationResult
from tensorflow_serving.apis.regression_pb2 import RegressionResult

from tfft.server import signatures
from tfft.server.calls import Call
from tfft.server.status import Code, RequestError, invalid

INPUT, CLASSES, SCORES, NUMBERS = "inputs", "classes", "scores", "outputs"


def classify(
    known: Mapping[str, SignatureDef], name: str, examples: Sequence[Example]
) -> Call[ClassificationResult]:
    """Return the call that classifies examples.

    Raises:
        RequestError: The signature is not one of classification, or there are no examples.
    """
    signature = signatures.find(known, name, Code.INVALID_ARGUMENT)
    outputs = {*signature.outputs}
    _check_input(signature)
    if not 1 <= len(outputs) <= 2:
        raise invalid(f"To classify, a signature has one or two outputs; this one has {len(outputs)}.")
    if not outputs & {CLASSES, SCORES}:
        raise RequestError(
            Code.FAILED_PRECONDITION, f"To classify, a signature has outputs {CLASSES!r} or {SCORES!r}."
        )
    return Call(name or signatures.DEFAULT, {INPUT: _serialized(examples)}, _classes(len(examples)))


def regress(
    known: Mapping[str, SignatureDef], name: str, examples: Sequence[Example]
) -> Call[RegressionResult]:
    """Return the call that gives a number for each example.

    Raises:
        RequestError: The signature is not one of regression, or there are no examples.
    """
    signature = signatures.find(known, name, Code.INVALID_ARGUMENT)
    _check_input(signature)
    if len(signature.outputs) != 1:
        raise invalid(f"For regression, a signature has one output; this one has {len(signature.outputs)}.")
    if NUMBERS not in signature.outputs:
        raise RequestError(Code.FAILED_PRECONDITION, f"For regression, the output is called {NUMBERS!r}.")
    return Call(name or signatures.DEFAULT, {INPUT: _serialized(examples)}, _numbers(len(examples)))


def _check_input(signature: SignatureDef) -> None:
    if len(signature.inputs) != 1:
        raise invalid(f"A signature of examples has one input; this one has {len(signature.inputs)}.")
    if INPUT not in signature.inputs:
        raise RequestError(Code.FAILED_PRECONDITION, f"The input of examples is called {INPUT!r}.")
    info = signature.inputs[INPUT]
    if info.dtype != DT_STRING or signatures.shape_of(info) not in (None, [-1]):
        raise invalid(f"The input {INPUT!r} of this signature does not take a list of serialized examples.")


def _serialized(examples: Sequence[Example]) -> np.ndarray:
    if not examples:
        raise invalid("There are no examples in the request.")
    return np.array([example.SerializeToString() for example in examples], object)


def _classes(rows: int) -> Callable[[Mapping[str, np.ndarray]], ClassificationResult]:
    def answer(outputs: Mapping[str, np.ndarray]) -> ClassificationResult:
        found = {name: outputs[name] for name in (CLASSES, SCORES) if name in outputs}
        for name, dtype in ((CLASSES, np.dtype(object)), (SCORES, np.dtype(np.float32))):
            if name in found and (
                found[name].dtype != dtype or found[name].ndim != 2 or len(found[name]) != rows
            ):
                raise invalid(
                    f"Output {name!r} must be of type {signatures.type_name(dtype)} and shape "
                    f"[{rows}, classes], got {signatures.type_name(found[name].dtype)} and "
                    f"{[*found[name].shape]}."
                )
        if len({array.shape for array in found.values()}) > 1:
            raise invalid("The outputs of this signature differ in the number of classes.")
        result = ClassificationResult()
        for row in range(rows):
            classes = result.classifications.add().classes
            for column in range(next(iter(found.values())).shape[1]):
                one = classes.add()
                if CLASSES in found:
                    one.label = found[CLASSES][row, column].decode("utf-8", "replace")
                if SCORES in found:
                    one.score = found[SCORES][row, column]
        return result

    return answer


def _numbers(rows: int) -> Callable[[Mapping[str, np.ndarray]], RegressionResult]:
    def answer(outputs: Mapping[str, np.ndarray]) -> RegressionResult:
        numbers = outputs[NUMBERS]
        if numbers.dtype != np.float32 or numbers.shape not in ((rows,), (rows, 1)):
            raise invalid(
                f"Output {NUMBERS!r} must be of type float32 and shape [{rows}] or [{rows}, 1], got "
                f"{signatures.type_name(numbers.dtype)} and {[*numbers.shape]}."
            )
        result = RegressionResult()
        for number in numbers.reshape(-1):
            result.regressions.add(value=number)
        return result

    return answer
