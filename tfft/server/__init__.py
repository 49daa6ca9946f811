"""A stand-in for TensorFlow Serving, for development: the same requests, answers and errors, in Python.

`versions.py` keeps the newest versions of an export loaded; `rest.py` and
`grpc_service.py` hear requests, which `json_calls.py` and `proto_calls.py` turn
into calls of a signature; `execution.py` runs these, joined or alone;
`requests.py` is what all requests go through, and `stand_in.py` starts and ends
it all. `tensorflow_serving.py` starts the real server instead.

What the real server does is told by its sources, https://github.com/tensorflow/serving.
"""
