"""Trace context is what OpenTelemetry sends and reads; a broken header is no reason to fail."""

from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from services.skeleton.context import Context, SpanIds, headers, parse

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def test_opentelemetry_reads_the_header_we_send():
    sent = dict(headers(Context(TRACE, SPAN, None, "client", sampled=True), SPAN, "gateway"))

    context = TraceContextTextMapPropagator().extract(sent)

    span = trace.get_current_span(context).get_span_context()
    assert (f"{span.trace_id:032x}", f"{span.span_id:016x}") == (TRACE, SPAN)
    assert span.trace_flags.sampled


def test_we_read_the_header_that_opentelemetry_sends():
    span = SpanContext(int(TRACE, 16), int(SPAN, 16), is_remote=False, trace_flags=TraceFlags(1))
    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier, trace.set_span_in_context(NonRecordingSpan(span)))

    context = parse(carrier.items(), "1" * 16, None)

    assert (context.trace_id, context.parent_id, context.span_id) == (TRACE, SPAN, "1" * 16)


@given(st.integers(-1, 10**9), st.integers(0, 2**63), st.integers(0, 99), st.integers(-1, 6), st.booleans())
def test_the_place_in_the_world_arrives_as_it_was_sent(user, session, depth, region, sampled):
    place = Context(TRACE, SPAN, None, "x", user, session, depth, region, sampled)

    arrived = parse(headers(place, SPAN, "gateway"), "2" * 16, 1.0)

    assert (arrived.user, arrived.session, arrived.depth, arrived.region, arrived.sampled) == (
        user, session, depth, region, sampled,
    )  # fmt: skip
    assert arrived.caller == "gateway"


@given(st.lists(st.tuples(st.sampled_from(["traceparent", "x-place", "x-caller"]), st.text())))
def test_malformed_headers_count_as_absent(pairs):
    context = parse(pairs, SPAN, None)

    assert context.span_id == SPAN
    assert context.deadline is None


def test_a_client_without_a_deadline_is_not_a_deadline_in_years():
    assert parse((), SPAN, 3e8).deadline is None
    remaining = parse((), SPAN, 0.5).remaining_s()
    assert remaining is not None
    assert 0.4 < remaining <= 0.5


def test_two_processes_never_make_the_same_span_id():
    one, other = SpanIds("gateway-0", 100), SpanIds("gateway-0", 101)

    ids = [source.next() for source in (one, other) for _ in range(100)]

    assert len(set(ids)) == 200
    assert all(len(i) == 16 for i in ids)
