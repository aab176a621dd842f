"""Are two answers the same? PromQL answers by series and points, rows by value."""
import json


def prom_points(body):
    """{sorted labels: [(time, value)]} of an instant or range answer."""
    data = json.loads(body)["data"]
    if data["resultType"] == "scalar":
        return {(): [(float(data["result"][0]), float(data["result"][1]))]}
    out = {}
    for series in data["result"]:
        points = series.get("values") or [series["value"]]
        out[tuple(sorted(series["metric"].items()))] = [(float(t), float(v)) for t, v in points]
    return out


def near(a, b, tolerance):
    return a == b or a != a and b != b or abs(a - b) <= tolerance * max(abs(a), abs(b))


def prom_difference(ours, theirs, tolerance):
    """None if the answers agree, else what does not."""
    a, b = prom_points(ours), prom_points(theirs)
    if set(a) != set(b):
        return f"{len(a)} series against {len(b)}, {len(set(a) ^ set(b))} of them not the same"
    worst = 0.0
    for key, points in a.items():
        others = b[key]
        if [t for t, _ in points] != [t for t, _ in others]:
            return f"{key}: {len(points)} points against {len(others)}"
        for (_, v), (_, w) in zip(points, others):
            if not near(v, w, tolerance):
                worst = max(worst, abs(v - w) / max(abs(v), abs(w)))
    return f"values differ by up to {worst:.2g} of the larger one" if worst else None


def rows_of(body):
    """Rows of an answer of /v1/query."""
    return json.loads(body)["rows"]


def same_rows(ours, theirs, tolerance=1e-9):
    """Rows as sets of tuples; numbers may come as text from JSON and differ in their last digits."""
    def plain(value):
        if isinstance(value, str):
            try:
                return float(value)
            except ValueError:
                return value
        return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value

    def key(row):
        return tuple(f"{v:.12g}" if isinstance(v, float) else str(v) for v in row)
    a = sorted(([plain(v) for v in row] for row in ours), key=key)
    b = sorted(([plain(v) for v in row] for row in theirs), key=key)
    if len(a) != len(b):
        return f"{len(a)} rows against {len(b)}"
    for left, right in zip(a, b):
        for v, w in zip(left, right):
            same = near(v, w, tolerance) if isinstance(v, float) and isinstance(w, float) else v == w
            if not same:
                return f"{left} against {right}"
    return None
