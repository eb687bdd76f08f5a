"""The error cases of gRPC's interoperability tests, by Python's client.

Usage: client.py HOST:PORT. The service is that of tests/conformance/grpc_interop/service.rs. The
messages are written by hand, so that no code has to be generated.
"""

import sys
import threading

import grpc

LIMIT_SECONDS = 30
WAYS = ["Status", "Returned", "Raised", "RaisedAsync"]
METADATA = (
    ("x-grpc-test-echo-initial", "test_initial_metadata_value"),
    ("x-grpc-test-echo-trailing-bin", b"\xab\xab\xab"),
)
SPECIAL = "\t\ntest with whitespace\r\nand Unicode BMP \u263a and non-BMP \U0001f608\t\n"


def varint(number):
    """Returns a number in the encoding of protobuf."""
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def integer(field, number):
    """Returns a field with a number."""
    return varint(field << 3) + varint(number)


def data(field, content):
    """Returns a field with bytes: a text, a message."""
    return varint(field << 3 | 2) + varint(len(content)) + content


def payload(size):
    """Returns a payload of zeros, as the field of every request."""
    return data(3, data(2, bytes(size)))


def response(size):
    """Returns the response with a payload of this size."""
    return data(1, data(2, bytes(size)))


def echo_status(code, message):
    """Returns a request that the service answers with this status."""
    return data(7, integer(1, code) + data(2, message.encode()))


def response_parameters(size):
    """Returns a request of a stream for one response of this size."""
    return data(2, integer(1, size))


class Service:
    """The methods of the service."""

    def __init__(self, channel):
        self.unary = channel.unary_unary("/grpc.testing.TestService/UnaryCall")
        self.input = channel.stream_unary("/grpc.testing.TestService/StreamingInputCall")
        self.duplex = channel.stream_stream("/grpc.testing.TestService/FullDuplexCall")
        self.no_method = channel.unary_unary("/grpc.testing.TestService/UnimplementedCall")
        self.no_service = channel.unary_unary(
            "/grpc.testing.UnimplementedService/UnimplementedCall"
        )

    def assert_connected(self):
        """Asserts that a call succeeds."""
        got = self.unary(integer(2, 7), timeout=LIMIT_SECONDS)
        assert got == response(7), got


def error_of(call):
    """Returns the error in which a call ends."""
    try:
        call()
    except grpc.RpcError as error:
        return error
    raise AssertionError("no error")


def assert_status(error, code, message, context):
    """Asserts code, message and metadata of an error. The metadata may be in the head."""
    assert error.code().value[0] == code, (context, error)
    assert error.details() == message, (context, error.details())
    metadata = [*error.initial_metadata(), *error.trailing_metadata()]
    for pair in METADATA:
        assert pair in [tuple(one) for one in metadata], (context, pair, metadata)


def statuses(service, codes, message):
    """Checks a unary call and a call of streams, in each way of failing."""
    for way in WAYS:
        for code in codes:
            request = echo_status(code, message)
            options = {"metadata": (*METADATA, ("x-way", way)), "timeout": LIMIT_SECONDS}
            error = error_of(lambda: service.unary(request, **options))
            assert_status(error, code, message, (way, "unary"))
            error = error_of(lambda: list(service.duplex(iter([request]), **options)))
            assert_status(error, code, message, (way, "duplex"))


def status_code_and_message(service):
    statuses(service, [2], "test status message")


def every_status_code(service):
    statuses(service, range(1, 17), "test status message")


def special_status_message(service):
    statuses(service, [2], SPECIAL)


def unimplemented_method(service):
    error = error_of(lambda: service.no_method(b"", timeout=LIMIT_SECONDS))
    assert error.code() == grpc.StatusCode.UNIMPLEMENTED, error


def unimplemented_service(service):
    error = error_of(lambda: service.no_service(b"", timeout=LIMIT_SECONDS))
    assert error.code() == grpc.StatusCode.UNIMPLEMENTED, error


def open_stream(*requests):
    """Yields requests, and does not end before it is released."""
    released = threading.Event()

    def stream():
        yield from requests
        released.wait(LIMIT_SECONDS)

    return stream(), released


def timeout_on_sleeping_server(service):
    requests, released = open_stream(payload(27182))
    error = error_of(lambda: list(service.duplex(requests, timeout=0.001)))
    released.set()
    assert error.code() == grpc.StatusCode.DEADLINE_EXCEEDED, error


def custom_metadata(service):
    request = integer(2, 314159) + payload(271828)
    got, call = service.unary.with_call(request, metadata=METADATA, timeout=LIMIT_SECONDS)
    assert got == response(314159), len(got)
    assert METADATA[0] in [tuple(one) for one in call.initial_metadata()]
    assert METADATA[1] in [tuple(one) for one in call.trailing_metadata()]

    request = response_parameters(314159) + payload(271828)
    call = service.duplex(iter([request]), metadata=METADATA, timeout=LIMIT_SECONDS)
    assert list(call) == [response(314159)]
    assert METADATA[0] in [tuple(one) for one in call.initial_metadata()]
    assert METADATA[1] in [tuple(one) for one in call.trailing_metadata()]


def empty_stream(service):
    assert list(service.duplex(iter([]), timeout=LIMIT_SECONDS)) == []


def cancel_after_begin(service):
    requests, released = open_stream()
    call = service.input.future(requests, timeout=LIMIT_SECONDS)
    call.cancel()
    released.set()
    assert call.code() == grpc.StatusCode.CANCELLED, call.code()


def cancel_after_first_response(service):
    requests, released = open_stream(response_parameters(31415) + payload(27182))
    call = service.duplex(requests, timeout=LIMIT_SECONDS)
    assert next(call) == response(31415)
    call.cancel()
    released.set()
    assert error_of(lambda: next(call)).code() == grpc.StatusCode.CANCELLED


CASES = [
    status_code_and_message,
    every_status_code,
    special_status_message,
    unimplemented_method,
    unimplemented_service,
    timeout_on_sleeping_server,
    custom_metadata,
    empty_stream,
    cancel_after_begin,
    cancel_after_first_response,
]


def main():
    with grpc.insecure_channel(sys.argv[1]) as channel:
        service = Service(channel)
        for case in CASES:
            print(case.__name__, flush=True)
            case(service)
            service.assert_connected()


main()
