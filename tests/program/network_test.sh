#!/usr/bin/env bash
# The server's network side as a user meets it: classic ports, TLS, limits, scraping, its own telemetry. In a network of
# its own where that is allowed, because it needs ports that others may have.
here=$(dirname "$0")
if unshare -rn true 2>/dev/null; then exec unshare -rn python3 "$here/network_test.py" --own-network; fi
exec python3 "$here/network_test.py"
