"""`python -m services.aggregator`: builds the app and lets Faust's worker run it."""

import sys

from services.aggregator.core.partition import Partition
from services.aggregator.process import main

if __name__ == "__main__":
    sys.exit(main(Partition))
