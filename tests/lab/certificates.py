# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The datain.azure_mysql contributors

"""The lab's certificate authority, a second one that nobody should trust, and a certificate per server.

Made with the openssl program, or where that is missing with Python's cryptography.
"""

from __future__ import annotations

import datetime
import os
import pathlib
import shutil
import subprocess
import tempfile

from layout import LabError, lock, private, state_dir, write_private

DAYS = 3650


def folder():
    return private(state_dir() / "tls")


def ca():
    return _authority("ca", "datain lab CA")


def wrong_ca():
    return _authority("wrong-ca", "datain lab, another CA")


def _authority(name, subject):
    certificate, key = folder() / (name + ".pem"), folder() / (name + "-key.pem")
    with lock(folder() / "lock"):
        if not certificate.exists():
            fresh = certificate.with_suffix(".new")
            maker().authority(subject, key, fresh)
            os.chmod(key, 0o600)
            os.rename(fresh, certificate)
    return certificate


def server(name, into):
    """ca.pem, server-cert.pem and server-key.pem for one server; the certificate names every way to reach it.

    The key is PKCS#1 ("BEGIN RSA PRIVATE KEY"): old yaSSL builds read no other.
    """
    authority = ca()
    maker().server(name, authority, folder() / "ca-key.pem", into / "server-key.pem", into / "server-cert.pem")
    (into / "ca.pem").write_text(authority.read_text())
    os.chmod(into / "server-key.pem", 0o600)


def validity():
    """The first and the last moment of a certificate.

    It begins well in the past: the yaSSL of MySQL 5.6 takes a certificate for not valid yet until the minute in which it begins
    is over. Till then a server answers every handshake with "Bad handshake", and a replica accepts no source.
    """
    start = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
    return start, start + datetime.timedelta(days=DAYS)


def maker():
    return OpenSsl if shutil.which("openssl") else Cryptography


class OpenSsl:
    # `ca`, because `req` and `x509` of OpenSSL 3.0 take no first day; it wants a list of what it has signed.
    CONFIG = ("[ca]\ndefault_ca=lab\n[lab]\ndatabase=signed\nnew_certs_dir=.\nrand_serial=yes\ndefault_md=sha256\npolicy=names\n"
              "[names]\ncommonName=supplied\n")
    # Key identifiers: Python 3.13 verifies strictly and wants them.
    IDENTIFIERS = "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid:always\n"
    AUTHORITY = IDENTIFIERS + "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n"
    SERVER = IDENTIFIERS + ("extendedKeyUsage=serverAuth\nsubjectAltName=DNS:%s,DNS:localhost,IP:127.0.0.1\n"
                            "basicConstraints=critical,CA:FALSE\n")

    @classmethod
    def authority(cls, subject, key, certificate):
        cls._write(subject, cls.AUTHORITY, ["-selfsign", "-keyfile", key], key, certificate)

    @classmethod
    def server(cls, name, authority, authority_key, key, certificate):
        cls._write(name, cls.SERVER % name, ["-cert", authority, "-keyfile", authority_key], key, certificate)

    @staticmethod
    def _write(subject, extensions, signer, key, certificate):
        with tempfile.TemporaryDirectory() as work:
            def run(*words):
                done = subprocess.run(["openssl", *map(str, words)], cwd=work, capture_output=True, text=True, check=False)
                if done.returncode:
                    raise LabError("openssl %s: %s" % (words[0], done.stderr.strip()))
            for name, text in (("config", OpenSsl.CONFIG), ("extensions", extensions), ("signed", "")):
                pathlib.Path(work, name).write_text(text)
            run("genrsa", "-traditional", "-out", key, "2048")
            run("req", "-new", "-key", key, "-subj", "/CN=" + subject, "-out", "request")
            start, end = (moment.strftime("%Y%m%d%H%M%SZ") for moment in validity())
            run("ca", "-batch", "-notext", "-config", "config", "-extfile", "extensions", "-startdate", start, "-enddate", end,
                *signer, "-in", "request", "-out", certificate)


class Cryptography:
    @classmethod
    def authority(cls, subject, key, certificate):
        cls._write(subject, None, None, key, certificate)

    @classmethod
    def server(cls, name, authority, authority_key, key, certificate):
        cls._write(name, authority, authority_key, key, certificate)

    @staticmethod
    def _write(subject, authority, authority_key, key, certificate):
        try:
            from cryptography import x509
            from cryptography.hazmat.primitives import hashes, serialization
            from cryptography.hazmat.primitives.asymmetric import rsa
        except ImportError:
            raise LabError("neither the openssl program nor Python's cryptography is here: install one of them") from None
        import ipaddress
        own = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        who = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, subject)])
        start, end = validity()
        builder = x509.CertificateBuilder().subject_name(who).public_key(own.public_key()).serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(start).not_valid_after(end)
        builder = builder.add_extension(x509.BasicConstraints(ca=authority is None, path_length=None), critical=True)
        if authority is None:
            issuer, signer = who, own
            builder = builder.add_extension(x509.KeyUsage(
                key_cert_sign=True, crl_sign=True, digital_signature=False, content_commitment=False, key_encipherment=False,
                data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False), critical=True)
        else:
            issuer = x509.load_pem_x509_certificate(authority.read_bytes()).subject
            signer = serialization.load_pem_private_key(authority_key.read_bytes(), None)
            builder = builder.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
            names = [x509.DNSName(subject), x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
            builder = builder.add_extension(x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(own.public_key()), critical=False)
        signed = builder.issuer_name(issuer).sign(signer, hashes.SHA256())
        certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
        write_private(key, own.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL,
                                             serialization.NoEncryption()).decode())
