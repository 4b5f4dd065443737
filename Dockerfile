# One image for every service; the command says which: docker run ecgstream detect
FROM python:3.11.14-slim-bookworm@sha256:65a93d69fa75478d554f4ad27c85c1e69fa184956261b4301ebaf6dbb0a3543d AS build

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
# For `strip` alone, which stays in this stage: the newest of the release will do.
# hadolint ignore=DL3008
RUN apt-get update && apt-get install -y --no-install-recommends binutils && rm -rf /var/lib/apt/lists/*
RUN python -m venv /opt/ecgstream && python -m venv /opt/build
WORKDIR /src
# The dependencies first: these layers are built anew only when a lock changes. Wheels only, so no compiler is needed.
COPY requirements/run.lock requirements/build.lock requirements/
RUN /opt/ecgstream/bin/pip install --require-hashes --only-binary=:all: --no-deps -r requirements/run.lock \
    && /opt/build/bin/pip install --require-hashes --only-binary=:all: --no-deps -r requirements/build.lock
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY ecg ecg
COPY ops ops
COPY bus bus
COPY producer producer
COPY gateway gateway
COPY detector detector
COPY alerting alerting
COPY paper paper
COPY reports reports
COPY web web
COPY training training
COPY models models
COPY ecgstream ecgstream
COPY scripts/slim.sh scripts/compile.sh scripts/
# Out again: what nothing imports (scripts/image_size.sh says what that saves), and what installs packages.
RUN /opt/build/bin/hatchling build --target wheel /dist \
    && /opt/ecgstream/bin/pip install --no-deps --no-index /dist/*.whl \
    && /opt/ecgstream/bin/pip uninstall --yes pip setuptools \
    && scripts/slim.sh /opt/ecgstream \
    && scripts/compile.sh /opt/ecgstream

FROM python:3.11.14-slim-bookworm@sha256:65a93d69fa75478d554f4ad27c85c1e69fa184956261b4301ebaf6dbb0a3543d

RUN groupadd --gid 10001 ecgstream \
    && useradd --uid 10001 --gid ecgstream --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin ecgstream \
    && install --directory --owner=ecgstream --group=ecgstream /data \
    && install --directory --owner=ecgstream --group=ecgstream --mode=0700 /var/lib/ecgstream
COPY --from=build /opt/ecgstream /opt/ecgstream

# Every cache goes to /tmp, so that the root file system can be read-only. In a container the health endpoint must
# be reached from outside; compose and Kubernetes decide who can.
ENV PATH=/opt/ecgstream/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    XDG_CACHE_HOME=/tmp/cache \
    MPLCONFIGDIR=/tmp/matplotlib \
    XDG_STATE_HOME=/var/lib \
    ECGSTREAM_DATA_DIR=/data \
    ECGSTREAM_HEALTH_HOST=0.0.0.0 \
    ECGSTREAM_HEALTH_PORT=9400
USER 10001:10001
WORKDIR /tmp
EXPOSE 9400 8000 8010
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:%s/healthz' % os.environ['ECGSTREAM_HEALTH_PORT'], timeout=4)"]
ENTRYPOINT ["ecgstream"]
CMD ["--help"]
