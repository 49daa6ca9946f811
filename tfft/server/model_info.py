"""What the server tells of a model: its versions' states, and the signatures of one."""

from tensorflow_serving.apis.get_model_metadata_pb2 import GetModelMetadataResponse, SignatureDefMap
from tensorflow_serving.apis.get_model_status_pb2 import GetModelStatusResponse

from tfft.server.requests import Target
from tfft.server.versions import Versions

SIGNATURES = "signature_def"
"""The one kind of metadata that TensorFlow Serving has."""


def status(versions: Versions, target: Target) -> GetModelStatusResponse:
    """Return the states of a model's versions.

    Raises:
        RequestError: There are none.
    """
    response = GetModelStatusResponse()
    for version in versions.states(target.name, target.version, target.label):
        one = response.model_version_status.add(version=version.number, state=version.state.value)
        one.status.SetInParent()  # OK, where nothing else is said
        if version.failure is not None:
            one.status.error_code = version.failure.code.number
            one.status.error_message = version.failure.message
    return response


def metadata(versions: Versions, target: Target) -> GetModelMetadataResponse:
    """Return the signatures of a version.

    Raises:
        RequestError: It is not served.
    """
    response = GetModelMetadataResponse()
    with versions.lease(target.name, target.version, target.label) as servable:
        response.model_spec.name = target.name
        response.model_spec.version.value = servable.version
        response.metadata[SIGNATURES].Pack(SignatureDefMap(signature_def=servable.signatures))
    return response
