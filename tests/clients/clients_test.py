"""Real clients against `braid serve`: everything they sent is there, with its fields. See docs/clients.md."""
import sys

import fault_checks
import flask_checks
import sender_checks
from checks import run_checks

sys.exit(run_checks(sender_checks.CHECKS + flask_checks.CHECKS + fault_checks.CHECKS, sys.argv[1:]))
