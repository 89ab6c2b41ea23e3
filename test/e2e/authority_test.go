package e2e

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
	"sync"
	"testing"
	"time"
)

// authority issues certificates that are rotated; its clients trust nothing else, and note which ones they see.
type authority struct {
	t           *testing.T
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	mutex       sync.Mutex
	seen        map[string]map[int64]bool // the serial numbers served, by server
}

func newAuthority(t *testing.T) *authority {
	a := &authority{t: t, seen: make(map[string]map[int64]bool)}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	a.key = a.newKey()
	der, err := x509.CreateCertificate(rand.Reader, template, template, &a.key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	if a.certificate, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return a
}

func (a *authority) newKey() *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	return key
}

// issue makes a certificate for 127.0.0.1 with this serial number, and its key.
func (a *authority) issue(serial int64) (certificate, key string) {
	private := a.newKey()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, &private.PublicKey, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		a.t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}))
}

// client is a TLS configuration that verifies the server.
func (a *authority) client(server string) *tls.Config {
	pool := x509.NewCertPool()
	pool.AddCert(a.certificate)
	return &tls.Config{RootCAs: pool, ServerName: "127.0.0.1", VerifyConnection: func(state tls.ConnectionState) error {
		a.mutex.Lock()
		defer a.mutex.Unlock()
		if a.seen[server] == nil {
			a.seen[server] = make(map[int64]bool)
		}
		a.seen[server][state.PeerCertificates[0].SerialNumber.Int64()] = true
		return nil
	}}
}

// served tells how many generations clients of a server have seen, and whether this one is among them.
func (a *authority) served(server string, serial int64) (int, bool) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	return len(a.seen[server]), a.seen[server][serial]
}
