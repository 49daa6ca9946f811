"""What can come of a request, in the words of gRPC and of HTTP."""

import enum


class Code(enum.Enum):
    """A gRPC status code: its number, and the HTTP status that TensorFlow Serving answers for it."""

    OK = (0, 200)
    CANCELLED = (1, 499)
    UNKNOWN = (2, 500)
    INVALID_ARGUMENT = (3, 400)
    DEADLINE_EXCEEDED = (4, 504)
    NOT_FOUND = (5, 404)
    ALREADY_EXISTS = (6, 409)
    PERMISSION_DENIED = (7, 403)
    RESOURCE_EXHAUSTED = (8, 429)
    FAILED_PRECONDITION = (9, 400)
    ABORTED = (10, 409)
    OUT_OF_RANGE = (11, 400)
    UNIMPLEMENTED = (12, 501)
    INTERNAL = (13, 500)
    UNAVAILABLE = (14, 503)
    DATA_LOSS = (15, 500)
    UNAUTHENTICATED = (16, 401)

    def __init__(self, number: int, http: int) -> None:
        self.number, self.http = number, http


BY_NUMBER = {code.number: code for code in Code}


class RequestError(Exception):
    """A request cannot be answered; the client is told why.

    Attributes:
        code: What kind of failure it is.
        message: One sentence, which holds nothing of the machine.
    """

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


def invalid(message: str) -> RequestError:
    """Return the error of a request that its client must change."""
    return RequestError(Code.INVALID_ARGUMENT, message)
