import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manager.drivers.sip.digest import (
    Challenge,
    DigestError,
    answer,
    parse_challenges,
    parse_credentials,
    ranked,
    response_value,
    verify,
)
from manager.drivers.sip.message import Request, parse_message
from manager.secret import Secret

PASSWORD = Secret("Circle of Life")


def challenge_value(algorithm="MD5", qop="auth"):
    return f'Digest realm="r", nonce="n", algorithm={algorithm}' + (f', qop="{qop}"' if qop else "")


def solve(challenge, **changes):
    given_values = {"username": "Mufasa", "password": PASSWORD, "method": "REGISTER", "uri": "sip:h"}
    return answer(challenge, **(given_values | changes))


@pytest.mark.parametrize(
    ("algorithm", "expected"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_the_examples_of_rfc_7616_come_out(algorithm, expected):
    """§3.9.1."""
    assert expected == response_value(
        algorithm=algorithm,
        username="Mufasa",
        realm="http-auth@example.org",
        password=PASSWORD,
        nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
        method="GET",
        uri="/dir/index.html",
        qop="auth",
        nonce_count="00000001",
        cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
    )


def test_the_sha_512_256_example_of_rfc_7616_comes_out():
    """§3.9.2 as corrected by its errata."""
    assert response_value(
        algorithm="SHA-512-256",
        username="J\u00e4s\u00f8n Doe",
        realm="api@example.org",
        password=Secret("Secret, or not?"),
        nonce="5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK",
        method="GET",
        uri="/doe.json",
        qop="auth",
        nonce_count="00000001",
        cnonce="NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v",
    ) == "3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5"  # fmt: skip


def test_the_example_of_rfc_2069_comes_out_without_qop():
    """§2.4 as corrected by its errata."""
    assert response_value(
        algorithm="MD5",
        username="Mufasa",
        realm="testrealm@host.com",
        password=Secret("CircleOfLife"),
        nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093",
        method="GET",
        uri="/dir/index.html",
        qop=None,
    ) == "1949323746fe6a43ef61f9606e7febea"  # fmt: skip


@pytest.mark.parametrize(
    "algorithm", ["MD5", "MD5-sess", "SHA-256", "SHA-256-sess", "SHA-512-256", "SHA-512-256-sess"]
)
@pytest.mark.parametrize("qop", [None, "auth", "auth-int", "auth,auth-int"])
def test_what_a_client_answers_a_server_verifies(algorithm, qop):
    (challenge,) = parse_challenges([challenge_value(algorithm, qop)])
    credentials = parse_credentials(solve(challenge, username='Zoë "Z" \\ X', body=b"body"))
    assert credentials.username == 'Zoë "Z" \\ X'
    assert verify(credentials, password=PASSWORD, method="REGISTER", body=b"body")
    assert not verify(credentials, password=Secret("wrong"), method="REGISTER", body=b"body")
    assert not verify(credentials, password=PASSWORD, method="OPTIONS", body=b"body")
    if qop == "auth-int":
        assert not verify(credentials, password=PASSWORD, method="REGISTER", body=b"other")


def test_what_asterisk_accepted_is_computed_alike(capture):
    """The passwords of the captures are not known; their requests and challenges must still be read."""
    seen = set()
    for raw in capture("sip-register-two-algorithms.txt"):
        message = parse_message(raw)
        if isinstance(message, Request) and "Authorization" in message.headers:
            credentials = parse_credentials(message.headers.get("Authorization"))
            seen.add((credentials.username, credentials.parameters.get("qop"), credentials.nonce_count))
        challenges = parse_challenges(message.headers.lines("WWW-Authenticate"))
        if challenges:
            assert [challenge.algorithm for challenge in ranked(challenges)] == ["SHA-256", "MD5"]
    assert seen == {("6010", "auth", 1)}


def test_commas_in_a_realm_and_in_a_quoted_qop_part_nothing():
    (challenge,) = parse_challenges(
        ['digest Realm="a, b=c, Basic x", nonce=abc ,qop="auth,auth-int",stale=TRUE']
    )
    assert challenge.realm == "a, b=c, Basic x"
    assert challenge.nonce == "abc"
    assert challenge.qops == ["auth", "auth-int"]
    assert challenge.stale


def test_several_challenges_in_one_line_come_apart():
    challenges = parse_challenges(
        [
            (
                'Basic realm="b", Digest realm="d1", nonce="1", algorithm=MD5, Digest realm="d2",nonce="2",'
                'algorithm=SHA-256, Negotiate YII=, NTLM, Digest realm="d3", nonce="3", algorithm=SHA-3'
            )
        ]
    )
    assert [(c.scheme, c.realm) for c in challenges] == [
        ("Basic", "b"), ("Digest", "d1"), ("Digest", "d2"), ("Negotiate", ""), ("NTLM", ""), ("Digest", "d3"),
    ]  # fmt: skip
    assert [challenge.realm for challenge in ranked(challenges)] == ["d2", "d1"]


def test_an_escaped_realm_is_hashed_and_echoed_as_it_came():
    (challenge,) = parse_challenges([r'Digest realm="a\"b\\c", nonce="n\"1", opaque="o\"p"'])
    value = solve(challenge)
    assert r'realm="a\"b\\c"' in value
    assert r'nonce="n\"1"' in value
    assert r'opaque="o\"p"' in value
    assert parse_credentials(value).parameters["response"] == response_value(
        algorithm="MD5", username="Mufasa", realm=r"a\"b\\c", password=PASSWORD, nonce=r"n\"1",
        method="REGISTER", uri="sip:h", qop=None,
    )  # fmt: skip


def test_nothing_is_answered_that_was_not_offered():
    (plain,) = parse_challenges(['Digest realm="r", nonce="n"'])
    value = solve(plain)
    assert not any(name in value for name in ("algorithm", "qop", "nc=", "cnonce", "opaque"))


@pytest.mark.parametrize(
    "line",
    [
        'Basic realm="x"',
        'Digest realm="x"',
        'Digest nonce="n", algorithm=SHA-3',
        'Digest nonce="n", qop="new"',
    ],
)
def test_a_challenge_of_an_unknown_kind_is_not_answered(line):
    assert ranked(parse_challenges([line])) == []
    with pytest.raises(DigestError):
        solve(parse_challenges([line])[0])


def test_a_control_character_in_the_user_name_is_never_written():
    (challenge,) = parse_challenges(['Digest realm="r", nonce="n"'])
    with pytest.raises(DigestError):
        solve(challenge, username="a\r\nX: y")


@pytest.mark.parametrize("name", ["realm", "nonce", "opaque"])
def test_a_control_character_of_a_server_is_never_written_back(name):
    parameters = {"realm": "r", "nonce": "n", name: "a\rb"}
    with pytest.raises(DigestError):
        solve(Challenge("Digest", parameters))


def test_no_form_of_the_answer_shows_the_password():
    (challenge,) = parse_challenges([challenge_value()])
    assert PASSWORD.reveal() not in solve(challenge) + repr(challenge) + repr(
        parse_credentials(solve(challenge))
    )


@given(st.text(max_size=80))
def test_arbitrary_text_raises_nothing_but_a_digest_error(text):
    for prefix in ("", "Digest ", 'Digest realm="', 'Digest nonce="n", ', 'Digest nonce="n", algorithm='):
        try:
            for challenge in parse_challenges([prefix + text]):
                solve(challenge)
        except DigestError:
            pass
        with contextlib.suppress(DigestError):
            verify(parse_credentials(prefix + text), password=PASSWORD, method="REGISTER")


@given(
    st.dictionaries(
        st.sampled_from(["username", "realm", "nonce", "uri", "response", "nc", "qop", "cnonce"]),
        st.text(max_size=9),
    )
)
def test_arbitrary_credentials_raise_nothing_but_a_digest_error(parameters):
    credentials = parse_credentials("Digest realm=x")
    credentials = type(credentials)(parameters)
    assert credentials.nonce_count is None or credentials.nonce_count >= 0
    with contextlib.suppress(DigestError):
        verify(credentials, password=PASSWORD, method="REGISTER")


def test_equal_challenges_keep_the_order_of_the_server():
    one, two = (Challenge("Digest", {"nonce": "n", "realm": realm}) for realm in "ab")
    assert ranked([one, two]) == [one, two]
