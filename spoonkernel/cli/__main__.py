"""`python -m spoonkernel.cli` is `spoon`, of exactly this interpreter."""

import sys

from spoonkernel.cli import main

sys.exit(main())
