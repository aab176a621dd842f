"""Request bodies as real clients send them: remote write (snappy protobuf) and OTLP protobuf, from text files."""
import ctypes
import ctypes.util
import json
import struct


def varint(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def block(field, data):
    return varint(field << 3 | 2) + varint(len(data)) + data


def text_block(field, text):
    data = text.encode()
    return varint(field << 3 | 2) + varint(len(data)) + data


class Snappy:
    """The block format, by the system's library."""

    def __init__(self):
        self.library = ctypes.CDLL(ctypes.util.find_library("snappy") or "libsnappy.so.1")
        self.library.snappy_max_compressed_length.restype = ctypes.c_size_t

    def compress(self, data):
        size = ctypes.c_size_t(self.library.snappy_max_compressed_length(ctypes.c_size_t(len(data))))
        out = ctypes.create_string_buffer(size.value)
        if self.library.snappy_compress(data, ctypes.c_size_t(len(data)), out, ctypes.byref(size)) != 0:
            raise RuntimeError("snappy failed")
        return out.raw[:size.value]


class BodyFile:
    """Bodies one after another, each behind its length and its number of records."""

    HEAD = struct.Struct("<II")

    def __init__(self, path):
        self.path = path

    def write(self, bodies):
        """`bodies` gives (bytes, records)."""
        with open(self.path + ".part", "wb") as file:
            for body, records in bodies:
                file.write(self.HEAD.pack(len(body), records))
                file.write(body)
        import os
        os.rename(self.path + ".part", self.path)

    def __iter__(self):
        with open(self.path, "rb") as file:
            while True:
                head = file.read(self.HEAD.size)
                if not head:
                    return
                size, records = self.HEAD.unpack(head)
                yield file.read(size), records


SAMPLE_BYTES = 16  # of a Sample with both fields, when the time in ms needs six bytes as varint


def series_prefix(labels):
    """A TimeSeries up to its one sample: every sample of present times has the same size, so the lengths are known."""
    packed = b"".join(block(1, text_block(1, name) + text_block(2, value)) for name, value in sorted(labels.items()))
    sample_head = b"\x12\x10\x09"  # field 2, 16 bytes; field 1 of it, fixed64
    length = len(packed) + 2 + SAMPLE_BYTES
    return b"\x0a" + varint(length) + packed + sample_head


def time_suffix(time_ms):
    suffix = b"\x10" + varint(time_ms)
    assert len(suffix) == 7, "time out of the range that six bytes of varint hold"
    return suffix


def remote_write_bodies(samples, prefixes, per_request=2000):
    """`samples` gives (time in ms, series number, 8 bytes of the value) in order of time."""
    snappy, pieces, last_time, suffix = Snappy(), [], None, b""
    for time_ms, series, value in samples:
        if time_ms != last_time:
            last_time, suffix = time_ms, time_suffix(time_ms)
        pieces.append(prefixes[series] + value + suffix)
        if len(pieces) == per_request:
            yield snappy.compress(b"".join(pieces)), per_request
            pieces = []
    if pieces:
        yield snappy.compress(b"".join(pieces)), len(pieces)


def any_value(value):
    kind, inner = next(iter(value.items())) if value else ("stringValue", "")
    if kind == "stringValue":
        return text_block(1, inner)
    if kind == "boolValue":
        return b"\x10" + varint(1 if inner else 0)
    if kind == "intValue":
        return b"\x18" + varint(int(inner) & (2**64 - 1))
    if kind == "doubleValue":
        return b"\x21" + struct.pack("<d", float(inner))
    raise ValueError(f"{kind} is not used by the data sets")


def key_values(field, attributes, memory={}):
    out = []
    for attribute in attributes:
        value = attribute.get("value", {})
        key = (field, attribute["key"], *value.items())
        packed = memory.get(key)
        if packed is None:
            packed = block(field, text_block(1, attribute["key"]) + block(2, any_value(value)))
            if len(memory) < 200_000:
                memory[key] = packed
        out.append(packed)
    return b"".join(out)


def fixed64(field, value):
    return varint(field << 3 | 1) + struct.pack("<Q", int(value))


def span_bytes(span):
    out = [block(1, bytes.fromhex(span["traceId"])), block(2, bytes.fromhex(span["spanId"]))]
    if span.get("parentSpanId"):
        out.append(block(4, bytes.fromhex(span["parentSpanId"])))
    out += [text_block(5, span.get("name", "")), b"\x30" + varint(int(span.get("kind", 0))),
            fixed64(7, span["startTimeUnixNano"]), fixed64(8, span["endTimeUnixNano"]),
            key_values(9, span.get("attributes", ()))]
    for event in span.get("events", ()):
        out.append(block(11, fixed64(1, event["timeUnixNano"]) + text_block(2, event.get("name", "")) +
                         key_values(3, event.get("attributes", ()))))
    for link in span.get("links", ()):
        out.append(block(13, block(1, bytes.fromhex(link["traceId"])) + block(2, bytes.fromhex(link["spanId"])) +
                         key_values(4, link.get("attributes", ()))))
    status = span.get("status", {})
    if status:
        out.append(block(15, (text_block(2, status["message"]) if status.get("message") else b"") +
                         (b"\x18" + varint(int(status["code"])) if status.get("code") else b"")))
    return b"".join(out)


def trace_request(request):
    """ExportTraceServiceRequest of a request in JSON; returns bytes and number of spans."""
    count, out = 0, []
    for resource_spans in request["resourceSpans"]:
        resource = block(1, key_values(1, resource_spans.get("resource", {}).get("attributes", ())))
        scopes = []
        for scope_spans in resource_spans["scopeSpans"]:
            scope = scope_spans.get("scope", {})
            spans = scope_spans["spans"]
            count += len(spans)
            scopes.append(block(2, block(1, text_block(1, scope.get("name", "")) +
                                         text_block(2, scope.get("version", ""))) +
                                b"".join(block(2, span_bytes(span)) for span in spans)))
        out.append(block(1, resource + b"".join(scopes)))
    return b"".join(out), count


def trace_bodies(lines, spans_per_request=500):
    """Requests of at least `spans_per_request` spans: messages of protobuf may be joined end to end."""
    pieces, count = [], 0
    for line in lines:
        body, spans = trace_request(json.loads(line))
        pieces.append(body)
        count += spans
        if count >= spans_per_request:
            yield b"".join(pieces), count
            pieces, count = [], 0
    if pieces:
        yield b"".join(pieces), count
