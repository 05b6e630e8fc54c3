# The gateway as a container, for Docker, or for Podman and Buildah with --format docker: their own
# format has no HEALTHCHECK. CI cannot fetch base images; docs/operations.md says how it was tried.
#
# One image, several commands: serve (the default), worker, db upgrade, account ..., key ...
# With the entry point registration: Online IESO Registration.

# The version of Python that CI tests.
ARG PYTHON_VERSION=3.11

FROM python:${PYTHON_VERSION}-slim-bookworm AS build
WORKDIR /source
# Tools and dependencies first: they change less often than the code. Nothing comes without its hash.
COPY requirements.lock deploy/build-tools.lock ./
RUN python -m venv /opt/tools && python -m venv /opt/gateway \
    && export PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 \
    && /opt/tools/bin/pip install --quiet --require-hashes --requirement build-tools.lock \
    && /opt/gateway/bin/pip install --quiet --require-hashes --requirement requirements.lock
# All that .dockerignore lets through. The build compiles the translations.
COPY . .
RUN /opt/tools/bin/pip wheel --quiet --no-deps --no-build-isolation --wheel-dir /wheels . \
    && /opt/gateway/bin/pip install --quiet --no-index --no-deps /wheels/*.whl \
    && /opt/gateway/bin/pip check \
    && /opt/tools/bin/cyclonedx-py environment --output-reproducible --of JSON \
       --output-file /opt/gateway/sbom.cdx.json /opt/gateway/bin/python \
    && /opt/gateway/bin/python -m compileall -q /opt/gateway/lib

FROM python:${PYTHON_VERSION}-slim-bookworm
RUN useradd --system --uid 10001 --user-group --home-dir /nonexistent --shell /usr/sbin/nologin gateway
COPY --from=build /opt/gateway /opt/gateway
COPY deploy/healthcheck.py /opt/gateway/healthcheck.py
# Nothing is written outside /tmp: run it with a read-only root and a tmpfs there.
ENV PATH=/opt/gateway/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER 10001:10001
WORKDIR /tmp
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "/opt/gateway/healthcheck.py", "8000"]
ENTRYPOINT ["gateway"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8000"]
