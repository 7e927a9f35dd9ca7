"""A certificate authority made on the spot with the openssl command."""
import subprocess


class Authority:
    """ca is the bundle to trust; make(NAME, ...) gives (certificate, key) files signed by it."""

    def __init__(self, folder):
        self.folder, self.ca, self.key = folder, folder / "ca.pem", folder / "ca.key"
        self._openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", self.key, "-out", self.ca,
                      "-days", "30", "-subj", "/CN=test authority", "-addext", "basicConstraints=critical,CA:TRUE",
                      "-addext", "keyUsage=critical,keyCertSign,cRLSign")
        (folder / "index").touch()
        (folder / "ca.cnf").write_text(
            "[ca]\ndefault_ca=d\n[d]\ndatabase=%(f)s/index\nrand_serial=yes\nnew_certs_dir=%(f)s\ncertificate=%(f)s/ca.pem\n"
            "private_key=%(f)s/ca.key\ndefault_md=sha256\npolicy=p\ncopy_extensions=copy\nunique_subject=no\n[p]\ncommonName=supplied\n" % {"f": folder})

    def _openssl(self, *args):
        subprocess.run(["openssl", *map(str, args)], check=True, capture_output=True)

    def make(self, name, alt="DNS:localhost,IP:127.0.0.1", start="20200101000000Z", end="20991231235959Z"):
        cert, key, request = (self.folder / (name + suffix) for suffix in (".pem", ".key", ".csr"))
        self._openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key, "-out", request,
                      "-subj", "/CN=" + name, "-addext", "subjectAltName=" + alt)
        self._openssl("ca", "-batch", "-config", self.folder / "ca.cnf", "-in", request, "-out", cert, "-notext",
                      "-startdate", start, "-enddate", end)
        return cert, key
