# Train on a GPU:
#   docker build -t tfft .
#   docker run --rm --gpus all -v "$PWD:/work" tfft train configs/support_intents.yaml
FROM python:3.12-slim

RUN useradd --create-home tfft
WORKDIR /src
COPY setup.cfg pyproject.toml README.md LICENSE ./
COPY tfft/ tfft/
# The versions are setup.cfg's; the extra adds CUDA's libraries to the same TensorFlow.
RUN pip install --no-cache-dir ".[gpu]"

USER tfft
WORKDIR /work
ENTRYPOINT ["tfft"]
