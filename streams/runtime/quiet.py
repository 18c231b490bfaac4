"""Where Faust's own log lines of our subclasses go, so that ours stay few and factual."""

import logging

FAUST_LOG = logging.getLogger("faust.runtime")
"""mode would name it after our modules; under ``faust`` it follows the level that Faust's logger is given."""
