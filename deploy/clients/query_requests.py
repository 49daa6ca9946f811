"""Ask a served model with Python's requests, and print a line of JSON for each text.

    pip install requests
    python deploy/clients/query_requests.py http://127.0.0.1:8501/v1/models/model "Where is my parcel?"

Exit codes: 1 where the server cannot be reached or refuses, 2 for a wrong call.
"""

import json
import sys

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry


def session() -> requests.Session:
    """Return what keeps its connections, and asks again where the server is full or just starts."""
    again = Retry(
        total=3,
        backoff_factor=0.2,
        status_forcelist=[503],
        allowed_methods=["POST"],  # a prediction changes nothing, so it may be asked for again
        raise_on_status=False,  # the last answer is returned, with the server's reason
    )
    made = requests.Session()
    for scheme in ("http://", "https://"):
        made.mount(scheme, HTTPAdapter(max_retries=again))
    return made


def predict(asking: requests.Session, url: str, texts: list[str]) -> list[dict]:
    """Return the answer to each text, from the model at an address such as http://HOST:8501/v1/models/NAME."""
    response = asking.post(f"{url}:predict", json={"instances": texts}, timeout=30)
    if not response.ok:
        try:
            reason = response.json()["error"]
        except (ValueError, KeyError, TypeError):
            reason = response.text[:200]
        raise requests.HTTPError(f"{response.status_code}: {reason}", response=response)
    return response.json()["predictions"]


def main() -> int:
    """Answer the texts of the command line; return the exit code."""
    if len(sys.argv) < 3:
        print(f"usage: {sys.argv[0]} URL_OF_MODEL TEXT...", file=sys.stderr)
        return 2
    try:
        with session() as asking:
            answers = predict(asking, sys.argv[1], sys.argv[2:])
    except requests.RequestException as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    for answer in answers:
        print(json.dumps(answer, ensure_ascii=False))
    return 0


if __name__ == "__main__":
    sys.exit(main())
