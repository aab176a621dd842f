"""What the checks of a program find, counted and said as the test runner reads it."""
import sys

_passed = 0
_failed = []


def expect(what, good, shown=""):
    global _passed
    if good:
        _passed += 1
    else:
        _failed.append(what)
        print(f"error: {what}: {str(shown)[:2000]}", flush=True)


def finish():
    """The closing lines; ends the program with 1 if something was not as expected."""
    print(f"[  PASSED  ] {_passed} tests.")
    if _failed:
        print(f"[  FAILED  ] {len(_failed)} tests, listed below:\n" + "\n".join(_failed))
        sys.exit(1)
