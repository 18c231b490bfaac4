"""observe: what watches Daybook from outside, written as files from the list of metrics (schemas/metrics.py).

alerts     alerts.py: when somebody must look, how soon, what it means, what to do; rules.py writes them down
scrape     scraping.py: where Prometheus finds the workers, and the label `role` that every rule leans on
look       dashboards.py and panels.py: what Grafana shows
chart      chart.py: what the Helm chart knows of roles and their consumer groups
write      `python -m daybook.observe` writes them all; tests hold that the repository has what it writes
"""
