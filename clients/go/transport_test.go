package weir_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	weir "github.com/weir-ratelimit/weir/clients/go"
	"github.com/weir-ratelimit/weir/clients/go/internal/weirtest"
)

// certificates are an authority, and one certificate of it that serves on both sides.
type certificates struct {
	roots         *x509.CertPool
	own           tls.Certificate
	ca, cert, key string
}

// newCertificates makes them for weir.test and localhost.
func newCertificates(t *testing.T) certificates {
	t.Helper()
	folder := t.TempDir()
	write := func(name, kind string, bytes []byte) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: bytes}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	must := func(bytes []byte, err error) []byte {
		if err != nil {
			t.Fatal(err)
		}
		return bytes
	}
	newKey := func() *ecdsa.PrivateKey {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	authorityKey, key := newKey(), newKey()
	authority := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "tests"},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(48 * time.Hour),
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign,
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2),
		Subject:      pkix.Name{CommonName: "weir.test"},
		DNSNames:     []string{"weir.test", "localhost"},
		NotBefore:    authority.NotBefore,
		NotAfter:     authority.NotAfter,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	ca := must(x509.CreateCertificate(rand.Reader, authority, authority, &authorityKey.PublicKey, authorityKey))
	cert := must(x509.CreateCertificate(rand.Reader, leaf, authority, &key.PublicKey, authorityKey))
	made := certificates{
		roots: x509.NewCertPool(),
		own:   tls.Certificate{Certificate: [][]byte{cert}, PrivateKey: key},
		ca:    write("ca.crt", "CERTIFICATE", ca),
		cert:  write("own.crt", "CERTIFICATE", cert),
		key:   write("own.key", "PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(key))),
	}
	parsed, err := x509.ParseCertificate(ca)
	if err != nil {
		t.Fatal(err)
	}
	made.roots.AddCert(parsed)
	return made
}

func TestTLSIsAnsweredAndAStrangerIsNotTrusted(t *testing.T) {
	made := newCertificates(t)
	settings := []string{"GRPC_SERVER_USE_TLS=true", "GRPC_SERVER_TLS_CERT=" + made.cert, "GRPC_SERVER_TLS_KEY=" + made.key}
	first, second := weirtest.Start(t, settings...), weirtest.Start(t, settings...)

	named := connect(t, first.Address, weir.WithTLS(&tls.Config{RootCAs: made.roots, ServerName: "weir.test"}))
	ready(t, named)
	equal(t, "allowed", check(t, named, 1, weir.By("user", "tls")).Allowed, true)

	for what, config := range map[string]*tls.Config{
		"another name":      {RootCAs: made.roots, ServerName: "other.test"},
		"another authority": {ServerName: "weir.test"},
		"no configuration":  nil,
	} {
		_, err := connect(t, first.Address, weir.WithTLS(config)).Check(t.Context(), "shop", x, 1)
		t.Log(what)
		fails(t, err, weir.ErrUnavailable)
	}
	_, err := connect(t, first.Address).Check(t.Context(), "shop", x, 1)
	fails(t, err, weir.ErrUnavailable)

	// Each of several addresses has a name of its own to be held against.
	_, one, _ := net.SplitHostPort(first.Address)
	_, other, _ := net.SplitHostPort(second.Address)
	both := connect(t, "localhost:"+one+", localhost:"+other, weir.WithTLS(&tls.Config{RootCAs: made.roots}))
	weirtest.Eventually(t, "both to be asked", func() bool {
		check(t, both, 1, weir.By("many", "tls"))
		return first.Decisions() > 1 && second.Decisions() > 0
	})
}

func TestMTLSIsAnsweredAndWithoutACertificateIsNot(t *testing.T) {
	made := newCertificates(t)
	shop := weirtest.Start(t,
		"GRPC_SERVER_USE_TLS=true",
		"GRPC_SERVER_TLS_CERT="+made.cert,
		"GRPC_SERVER_TLS_KEY="+made.key,
		"GRPC_CLIENT_TLS_CACERT="+made.ca,
	)
	config := &tls.Config{RootCAs: made.roots, ServerName: "weir.test"}
	_, err := connect(t, shop.Address, weir.WithTLS(config)).Check(t.Context(), "shop", x, 1)
	fails(t, err, weir.ErrUnavailable)
	known := config.Clone()
	known.Certificates = []tls.Certificate{made.own}
	client := connect(t, shop.Address, weir.WithTLS(known))
	ready(t, client)
	equal(t, "allowed", check(t, client, 1, weir.By("user", "mtls")).Allowed, true)
}

func TestAUnixSocketIsAnsweredAloneAndBesideAPort(t *testing.T) {
	// Its path must be short, and a test's own folder may be too long.
	folder, err := os.MkdirTemp("", "weir")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	local, remote := weirtest.Start(t, "GRPC_UDS="+filepath.Join(folder, "weir.sock")), weirtest.Start(t)
	equal(t, "allowed", check(t, connect(t, local.Address), 1, weir.By("user", "unix")).Allowed, true)
	both := connect(t, local.Address+","+remote.Address)
	weirtest.Eventually(t, "both to be asked", func() bool {
		check(t, both, 1, weir.By("many", "unix"))
		return local.Decisions() > 1 && remote.Decisions() > 0
	})
}
