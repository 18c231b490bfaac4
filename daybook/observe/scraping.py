"""Where Prometheus finds the workers of docker-compose.yml, and how each gets the label `role`."""

from __future__ import annotations

from daybook.workers import KNOWN
from schemas.metrics import SINK_ROLES

PROMETHEUS = "deploy/prometheus/prometheus.yml"
METRICS_PORT = 9100
"""Of every worker but the HTTP service, which serves its metrics beside all else."""
API_PORT = 8080

_TEXT = """# Written by `python -m daybook.observe`: do not edit.
# Names are asked of DNS, so that every container of a service that was scaled is found.
global: {{scrape_interval: 15s, scrape_timeout: 10s, evaluation_interval: 15s}}

rule_files: [rules.yml]

scrape_configs:
  - job_name: daybook
    dns_sd_configs:
      - names: [{workers}]
        type: A
        port: {port}
        refresh_interval: 15s
    relabel_configs: &role
      - {{source_labels: [__meta_dns_name], regex: "(?:sink-)?(.+)", target_label: role}}

  - job_name: daybook-api
    dns_sd_configs:
      - names: [api]
        type: A
        port: {api_port}
        refresh_interval: 15s
    relabel_configs: *role
"""


def service_of(role: str) -> str:
    """What a role's service is called in docker-compose.yml, where the stores have their own names."""
    return f"sink-{role}" if role in SINK_ROLES else role


def prometheus() -> str:
    """deploy/prometheus/prometheus.yml."""
    workers = ", ".join(service_of(role) for role in KNOWN if role != "api")
    return _TEXT.format(workers=workers, port=METRICS_PORT, api_port=API_PORT)
