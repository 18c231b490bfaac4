"""What `helm template` makes of deploy/chart, kept in tests/chart.yaml: so the chart is checked where Helm is not.

`python tests/charting.py` writes it anew, where Helm is. The first line says of which chart it is.
"""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[1]
CHART = ROOT / "deploy" / "chart"
RENDERED = ROOT / "tests" / "chart.yaml"
VALUES = ("kafka=kafka.data:9093", "keda.enabled=true", "roles.api.disk=10Gi", "settings.DAYBOOK_HOT_DAYS=40")
KUBERNETES = "1.31.0"
NOT_SHOWN = ("files/rules.yml",)
"""Files that these values do not show: the alerts are tested as Prometheus' own file."""


def digest() -> str:
    """Of every file of the chart that is shown, and of what it is told."""
    files = {str(path.relative_to(CHART)): path.read_text("utf-8") for path in CHART.rglob("*") if path.is_file()}
    for name in NOT_SHOWN:
        del files[name]
    return hashlib.sha256(repr((sorted(files.items()), VALUES, KUBERNETES)).encode()).hexdigest()


def helm(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Helm."""
    told = ["helm", *arguments, "--kube-version", KUBERNETES]
    return subprocess.run(told, capture_output=True, text=True, check=False, timeout=60)


def render(*values: str) -> subprocess.CompletedProcess[str]:
    """The chart with these values."""
    return helm("template", "daybook", str(CHART), *(word for value in values for word in ("--set", value)))


if __name__ == "__main__":
    made = render(*VALUES)
    made.check_returncode()
    RENDERED.write_text(f"# helm template of the chart {digest()}: python tests/charting.py\n{made.stdout}", "utf-8")
