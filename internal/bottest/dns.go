package bottest

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"

	"golang.org/x/net/dns/dnsmessage"
)

// DNS is a name server for tests, over UDP on loopback. It knows what it was told, and that nothing else exists; it can be told to be
// out of order (Break) or gone (Close). All methods may be called from many goroutines.
type DNS struct {
	conn net.PacketConn
	done chan struct{}

	mu     sync.Mutex
	txt    map[string][]string
	hosts  map[string][]net.IP
	mx     map[string][]string
	broken bool
	asked  []string
}

// StartDNS starts one. Close it.
func StartDNS() (*DNS, error) {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("start DNS: %w", err)
	}
	d := &DNS{conn: conn, done: make(chan struct{}), txt: map[string][]string{}, hosts: map[string][]net.IP{}, mx: map[string][]string{}}
	go d.serve()
	return d, nil
}

// Resolver asks this server and no other.
func (d *DNS) Resolver() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", d.conn.LocalAddr().String())
	}}
}

// Close ends the server.
func (d *DNS) Close() {
	_ = d.conn.Close()
	<-d.done
}

// TXT gives a name these texts, in place of others; none takes them away.
func (d *DNS) TXT(name string, texts ...string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.txt[fqdn(name)] = texts
}

// Host gives a name these addresses, in place of others.
func (d *DNS) Host(name string, addresses ...string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.hosts[fqdn(name)] = nil
	for _, a := range addresses {
		d.hosts[fqdn(name)] = append(d.hosts[fqdn(name)], net.ParseIP(a))
	}
}

// MX gives a domain these mail servers, in place of others.
func (d *DNS) MX(name string, servers ...string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.mx[fqdn(name)] = servers
}

// Break has every question answered with "server failure", or ends that.
func (d *DNS) Break(broken bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.broken = broken
}

// Asked are the names that were asked for, each once, in order.
func (d *DNS) Asked() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	names := slices.Clone(d.asked)
	slices.Sort(names)
	return slices.Compact(names)
}

func fqdn(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) + "." }

func (d *DNS) serve() {
	defer close(d.done)
	buf := make([]byte, 1500)
	for {
		n, from, err := d.conn.ReadFrom(buf)
		if err != nil {
			return // closed
		}
		var m dnsmessage.Message
		if m.Unpack(buf[:n]) != nil || len(m.Questions) != 1 {
			continue
		}
		if answer, err := d.answer(m); err == nil {
			_, _ = d.conn.WriteTo(answer, from) // whoever asked may have gone
		}
	}
}

func (d *DNS) answer(m dnsmessage.Message) ([]byte, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	q := m.Questions[0]
	name := strings.ToLower(q.Name.String())
	d.asked = append(d.asked, strings.TrimSuffix(name, "."))
	m.Header = dnsmessage.Header{ID: m.ID, Response: true, RecursionDesired: true, RecursionAvailable: true}
	m.Additionals = nil
	switch {
	case d.broken:
		m.RCode = dnsmessage.RCodeServerFailure
	case !d.knows(name):
		m.RCode = dnsmessage.RCodeNameError
	default:
		for _, body := range d.records(name, q.Type) {
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 60}, Body: body})
		}
	}
	return m.Pack()
}

func (d *DNS) knows(name string) bool {
	return len(d.txt[name])+len(d.hosts[name])+len(d.mx[name]) > 0
}

func (d *DNS) records(name string, t dnsmessage.Type) (list []dnsmessage.ResourceBody) {
	switch t {
	case dnsmessage.TypeTXT:
		for _, text := range d.txt[name] {
			list = append(list, &dnsmessage.TXTResource{TXT: slices.Collect(chunks(text))})
		}
	case dnsmessage.TypeMX:
		for i, server := range d.mx[name] {
			list = append(list, &dnsmessage.MXResource{Pref: uint16(10 * (i + 1)), MX: dnsmessage.MustNewName(fqdn(server))})
		}
	case dnsmessage.TypeA:
		for _, ip := range d.hosts[name] {
			if v4 := ip.To4(); v4 != nil {
				list = append(list, &dnsmessage.AResource{A: [4]byte(v4)})
			}
		}
	case dnsmessage.TypeAAAA:
		for _, ip := range d.hosts[name] {
			if ip.To4() == nil {
				list = append(list, &dnsmessage.AAAAResource{AAAA: [16]byte(ip)})
			}
		}
	}
	return list
}

// chunks are the pieces of a long text: each has at most 255 bytes on the wire.
func chunks(text string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for len(text) > 255 {
			if !yield(text[:255]) {
				return
			}
			text = text[255:]
		}
		yield(text)
	}
}
