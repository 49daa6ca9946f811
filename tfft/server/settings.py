"""What is served, and within which bounds."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Limits:
    """Bounds on requests, so that one client cannot take the server from the others.

    Attributes:
        request_bytes: Size of a request's body, unpacked, and of each tensor that it describes.
        seconds: Time for a request to arrive, and for it to be answered.
        connections: HTTP connections, and gRPC calls, at one time.
        depth: Lists and objects within one another in JSON.
        threads: Calls of a model at one time.
        queue: Calls of a model, running or waiting; a batch counts as one.
    """

    request_bytes: int = 16 * 2**20
    seconds: float = 30.0
    connections: int = 512
    depth: int = 64
    threads: int = 2
    queue: int = 512


@dataclass(frozen=True)
class Batching:
    """How concurrent calls are joined.

    Attributes:
        rows: Most rows in one batch.
        seconds: How long the first call of a batch waits for others.
    """

    rows: int
    seconds: float


@dataclass(frozen=True)
class Settings:
    """What to serve, and how.

    Attributes:
        export: Folder of the numbered versions, or one version.
        name: Of the model, in requests.
        host: Address to listen at.
        rest_port: Port of REST; 0 takes any that is free.
        grpc_port: Port of gRPC; 0 takes any that is free.
        newest: How many of the newest versions are served; None serves all.
        labels: Version numbers by label.
        poll_seconds: Pause between two looks at the folder.
        limits: Bounds on requests.
        batching: How concurrent calls are joined; None runs each alone.
    """

    export: Path
    name: str = "model"
    host: str = "127.0.0.1"
    rest_port: int = 8501
    grpc_port: int = 8500
    newest: int | None = 1
    labels: Mapping[str, int] = field(default_factory=dict)
    poll_seconds: float = 1.0
    limits: Limits = field(default_factory=Limits)
    batching: Batching | None = None
