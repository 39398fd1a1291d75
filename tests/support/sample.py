"""Whether this is the everyday suite (`make test`), in which large tests take a sample.

Every whole form runs in `make full`.
"""

import os

IS_SAMPLE = os.environ.get("TEST_SAMPLE") == "1"
