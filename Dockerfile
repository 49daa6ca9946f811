# syntax=docker/dockerfile:1
# Three images. docs/deployment.md tells how each is run; deploy/try_dockerfile.py runs their steps without Docker.
#
#   docker build --target train-gpu --tag tfft:train-gpu .
#   docker build --target train-cpu --tag tfft:train-cpu .
#   docker build --target serve --tag tfft:serve .           # the export is mounted at /models/model
#   docker build --target serve --tag tfft:serve --build-context export=runs/mine/export .    # it is inside
#
#   docker run --rm --gpus all --volume "$PWD:/work" tfft:train-gpu train configs/support_intents.yaml

# All versions that are named here. TensorFlow's is setup.cfg's, and this one is of the same minor.
ARG PYTHON=3.12
ARG TENSORFLOW_SERVING=2.21.0


# An export to bake in: none, unless --build-context gives one the name of this stage.
FROM scratch AS export


FROM tensorflow/serving:${TENSORFLOW_SERVING} AS serve
COPY deploy/serving/ /config/
COPY --from=export / /models/model/
USER 1000:1000
EXPOSE 8500 8501
# The status is 200 in every state, so its text is what counts. There is no curl in the image.
HEALTHCHECK --start-period=5m --start-interval=1s --interval=10s --timeout=5s --retries=3 \
    CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/8501 && printf 'GET /v1/models/model HTTP/1.0\\r\\n\\r\\n' >&3 && grep -q '\"state\": \"AVAILABLE\"' <&3"]
# The image's own entry point is a shell script, which keeps signals to itself.
ENTRYPOINT ["tensorflow_model_server", \
    "--port=8500", \
    "--rest_api_port=8501", \
    "--model_config_file=/config/models.config", \
    "--monitoring_config_file=/config/monitoring.config", \
    "--model_config_file_poll_wait_seconds=10", \
    "--allow_version_labels_for_unavailable_models=true"]


FROM python:${PYTHON}-slim AS base
# Caches lie where a volume can be mounted, and where any user may write.
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_ROOT_USER_ACTION=ignore \
    PYTHONUNBUFFERED=1 \
    TFFT_CACHE=/cache/tfft \
    HF_HOME=/cache/hugging_face \
    KAGGLEHUB_CACHE=/cache/kaggle \
    MPLCONFIGDIR=/cache/matplotlib
RUN groupadd --gid 1000 tfft \
    && useradd --uid 1000 --gid 1000 --create-home tfft \
    && install --directory --mode=1777 /cache /work
WORKDIR /src


# What tfft needs, from setup.cfg alone: an edit of the code does not install TensorFlow again.
FROM base AS dependencies-cpu
COPY setup.cfg ./
RUN --mount=type=cache,target=/root/.cache/pip \
    python -c "import configparser as c; s = c.RawConfigParser(); s.read('setup.cfg'); print(s['options']['install_requires'])" >requirements.txt \
    && pip install --requirement requirements.txt


# CUDA's libraries for the same TensorFlow, as the extra `gpu` names them. The driver is the host's.
FROM dependencies-cpu AS dependencies-gpu
RUN --mount=type=cache,target=/root/.cache/pip \
    python -c "import configparser as c; s = c.RawConfigParser(); s.read('setup.cfg'); print(s['options.extras_require']['gpu'])" >requirements-gpu.txt \
    && pip install --requirement requirements-gpu.txt
ENV NVIDIA_DRIVER_CAPABILITIES=compute,utility


FROM base AS wheel
COPY setup.cfg pyproject.toml README.md LICENSE ./
COPY tfft/ tfft/
RUN --mount=type=cache,target=/root/.cache/pip \
    pip wheel --no-deps --wheel-dir /wheels .


FROM dependencies-cpu AS train-cpu
RUN --mount=type=bind,from=wheel,source=/wheels,target=/wheels \
    pip install --no-cache-dir --no-index --no-deps /wheels/*.whl \
    && pip check \
    && tfft --version
USER 1000:1000
WORKDIR /work
ENTRYPOINT ["tfft"]


FROM dependencies-gpu AS train-gpu
RUN --mount=type=bind,from=wheel,source=/wheels,target=/wheels \
    pip install --no-cache-dir --no-index --no-deps /wheels/*.whl \
    && pip check \
    && tfft --version
USER 1000:1000
WORKDIR /work
ENTRYPOINT ["tfft"]
