import ssl
import subprocess

import pytest

from manager.drivers.base import DriverError
from manager.drivers.tls import client_context
from manager.model import FailureClass, Stage
from manager.settings import Tls


def test_the_default_checks_the_certificate_and_the_name():
    context = client_context(Tls())
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname


def test_a_ca_file_is_trusted_instead_of_the_system(pki):
    context = client_context(Tls(ca_file=pki.cert))
    assert [dict(entry[0] for entry in ca["subject"]) for ca in context.get_ca_certs()] == [
        {"commonName": "lab"}
    ]


def test_verify_false_checks_nothing():
    context = client_context(Tls(verify=False))
    assert context.verify_mode is ssl.CERT_NONE
    assert not context.check_hostname


def test_a_certificate_of_our_own_is_loaded(pki):
    client_context(Tls(cert_file=pki.cert, key_file=pki.key))


@pytest.mark.parametrize("field", ["ca_file", "cert_file"])
def test_a_missing_file_is_a_configuration_mistake_that_names_it(tmp_path, field):
    path = tmp_path / "missing.pem"
    with pytest.raises(DriverError) as caught:
        client_context(Tls(**{field: path}))
    failure = caught.value.failure
    assert (failure.kind, failure.stage) == (FailureClass.CONFIGURATION, Stage.TLS)
    assert str(path) in failure.reason
    assert failure.hint


def test_a_file_without_a_certificate_is_a_configuration_mistake(tmp_path, pki):
    path = tmp_path / "empty.pem"
    path.write_text("not a certificate\n")
    for tls in (Tls(ca_file=path), Tls(cert_file=path), Tls(cert_file=pki.cert, key_file=path)):
        with pytest.raises(DriverError) as caught:
            client_context(tls)
        assert caught.value.failure.kind is FailureClass.CONFIGURATION


def test_a_key_with_a_passphrase_is_refused_without_asking_the_terminal(tmp_path, pki):
    locked = tmp_path / "locked.pem"
    subprocess.run(
        ["openssl", "pkey", "-in", pki.key, "-aes128", "-passout", "pass:canary", "-out", locked],
        check=True,
        capture_output=True,
    )
    with pytest.raises(DriverError) as caught:
        client_context(Tls(cert_file=pki.cert, key_file=locked))
    assert "passphrase" in caught.value.failure.hint


def test_a_key_without_a_certificate_is_a_configuration_mistake(pki):
    with pytest.raises(DriverError):
        client_context(Tls(key_file=pki.key))
