"""Which REGISTER comes next, in given time and without a network."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from manager.drivers.base import DriverError
from manager.drivers.sip.address import parse_uri
from manager.drivers.sip.digest import parse_credentials, verify
from manager.drivers.sip.exchange import Exchange
from manager.drivers.sip.memory import Remembered, recall
from manager.drivers.sip.message import Headers, Response, parse_message
from manager.drivers.sip.registration import Identity, Purpose, Registration
from manager.drivers.sip.session import refresh_delay, retry_delay, try_timeout
from manager.model import FailureClass, Stage
from manager.secret import Secret

NOW = 1_795_000_000.0
SECRET = Secret("secret")


def registration_of(memory=None, transport="UDP", local=("10.0.0.5", 5070), scheme="sip"):
    identity = Identity(parse_uri(f"{scheme}:6001@pbx.example.com"), "6001", SECRET, 300)
    registration = Registration(identity, {} if memory is None else memory, "here")
    registration.attach(transport, local)
    return registration


def exchange_of(registration, purpose=Purpose.REGISTER, now=NOW):
    return Exchange(registration, purpose, Stage.LOGIN, lambda: now)


def challenged(*values, status=401):
    name = "WWW-Authenticate" if status == 401 else "Proxy-Authenticate"
    return Response(status, "", Headers([(name, value) for value in values]))


def bind(registration):
    registration.register(Purpose.REGISTER, NOW)
    registration.bound(300, NOW)


def ok(*contacts):
    return Response(200, "OK", Headers([("Contact", contact) for contact in contacts]))


def contacts_of(request):
    return request.headers.values("Contact")


def test_a_register_names_the_domain_and_the_address_of_record():
    request = registration_of().register(Purpose.REGISTER, NOW)
    assert request.uri == "sip:pbx.example.com"
    assert request.headers.get("To") == "<sip:6001@pbx.example.com>"
    assert request.headers.values("Supported") == ["path"]
    assert contacts_of(request)[0].startswith("<sip:6001@10.0.0.5:5070;line=")
    assert contacts_of(request)[0].endswith(";expires=300")


@pytest.mark.parametrize(
    ("transport", "local", "start"),
    [
        ("TLS", ("10.0.0.5", 5071), "<sip:6001@10.0.0.5:5071;transport=tls;line="),
        ("UDP", ("2001:db8::1", 5070), "<sip:6001@[2001:db8::1]:5070;line="),
        ("UDP", ("fe80::1%eth0", 5070), "<sip:6001@[fe80::1]:5070;line="),
    ],
)
def test_the_contact_says_where_we_are_reached(transport, local, start):
    (contact,) = contacts_of(registration_of(None, transport, local).register(Purpose.REGISTER, NOW))
    assert contact.startswith(start)


def test_a_websocket_contact_is_a_name_that_does_not_exist():
    registration = registration_of(None, "WSS")
    assert str(registration.contact).startswith(
        f"sip:6001@{registration.remembered.line}.invalid;transport=ws;line="
    )
    assert registration.contact.port is None


@pytest.mark.parametrize(("transport", "shown"), [("TLS", "tcp"), ("WSS", "ws")])
def test_the_contact_of_a_sips_address_of_record_is_sips(transport, shown):
    contact = registration_of(None, transport, scheme="sips").contact
    assert (contact.scheme, contact.parameter("transport")) == ("sips", shown)


def test_behind_a_nat_the_public_address_is_registered_from_the_first_login_on():
    registration = registration_of()
    exchange = exchange_of(registration)
    exchange.first()
    challenge = challenged('Digest realm="r", nonce="n"')
    challenge.headers.add("Via", "SIP/2.0/UDP 10.0.0.5:5070;branch=z9hG4bK1;rport=40001;received=192.0.2.7")
    (contact,) = contacts_of(exchange.next(challenge))
    assert "@192.0.2.7:40001;" in contact


@pytest.mark.parametrize("received", ["2001:db8::7", "[2001:db8::7]"])
def test_an_ipv6_address_in_received_may_stand_in_brackets(received):
    """RFC 5118 §4.5."""
    registration = registration_of()
    via = f"SIP/2.0/UDP [2001:db8::1]:5070;branch=z9hG4bK1;rport=5070;received={received}"
    registration.learn(Response(200, "OK", Headers([("Via", via)])))
    assert registration.public == ("2001:db8::7", 5070)


def test_a_contact_that_was_bound_before_we_knew_better_is_replaced_and_taken_back():
    """A registrar that asks for no login says only with its 200 where it sees us."""
    registration = registration_of()
    exchange = exchange_of(registration)
    (private,) = contacts_of(exchange.first())
    granted = ok(private)
    granted.headers.add("Via", "SIP/2.0/UDP 10.0.0.5:5070;branch=z9hG4bK1;rport=40001;received=192.0.2.7")
    exchange.next(granted)
    assert registration.moved
    for purpose in (Purpose.REMOVE, Purpose.REGISTER):
        first, second = contacts_of(registration.register(purpose, NOW + 1))
        assert "@192.0.2.7:40001;" in first
        assert second == private.replace("expires=300", "expires=0")
    assert not registration.moved


@pytest.mark.parametrize(
    "via", ["", "x", "SIP/2.0/UDP h;received=evil\x1b;rport=5", "SIP/2.0/UDP h;received=1.2.3.4;rport=99999"]
)
def test_nonsense_about_our_address_is_not_believed(via):
    registration = registration_of()
    registration.learn(Response(200, "OK", Headers([("Via", via)])))
    assert registration.public is None


def test_the_strongest_challenge_is_answered_and_an_unknown_one_left():
    exchange = exchange_of(registration_of())
    exchange.first()
    request = exchange.next(
        challenged(
            'Digest realm="r", nonce="1", algorithm=SHA-3-512, qop="auth"',
            'Digest realm="r", nonce="2", qop="auth", Digest realm="r", nonce="3", algorithm=SHA-256',
        )
    )
    (line,) = request.headers.lines("Authorization")
    credentials = parse_credentials(line)
    assert credentials.parameters.get("nonce") == "3"
    assert verify(credentials, password=SECRET, method="REGISTER")


def test_a_challenge_that_cannot_be_read_hides_no_other():
    exchange = exchange_of(registration_of())
    exchange.first()
    request = exchange.next(challenged('Digest realm="open', 'Digest realm="r", nonce="2"'))
    assert 'nonce="2"' in request.headers.get("Authorization")


def test_a_nonce_that_comes_again_is_counted_on():
    registration = registration_of()
    counts = []
    for purpose, nonce in ((Purpose.REGISTER, "1"), (Purpose.FETCH, "1"), (Purpose.REMOVE, "2")):
        exchange = exchange_of(registration, purpose)
        exchange.first()
        request = exchange.next(challenged(f'Digest realm="r", nonce="{nonce}", qop="auth"'))
        counts.append(parse_credentials(request.headers.get("Authorization")).nonce_count)
    assert counts == [1, 2, 1]
    for number in range(1000):
        registration.count(str(number))
    assert len(registration._uses) <= 16


def test_a_proxy_and_the_registrar_may_both_ask():
    exchange = exchange_of(registration_of())
    exchange.first()
    exchange.next(challenged('Digest realm="p", nonce="1"', status=407))
    request = exchange.next(challenged('Digest realm="r", nonce="2"'))
    assert "Authorization" in request.headers
    assert "Proxy-Authorization" in request.headers
    with pytest.raises(DriverError) as caught:
        exchange.next(challenged('Digest realm="p", nonce="3"', status=407))
    assert caught.value.failure.kind is FailureClass.CREDENTIALS


def test_asking_under_ever_new_realms_does_not_get_ever_new_answers():
    exchange = exchange_of(registration_of())
    exchange.first()
    for number in range(3):
        exchange.next(challenged(f'Digest realm="{number}", nonce="1"'))
    with pytest.raises(DriverError):
        exchange.next(challenged('Digest realm="3", nonce="1"'))


NAMES = ["Contact", "WWW-Authenticate", "Proxy-Authenticate", "Via", "Min-Expires", "Expires"]
STARTS = ["", 'Digest realm="', 'Digest nonce="n", realm="', "SIP/2.0/UDP ", "<sip:a@", "99"]
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\n"), max_size=20) | st.just('a\r"')
ANSWERS = st.tuples(
    st.sampled_from([200, 401, 407, 423, 403, 503, 302]),
    st.sampled_from(NAMES),
    st.sampled_from(STARTS),
    TEXT,
)


@given(st.lists(ANSWERS, max_size=6))
@example([(401, "WWW-Authenticate", STARTS[2], 'a\r"')])
def test_whatever_a_registrar_says_an_exchange_goes_on_or_fails_with_a_driver_error(answers):
    exchange = exchange_of(registration_of())
    request = exchange.first()
    for status, name, start, text in answers:
        parse_message(request.encode())
        try:
            request = exchange.next(Response(status, "", Headers([(name, start + text)])))
        except DriverError:
            return
        if request is None:
            return


def test_the_exchange_that_asterisk_had_leads_to_its_binding(capture):
    _, challenge, _, granted, *_ = capture("sip-register-tcp-md5.txt")
    registration = registration_of(None, "TCP", ("127.0.0.1", 46834))
    registration.identity = Identity(parse_uri("sip:6002@127.0.0.1"), "6002", SECRET, 60)
    exchange = exchange_of(registration)
    exchange.first()
    assert exchange.next(parse_message(challenge)) is not None
    assert exchange.next(parse_message(granted)) is None
    assert exchange.granted.expires == 59  # one less than asked, and its transport in capitals


def test_our_binding_is_told_from_others_and_from_what_the_registrar_made_of_it():
    registration = registration_of()
    registration.register(Purpose.REGISTER, NOW)
    line = registration.remembered.line
    other = "<sip:6001@10.0.0.5:5070;line=other>;expires=11"
    assert registration.granted(ok(other, f"<{registration.contact}>;expires=120"), 300).expires == 120
    assert (
        registration.granted(ok(other, f"<sip:6001@192.0.2.1:9;line={line}>;expires=77"), 300).expires == 77
    )
    assert registration.granted(ok(other), 300) is None
    assert registration.granted(ok(other, "nonsense", "<tel:1>"), 300) is None


def test_a_registrar_that_lists_nothing_is_believed_for_its_expires_header():
    registration = registration_of()
    granted = registration.granted(Response(200, "OK", Headers([("Expires", "90")])), 300)
    assert (granted.expires, granted.listed) == (90, False)


def test_a_check_of_a_registrar_that_never_listed_bindings_finds_nothing_wrong():
    registration = registration_of()
    exchange = exchange_of(registration)
    exchange.first()
    exchange.next(ok())
    check = exchange_of(registration, Purpose.FETCH)
    assert contacts_of(check.first()) == []
    check.next(ok())
    assert not check.granted.listed


def test_an_earlier_contact_is_removed_only_while_it_may_live():
    memory = {}
    bind(registration_of(memory))
    moved = registration_of(memory, local=("10.0.0.6", 5070))
    first, second = contacts_of(moved.register(Purpose.REGISTER, NOW + 299))
    assert "10.0.0.6" in first
    assert "10.0.0.5" in second
    assert second.endswith(";expires=0")
    assert len(contacts_of(moved.register(Purpose.REGISTER, NOW + 301))) == 1
    assert len(contacts_of(registration_of(memory).register(Purpose.REGISTER, NOW))) == 1


def test_a_403_is_patience_only_while_another_contact_of_ours_may_live():
    memory = {}
    bind(registration_of(memory))
    for local, later, kind, patience in (
        (("10.0.0.6", 1), 100, FailureClass.OVERLOAD, 200.0),
        (("10.0.0.6", 1), 301, FailureClass.CREDENTIALS, None),
        (("10.0.0.5", 5070), 100, FailureClass.CREDENTIALS, None),
    ):
        exchange = exchange_of(registration_of(memory, local=local), now=NOW + later)
        exchange.first()
        with pytest.raises(DriverError) as caught:
            exchange.next(Response(403, "Forbidden"))
        assert (caught.value.failure.kind, caught.value.failure.retry_after) == (kind, patience)


def test_a_registrar_that_cannot_take_the_removal_gets_the_next_register_without_it():
    memory = {}
    bind(registration_of(memory))
    exchange = exchange_of(registration_of(memory, local=("10.0.0.6", 1)))
    assert len(contacts_of(exchange.first())) == 2
    with pytest.raises(DriverError) as caught:
        exchange.next(Response(400, "Bad Request"))
    assert caught.value.failure.kind is FailureClass.TRANSIENT
    assert (
        len(contacts_of(registration_of(memory, local=("10.0.0.6", 1)).register(Purpose.REGISTER, NOW))) == 1
    )


@pytest.mark.parametrize(
    ("shortest", "asked_again"), [(7 * 86_400, True), (7 * 86_400 + 1, False), (2**32, False)]
)
def test_a_lifetime_beyond_all_measure_is_not_asked_for(shortest, asked_again):
    exchange = exchange_of(registration_of())
    exchange.first()
    too_brief = Response(423, "", Headers([("Min-Expires", str(shortest))]))
    if asked_again:
        assert exchange.next(too_brief).headers.get("Expires") == str(shortest)
        return
    with pytest.raises(DriverError) as caught:
        exchange.next(too_brief)
    assert caught.value.failure.kind is FailureClass.PERMANENT


def test_cseq_grows_even_when_the_memory_is_older_than_the_last_register():
    memory = {}
    old = dict(memory)
    registration = registration_of(memory)
    registration.register(Purpose.REGISTER, NOW)
    old = dict(memory)
    last = [registration.register(Purpose.REGISTER, NOW) for _ in range(3)][-1]
    again = registration_of(old).register(Purpose.REGISTER, NOW + 60)
    number = [int(request.headers.get("CSeq").split()[0]) for request in (last, again)]
    assert number[1] > number[0]
    assert again.headers.get("Call-ID") == last.headers.get("Call-ID")


@given(st.text(max_size=50))
def test_a_memory_that_makes_no_sense_is_started_anew(text):
    for kept in (text, f'{{"line": {text}}}', '{"cseq": "x"}', "[]", '{"contact":"x","until":9e99}'):
        remembered = recall({"here": kept}, "here")
        assert remembered.line
        assert remembered.call_id
        registration_of({"here": kept}).register(Purpose.REGISTER, NOW)


@pytest.mark.parametrize(
    "kept",
    [
        '{"port":70000}',
        '{"port":-1}',
        '{"cseq":2147483647}',
        '{"cseq":-5}',
        '{"call_id":"a\\r\\nX: y","line":"1"}',
        '{"call_id":"1","line":"a\\n"}',
    ],
)
def test_a_memory_that_would_make_a_broken_register_is_started_anew(kept):
    remembered = recall({"here": kept}, "here")
    assert remembered == Remembered(call_id=remembered.call_id, line=remembered.line)
    parse_message(registration_of({"here": kept}).register(Purpose.REGISTER, NOW).encode())


@given(st.integers(1, 100_000), st.floats(0, 1))
def test_a_refresh_leaves_room_for_another_try(expires, chance):
    delay = refresh_delay(expires, chance)
    assert 0.6 * expires <= delay <= 0.75 * expires
    assert 0 < retry_delay(expires - delay, None) <= expires - delay


@given(st.integers(20, 100_000), st.floats(0, 1), st.floats(1, 60))
def test_a_refresh_that_nobody_answers_leaves_time_for_one_more(expires, chance, limit):
    remaining = expires - refresh_delay(expires, chance)
    remaining -= try_timeout(remaining, limit)
    assert remaining - retry_delay(remaining, None) >= 1.0


@given(st.floats(0.001, 10_000), st.none() | st.floats(0, 10_000))
def test_a_failed_refresh_is_tried_again_before_the_binding_ends(remaining, retry_after):
    assert 0 <= retry_delay(remaining, retry_after) <= remaining
