# The gateway as a container. NOT BUILT IN CI: the machines that CI runs on cannot fetch base
# images. Build it where they can be fetched, and run `docker compose up` before you rely on it.
#
# One image, several commands: serve (the default), worker, db upgrade, account ..., key ...

# The version of Python that CI tests.
ARG PYTHON_VERSION=3.11

FROM python:${PYTHON_VERSION}-slim-bookworm AS build
WORKDIR /source
RUN python -m venv /opt/gateway
# Dependencies first: they change less often than the code. setup.cfg holds their versions.
COPY pyproject.toml setup.cfg ./
RUN /opt/gateway/bin/pip install --quiet --no-cache-dir --disable-pip-version-check .
# All that .dockerignore lets through.
COPY . .
RUN /opt/gateway/bin/pybabel --quiet compile --directory idp/translations \
    && /opt/gateway/bin/pip install --quiet --no-cache-dir --disable-pip-version-check \
       --no-deps --force-reinstall . \
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
HEALTHCHECK --interval=10s --timeout=5s --start-period=15s --retries=3 \
    CMD ["python", "/opt/gateway/healthcheck.py"]
ENTRYPOINT ["gateway"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8000"]
