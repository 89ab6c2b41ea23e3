package e2e

import (
	"bufio"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

// As much of the protocols of PostgreSQL and Redis as a load takes: one connection, one question.

// exchangeTime is how long one question may take, with its connection.
const exchangeTime = 10 * time.Second

// postgresConn is a connection to PostgreSQL with TLS, as a role that needs no password
// (postgresql.org/docs/15/protocol-message-formats.html).
type postgresConn struct {
	*tls.Conn
	r *bufio.Reader
}

func dialPostgres(address, user string, config *tls.Config) (*postgresConn, error) {
	raw, err := net.DialTimeout("tcp", address, exchangeTime)
	if err != nil {
		return nil, err
	}
	raw.SetDeadline(time.Now().Add(exchangeTime))
	// SSLRequest, and the S that says yes.
	if _, err := raw.Write([]byte{0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f}); err != nil {
		raw.Close()
		return nil, err
	}
	answer := make([]byte, 1)
	if _, err := io.ReadFull(raw, answer); err != nil || answer[0] != 'S' {
		raw.Close()
		return nil, fmt.Errorf("SSLRequest: answer %q, %w", answer, err)
	}
	c := &postgresConn{Conn: tls.Client(raw, config)}
	c.r = bufio.NewReader(c.Conn)
	// StartupMessage, without a type.
	parameters := "\x00\x03\x00\x00user\x00" + user + "\x00database\x00postgres\x00\x00"
	if err := c.send("", parameters); err != nil {
		c.Close()
		return nil, err
	}
	if _, err := c.untilReady(); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

func (c *postgresConn) send(kind, body string) error {
	message := append([]byte(kind), binary.BigEndian.AppendUint32(nil, uint32(4+len(body)))...)
	_, err := c.Write(append(message, body...))
	return err
}

// untilReady reads messages until the server waits for a question (Z), and counts the rows among them (D).
func (c *postgresConn) untilReady() (rows int, err error) {
	header := make([]byte, 5)
	for {
		if _, err := io.ReadFull(c.r, header); err != nil {
			return rows, err
		}
		body := make([]byte, binary.BigEndian.Uint32(header[1:])-4)
		if _, err := io.ReadFull(c.r, body); err != nil {
			return rows, err
		}
		switch header[0] {
		case 'Z':
			return rows, nil
		case 'D':
			rows++
		case 'E':
			return rows, errors.New("PostgreSQL: " + strings.Join(strings.Split(string(body), "\x00"), " "))
		}
	}
}

// ask has one row answered.
func (c *postgresConn) ask() error {
	c.SetDeadline(time.Now().Add(exchangeTime))
	if err := c.send("Q", "SELECT 1\x00"); err != nil {
		return err
	}
	rows, err := c.untilReady()
	if err == nil && rows != 1 {
		err = fmt.Errorf("PostgreSQL: %d rows", rows)
	}
	return err
}

// askRedis connects, logs in and pings (redis.io/docs/latest/develop/reference/protocol-spec/).
func askRedis(address, password string) error {
	c, err := net.DialTimeout("tcp", address, exchangeTime)
	if err != nil {
		return err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(exchangeTime))
	if _, err := fmt.Fprintf(c, "*2\r\n$4\r\nAUTH\r\n$%d\r\n%s\r\n*1\r\n$4\r\nPING\r\n", len(password), password); err != nil {
		return err
	}
	r := bufio.NewReader(c)
	for _, want := range []string{"+OK\r\n", "+PONG\r\n"} {
		line, err := r.ReadString('\n')
		if err != nil {
			return err
		}
		if line != want {
			return errors.New("Redis: " + strings.Fields(line)[0])
		}
	}
	return nil
}
