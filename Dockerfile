# One image for every role: docker build -t daybook:local .
# The first stage makes .venv by the step that `make setup` has; the second has no compiler, no sources and no root.
FROM python:3.13-slim AS build
RUN apt-get update && apt-get install --yes --no-install-recommends make gcc libc6-dev && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY pyproject.toml constraints.txt Makefile README.md LICENSE ./
COPY schemas schemas
COPY producers producers
COPY streams streams
COPY sinks sinks
COPY api api
COPY stack stack
COPY daybook daybook
RUN make .venv/.ready PYTHON=python3.13 INSTALL=. && rm -rf build *.egg-info

FROM python:3.13-slim
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /tmp daybook \
 && install --directory --owner=daybook --group=daybook /data
COPY --from=build /app/.venv /app/.venv
# Nothing is written but to /tmp and /data: run it with a read-only root file system.
ENV PATH=/app/.venv/bin:$PATH \
    HOME=/tmp \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    DAYBOOK_DATA=/data \
    DAYBOOK_METRICS_ADDRESS=0.0.0.0 \
    DAYBOOK_METRICS_PORT=9100 \
    DAYBOOK_READY_FILE=/tmp/daybook.ready
WORKDIR /data
USER 10001:10001
VOLUME /data
EXPOSE 9100 8080
# A worker writes the file once it works: partitions assigned, state recovered. One that stands still ends by itself.
HEALTHCHECK --interval=10s --timeout=3s --start-period=120s --retries=3 CMD ["test", "-s", "/tmp/daybook.ready"]
ENTRYPOINT ["daybook"]
CMD ["status"]
